"""The documents leave nothing out: each route, setting and command stands where a reader looks for it; links lead somewhere."""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from flask import Flask

from hermes.app import create_app
from hermes.cli import cli
from hermes.cli.settings import settings as settings_command
from hermes.core.event import FIELDS, STREAM_TYPES
from hermes.core.filter import OPERATORS
from hermes.core.recovery import ResetReason
from hermes.errors import RequestError
from hermes.settings import load_settings, table
from hermes.streaming.query import STREAM_NAMES
from hermes.web.events import READ_NAMES
from tests.docs.blocks import documents, prose
from tests.rules.tree import ROOT, name
from tests.support.hermes_server import clean_environment

DOCS = ROOT / "docs"

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return create_app(load_settings(data_dir=tmp_path))


def anchors(path: Path) -> set[str]:
    """The anchors that a renderer gives a document's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def quoted(path: Path) -> set[str]:
    """Everything in a document that stands as code, and each word of it."""
    found = re.findall(r"`([^`\n]+)`", prose(path))
    return {word for text in found for word in (text, *re.split(r"[\s,:={}\"]+", text))}


def test_every_route(app: Flask) -> None:
    text = (DOCS / "http.md").read_text()
    routes = [(rule.rule, rule.methods or set()) for rule in app.url_map.iter_rules()]
    calls = [f"{method} {path}" for path, methods in routes for method in sorted(methods - {"HEAD", "OPTIONS"})]
    assert calls
    assert [call for call in calls if not re.search(rf"{re.escape(call)}[`,]", text)] == []


def test_no_route_that_is_not_there(app: Flask) -> None:
    told = re.findall(r"^\|[^|]*?`(GET|POST|PUT|PATCH|DELETE) (/[^`]*)`", prose(DOCS / "http.md"), re.MULTILINE)
    assert len(told) > 10
    real = {(method, rule.rule) for rule in app.url_map.iter_rules() for method in rule.methods or ()}
    assert [call for call in told if call not in real] == []


@pytest.mark.parametrize(
    "names",
    [FIELDS, STREAM_NAMES, READ_NAMES, STREAM_TYPES, OPERATORS, [reason.value for reason in ResetReason]],
    ids=["event fields", "stream query", "read query", "frames", "filter operators", "reset reasons"],
)
def test_what_goes_in_and_comes_out(names: list[str]) -> None:
    assert set(names) - quoted(DOCS / "http.md") == set()


def test_every_error_code() -> None:
    def codes(error: type[RequestError]) -> set[str]:
        return {error.code}.union(*map(codes, error.__subclasses__()))

    assert codes(RequestError) - {"BAD_REQUEST"} - quoted(DOCS / "http.md") == set()


def test_the_table_of_settings_is_the_codes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    printed = CliRunner(env=dict.fromkeys(_set_here(), None)).invoke(settings_command, ["--markdown"])
    assert printed.exit_code == 0, printed.output
    assert printed.output in (DOCS / "settings.md").read_text(), "docs/settings.md: paste `hermes settings --markdown`"


def _set_here() -> set[str]:
    """Variables of whoever runs this test that would show in the table."""
    import os

    return set(os.environ) - set(clean_environment())


def test_no_document_names_a_setting_that_is_none() -> None:
    known = {part for row in table(load_settings()) for part in (row.name, *row.aliases)}
    known |= {"HERMES_URL", "HERMES_API_KEY"}
    for path in documents():
        named = set(re.findall(r"\bHERMES_[A-Z_]+\b", path.read_text()))
        assert named - known == set(), name(path)


def test_every_command_and_option() -> None:
    text = (DOCS / "command-line.md").read_text()
    for command in cli.commands.values():
        assert f"\n## hermes {command.name}\n" in text
        section = text.split(f"\n## hermes {command.name}\n")[1].split("\n## ")[0]
        options = [parameter.opts[0] for parameter in command.params if isinstance(parameter, click.Option)]
        assert [option for option in options if option not in section] == [], command.name


@pytest.mark.parametrize("path", documents(), ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in _LINK.findall(prose(path)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


@pytest.mark.parametrize("path", documents(), ids=name)
def test_the_words(path: Path) -> None:
    """What Hermes promises is never called by the other name."""
    assert not re.search("exactly[- ]" + "once", path.read_text(), re.IGNORECASE)


def test_the_promise_stands_in_the_readme() -> None:
    promise = (
        "Inside the history window: every acknowledged event once and in order, across reconnects, killed processes and a "
        "broken Redis link. Outside it: one explicit `reset` that names the channels, never silence."
    )
    assert promise in " ".join((ROOT / "README.md").read_text().replace("\n> ", " ").split())
