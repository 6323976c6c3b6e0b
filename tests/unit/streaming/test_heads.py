"""A connection whose heads are remembered gives the requests that gunicorn's own parser gives, whatever is sent on it."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import NoMoreData
from gunicorn.http.parser import RequestParser
from hypothesis import given
from hypothesis import strategies as st

from hermes.streaming.heads import LONGEST_HEAD, MOST_HEADS, RememberingParser

PUBLISH = "POST /api/v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer k\r\n"


def post(body: bytes, head: str = PUBLISH, length: str = "Content-Length") -> bytes:
    return f"{head}{length}: {len(body)}\r\nX-Last: 1\r\n\r\n".encode() + body


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted({min(cut, len(data)) for cut in cuts}), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges) if a < b]


def outcome(parser: Any) -> Iterator[tuple[object, ...]]:
    """What an application would see of each request, and how the connection ended."""
    while True:
        try:
            request = next(parser)
            body = request.body.read()
        except (StopIteration, NoMoreData):
            yield ("end",)
            return
        except Exception as error:
            yield (type(error).__name__,)
            return
        headers = sorted(request.headers)
        yield request.method, request.uri, request.path, request.query, request.version, request.scheme, headers, body
        yield parser.req_count, request.should_close()


def both(data: list[bytes]) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    theirs, ours = (
        list(outcome(kind(Config(), iter(data), ("127.0.0.1", 1)))) for kind in (RequestParser, RememberingParser)
    )
    return theirs, ours


heads = st.sampled_from(
    [
        PUBLISH,
        PUBLISH + "Content-Type: application/json\r\n",
        PUBLISH.replace("1.1", "1.0"),
        PUBLISH + "Connection: close\r\n",
        PUBLISH + "Expect: 100-continue\r\n",
        PUBLISH + "X-Forwarded-Proto: https\r\n",
        PUBLISH + "Content-Length: 3\r\n",
        PUBLISH + "X-Odd: content-length: 5\r\n",
        PUBLISH + " folded\r\n",
        "POST /other?a=b HTTP/1.1\r\nHost: a\r\n",
        "\r\n" + PUBLISH,
    ]
)
lengths = st.sampled_from(["Content-Length", "content-length", "CONTENT-LENGTH", "Content-Length ", "X-Length"])
others = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        f"{PUBLISH}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".encode(),
        b"nonsense\r\n\r\n",
    ]
)


@st.composite
def connections(draw: st.DrawFn) -> list[bytes]:
    """What a client sends, in the pieces that arrive: few heads many times, and now and then something else."""
    usual = draw(heads)
    sent = []
    for body in draw(st.lists(st.binary(max_size=12), min_size=1, max_size=8)):
        turn = draw(st.integers(0, 9))
        sent.append(post(body, draw(heads), draw(lengths)) if turn == 0 else post(body, usual))
        sent += [draw(others)] if turn == 1 else []
    if draw(st.booleans()):
        return sent
    return pieces(b"".join(sent), draw(st.lists(st.integers(0, 1500), max_size=6)))


@given(connections())
def test_the_same_requests_as_from_gunicorn(sent: list[bytes]) -> None:
    theirs, ours = both(sent)
    assert ours == theirs


def parsed(*sent: bytes) -> list[Any]:
    parser = RememberingParser(Config(), iter(sent), ("127.0.0.1", 1))
    found = []
    for _ in sent:
        request = next(parser)
        request.body.read()
        found.append(request)
    return found


def is_remembered(request: Any, of: Any) -> bool:
    return getattr(request, "head", None) is not None and request.head is of.head and request is not of


def test_a_head_is_remembered_from_the_second_request_on_whatever_its_length() -> None:
    first, second, third, fourth = parsed(post(b"a"), post(b"bc"), post(b"def"), post(b"g" * 1000))
    assert not hasattr(first, "head")  # most connections have one request
    assert is_remembered(third, second)
    assert is_remembered(fourth, second)
    assert dict(fourth.headers)["CONTENT-LENGTH"] == "1000"


def test_an_environ_is_remembered_with_the_head_but_not_with_the_body() -> None:
    _, second, third = parsed(post(b"a"), post(b"bc"), post(b"def"))
    assert second.head.environ(second) == {}
    second.head.keep({"REQUEST_METHOD": "POST", "wsgi.input": second.body, "CONTENT_LENGTH": "2"})
    made = third.head.environ(third)
    assert made == {"REQUEST_METHOD": "POST", "wsgi.input": third.body, "CONTENT_LENGTH": "3"}
    made["changed"] = "by the application"
    assert "changed" not in third.head.environ(third)


@pytest.mark.parametrize(
    "head",
    [
        "GET /a HTTP/1.1\r\nHost: a\r\n",
        PUBLISH + "Expect: 100-continue\r\n",
        PUBLISH + "Upgrade: h2c\r\n",
        PUBLISH + f"X-Long: {'x' * LONGEST_HEAD}\r\n",
    ],
)
def test_what_is_never_remembered(head: str) -> None:
    for request in parsed(*[post(b"a", head)] * 4):
        assert not hasattr(request, "head")


def test_only_so_many_heads_are_kept() -> None:
    others = [post(b"a", f"POST /{number} HTTP/1.1\r\nHost: a\r\n") for number in range(MOST_HEADS)]
    found = parsed(post(b"a"), post(b"a"), post(b"a"), *others, post(b"a"))
    assert is_remembered(found[2], found[1])
    assert not is_remembered(found[-1], found[1])
