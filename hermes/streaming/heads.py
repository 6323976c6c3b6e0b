"""What the heads of a connection's requests meant: the same bytes mean it again.

A publisher sends nearly the same head with every event, and beside a thousand streams its parsing is a third of what an event
costs (measured). What gunicorn made of a head is kept, apart from the length of the body; all rules for heads stay gunicorn's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from gunicorn.http.body import Body, LengthReader
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser

MOST_HEADS = 8
"""Heads that are remembered for a connection."""

LONGEST_HEAD = 4096
"""Bytes of a head that is remembered."""

_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,9})(?=\r\n)", re.IGNORECASE)
_NEVER = frozenset({"TRANSFER-ENCODING", "EXPECT", "UPGRADE"})


class Head:
    """The head of a POST that was parsed, and the WSGI environ that gunicorn made of its request."""

    __slots__ = ("_environ", "_headers", "_state")

    def __init__(self, request: Request) -> None:
        self._state = vars(request) | {"head": self}
        self._headers = [header for header in request.headers if header[0] != "CONTENT-LENGTH"]
        self._environ: dict[str, Any] = {}

    def request(self, unreader: Any, length: bytes) -> Request:
        """The request of this head with a body of ``length`` (ASCII digits) bytes."""
        request = Request.__new__(Request)
        vars(request).update(self._state)
        request.headers = [*self._headers, ("CONTENT-LENGTH", length.decode())]
        request.body = Body(LengthReader(unreader, int(length)))
        return request

    def keep(self, environ: dict[str, Any]) -> None:
        """Remember what the environ of one of its requests was before the application got it."""
        self._environ = dict(environ)

    def environ(self, request: Request) -> dict[str, Any]:
        """The environ for a request of this head; empty where none was kept yet."""
        if not self._environ:
            return {}
        return self._environ | {"wsgi.input": request.body, "CONTENT_LENGTH": request.headers[-1][1]}


class RememberingParser(RequestParser):
    """gunicorn's parser of one connection's requests; a request of a remembered head has it as its ``head``."""

    def __init__(self, cfg: Any, source: Any, source_addr: Any) -> None:
        super().__init__(cfg, source, source_addr)
        self._heads: dict[tuple[bytes, bytes], Head] = {}
        self._finish_body: Callable[[], Any] = (
            self.finish_body
        )  # False where the next request cannot be told from its body

    def __next__(self) -> Request:
        """The next request; raises what gunicorn's parser does."""
        if self.mesg is None:
            return super().__next__()
        if self.mesg.should_close() or self._finish_body() is False:
            raise StopIteration
        data = self.unreader.read()
        end = data.find(_END)
        length = _LENGTH.search(data, 0, end + 2) if data.startswith(b"POST ") and 0 < end <= LONGEST_HEAD else None
        if length is None:
            return self._parsed(data)
        key = data[: length.start(1)], data[length.end(1) : end]
        head = self._heads.get(key)
        if head is None:
            request = self._parsed(data)
            self._remember(key, request)
            return request
        self.unreader.unread(data[end + len(_END) :])
        self.req_count += 1
        self.mesg = request = head.request(self.unreader, length[1])
        return request

    def _parsed(self, data: bytes) -> Request:
        self.unreader.unread(data)
        return super().__next__()

    def _remember(self, key: tuple[bytes, bytes], request: Request) -> None:
        if request.should_close() or any(name in _NEVER for name, _ in request.headers):
            return
        if len(self._heads) == MOST_HEADS:
            self._heads.clear()
        vars(request)["head"] = self._heads[key] = Head(request)
