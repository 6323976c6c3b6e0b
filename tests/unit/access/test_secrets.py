"""Secrets that are made once, by whichever process comes first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hermes.access.secrets import make_folder, secret_file
from hermes.errors import SettingsError

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
