"""The key ring: which keys count, what is read for them, and how changes come and go."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from hermes.access import key_table, keys
from hermes.access.admin_key import ADMIN_KEY_FILE
from hermes.access.grants import Grants
from hermes.access.key import Key, digest_of
from hermes.access.keys import KeyRing
from hermes.access.secrets import Secrets
from hermes.core.clock import milliseconds
from hermes.errors import Forbidden, InvalidInput, NotFound, Unavailable
from hermes.testing import FakeClock
from tests.support.wait import wait_until
from tests.unit.access.conftest import SETTINGS_KEY
from tests.unit.access.watched_database import WatchedDatabase
from tests.unit.strategies import odd_text

GRANTS = Grants(subscribe=("news",), publish=("a:*",), tokens=True)
UNKNOWN = "hk_abcdefgh_" + "x" * 43


class Told:
    """What was told to every process."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, Mapping[str, Any]]] = []
        self.fails = False

    def __call__(self, name: str, data: Mapping[str, Any]) -> None:
        if self.fails:
            raise Unavailable("nobody heard it")
        self.commands.append((name, data))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def other(secrets: Secrets, clock: FakeClock) -> KeyRing:
    """Another process on the same database."""
    other = KeyRing((SETTINGS_KEY,), secrets, clock)
    other.load()
    return other


def id_of(text: str) -> str:
    return text[3:11]


# Which keys count


def test_keys_of_the_settings_are_administrators(secrets: Secrets, clock: FakeClock) -> None:
    ring = KeyRing((SETTINGS_KEY, "another-" + SETTINGS_KEY, SETTINGS_KEY), secrets, clock)
    for text in (SETTINGS_KEY, "another-" + SETTINGS_KEY):
        principal = ring.principal(text)
        assert principal is not None
        assert principal.admin
        assert principal.id == f"key:{principal.key_id}"
        assert text not in principal.id


def test_a_created_key_does_what_it_is_granted(ring: KeyRing) -> None:
    key, text = ring.create("app", GRANTS)
    principal = ring.principal(text)
    assert principal is not None
    assert (principal.key_id, principal.grants, principal.expires_at) == (key.id, GRANTS, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        SETTINGS_KEY[:-1],
        SETTINGS_KEY + " ",
        SETTINGS_KEY.upper(),
        "é",
        "\ud800",
        "\0",
        UNKNOWN,
        digest_of(SETTINGS_KEY),
    ],
)
def test_nothing_else_is_a_key(ring: KeyRing, text: str) -> None:
    assert ring.principal(text) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(odd_text)
def test_no_text_is_an_error(ring: KeyRing, text: str) -> None:
    assert ring.principal(text) is None
    assert ring.principal(f"hk_{text}") is None
    assert ring.holder(text) is None


def test_a_key_of_another_secret_is_none(ring: KeyRing) -> None:
    _, text = ring.create("app", GRANTS)
    assert ring.principal(text[:12] + "x" * 43) is None


def test_a_key_expires(ring: KeyRing, clock: FakeClock) -> None:
    _, text = ring.create("app", GRANTS, milliseconds(clock.now()) + 5000)
    principal = ring.principal(text)
    assert principal is not None
    assert principal.expires_at == clock.now() + 5
    clock.advance(4.9)
    assert ring.principal(text) is not None
    clock.advance(0.1)
    assert ring.principal(text) is None
    assert ring.holder(id_of(text)) is None


def test_an_expired_key_is_not_read(ring: KeyRing, other: KeyRing, clock: FakeClock) -> None:
    _, text = ring.create("app", GRANTS, milliseconds(clock.now()) + 5000)
    clock.advance(5)
    other.load()
    clock.advance(-5)
    assert other.principal(text) is None


def test_the_holder_of_a_key(ring: KeyRing) -> None:
    _, text = ring.create("app", GRANTS)
    assert ring.holder(id_of(text)) == ring.principal(text)
    of_settings = ring.principal(SETTINGS_KEY)
    assert of_settings is not None
    assert ring.holder(of_settings.key_id or "") == of_settings
    assert ring.holder("nobodys1") is None


