"""How our own worker serves a plain connection: requests one after the other, those of a remembered head by the short way."""

from __future__ import annotations

import errno
import io
import socket
import struct
import time
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import gevent
from gunicorn import util
from gunicorn.glogging import Logger
from gunicorn.http import wsgi
from gunicorn.http.errors import NoMoreData
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.base_async import ALREADY_HANDLED

from hermes.streaming.heads import Head, RememberingParser

if TYPE_CHECKING:
    from gunicorn.http.message import Request

    from hermes.streaming.worker import HermesWorker

GONE = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN})


def may_serve(cfg: Any, log: Any) -> bool:
    """Whether nothing is configured for which a connection or a request has to go gunicorn's own way."""
    return (
        not cfg.is_ssl
        and cfg.protocol == "http"
        and cfg.http2_cleartext == "off"
        and cfg.proxy_protocol == "off"
        and bool(cfg.keepalive)
        and not cfg.max_requests
        and type(log).access is Logger.access
        and not log.access_log_enabled
        and all(cfg.settings[name].get() is cfg.settings[name].default for name in ("pre_request", "post_request"))
    )


class Connection:
    """A client's plain connection, from its first request to its last."""

    def __init__(self, worker: HermesWorker, listener_name: Any, connection: Any, address: Any) -> None:
        self._worker = worker
        self._listener_name = listener_name
        self._socket = connection
        self._address = address

    def serve(self) -> None:
        """Answer requests until the client or an answer ends the connection, or none comes for the keep-alive time."""
        request: Request | None = None
        parser = RememberingParser(self._worker.cfg, self._socket, self._address)
        parser.unreader = Unreader(self._socket, self._worker.waiting)
        try:
            while True:
                request = None  # of what goes wrong from here, the last one is not the cause
                with self._worker.timeout_ctx() as patience:
                    request = next(parser)
                if patience.over or request is None:
                    return
                self._answer(request)
                if parser.unreader.buf.tell():  # it has asked more already: others have their turn
                    gevent.sleep(0)
        except (NoMoreData, StopIteration):
            pass
        except TimeoutError:
            self._cut()
        except OSError as error:
            if error.errno not in GONE:
                self._worker.log.exception("The socket of a request failed.")
        except Exception as error:
            self._worker.handle_error(request, self._socket, self._address, error)
        finally:
            util.close(self._socket)

    def _cut(self) -> None:
        """The client does not take what it asked for: end the connection at once, and free what the kernel holds for it."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _answer(self, request: Request) -> None:
        head = getattr(request, "head", None)
        if head is None:
            self._worker.handle_request(self._listener_name, request, self._socket, self._address)
        else:
            self._answer_again(request, head)

    def _answer_again(self, request: Request, head: Head) -> None:
        """What gunicorn does with a request, for one whose head is remembered."""
        began = time.monotonic()
        response: Any = _Response(request, self._socket, self._worker.cfg)
        if not self._worker.alive:
            response.force_close()
        body = self._worker.wsgi(self._environ(request, head), response.start_response)
        if body is ALREADY_HANDLED:
            raise StopIteration  # the socket is a stream's now
        try:
            for piece in body:
                response.write(piece)
            response.close()
        finally:
            if hasattr(body, "close"):
                body.close()
        if response.should_close():
            raise StopIteration
        self._worker.take_rest(request, began)

    def _environ(self, request: Request, head: Head) -> dict[str, Any]:
        environ = head.environ(request)
        if not environ:
            _, made = wsgi.create(request, self._socket, self._address, self._listener_name, self._worker.cfg)
            environ = {**made, "wsgi.multithread": True, "wsgi.errors": _Errors(self._worker.cfg)}
            head.keep(environ)
        environ["wsgi.errors"] = wsgi.WSGIErrorsWrapper(
            self._worker.cfg
        )  # a log that is opened anew has another stream
        return environ


class Unreader(SocketUnreader):
    """Reads what a client sends; in ``waiting`` while it waits for that, so that somebody can :meth:`end` the wait."""

    def __init__(self, connection: Any, waiting: dict[Unreader, None]) -> None:
        super().__init__(connection)
        self._waiting = waiting
        self._is_over = False

    def chunk(self, *size: Any) -> bytes:
        """See gunicorn; ``size`` is how much it could take."""
        if self._is_over:
            return b""
        self._waiting[self] = None
        try:
            data: bytes = super().chunk(*size)
        finally:
            self._waiting.pop(self, None)
        return data

    def end(self) -> None:
        """From now on it is as if the client had ended its side: what it sends yet is no request."""
        self._is_over = True
        self._waiting.pop(self, None)
        connection: Any = self.sock
        with suppress(OSError):
            connection._sock.shutdown(socket.SHUT_RD)  # gevent's own would raise in the greenlet that waits


class _Errors(io.RawIOBase):
    """What an application writes for the server's log, which may be opened anew while a connection lasts."""

    def __init__(self, cfg: Any) -> None:
        self._cfg = cfg

    def write(self, data: Any) -> None:
        """See gunicorn."""
        wsgi.WSGIErrorsWrapper(self._cfg).write(data)


class _Response(wsgi.Response):
    """gunicorn's response, which makes its date once a second."""

    def default_headers(self) -> list[str]:
        """See gunicorn."""
        major, minor = self.req.version or (1, 1)
        ends = "close" if self.should_close() else "keep-alive"
        lines = [f"HTTP/{major}.{minor} {self.status}", f"Server: {self.version}", _date(int(time.time()))]
        lines.append(f"Connection: {ends}")
        if self.chunked:
            lines.append("Transfer-Encoding: chunked")
        return [f"{line}\r\n" for line in lines]


@lru_cache(maxsize=1)
def _date(now: int) -> str:
    return f"Date: {util.http_date(now)}"
