"""A folder for secrets, a database, the keys in it, and the way to the dashboard."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hermes.access.keys import KeyRing
from hermes.access.secrets import Secrets
from hermes.access.signin import SignIn
from hermes.testing import FakeClock
from tests.unit.access.watched_database import WatchedDatabase

SETTINGS_KEY = "a-key-of-the-settings-0aF93kd81Lq"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def database(folder: Path) -> Iterator[WatchedDatabase]:
    database = WatchedDatabase(folder)
    yield database
    database.close()


@pytest.fixture
def secrets(folder: Path, database: Any) -> Secrets:
    return Secrets(folder, database)


@pytest.fixture
def ring(secrets: Secrets, clock: FakeClock) -> KeyRing:
    ring = KeyRing((SETTINGS_KEY,), secrets, clock)
    ring.load()
    return ring


@pytest.fixture
def signin(secrets: Secrets, ring: KeyRing, clock: FakeClock) -> SignIn:
    return SignIn(secrets, ring, clock)
