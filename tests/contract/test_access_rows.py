"""Keys, secrets and sign-in codes on either database: what processes share, they agree on."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from hermes.access import key_table
from hermes.access.admin_key import admin_key, file_of
from hermes.access.grants import Grants
from hermes.access.keys import KeyRing
from hermes.access.secrets import Secrets
from hermes.access.signin_codes import CODE_LIFETIME, CodeRows
from hermes.core.clock import milliseconds
from hermes.db.database import Database
from hermes.errors import Forbidden
from hermes.testing import FakeClock
from tests.contract.database_fixtures import DatabaseFactory

GRANTS = Grants(subscribe=("news", "söme:*"), publish=("a",), tokens=True)
PROCESSES = 6

Result = TypeVar("Result")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ring(databases: DatabaseFactory, tmp_path: Path, clock: FakeClock) -> KeyRing:
    return ring_on(databases(), tmp_path, clock)


def ring_on(database: Database, folder: Path, clock: FakeClock) -> KeyRing:
    ring = KeyRing(("the-key-of-the-settings-0aF93kd81Lq",), Secrets(folder, database), clock)
    ring.load()
    return ring


def at_once(work: list[Callable[[], Result]]) -> list[Result]:
    with ThreadPoolExecutor(len(work)) as pool:
        return [future.result() for future in [pool.submit(one) for one in work]]


def test_one_life_of_a_key(ring: KeyRing, databases: DatabaseFactory, tmp_path: Path, clock: FakeClock) -> None:
    key, text = ring.create("søme service \U0001f600", GRANTS, milliseconds(clock.now()) + 10_000)
    other = ring_on(databases(), tmp_path, clock)
    assert ring.get(key.id) == other.get(key.id) == key
    principal = other.principal(text)
    assert principal is not None
    assert principal.grants == GRANTS
    other.close()
    assert ring.get(key.id).last_used_at == milliseconds(clock.now())
    ring.revoke(key.id)
    other.load()
    assert other.principal(text) is None
    assert other.get(key.id).revoked_at == milliseconds(clock.now())


def test_a_list_in_pages(ring: KeyRing, clock: FakeClock) -> None:
    for number in range(7):
        ring.create(f"app {number}", GRANTS)
        clock.advance(number // 4)
    whole = ring.page(limit=100)[0]
    found, after = ring.page(limit=2)
    while after is not None:
        more, after = ring.page(after, 2)
        found += more
    assert found == whole
    assert len(whole) == 8


def test_many_are_read_in_pages(ring: KeyRing, databases: DatabaseFactory, tmp_path: Path, clock: FakeClock) -> None:
    texts = [ring.create("app", GRANTS)[1] for _ in range(30)]
    other = ring_on(databases(), tmp_path, clock)
    pages = [
        databases().run(lambda c, after=after: key_table.counting(c, 0, after, 20))  # type: ignore[misc]
        for after in ("", max(text[3:11] for text in texts))
    ]
    assert [len(page) for page in pages] == [20, 0]
    assert [key.id for key in pages[0]] == sorted(text[3:11] for text in texts)[:20]
    assert all(other.principal(text) for text in texts)


def test_a_full_table_stays_as_it_is(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_table, "MAX_KEYS", 2)
    for _ in range(2):
        ring.create("app", GRANTS)
    with pytest.raises(Forbidden):
        ring.create("app", GRANTS)
    assert len(ring.page()[0]) == 3


def test_processes_that_create_at_once(databases: DatabaseFactory, tmp_path: Path, clock: FakeClock) -> None:
    rings = [ring_on(databases(), tmp_path, clock) for _ in range(PROCESSES)]
    made = at_once([lambda ring=ring: ring.create("app", GRANTS)[0].id for ring in rings])  # type: ignore[misc]
    assert {key.id for key in rings[0].page()[0][1:]} == set(made)


def test_processes_that_write_the_last_use_at_once(
    databases: DatabaseFactory, tmp_path: Path, clock: FakeClock
) -> None:
    rings = [ring_on(databases(), tmp_path, clock) for _ in range(PROCESSES)]
    texts = [rings[0].create("app", GRANTS)[1] for _ in range(20)]
    for ring in rings:
        ring.load()
        clock.advance(1)
        for text in texts:
            assert ring.principal(text)
    at_once([ring.close for ring in rings])
    assert {key.last_used_at for key in rings[0].page()[0][1:]} == {milliseconds(clock.now())}


def test_secrets_that_are_asked_for_at_once(databases: DatabaseFactory, tmp_path: Path) -> None:
    places = [shared(databases(), tmp_path / str(number)) for number in range(PROCESSES)]
    assert len(set(at_once([lambda place=place: place.get("session.key") for place in places]))) == 1  # type: ignore[misc]


def test_an_admin_key_that_is_made_at_once(databases: DatabaseFactory, tmp_path: Path) -> None:
    places = [shared(databases(), tmp_path / str(number)) for number in range(PROCESSES)]
    made = at_once([lambda place=place: admin_key(place) for place in places])  # type: ignore[misc]
    assert len({key.digest for key in made}) == 1
    winners = [(place, key) for place, key in zip(places, made, strict=True) if key.made]
    assert len(winners) == 1
    assert [file_of(place.folder) for place in places if file_of(place.folder)] == [winners[0][1].key]


def test_a_code_that_is_used_at_once_by_many(databases: DatabaseFactory, clock: FakeClock) -> None:
    codes = [CodeRows(databases(), clock) for _ in range(PROCESSES)]
    codes[0].add("code")
    codes[0].add("other")
    assert sum(at_once([lambda one=one: one.take("code") for one in codes])) == 1  # type: ignore[misc]
    clock.advance(CODE_LIFETIME + 1)
    codes[0].add("new")
    assert not codes[1].take("other")
    assert codes[1].take("new")


def shared(database: Database, folder: Path) -> Secrets:
    """As on a machine of its own, whatever the database is."""
    secrets = Secrets(folder, database)
    database.shared = True
    return secrets
