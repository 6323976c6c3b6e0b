"""The schema: which revision a database has, and the migrations that bring it up to date."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from hermes.db.tables import metadata
from hermes.errors import StoreError

OPTIONS: dict[str, Any] = {"target_metadata": metadata, "version_table": "hermes_schema"}
"""For Alembic. The name of the table is ours: the program that owns the database may use Alembic too."""

_FOLDER = Path(__file__).parent / "migrations"

_one_at_a_time = threading.Lock()
"""Migrations speak to Alembic by names of its modules, which are one for the whole process."""


def upgrade(connection: Connection) -> str:
    """Bring the database up to date within the transaction of ``connection``; gives the revision that it has then.

    Raises :class:`~hermes.errors.StoreError` for a database that a newer Hermes has changed.
    """
    found = revision_of(connection)
    if found is not None and found not in _revisions():
        raise StoreError(
            f"The database has the schema {found} of a newer Hermes, and this one knows {head()}: start the newer version,"
            " or restore a copy from before it."
        )
    if found != head():
        with _one_at_a_time:
            command.upgrade(_config(connection), "head")
    return head()


def revision_of(connection: Connection) -> str | None:
    """The revision that the database has; ``None`` for an empty one."""
    return MigrationContext.configure(connection, opts=OPTIONS).get_current_revision()


def head() -> str:
    """The revision that this version of Hermes works with."""
    newest = _script().get_current_head()
    assert newest is not None, "the migrations are part of the package"  # noqa: S101 - no input leads here
    return newest


def _revisions() -> frozenset[str]:
    return frozenset(script.revision for script in _script().walk_revisions())


@cache
def _script() -> ScriptDirectory:
    return ScriptDirectory(str(_FOLDER))


def _config(connection: Connection) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
