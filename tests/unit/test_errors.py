"""The tree of exceptions: what a caller is told."""

import pytest

from hermes import errors
from hermes.errors import HermesError, InvalidInput, Problem, RequestError, Retryable, invalid


def tree(root: type[RequestError]) -> list[type[RequestError]]:
    return [root, *(leaf for child in root.__subclasses__() for leaf in tree(child))]


PLAIN = [kind for kind in tree(RequestError) if kind is not InvalidInput]


@pytest.mark.parametrize("kind", PLAIN)
def test_every_error_has_one_shape(kind: type[RequestError]) -> None:
    assert kind("why", {"a": 1}).as_dict() == {"error": {"code": kind.code, "message": "why", "details": {"a": 1}}}
    assert 400 <= kind.status < 600
    assert kind.code.isupper()


def test_codes_tell_errors_apart() -> None:
    codes = [kind.code for kind in PLAIN if kind is not errors.Unavailable]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", tree(Retryable))
def test_what_a_retry_can_cure(kind: type[Retryable]) -> None:
    assert kind.status in (429, 503)
    assert kind.retry_after > 0


def test_every_problem_is_told_and_the_first_in_words() -> None:
    error = InvalidInput([Problem("ttl", "too long", 3), Problem("key", "empty")])
    assert error.message == "events[3].ttl: too long (and 1 more)"
    assert error.details == [
        {"field": "ttl", "message": "too long", "index": 3},
        {"field": "key", "message": "empty"},
    ]
    assert invalid("a", "b").message == "a: b"


def test_all_are_in_one_tree() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert all(issubclass(kind, HermesError) for kind in kinds)
