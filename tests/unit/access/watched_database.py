"""A real database that can be watched, shared by decree, and made not to answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hermes.db.database import Database
from hermes.errors import Unavailable


class WatchedDatabase:
    """SQLite in a folder. `shared` says what a PostgreSQL would; `down` makes every call fail; `calls` counts them."""

    def __init__(self, folder: Path, *, shared: bool = False) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.shared = shared
        self.down = False
        self.calls = 0
        self.during: Callable[[], object] = _nothing  # happens after the next call, before its caller goes on
        self._database = Database(None, folder)
        self._database.open()

    def run(self, work: Callable[[Any], Any]) -> Any:
        self.calls += 1
        if self.down:
            raise Unavailable("the database does not answer")
        result = self._database.run(work)
        during, self.during = self.during, _nothing
        during()
        return result

    def close(self) -> None:
        self._database.close()


def _nothing() -> None:
    return None
