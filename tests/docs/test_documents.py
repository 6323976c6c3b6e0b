"""Every block of every document does what the document says; see runner.py for how."""

from pathlib import Path

import pytest

from tests.docs.blocks import NOT_RUN, RUN_ELSEWHERE, blocks, documents
from tests.docs.runner import Reader
from tests.rules.tree import ROOT, name

# What no test may do on somebody's machine: install packages of the system.
LEFT_OUT = {("README.md", "script/test")}


@pytest.mark.live
@pytest.mark.browser
@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", [path for path in documents() if blocks(path)], ids=name)
def test_a_reader_can_follow(path: Path, tmp_path: Path) -> None:
    with Reader(tmp_path) as reader:
        reader.read(blocks(path))


def test_what_is_not_run_says_so() -> None:
    left_out = [block for path in documents() for block in blocks(path) if NOT_RUN in block.words]
    assert {(block.document, block.text.strip()) for block in left_out} == LEFT_OUT
    assert len(left_out) == len(LEFT_OUT)


def test_what_is_run_elsewhere() -> None:
    found = {(block.document, block.language) for path in documents() for block in blocks(path) if not block.is_run}
    assert {language for document, language in found if language in RUN_ELSEWHERE} == RUN_ELSEWHERE
    assert {document for document, language in found if language in RUN_ELSEWHERE} == {"docs/deploy.md"}


def test_script_server_ends_in_the_one_command() -> None:
    *_, last = (ROOT / "script" / "server").read_text().rstrip().split("\n")
    assert last == 'exec .venv/bin/gunicorn -c python:hermes.gunicorn_conf app:app "$@"'
