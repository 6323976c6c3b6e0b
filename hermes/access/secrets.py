"""Secrets of this installation, each made once in the data folder with mode 0600 and shared by its processes."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hermes.errors import SettingsError

SECRET_BYTES = 32
SHORTEST = 32
"""Characters of a secret: what an empty file signs, anybody can sign."""


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
