"""How our own worker writes responses to plain sockets: small answers at once, and streams by handing the socket over."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

import gevent
from gevent.monkey import get_original
from gunicorn.http.wsgi import Response
from gunicorn.workers.base_async import ALREADY_HANDLED

from hermes.streaming.direct import DirectStream
from hermes.streaming.portable import WatchedStream
from hermes.streaming.sockets import ENVIRON_KEY, PlainSocket

SMALL = 65_536
"""Bytes of a body that is joined with its headers."""

HTTP2_KEY = "gunicorn.http2.send_trailers"
"""In the environ of a request by HTTP/2, whose frames are not ours to write; no header can make such a key."""

NativeSocket = get_original("socket", "socket")

Application = Callable[[MutableMapping[str, Any], Callable[..., Any]], Iterable[bytes]]


def answering_on_plain_sockets(application: Application) -> Application:
    """Wrap a WSGI application: a stream of the direct lane takes its plain socket over, and gunicorn lets go of it.

    What a request leaves behind - parser, environ, contexts, a deep stack - would otherwise live as long as the stream.
    """

    def wrapped(environ: MutableMapping[str, Any], start_response: Callable[..., Any]) -> Any:
        connection: Any = environ.get("gunicorn.socket")
        raw = getattr(connection, "_sock", None)
        http1 = HTTP2_KEY not in environ
        if not http1 or raw is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
            return application(environ, start_response)
        environ[ENVIRON_KEY] = PlainSocket(raw, chunked=environ["SERVER_PROTOCOL"] != "HTTP/1.0")
        body = application(environ, start_response)
        response: Response = start_response.__self__  # type: ignore[attr-defined]  # gunicorn's own
        if isinstance(body, DirectStream):
            _take_over(body, connection, response)
            return ALREADY_HANDLED
        if isinstance(body, WatchedStream):
            connection.settimeout(None)  # it has a watch of its own, which tells slow from stalled
        elif response.response_length is not None and response.response_length <= SMALL:
            return _in_one_write(body, connection, response)
        return body

    return wrapped


def _take_over(stream: DirectStream, connection: Any, response: Response) -> None:
    """Let gunicorn write the headers, then give them and the socket to the stream in a greenlet of its own."""
    try:
        response.force_close()
        response.req.force_close()
        headers = _collect(response, response.send_headers)
        own = NativeSocket(fileno=connection.detach())
    except BaseException:
        stream.close()
        raise
    gevent.spawn_raw(stream.begin, own, headers)


def _in_one_write(body: Iterable[bytes], connection: Any, response: Response) -> Iterable[bytes]:
    """Send headers and body together: gunicorn writes them one after the other, which wakes the client twice."""
    try:
        content = b"".join(body)
        connection.sendall(_collect(response, lambda: response.write(content)))
    finally:
        if hasattr(body, "close"):
            body.close()
    return ()


def _collect(response: Response, write: Callable[[], object]) -> bytes:
    """What ``write`` would send."""
    collected, connection = _Collected(), response.sock
    response.sock = collected  # type: ignore[assignment]  # gunicorn only calls its sendall
    try:
        write()
    finally:
        response.sock = connection
    return bytes(collected.data)


class _Collected:
    """Takes what is written to a socket."""

    def __init__(self) -> None:
        self.data = bytearray()

    def sendall(self, data: bytes) -> None:
        self.data += data
