"""Cursors: what is written can be read, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.cursor import Cursor, new_epoch, parse_cursor
from tests.unit.strategies import odd_text

epochs = st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=32)
numbers = st.integers(0, 10**16 - 1)


@given(epochs, numbers)
def test_what_is_written_is_read(epoch: str, number: int) -> None:
    assert parse_cursor(str(Cursor(epoch, number))) == Cursor(epoch, number)


@given(epochs, numbers, st.text(st.characters(exclude_characters="\n"), max_size=128))
def test_a_mark_is_no_part_of_the_position(epoch: str, number: int, mark: str) -> None:
    text = f"{epoch}-{number}~{mark}"
    assert parse_cursor(text) == Cursor(epoch, number)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "-",
            "a-",
            "-1",
            "a-01",
            "a--1",
            "a-1 ",
            " a-1",
            "a-1\n",
            "A-1",
            "a-1x",
            "a_1",
            "a-1-1",
            "1",
            "a-1e3",
        ),
        *("a-" + "9" * 17, "a" * 33 + "-1", "é-1", "a-١", "a-1~a\nb", "earliest"),
    ],
)
def test_anything_else_is_unreadable(text: str) -> None:
    assert parse_cursor(text) is None


@given(odd_text)
def test_no_text_is_an_error(text: str) -> None:
    cursor = parse_cursor(text)
    assert cursor is None or str(cursor) == text.partition("~")[0]


def test_epochs_differ() -> None:
    assert len({new_epoch() for _ in range(100)}) == 100
    assert parse_cursor(f"{new_epoch()}-0") is not None
