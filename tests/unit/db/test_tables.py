"""The tables: what they share, and text that every database takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from hermes.db.tables import Line, metadata

DIALECT = sqlite.dialect()


def bound(text: str | None) -> str | None:
    return Line().process_bind_param(text, DIALECT)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        (None, None),
        ("", ""),
        ("a ä € 😀\n\t\x7f\ufffe", "a ä € 😀\n\t\x7f\ufffe"),
        ("a\0b", "a\ufffdb"),
        ("\ud800", "\ufffd"),
        ("a\udfffb", "a\ufffdb"),
    ],
)
def test_line(text: str | None, stored: str | None) -> None:
    assert bound(text) == stored


@given(st.text(st.characters(exclude_categories=[])))
def test_whatever_is_stored_can_be_encoded_and_compared(text: str) -> None:
    stored = bound(text)
    assert stored is not None
    assert "\0" not in stored
    stored.encode()
    assert bound(stored) == stored
    if "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text):
        assert stored == text


def test_names_are_ours() -> None:
    assert metadata.tables
    for table in metadata.sorted_tables:
        assert table.name.startswith("hermes_")
        assert all(str(constraint.name).partition("_")[2].startswith("hermes_") for constraint in table.constraints)
        assert all(str(index.name).startswith("ix_hermes_") for index in table.indexes)


def test_times_hold_milliseconds() -> None:
    columns = [column for table in metadata.sorted_tables for column in table.columns if column.name.endswith("at")]
    assert len(columns) == 13
    assert {str(column.type) for column in columns} == {"BIGINT"}
