"""Secrets that are made once, by whichever process comes first."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hermes.access import secret_rows
from hermes.access.secrets import Secrets, make_folder, secret_file
from hermes.errors import SettingsError
from tests.unit.access.watched_database import WatchedDatabase

ROOT = Path(__file__).resolve().parents[3]

RACER = """
import sys
from pathlib import Path
from hermes.access.secrets import secret_file
print("ready", flush=True)
sys.stdin.readline()
print(*secret_file(Path(sys.argv[1]), "admin.key"), flush=True)
"""


def test_a_secret_is_made_once(folder: Path) -> None:
    secret, made = secret_file(folder, "x.key")
    assert made
    assert len(secret) >= 43
    assert secret_file(folder, "x.key") == (secret, False)
    assert secret_file(folder, "y.key")[0] != secret


def test_only_its_owner_can_read_it(folder: Path) -> None:
    secret_file(folder, "x.key")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "x.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == ["x.key"]


def test_processes_that_start_together_agree(folder: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    said = [line.split() for line in (racer.communicate("go\n", timeout=30)[0] for racer in racers)]
    assert len({secret for secret, _ in said}) == 1
    assert [made for _, made in said].count("True") == 1
    assert [path.name for path in folder.iterdir()] == ["admin.key"]


def test_one_that_comes_second_takes_what_is_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process made it after this one had looked."""
    link = os.link

    def late(draft: Path, path: Path) -> None:
        path.write_text("the-other-ones-" * 4 + "\n")
        link(draft, path)

    monkeypatch.setattr(os, "link", late)
    assert secret_file(folder, "x.key") == ("the-other-ones-" * 4, False)
    assert [path.name for path in folder.iterdir()] == ["x.key"]


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for use in (lambda: make_folder(tmp_path / "file" / "data"), lambda: secret_file(tmp_path / "file", "x.key")):
        with pytest.raises(SettingsError, match="HERMES_DATA_DIR"):
            use()


@pytest.mark.parametrize("content", ["", "\n", "short\n", "\x00" * 4096])
def test_a_secret_that_is_none_is_refused(folder: Path, content: str) -> None:
    """An empty key would sign cookies that anybody can make."""
    make_folder(folder)
    (folder / "session.key").write_text(content)
    with pytest.raises(SettingsError, match=r"session\.key"):
        secret_file(folder, "session.key")


# By name


@pytest.fixture(params=["files", "rows"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Secrets, Secrets]]:
    """What two processes have: of one folder, or of one database and a folder each."""
    shared = request.param == "rows"
    database = WatchedDatabase(tmp_path / "database", shared=shared)
    folders = [tmp_path / "here", tmp_path / ("there" if shared else "here")]
    here, there = (Secrets(folder, database) for folder in folders)  # type: ignore[arg-type]
    yield here, there
    database.close()


def test_a_secret_by_its_name(places: tuple[Secrets, Secrets]) -> None:
    here, there = places
    secret = here.get("session.key")
    assert len(secret) >= 43
    assert there.get("session.key") == here.get("session.key") == secret
    assert here.get("token.key") != secret


def test_they_agree_when_they_ask_at_once(places: tuple[Secrets, Secrets]) -> None:
    askers = [Secrets(place.folder, place.database) for place in places for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda asker: asker.get("session.key"), askers))) == 1


def test_who_comes_second_takes_what_is_there(tmp_path: Path) -> None:
    """The other process made it after this one had looked."""
    database = WatchedDatabase(tmp_path, shared=True)
    here, there = Secrets(tmp_path, database), Secrets(tmp_path, database)  # type: ignore[arg-type]
    theirs: list[str] = []
    database.during = lambda: theirs.append(there.get("session.key"))
    assert here.get("session.key") == theirs[0]
    database.close()


def test_it_is_read_once(tmp_path: Path) -> None:
    database = WatchedDatabase(tmp_path, shared=True)
    secrets = Secrets(tmp_path, database)  # type: ignore[arg-type]
    secret = secrets.get("session.key")
    database.down = True
    assert secrets.get("session.key") == secret
    database.close()


def test_where_it_lies(places: tuple[Secrets, Secrets]) -> None:
    here, _ = places
    secret = here.get("session.key")
    assert (here.folder / "session.key").exists() is not here.shared
    assert here.shared is (here.kept("session.key") == secret)


def test_a_row_that_is_no_secret_is_refused(tmp_path: Path) -> None:
    database = WatchedDatabase(tmp_path, shared=True)
    database.run(lambda connection: secret_rows.keep(connection, "session.key", "short", 1))
    with pytest.raises(SettingsError, match=r"session\.key"):
        Secrets(tmp_path, database).get("session.key")  # type: ignore[arg-type]
    database.close()
