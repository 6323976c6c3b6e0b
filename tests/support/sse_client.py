"""A client that follows the EventSource standard over a raw socket and remembers everything; written without Hermes.

It works in a thread and, in a process patched by gevent, in a greenlet. It reads only when it is asked to (or after
`start()`), so a client that nobody reads is a client that has stopped reading.
"""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

from tests.support.event_parser import EventParser, Frame
from tests.support.http_response import BadResponse, Body, Head

PIECE = 65_536
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close() sends RST

State = Literal["connecting", "open", "closed"]


class NoFrame(AssertionError):
    """No frame, or not the one waited for, within the time."""


class StreamStopped(AssertionError):
    """The stream ended for good, as the standard's "fail the connection" says; `status` and `body` tell why."""

    def __init__(self, reason: str, status: int | None = None, body: bytes = b"") -> None:
        super().__init__(f"{reason}{': ' + body[:500].decode(errors='replace') if body else ''}")
        self.reason, self.status, self.body = reason, status, body


class StandardClient:
    """One EventSource: keeps `last_event_id` and `retry`, comes back by itself, stops for good where the standard does.

        with StandardClient(url, headers=hermes.headers) as client:
            frame = client.next_frame(timeout=5)

    `retry` is the reconnection time in seconds until the server names another, `retry_limit` bounds what the server
    may name. `receive_buffer` (bytes) makes a slow reader's link small. `on_frame` is called with each frame.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        last_event_id: str = "",
        retry: float = 0.5,
        retry_limit: float = 60.0,
        reconnect: bool = True,
        on_frame: Callable[[Frame], object] | None = None,
        keep_frames: bool = True,
        connect_timeout: float = 15.0,
        receive_buffer: int | None = None,
        source: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._url = urlsplit(url)
        self._extra_headers = dict(headers or {})
        self._connect_timeout = connect_timeout
        self._receive_buffer = receive_buffer
        self._source = source
        self._tls = tls
        self._reconnects = reconnect
        self._on_frame = on_frame
        self._keep_frames = keep_frames
        self._retry_limit = retry_limit

        self.last_event_id = last_event_id
        self.retry = retry
        self.state: State = "connecting"
        self.head: Head | None = None  # of the last response
        self.frames: list[Frame] = []
        self.opened = 0  # how often a stream was opened
        self.received = 0  # bytes of all responses, without their first piece
        self.endings: list[str] = []  # how each connection ended: complete, eof, reset, refused, timeout, dropped ...
        self.stopped: StreamStopped | None = None  # set when the standard's rules ended it for good

        self._socket: socket.socket | None = None
        self._body: Body | None = None
        self._parser = EventParser(last_event_id)
        self._ready: deque[Frame] = deque()
        self._connect_at = 0.0
        self._closing = threading.Event()
        self._reading = threading.RLock()  # on_frame may leave
        self._leaving: tuple[str, float] | None = None  # how, and the pause before the next connection
        self._thread: threading.Thread | None = None

    # --- life

    def open(self, timeout: float = 15.0) -> Self:
        """Connects and waits for the response's head; raises `StreamStopped` for any but a stream."""
        deadline, opened = time.monotonic() + timeout, self.opened
        while self.state != "open" and self.opened == opened:
            if self.stopped:
                raise self.stopped
            if self.state == "closed" or time.monotonic() >= deadline:
                raise NoFrame(f"not open within {timeout:g} s; {self.describe()}")
            self._step(deadline)
        return self

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> Self:
        """Reads in a thread of its own until `close()`."""
        self._thread = threading.Thread(target=self._run, name="standard-client", daemon=True)
        self._thread.start()
        return self

    def _run(self) -> None:
        while self.state != "closed":
            self.pump(1.0)

    def pump(self, timeout: float) -> None:
        """One step of at most so many seconds - a pause, a connection, a piece - for who listens by `on_frame` alone."""
        if self.state != "closed":
            self._step(time.monotonic() + timeout)
        self._ready.clear()

    def redirect(self, url: str) -> None:
        """The next connection goes there."""
        self._url = urlsplit(url)

    def close(self) -> None:
        """Leaves in order (FIN) and stays away."""
        self._leave_for_good("closed", reset=False)

    def abort(self) -> None:
        """Leaves with a reset (RST) and stays away."""
        self._leave_for_good("aborted", reset=True)

    def drop(self, *, reset: bool = False, after: float = 0.0) -> None:
        """Breaks this connection; the next read connects again, not before `after` seconds from now."""
        self._leave("dropped", reset=reset, after=after)

    def half_close(self) -> None:
        """Sends FIN and goes on reading."""
        assert self._socket is not None, "not connected"
        self._socket.shutdown(socket.SHUT_WR)

    def _leave_for_good(self, how: str, *, reset: bool) -> None:
        self._reconnects = False
        self._closing.set()
        self._leave(how, reset=reset)
        self.state = "closed"
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(self._connect_timeout)

    def _leave(self, how: str, *, reset: bool, after: float = 0.0) -> None:
        self._leaving = (how, after)
        link = self._socket
        if link is not None:
            with contextlib.suppress(OSError):
                if reset:
                    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                link.shutdown(socket.SHUT_RD)  # sends nothing, and wakes a reader in another thread
        with self._reading:
            if link is not None and self._socket is link:
                self._disconnected(how)
            self._leaving = None

    # --- reading

    def poll(self, timeout: float) -> Frame | None:
        """The next frame, or None after `timeout` seconds or when the stream is closed."""
        deadline = time.monotonic() + timeout
        while not self._ready:
            if self.state == "closed":
                return None
            self._step(deadline)
            if not self._ready and time.monotonic() >= deadline:
                return None
        return self._ready.popleft()

    def next_frame(self, timeout: float = 5.0) -> Frame:
        """The next frame; raises `NoFrame` when none comes in time, `StreamStopped` when none will come."""
        frame = self.poll(timeout)
        if frame is not None:
            return frame
        if self.stopped:
            raise self.stopped
        raise NoFrame(f"no frame within {timeout:g} s; {self.describe()}")

    def read_until(self, predicate: Callable[[Frame], object], timeout: float = 10.0) -> list[Frame]:
        """Reads up to the first frame for which `predicate` is true; all that were read, that one last."""
        deadline = time.monotonic() + timeout
        read: list[Frame] = []
        while True:
            try:
                frame = self.next_frame(max(0.0, deadline - time.monotonic()))
            except NoFrame:
                last = [(seen["event"], seen["id"]) for seen in read[-5:]]
                raise NoFrame(f"not within {timeout:g} s; read {len(read)}, last {last}; {self.describe()}") from None
            read.append(frame)
            if predicate(frame):
                return read

    def read_for(self, seconds: float) -> list[Frame]:
        """All frames of that time."""
        deadline = time.monotonic() + seconds
        read: list[Frame] = []
        while (left := deadline - time.monotonic()) > 0 and self.state != "closed":
            frame = self.poll(left)
            if frame:
                read.append(frame)
        return read

    def describe(self) -> str:
        """One line on where this client stands."""
        return (
            f"{self.state}, opened {self.opened}, last id {self.last_event_id!r}, endings {self.endings[-3:]}"
            f"{', stopped: ' + self.stopped.reason if self.stopped else ''}"
        )

    # --- the connection

    def _step(self, deadline: float) -> None:
        """One thing: a part of the pause before a connection, a connection, or one piece of the stream."""
        if self._socket is None:
            pause = min(self._connect_at, deadline) - time.monotonic()
            if pause > 0:
                self._closing.wait(pause)
        with self._reading:
            if self._socket is not None:
                self._receive(deadline)
            elif time.monotonic() >= self._connect_at and not self._closing.is_set():
                self._try_to_connect()

    def _try_to_connect(self) -> None:
        try:
            self._connect()
        except TimeoutError:
            self._disconnected("timeout")
        except ConnectionRefusedError:
            self._disconnected("refused")
        except ConnectionResetError:
            self._disconnected("reset")
        except (OSError, BadResponse) as error:
            self._disconnected(f"failed: {error}")

    def _connect(self) -> None:
        host, port = self._url.hostname or "", self._url.port or (443 if self._url.scheme == "https" else 80)
        link = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket = link
        link.settimeout(self._connect_timeout)
        if self._receive_buffer:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        if self._source:
            link.bind((self._source, 0))
        link.connect((host, port))
        if self._url.scheme == "https":
            link = (self._tls or ssl.create_default_context()).wrap_socket(link, server_hostname=host)
            self._socket = link
        link.sendall(self._request(host, port))
        received = b""
        while b"\r\n\r\n" not in received:
            piece = link.recv(PIECE)
            if not piece:
                raise BadResponse("the connection ended within the head")
            received += piece
        text, _, rest = received.partition(b"\r\n\r\n")
        self.head = Head.parse(text)
        self._body = Body(self.head)
        if self._is_stream(self.head, link, rest):
            self.opened += 1
            self.state = "open"
            self._parser = EventParser(self.last_event_id)
            self._take(rest)

    def _request(self, host: str, port: int) -> bytes:
        target = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        headers = {"Host": f"{host}:{port}", "Accept": "text/event-stream", "Cache-Control": "no-cache"}
        headers |= self._extra_headers
        if self.last_event_id:
            headers["Last-Event-ID"] = self.last_event_id
        lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        return "\r\n".join(lines).encode()

    def _is_stream(self, head: Head, link: socket.socket, rest: bytes) -> bool:
        """Whether this is a stream; else the standard says to stop for good, and the body says why."""
        if head.status == 200 and head.media_type == "text/event-stream":
            return True
        assert self._body is not None
        body = self._body.feed(rest)
        with contextlib.suppress(OSError, BadResponse):
            while not self._body.is_complete and len(body) < PIECE and (piece := link.recv(PIECE)):
                body += self._body.feed(piece)
        self.stopped = StreamStopped(f"{head.status} {head.media_type}", head.status, body)
        self._disconnected(f"status {head.status}")
        return False

    def _receive(self, deadline: float) -> None:
        assert self._socket is not None
        try:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            piece = self._socket.recv(PIECE)
        except TimeoutError:
            return
        except ConnectionResetError:
            self._disconnected("reset")
            return
        except OSError as error:
            self._disconnected(f"failed: {error}")
            return
        if piece:
            self.received += len(piece)
            self._take(piece)
        else:
            self._disconnected("eof")

    def _take(self, piece: bytes) -> None:
        body = self._body
        assert body is not None
        try:
            frames = self._parser.feed(body.feed(piece))
        except BadResponse as error:
            self._disconnected(f"failed: {error}")
            return
        self.last_event_id = self._parser.last_event_id
        if self._parser.retry is not None:
            self.retry = min(self._parser.retry / 1000, self._retry_limit)
        self._ready.extend(frames)
        if self._keep_frames:
            self.frames.extend(frames)
        if self._on_frame:
            for frame in frames:
                self._on_frame(frame)
        if body.is_complete and self._body is body:  # on_frame may have left
            self._disconnected("complete")

    def _disconnected(self, how: str) -> None:
        how, pause = self._leaving or (how, self.retry)
        self.endings.append(how)
        link, self._socket = self._socket, None
        if link is not None:
            link.close()
        self._body = None
        self._connect_at = time.monotonic() + pause
        self.state = "connecting" if self._reconnects and not self.stopped else "closed"
