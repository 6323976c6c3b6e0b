"""Secrets of this installation, each made once and shared by its processes: in the data folder, or in a shared database."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hermes.errors import SettingsError
from hermes.strength import SHORTEST

if TYPE_CHECKING:
    from hermes.db.database import Database

SECRET_BYTES = 32


class Secrets:
    """Named secrets, such as ``session.key``: files of mode 0600 in ``folder``, or rows where ``database`` is shared."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.database = database
        self._got: dict[str, str] = {}

    @property
    def shared(self) -> bool:
        """Whether processes on other machines have the same secrets."""
        return self.database.shared

    def get(self, name: str) -> str:
        """The secret ``name``; made where there is none yet. Processes that ask at once agree on one.

        Raises :class:`~hermes.errors.SettingsError`, or ``Unavailable`` where the database does not answer.
        """
        if name not in self._got:
            self._got[name] = self._kept_in_database(name) if self.shared else secret_file(self.folder, name)[0]
        return self._got[name]

    def _kept_in_database(self, name: str) -> str:
        secret = self.kept(name) or self.keep(name, secrets.token_urlsafe(SECRET_BYTES))
        if len(secret) < SHORTEST:  # somebody's own hand
            raise SettingsError(
                f"the table hermes_secrets holds no secret of {SHORTEST} characters as {name!r}: delete that row."
            )
        return secret

    def kept(self, name: str) -> str | None:
        """What the shared database has under ``name``."""
        from hermes.access import secret_rows

        return self.database.run(partial(secret_rows.kept, name=name))

    def keep(self, name: str, value: str) -> str:
        """What the shared database has under ``name``: ``value``, unless another process was first."""
        from hermes.access import secret_rows

        return self.database.run(partial(secret_rows.keep, name=name, value=value, now=int(time.time() * 1000)))


def make_folder(folder: Path) -> None:
    """Create the data folder, readable by its owner only; raises :class:`~hermes.errors.SettingsError`."""
    with _usable(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def _usable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"HERMES_DATA_DIR: {folder} cannot be used ({error.strerror}): name a folder that this user may write to."
        ) from error


def secret_file(folder: Path, name: str) -> tuple[str, bool]:
    """The secret in ``folder/name`` and whether this call made it. Processes that start together agree on one.

    The file appears under its name only when it is whole: it is written beside it, and linked. Raises
    :class:`~hermes.errors.SettingsError`.
    """
    with _usable(folder):
        return _secret_file(folder, name)


def _secret_file(folder: Path, name: str) -> tuple[str, bool]:
    path = folder / name
    try:
        return _read(path), False
    except FileNotFoundError:
        pass
    make_folder(folder)
    made = secrets.token_urlsafe(SECRET_BYTES)
    draft = folder / f".{name}.{os.getpid()}.{secrets.token_hex(4)}"
    draft.touch(mode=0o600)
    draft.write_text(made + "\n", encoding="ascii")
    try:
        os.link(draft, path)
    except FileExistsError:
        return _read(path), False
    finally:
        draft.unlink()
    return made, True


def _read(path: Path) -> str:
    secret = path.read_text(encoding="ascii", errors="replace").strip()
    if len(secret) < SHORTEST or not secret.isprintable():
        raise SettingsError(f"{path} holds no secret of {SHORTEST} characters: remove it, and a new one is made.")
    return secret
