"""``hermes db upgrade``."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from hermes.cli import cli
from hermes.db.schema import head
from hermes.errors import SettingsError


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("HERMES_DATA_DIR", "folder")


def test_it_says_one_line_each_time(tmp_path: Path) -> None:
    for _ in range(2):
        done = CliRunner().invoke(cli, ["db", "upgrade"], catch_exceptions=False)
        assert done.output == f"folder/hermes.db: schema {head()}, up to date\n"
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["hermes.db"], "closed again"


def test_a_bad_url_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://u:s3cret@h/d")
    done = CliRunner().invoke(cli, ["db", "upgrade"])
    assert isinstance(done.exception, SettingsError)
    assert "s3cret" not in str(done.exception)
