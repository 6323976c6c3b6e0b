"""The comparison of documents with what programs print, shown to fail where they differ."""

from pathlib import Path

import pytest

from tests.docs.blocks import Block, blocks, difference, expectation, normalised
from tests.docs.runner import Reader
from tests.rules.tree import ROOT


def test_blocks_are_found(tmp_path: Path) -> None:
    path = ROOT / "docs" / "http.md"
    found = blocks(path)
    assert len(found) == path.read_text().count("\n```") // 2
    assert found[0] == Block("docs/http.md", 6, "bash", (), "KEY=$(cat data/admin.key)\nHERMES=http://localhost:8000\n")


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("dqtgtty4-22", "abcdefgh-7\n"),
        ("22:18:15.602  orders  paid", "01:02:03.456  orders  paid\n"),
        ("a ... z", "a to z\n"),
        ("a\n...\nz", "a\nb\nc\nz\n"),
        ("a\n...\nz", "a\nz\n"),
        ("retry: 2000", "retry: 1999\n"),
    ],
)
def test_text_that_agrees(shown: str, printed: str) -> None:
    assert expectation(shown).fullmatch(normalised(printed))


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("dqtgtty4-22", "dqtgtty4\n"),
        ("orders", "order\n"),
        ("a.c", "abc\n"),
        ("a\nb", "a\n\nb\n"),
        ("a\n...\nz", "a\nb\n"),
        ("ok   store: embedded", "FIX  store: embedded\n"),
    ],
)
def test_text_that_does_not(shown: str, printed: str) -> None:
    assert not expectation(shown).fullmatch(normalised(printed))


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ({"id": "dqtgtty4-22", "n": 1, "data": {"total": 99.5}}, {"id": "abcdefgh-7", "n": 2, "data": {"total": 1}}),
        ({"time": "2026-11-20T22:18:15.722Z"}, {"time": "2027-01-02T03:04:05.678Z"}),
        ([None, True, "x"], [None, True, "x"]),
    ],
)
def test_json_that_agrees(shown: object, printed: object) -> None:
    assert difference(shown, printed) is None


@pytest.mark.parametrize(
    ("shown", "printed", "where"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, "$"),
        ({"a": {"b": "x"}}, {"a": {"b": "y"}}, "$.a.b"),
        ({"a": [1]}, {"a": []}, "$.a"),
        ({"a": [True]}, {"a": [1]}, "$.a[0]"),
        ({"a": None}, {"a": {}}, "$.a"),
        ({"a": "1"}, {"a": 1}, "$.a"),
    ],
)
def test_json_that_does_not(shown: object, printed: object, where: str) -> None:
    assert (difference(shown, printed) or "").startswith(f"{where}: ")


@pytest.mark.live
@pytest.mark.parametrize(
    "told",
    [
        [("bash", (), "exit 3")],
        [("bash", (), "echo one"), ("text", (), "two")],
        [("bash", (), "echo '{\"n\": 1}'"), ("json", (), '{"m": 1}')],
        [("python", (), "1 / 0")],
        [("ruby", (), "puts 1")],
        [("procfile", (), "web: another\n")],
        [("bash", ("terminal-1",), "cat data/no-such-file"), ("text", ("terminal-1",), "found")],
    ],
    ids=["exit code", "text", "json", "python", "language", "procfile", "terminal"],
)
def test_a_document_can_be_wrong(told: list[tuple[str, tuple[str, ...], str]], tmp_path: Path) -> None:
    document = [Block("wrong.md", line, *block) for line, block in enumerate(told, 1)]
    with Reader(tmp_path) as reader, pytest.raises(AssertionError, match=rf"^wrong.md:{len(told)}\n"):
        reader.read(document)