# The installation's own key


def test_an_installation_without_keys_makes_one(secrets: Secrets, folder: Path, clock: FakeClock) -> None:
    ring = KeyRing((), secrets, clock)
    assert ring.principal("") is None
    ring.load()
    key = (folder / ADMIN_KEY_FILE).read_text().strip()
    principal = ring.principal(key)
    assert principal is not None
    assert principal.admin
    assert principal.key_id == "installation"
    assert (folder / ADMIN_KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_one_with_keys_makes_none(ring: KeyRing, folder: Path) -> None:
    assert not (folder / ADMIN_KEY_FILE).exists()


# What is read


def test_ten_thousand_reconnects_read_nothing(ring: KeyRing, database: WatchedDatabase, clock: FakeClock) -> None:
    _, text = ring.create("app", GRANTS)
    database.calls = 0
    for _ in range(10_000):
        assert ring.principal(text) is not None
        assert ring.principal(SETTINGS_KEY) is not None
        assert ring.principal("no-key-of-ours-" * 3) is None
        clock.advance(0.01)
    assert database.calls == 0


def test_unknown_keys_of_our_form_read_once_a_second(
    ring: KeyRing, database: WatchedDatabase, clock: FakeClock
) -> None:
    database.calls = 0
    for _ in range(100):
        for _ in range(10):
            assert ring.principal(UNKNOWN) is None
            assert ring.holder("abcdefgh") is None
        clock.advance(0.1)
    assert database.calls == 10


def test_a_key_of_another_process_is_found_when_it_is_shown(ring: KeyRing, other: KeyRing) -> None:
    _, text = ring.create("app", GRANTS)
    assert other.principal(text) is not None


def test_so_is_its_holder(ring: KeyRing, other: KeyRing) -> None:
    _, text = ring.create("app", GRANTS)
    assert other.holder(id_of(text)) is not None


def test_it_is_found_within_a_second_while_others_guess(ring: KeyRing, other: KeyRing, clock: FakeClock) -> None:
    other.principal(UNKNOWN)
    _, text = ring.create("app", GRANTS)
    assert other.principal(text) is None
    clock.advance(1)
    other.principal(UNKNOWN)
    assert other.principal(text) is not None


def test_it_is_found_at_once_where_the_change_was_told(ring: KeyRing, other: KeyRing) -> None:
    other.principal(UNKNOWN)
    _, text = ring.create("app", GRANTS)
    other.changed()
    assert other.principal(text) is not None


def test_who_comes_while_another_reads_waits_for_it(ring: KeyRing, other: KeyRing, database: WatchedDatabase) -> None:
    _, text = ring.create("app", GRANTS)
    go, reading = threading.Event(), threading.Event()

    def hold() -> None:
        reading.set()
        assert go.wait(5)

    database.during = hold
    loading = threading.Thread(target=other.load)
    loading.start()
    assert reading.wait(5)
    found: list[object] = []
    waiting = threading.Thread(target=lambda: found.append(other.principal(text)))
    waiting.start()
    go.set()
    for thread in (waiting, loading):
        thread.join(5)
    assert found[0] is not None


def test_a_database_that_is_down_costs_one_try_a_second(
    ring: KeyRing, database: WatchedDatabase, clock: FakeClock
) -> None:
    _, text = ring.create("app", GRANTS)
    database.down, database.calls = True, 0
    ring.changed()
    for _ in range(50):
        assert ring.principal(UNKNOWN) is None
        assert ring.principal(text) is not None
        clock.advance(0.1)
    assert database.calls <= 6


def test_a_large_table_is_read_in_pages(ring: KeyRing, other: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "PAGE", 3)
    made = [ring.create("app", GRANTS)[1] for _ in range(7)]
    other.load()
    assert all(other.principal(text) for text in made)


def test_a_table_that_has_not_changed_is_not_read(ring: KeyRing, database: WatchedDatabase) -> None:
    ring.create("app", GRANTS)
    ring.load()
    database.calls = 0
    ring.load()
    assert database.calls == 1


# Creating


def test_creating_is_told(secrets: Secrets, clock: FakeClock, told: Told) -> None:
    KeyRing((SETTINGS_KEY,), secrets, clock, tell=told).create("app", GRANTS)
    assert told.commands == [("keys_changed", {})]


def test_a_key_that_could_not_be_told_of_is_a_key(
    secrets: Secrets, clock: FakeClock, told: Told, other: KeyRing
) -> None:
    told.fails = True
    _, text = KeyRing((SETTINGS_KEY,), secrets, clock, tell=told).create("app", GRANTS)
    assert other.principal(text) is not None


def test_a_key_that_could_not_be_kept_is_none(ring: KeyRing, database: WatchedDatabase) -> None:
    database.down = True
    with pytest.raises(Unavailable):
        ring.create("app", GRANTS)
    database.down = False
    assert ring.page()[0][1:] == []


def test_there_are_only_so_many(ring: KeyRing, monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> None:
    monkeypatch.setattr(key_table, "MAX_KEYS", 3)
    first, _ = ring.create("app", GRANTS)
    ring.create("app", GRANTS, milliseconds(clock.now()) + 1000)
    ring.create("app", GRANTS)
    with pytest.raises(Forbidden, match="3 API keys"):
        ring.create("app", GRANTS)
    clock.advance(1)
    ring.create("app", GRANTS)
    ring.revoke(first.id)
    ring.create("app", GRANTS)


def test_keys_that_ended_long_ago_are_forgotten(ring: KeyRing, clock: FakeClock) -> None:
    revoked, _ = ring.create("revoked", GRANTS)
    ring.create("expired", GRANTS, milliseconds(clock.now()) + 1000)
    ring.create("counts", GRANTS)
    ring.revoke(revoked.id)
    clock.advance(key_table.REMEMBERED / 1000 - 1)
    ring.create("new", GRANTS)
    assert {key.name for key in ring.page()[0][1:]} == {"revoked", "expired", "counts", "new"}
    clock.advance(10)
    ring.create("newer", GRANTS)
    assert {key.name for key in ring.page()[0][1:]} == {"counts", "new", "newer"}


# Revoking


def test_a_revoked_key_counts_nowhere(ring: KeyRing, other: KeyRing) -> None:
    key, text = ring.create("app", GRANTS)
    other.load()
    ring.revoke(key.id)
    assert ring.principal(text) is None
    assert ring.holder(key.id) is None
    assert other.principal(text) is not None, "it was not told yet"
    other.forget(key.id)
    assert other.principal(text) is None
    other.load()
    assert other.principal(text) is None
    assert ring.get(key.id).revoked_at is not None


def test_revoking_is_told_and_ends_what_goes_on_here(secrets: Secrets, clock: FakeClock, told: Told) -> None:
    ended: list[str] = []
    ring = KeyRing((SETTINGS_KEY,), secrets, clock, tell=told, ended=ended.append)
    key, _ = ring.create("app", GRANTS)
    told.commands.clear()
    ring.revoke(key.id)
    assert told.commands == [("revoke", {"key_id": key.id}), ("keys_changed", {})]
    assert ended == [key.id]


def test_revoking_again_tells_again(secrets: Secrets, clock: FakeClock, told: Told) -> None:
    ring = KeyRing((SETTINGS_KEY,), secrets, clock, tell=told)
    key, text = ring.create("app", GRANTS)
    told.fails = True
    with pytest.raises(Unavailable):
        ring.revoke(key.id)
    assert ring.principal(text) is None
    at = ring.get(key.id).revoked_at
    told.fails = False
    clock.advance(10)
    ring.revoke(key.id)
    assert ("revoke", {"key_id": key.id}) in told.commands
    assert ring.get(key.id).revoked_at == at


def test_a_revocation_that_was_not_told_is_found_in_the_table(
    secrets: Secrets, clock: FakeClock, ring: KeyRing
) -> None:
    ended: list[str] = []
    other = KeyRing((SETTINGS_KEY,), secrets, clock, ended=ended.append)
    key, text = ring.create("app", GRANTS)
    ring.create("stays", GRANTS)
    other.load()
    ring.revoke(key.id)
    assert other.keep_up()
    assert other.principal(text) is None
    assert ended == [key.id]
    assert other.keep_up()
    assert ended == [key.id]


def test_a_key_that_ran_out_is_not_ended_as_revoked(secrets: Secrets, clock: FakeClock, ring: KeyRing) -> None:
    ended: list[str] = []
    other = KeyRing((SETTINGS_KEY,), secrets, clock, ended=ended.append)
    ring.create("app", GRANTS, milliseconds(clock.now()) + 1000)
    other.load()
    clock.advance(1)
    ring.create("another", GRANTS)
    other.load()
    assert ended == []


def test_a_reading_that_began_before_does_not_bring_it_back(
    ring: KeyRing, other: KeyRing, database: WatchedDatabase
) -> None:
    key, text = ring.create("app", GRANTS)

    def revoke() -> None:
        database.during = lambda: (ring.revoke(key.id), other.forget(key.id))

    other.load()
    ring.create("a change, so that the table is read", GRANTS)
    database.during = revoke  # after the version was read, the keys are; then it is revoked
    other.load()
    assert other.principal(text) is None
    other.load()
    assert other.principal(text) is None


def test_forgetting_what_is_not_revoked_is_put_right(ring: KeyRing, other: KeyRing) -> None:
    key, text = ring.create("app", GRANTS)
    other.load()
    other.forget(key.id)
    other.forget("unknown1")
    assert other.principal(text) is None
    other.load()
    assert other.principal(text) is not None


@pytest.mark.parametrize("id", ["abcdefgh", "", "\0", "\ud800", "../x", "é" * 8, "x" * 10_000])
def test_there_is_no_such_key(ring: KeyRing, id: str) -> None:
    for use in (ring.revoke, ring.get):
        with pytest.raises(NotFound) as error:
            use(id)
        assert len(error.value.message) < 200


def test_the_last_way_in_stays(ring: KeyRing, secrets: Secrets, clock: FakeClock) -> None:
    principal = ring.principal(SETTINGS_KEY)
    assert principal is not None
    with pytest.raises(Forbidden, match="HERMES_API_KEYS"):
        ring.revoke(principal.key_id or "")
    for installation in (ring, KeyRing((), secrets, clock)):
        with pytest.raises(Forbidden, match="last way in"):
            installation.revoke("installation")


# The list


def test_the_list_goes_from_the_fixed_to_the_oldest(secrets: Secrets, clock: FakeClock) -> None:
    texts = [f"{name}-key-of-the-settings-0aF93kd81Lq" for name in ("first", "other", "third")]
    ring = KeyRing(texts, secrets, clock)
    made = []
    for number in range(8):
        made.append(ring.create(f"app {number}", GRANTS)[0].id)
        clock.advance(number == 1)  # the others in the same moment
    whole, end = ring.page(limit=100)
    assert end is None
    assert [key.kind for key in whole] == ["settings"] * 3 + ["created"] * 8
    assert {key.id for key in whole[3:]} == set(made)
    times = [key.created_at or 0 for key in whole[3:]]
    assert times == sorted(times, reverse=True)
    for limit in (1, 2, 3, 4, 5, 11):
        found: list[Key] = []
        after = None
        for _ in range(20):
            keys, after = ring.page(after, limit)
            assert len(keys) <= limit
            found += keys
            if after is None:
                break
        assert found == whole, limit


def test_a_list_that_just_fits_has_no_next(ring: KeyRing) -> None:
    assert ring.page(limit=1)[1] is None
    ring.create("app", GRANTS)
    assert ring.page(limit=1)[1] is not None
    assert ring.page(limit=2)[1] is None


@pytest.mark.parametrize(
    "after", ["x", "f", "f-1", "1-", "-abcdefgh", "1-ABCDEFGH", "9" * 30 + "-abcdefgh", "\0", "\ud800"]
)
def test_after_is_of_an_earlier_page(ring: KeyRing, after: str) -> None:
    with pytest.raises(InvalidInput, match="after"):
        ring.page(after)


def test_after_may_be_of_a_longer_list(ring: KeyRing) -> None:
    assert ring.page("f999999")[0] == []


# The last use


def used_at(ring: KeyRing, id: str) -> int | None:
    return ring.get(id).last_used_at


def test_the_last_use_is_written_for_all_keys_together(
    ring: KeyRing, database: WatchedDatabase, clock: FakeClock
) -> None:
    made = [ring.create("app", GRANTS) for _ in range(3)]
    ring.load()
    for _, text in made[:2]:
        ring.principal(text)
    at = milliseconds(clock.now())
    database.calls = 0
    assert ring.keep_up()
    assert database.calls == 2, "the version, and one write"
    assert [used_at(ring, key.id) for key, _ in made] == [at, at, None]


def test_keys_used_at_different_times_are_written_together(
    ring: KeyRing, database: WatchedDatabase, clock: FakeClock
) -> None:
    made = [ring.create("app", GRANTS)[1] for _ in range(30)]
    ring.load()
    database.calls = 0
    for text in made:
        ring.principal(text)
        clock.advance(1)
        ring.keep_up()
    clock.advance(30)
    ring.keep_up()
    assert database.calls == 31 + 2
    assert all(used_at(ring, id_of(text)) for text in made)


def test_it_is_written_every_half_minute_at_most_and_only_if_it_moved_by_one(
    ring: KeyRing, database: WatchedDatabase, clock: FakeClock
) -> None:
    key, text = ring.create("app", GRANTS)
    ring.load()
    database.calls = 0
    for _ in range(180):
        ring.principal(text)
        clock.advance(1)
        ring.keep_up()
    assert 3 <= database.calls - 180 <= 4
    at = used_at(ring, key.id)
    clock.advance(31)
    database.calls = 0
    ring.keep_up()
    assert database.calls == 1
    assert used_at(ring, key.id) == at


def test_a_use_is_not_lost_when_the_database_is_down(
    ring: KeyRing, database: WatchedDatabase, clock: FakeClock
) -> None:
    key, text = ring.create("app", GRANTS)
    ring.keep_up()
    ring.principal(text)
    at = milliseconds(clock.now())
    clock.advance(31)
    database.down = True
    assert not ring.keep_up()
    database.down = False
    clock.advance(31)
    assert ring.keep_up()
    assert used_at(ring, key.id) == at


def test_a_process_that_ends_writes_it(ring: KeyRing, database: WatchedDatabase, clock: FakeClock) -> None:
    key, text = ring.create("app", GRANTS)
    ring.keep_up()
    clock.advance(1)
    ring.principal(text)
    ring.close()
    assert used_at(ring, key.id) == milliseconds(clock.now())
    database.down = True
    ring.close()


def test_it_never_goes_back(ring: KeyRing, other: KeyRing, clock: FakeClock) -> None:
    key, text = ring.create("app", GRANTS)
    other.load()
    other.principal(text)
    clock.advance(120)
    ring.principal(text)
    ring.close()
    at = used_at(ring, key.id)
    other.close()
    assert used_at(ring, key.id) == at


# By itself


def test_what_is_told_is_read_soon(ring: KeyRing, other: KeyRing) -> None:
    ended: list[str] = []
    other._ended = ended.append
    key, _ = ring.create("app", GRANTS)
    other.load()
    other.start()
    try:
        ring.revoke(key.id)
        other.changed()
        wait_until(lambda: ended == [key.id], 5)
    finally:
        other.close()


def test_keeping_up_goes_on_when_the_database_is_back(ring: KeyRing, other: KeyRing, database: WatchedDatabase) -> None:
    other.start()
    try:
        database.down = True
        other.changed()
        wait_until(lambda: not other._is_read, 5)
        database.down = False
        wait_until(lambda: other._is_read, 5)
    finally:
        other.close()
