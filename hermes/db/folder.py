"""The check that all processes of one Redis share one data folder, where the database is a file in it."""

from __future__ import annotations

from collections.abc import Callable

from hermes.db.database import Database
from hermes.errors import StoreError


def check_folder(database: Database, claim: Callable[[str], str]) -> None:
    """Raise :class:`~hermes.errors.StoreError` where another data folder serves the same Redis.

    ``claim`` stores the id that it is given in Redis where none is yet, and returns the one that is there. Processes with
    files of their own would each know other keys and other revocations. A PostgreSQL is shared anyway.
    """
    if database.shared:
        return
    ours = database.folder_id()
    if claim(ours) != ours:
        raise StoreError(
            f"Other processes on this Redis keep their data in another folder than {database.place}: give all of them the same"
            " HERMES_DATA_DIR, or set DATABASE_URL to a PostgreSQL, which processes on several machines need. If the other folder"
            " is gone for good, delete the key <prefix>:claim:folder in Redis."
        )
