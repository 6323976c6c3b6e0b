"""The installation's own admin key, made once at the first start where HERMES_API_KEYS names none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hermes.access.key import digest_of
from hermes.access.secrets import secret_file

if TYPE_CHECKING:
    from hermes.access.secrets import Secrets

ADMIN_KEY_FILE = "admin.key"
"""In the data folder of the machine that made the key, for the commands there."""

DIGEST_NAME = "admin.key"
"""Under this name processes that share a database find its digest."""


class AdminKey(NamedTuple):
    """The digest that counts; the key itself where it lies on this machine, and whether it was made just now."""

    digest: str
    key: str | None
    made: bool


def admin_key(secrets: Secrets) -> AdminKey:
    """The installation's admin key; where there is none yet, this makes it.

    Without a shared database it is the file. With one its digest is there, and only the machine that made the key has the file;
    a file that another installation left is passed over. Raises :class:`~hermes.errors.SettingsError` or ``Unavailable``.
    """
    if not secrets.shared:
        key, made = secret_file(secrets.folder, ADMIN_KEY_FILE)
        return AdminKey(digest_of(key), key, made)
    digest = secrets.kept(DIGEST_NAME)
    if digest is None:
        return _made(secrets)
    here = file_of(secrets.folder)
    return AdminKey(digest, here if here is not None and digest_of(here) == digest else None, False)


def _made(secrets: Secrets) -> AdminKey:
    """The file comes first: a process that ends between the two leaves a key that the next start goes on with."""
    key, made = secret_file(secrets.folder, ADMIN_KEY_FILE)
    digest = secrets.keep(DIGEST_NAME, digest_of(key))
    if digest == digest_of(key):
        return AdminKey(digest, key, made)
    if made:
        (secrets.folder / ADMIN_KEY_FILE).unlink(missing_ok=True)
    return AdminKey(digest, None, False)


def file_of(folder: Path) -> str | None:
    """The admin key that lies in the data folder ``folder``."""
    try:
        return (folder / ADMIN_KEY_FILE).read_text(encoding="ascii", errors="replace").strip() or None
    except OSError:
        return None
