"""A small answer leaves in one write; what its body does at its end comes after."""

from collections.abc import Iterator
from typing import Any

import pytest

from hermes.streaming.responses import _in_one_write


class Answer:
    """As much of gunicorn's response as is used: it writes headers and body to its `sock`."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock

    def write(self, data: bytes) -> None:
        self.sock.sendall(b"headers ")
        self.sock.sendall(data)


class Connection:
    def __init__(self) -> None:
        self.story: list[object] = []

    def sendall(self, data: bytes) -> None:
        self.story.append(data)


class Body:
    def __init__(self, connection: Connection, error: Exception | None = None) -> None:
        self.connection = connection
        self.error = error

    def __iter__(self) -> Iterator[bytes]:
        yield b"one "
        if self.error:
            raise self.error
        yield b"two"

    def close(self) -> None:
        self.connection.story.append("closed")


def send(body: Body) -> None:
    answer: Any = Answer(body.connection)
    assert list(_in_one_write(body, body.connection, answer)) == []
    assert answer.sock is body.connection


def test_headers_and_body_are_one_write_and_the_body_is_closed_after() -> None:
    connection = Connection()
    send(Body(connection))
    assert connection.story == [b"headers one two", "closed"]


def test_a_body_that_fails_sends_nothing_and_is_closed() -> None:
    connection = Connection()
    with pytest.raises(ZeroDivisionError):
        send(Body(connection, ZeroDivisionError()))
    assert connection.story == ["closed"]
