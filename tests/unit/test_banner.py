"""What Hermes says when it starts."""

import re
from pathlib import Path

import pytest

from hermes.access.admin_key import file_of
from hermes.banner import leave_address, print_banner
from hermes.settings import ADDRESS_FILE, load_settings
from tests.support.ports import LOOPBACK, free_port


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_the_first_start_shows_the_key_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = load_settings(data_dir=tmp_path / "data", port=8123)
    print_banner(settings)
    first, key = said(capsys), file_of(tmp_path / "data")
    assert key is not None
    assert f"{key} (new, kept in " in first
    assert f"  database   {tmp_path / 'data' / 'hermes.db'}" in first
    print_banner(settings)
    second = said(capsys)
    assert key not in second
    codes = [
        re.search(r"http://localhost:8123/dashboard\?code=([\w-]{24})$", text, re.MULTILINE) for text in (first, second)
    ]
    assert codes[0] is not None
    assert codes[1] is not None
    assert codes[0][1] != codes[1][1]


def test_keys_of_the_settings_are_counted_and_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = ("8c1f2e7a90b3d4e5f60718293a4b5c6d", "5c6d8c1f2e7a90b3d4e5f60718293a4b")
    print_banner(load_settings(data_dir=tmp_path / "data", api_keys=keys))
    text = said(capsys)
    assert "2 from HERMES_API_KEYS" in text
    assert not any(key in text for key in keys)
    assert file_of(tmp_path / "data") is None


def test_a_database_that_is_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"postgresql://me:hunter22@{LOOPBACK}:{free_port()}/hermes"
    print_banner(load_settings(data_dir=tmp_path / "data", database_url=url))
    text = said(capsys)
    assert "hunter22" not in text
    assert "  warning    PostgreSQL at " in text
    assert "hermes link' makes a sign-in link" in text
    assert "code=" not in text


def test_the_address_is_left_where_nothing_else_is_kept_there(tmp_path: Path) -> None:
    leave_address(load_settings(data_dir=tmp_path / "data", port=8123))
    assert (tmp_path / "data" / ADDRESS_FILE).read_text() == "http://localhost:8123\n"
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
