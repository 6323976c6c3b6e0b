"""API keys."""

from pathlib import Path

import pytest
from hypothesis import given

from hermes.access.keys import ADMIN_KEY_FILE, ApiKeys, admin_key
from hermes.settings import load_settings
from tests.unit.strategies import odd_text

KEYS = ("first-key-0123456789", "second-key-0123456789")


def test_each_key_is_an_administrators() -> None:
    keys = ApiKeys(KEYS)
    for key in KEYS:
        principal = keys.principal(key)
        assert principal is not None
        assert principal.admin
        assert not principal.anonymous
        assert key not in principal.id


@pytest.mark.parametrize("key", ["", KEYS[0][:-1], KEYS[0] + " ", KEYS[0].upper(), "é", "\ud800", "\0"])
def test_nothing_else_is_a_key(key: str) -> None:
    assert ApiKeys(KEYS).principal(key) is None


@given(odd_text)
def test_no_text_is_an_error(key: str) -> None:
    assert ApiKeys(KEYS).principal(key) is None


def test_no_keys_let_nobody_in() -> None:
    assert ApiKeys(()).principal("") is None


def test_an_installation_without_keys_makes_one(folder: Path) -> None:
    keys = ApiKeys.of(load_settings(data_dir=folder, api_keys=()))
    key, made = admin_key(folder)
    assert not made
    assert len(key) >= 32
    assert keys.principal(key) is not None
    assert (folder / ADMIN_KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_keys_of_the_settings_need_no_folder(folder: Path) -> None:
    keys = ApiKeys.of(load_settings(data_dir=folder, api_keys=("k" * 32,)))
    assert keys.principal("k" * 32) is not None
    assert not folder.exists()
