"""The installation's admin key: made once, whoever comes first, on one machine or on several."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hermes.access.admin_key import ADMIN_KEY_FILE, AdminKey, admin_key, file_of
from hermes.access.key import digest_of
from hermes.access.secrets import Secrets
from tests.unit.access.watched_database import WatchedDatabase


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[WatchedDatabase]:
    database = WatchedDatabase(tmp_path / "shared", shared=True)
    yield database
    database.close()


def machine(tmp_path: Path, name: str, database: Any) -> Secrets:
    return Secrets(tmp_path / name, database)


def test_alone_it_is_the_file(secrets: Secrets, folder: Path) -> None:
    made = admin_key(secrets)
    assert made.made
    assert made.key == file_of(folder)
    assert made.digest == digest_of(made.key or "")
    assert admin_key(secrets) == (made.digest, made.key, False)
    assert (folder / ADMIN_KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_the_first_machine_makes_it_and_the_others_accept_it(tmp_path: Path, shared: WatchedDatabase) -> None:
    here, there = machine(tmp_path, "here", shared), machine(tmp_path, "there", shared)
    made = admin_key(here)
    assert made.made
    assert file_of(here.folder) == made.key
    assert admin_key(there) == AdminKey(made.digest, None, False)
    assert file_of(there.folder) is None
    assert admin_key(here) == AdminKey(made.digest, made.key, False)


def test_the_database_has_no_more_than_the_digest(tmp_path: Path, shared: WatchedDatabase) -> None:
    key = admin_key(machine(tmp_path, "here", shared)).key
    assert key is not None
    assert not any(key.encode() in path.read_bytes() for path in (tmp_path / "shared").rglob("*") if path.is_file())


def test_of_two_that_start_together_one_makes_it(tmp_path: Path, shared: WatchedDatabase) -> None:
    here, there = machine(tmp_path, "here", shared), machine(tmp_path, "there", shared)
    winners: list[AdminKey] = []
    shared.during = lambda: winners.append(admin_key(there))  # when `here` has seen that there is none
    late = admin_key(here)
    assert winners[0].made
    assert late == AdminKey(winners[0].digest, None, False)
    assert file_of(here.folder) is None
    assert file_of(there.folder) == winners[0].key


def test_a_key_from_before_the_database_goes_on(tmp_path: Path, secrets: Secrets, shared: WatchedDatabase) -> None:
    former = admin_key(secrets)
    assert admin_key(Secrets(secrets.folder, shared)) == AdminKey(former.digest, former.key, False)  # type: ignore[arg-type]


def test_a_file_of_another_installation_is_passed_over(
    tmp_path: Path, secrets: Secrets, shared: WatchedDatabase
) -> None:
    theirs = admin_key(secrets).key
    made = admin_key(machine(tmp_path, "here", shared))
    assert admin_key(Secrets(secrets.folder, shared)) == AdminKey(made.digest, None, False)  # type: ignore[arg-type]
    assert file_of(secrets.folder) == theirs, "it may be needed there"


def test_a_file_that_came_first_and_lost_stays(tmp_path: Path, secrets: Secrets, shared: WatchedDatabase) -> None:
    theirs = admin_key(secrets).key
    shared.during = lambda: admin_key(machine(tmp_path, "there", shared))
    assert admin_key(Secrets(secrets.folder, shared)).key is None  # type: ignore[arg-type]
    assert file_of(secrets.folder) == theirs


@pytest.mark.parametrize("content", ["", " \n"])
def test_an_empty_file_is_no_key(folder: Path, content: str) -> None:
    folder.mkdir()
    (folder / ADMIN_KEY_FILE).write_text(content)
    assert file_of(folder) is None
