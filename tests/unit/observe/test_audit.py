"""The audit on a real SQLite: what is written when, what is bounded, and what happens while the database is away."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy
import structlog
from structlog.testing import capture_logs

from hermes.db.database import Database
from hermes.errors import Unavailable
from hermes.observe import audit as module
from hermes.observe.audit import (
    AUDIT,
    KEY_CREATE,
    KICK,
    MOST_AT_ONCE,
    OPEN,
    PUBLISH,
    REFUSE,
    RETRY,
    SIGN_IN,
    TOKEN_REVOKE,
    WINDOW,
    Audit,
)
from hermes.observe.audit_table import BATCH, AuditTable
from hermes.observe.tallies import OTHERS, Entry
from hermes.testing import FakeClock
from tests.support.wait import wait_until

T = TypeVar("T")
ROWS = 1000


class Away(Database):
    """A database that can be taken away, and counts its transactions."""

    away = False
    broken = False
    runs = 0

    def run(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        if self.away:
            raise Unavailable("the database is away")
        if self.broken:
            raise ValueError("a value that no column takes")
        self.runs += 1
        return super().run(work)


@pytest.fixture(autouse=True)
def heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A logger that was used before keeps what it was set up with, and nobody could listen to it."""
    monkeypatch.setattr(module, "log", structlog.get_logger(module.LOG))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Away]:
    made = Away(None, tmp_path)
    made.open()
    yield made
    made.close()


@pytest.fixture
def audit(database: Away, clock: FakeClock) -> Audit:
    return Audit(database, clock, ROWS)


def rows(database: Away, **filters: str) -> list[Entry]:
    """All rows, the newest first."""
    return AuditTable(database, ROWS).page(filters, None, 100_000)


def summary(entries: list[Entry]) -> list[tuple[str, str, str, str, int]]:
    return [(one.action, one.principal, one.target, one.outcome, one.count) for one in entries]


def test_traffic_is_summed_up_and_written_after_a_window(audit: Audit, database: Away, clock: FakeClock) -> None:
    audit.turn()
    runs = database.runs
    for _ in range(5000):
        audit.published("key:a", "10.0.0.1", [("orders",), ("orders", "all")])
    audit.opened("user:z", "10.0.0.2", ("orders", "user:z"))
    clock.advance(WINDOW - 1)
    audit.turn()
    assert database.runs == runs
    clock.advance(1)
    audit.turn()
    assert sorted(summary(rows(database))) == [
        (OPEN, "user:z", "orders,user:z", "ok", 1),
        (PUBLISH, "key:a", "all", "ok", 5000),
        (PUBLISH, "key:a", "orders", "ok", 10_000),
    ]
    assert database.runs == runs + 2  # one batch, and this look


def test_administration_is_written_at_once(audit: Audit, database: Away) -> None:
    audit.note(KEY_CREATE, "key:admin", "10.0.0.1", "key:k1", detail="name 'ops'")
    audit.note(KICK, "session:x", "10.0.0.1", "connection:c1")
    audit.turn()
    kick, create = rows(database)
    assert (kick.action, kick.target) == (KICK, "connection:c1")
    assert (create.action, create.principal, create.address, create.detail) == (
        KEY_CREATE,
        "key:admin",
        "10.0.0.1",
        "name 'ops'",
    )
    assert create.at == 1_800_000_000_000


def test_the_thread_writes_by_itself_and_the_rest_when_it_ends(audit: Audit, database: Away) -> None:
    audit.start(lambda _: False)
    audit.note(KEY_CREATE, "key:admin", "", "key:k1")
    wait_until(lambda: rows(database), RETRY - 1)
    audit.note(PUBLISH, "key:a", "", "orders")
    audit.close()
    audit.close()
    assert summary(rows(database)) == [
        (PUBLISH, "key:a", "orders", "ok", 1),
        (KEY_CREATE, "key:admin", "key:k1", "ok", 1),
    ]


def test_what_was_refused_and_what_strangers_do_is_summed_up(audit: Audit, database: Away, clock: FakeClock) -> None:
    for n in range(1000):
        audit.note(SIGN_IN, "anonymous", "10.0.0.1", "", "UNAUTHORIZED")
        audit.note(KEY_CREATE, "key:a", "10.0.0.1", f"{n}", "FORBIDDEN")
        audit.refused("10.0.0.9", f"/api/v1/{n}", "the token has expired")
        audit.refused("10.0.0.9", "secret:1", "not granted", principal_id="user:z", code="FORBIDDEN")
    audit.turn()
    assert rows(database) == []
    clock.advance(WINDOW)
    audit.turn()
    assert sorted(summary(rows(database))) == [
        (KEY_CREATE, "key:a", "0", "FORBIDDEN", 1000),
        (REFUSE, "anonymous", "/api/v1/0", "UNAUTHORIZED", 1000),
        (REFUSE, "user:z", "secret:1", "FORBIDDEN", 1000),
        (SIGN_IN, "anonymous", "", "UNAUTHORIZED", 1000),
    ]


def test_too_much_administration_of_one_caller_is_summed_up(audit: Audit, database: Away, clock: FakeClock) -> None:
    for n in range(1000):
        audit.note("token.mint", "key:app", "10.0.0.1", f"jti:{n}")
    audit.note("token.mint", "key:other", "10.0.0.1", "jti:x")
    audit.turn()
    assert len(rows(database)) == MOST_AT_ONCE + 1
    clock.advance(WINDOW)
    audit.turn()
    found = rows(database)
    assert sum(one.count for one in found) == 1001
    assert len(found) <= 2 * MOST_AT_ONCE + 2
    assert [one.count for one in found if one.target == OTHERS] == [1000 - 2 * MOST_AT_ONCE]
    audit.note("token.mint", "key:app", "10.0.0.1", "jti:again")  # a new window
    audit.turn()
    assert rows(database)[0].target == "jti:again"


def test_each_entry_is_a_line_of_the_log(audit: Audit, clock: FakeClock) -> None:
    audit.published("key:a", "10.0.0.1", [("orders",)] * 7)
    audit.note(KICK, "key:a", "", "connection:c1")
    clock.advance(WINDOW)
    with capture_logs() as lines:
        audit.turn()
    kick, published = lines
    assert kick == {
        "event": KICK,
        "log_level": "info",
        "logger": "hermes.audit",
        "principal": "key:a",
        "target": "connection:c1",
        "outcome": "ok",
        "count": 1,
    }
    assert (published["event"], published["target"], published["count"]) == (PUBLISH, "orders", 7)


def test_no_secret_gets_in(audit: Audit, database: Away, clock: FakeClock) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
    audit.refused("10.0.0.1", f"/api/v1/events/stream?token={token}", f"'{token}' is no token")
    audit.note(KEY_CREATE, "key:a", "", "key:1", detail="Authorization: Bearer correct-horse-battery")
    clock.advance(WINDOW)
    with capture_logs() as lines:
        audit.turn()
    told = f"{lines} {rows(database)}"
    assert len(rows(database)) == 2
    assert "eyJ" not in told
    assert "horse" not in told


@pytest.mark.parametrize("bad", [None, 7, b"x", object()])
def test_a_note_never_raises_and_is_not_forgotten(audit: Audit, database: Away, clock: FakeClock, bad: Any) -> None:
    audit.note(KICK, bad, "", "x")
    audit.note(PUBLISH, "key:a", bad, "x")
    audit.note(PUBLISH, "key:a", "", bad)
    audit.note(REFUSE, "key:a", "", "x", "FORBIDDEN", 1, bad)
    clock.advance(WINDOW)
    audit.turn()
    assert summary(rows(database)) == [(AUDIT, "hermes", "", "LOST", 4)]


def test_a_note_is_cheap(audit: Audit) -> None:
    def seconds() -> float:
        began = time.process_time()
        for _ in range(1000):
            audit.note(PUBLISH, "key:a", "10.0.0.1", "orders")
        return time.process_time() - began

    assert min(seconds() for _ in range(5)) < 0.02  # 20 us each; measured: 1.5


# The database away


def test_while_the_database_is_away_entries_wait(audit: Audit, database: Away, clock: FakeClock) -> None:
    database.away = True
    audit.note(KICK, "key:a", "", "connection:c1")
    audit.published("key:a", "", [("orders",)])
    clock.advance(WINDOW)
    audit.turn()
    audit.note(KICK, "key:a", "", "connection:c2")
    audit.turn()
    with pytest.raises(Unavailable):
        audit.entries({}, None, 10)
    database.away = False
    assert rows(database) == []
    clock.advance(RETRY)
    audit.turn()
    assert [one.target for one in rows(database)] == ["orders", "connection:c2", "connection:c1"]


def test_what_does_not_fit_is_counted(
    audit: Audit, database: Away, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", {False: 5, True: 10})
    database.away = True
    for n in range(4):
        audit.note(KICK, "key:a", "", f"connection:{n}")
        for m in range(6):
            audit.note(PUBLISH, "key:a", "", f"channel:{n}:{m}")
        clock.advance(WINDOW)
        audit.turn()
    database.away = False
    clock.advance(WINDOW)
    audit.turn()
    lost, *found = rows(database)
    assert (lost.action, lost.outcome, lost.count) == (AUDIT, "LOST", 24 - 10)
    assert [one.target for one in found if one.action == KICK] == [f"connection:{n}" for n in (3, 2, 1, 0)]
    assert {one.target for one in found if one.action == PUBLISH} == {
        *(f"channel:3:{m}" for m in range(6)),
        *(f"channel:2:{m}" for m in range(2, 6)),
    }
    clock.advance(WINDOW)
    audit.turn()
    assert len(rows(database)) == len(found) + 1, "it is said once"


def test_what_the_database_does_not_take_holds_nothing_up(audit: Audit, database: Away, clock: FakeClock) -> None:
    database.broken = True
    audit.note(KICK, "key:a", "", "connection:c1")
    with capture_logs() as lines:
        audit.turn()
    assert "cannot be written" in lines[-1]["event"] + lines[-2]["event"]
    database.broken = False
    audit.note(KICK, "key:a", "", "connection:c2")
    clock.advance(RETRY)
    audit.turn()
    assert [one.target for one in rows(database, action=KICK)] == ["connection:c2"]


# The table


def test_reading_writes_what_was_summed_up_so_far_but_not_each_time(
    audit: Audit, database: Away, clock: FakeClock
) -> None:
    audit.published("key:a", "", [("orders",)])
    assert summary(audit.entries({}, None, 10)) == [(PUBLISH, "key:a", "orders", "ok", 1)]
    for _ in range(20):
        audit.published("key:a", "", [("orders",)])
        audit.entries({}, None, 10)
    assert len(rows(database)) == 1
    clock.advance(module.READ_WINDOW)
    assert [one.count for one in audit.entries({}, None, 10)] == [20, 1]


def test_pages_and_filters(audit: Audit) -> None:
    for n in range(25):
        audit.note(KICK, f"key:{n % 2}", "", f"connection:{n}")
    audit.note(KEY_CREATE, "key:0", "", "key:9")
    audit.turn()
    first = audit.entries({"action": KICK}, None, 10)
    second = audit.entries({"action": KICK}, first[-1].id, 10)
    third = audit.entries({"action": KICK}, second[-1].id, 10)
    assert [one.target for one in first + second + third] == [f"connection:{n}" for n in reversed(range(25))]
    assert [one.action for one in audit.entries({"principal": "key:0", "action": KEY_CREATE}, None, 10)] == [KEY_CREATE]
    assert audit.entries({"principal": "key:0' OR 1=1 --"}, None, 10) == []
    assert audit.entries({"outcome": "FORBIDDEN"}, None, 10) == []


def fill(database: Away, traffic: int, administration: int) -> None:
    table = AuditTable(database, ROWS)
    for action, count in ((KICK, administration), (PUBLISH, traffic)):
        if count:
            table.add([Entry(1, action, "key:a", "", str(n), "ok", 1) for n in range(count)])


@pytest.mark.parametrize(
    ("traffic", "administration", "left"),
    [
        (ROWS, 0, (1000, 0)),
        (ROWS + 3 * BATCH, 0, (1000, 0)),
        (5000, 100, (900, 100)),
        (5000, 4000, (500, 500)),
        (100, 4000, (100, 900)),
        (0, 4000, (0, 1000)),
        (600, 600, (500, 500)),
    ],
)
def test_the_oldest_go_and_traffic_cannot_push_administration_out(
    database: Away, traffic: int, administration: int, left: tuple[int, int]
) -> None:
    fill(database, traffic, administration)
    removed = AuditTable(database, ROWS).trim()
    of_traffic, of_administration = rows(database, action=PUBLISH), rows(database, action=KICK)
    assert (len(of_traffic), len(of_administration)) == left
    assert removed == traffic + administration - sum(left)
    assert [one.target for one in of_traffic] == [str(n) for n in reversed(range(traffic - left[0], traffic))]
    assert AuditTable(database, ROWS).trim() == 0


@pytest.mark.parametrize(("action", "outcome"), [(SIGN_IN, "FORBIDDEN"), (TOKEN_REVOKE, "ok")])
def test_what_others_can_do_pushes_no_administration_out(database: Away, action: str, outcome: str) -> None:
    """Anybody can be refused a sign-in, and a key that mints tokens revokes them by the thousand."""
    fill(database, 0, 400)
    table = AuditTable(database, ROWS)
    table.add([Entry(2, action, "key:b", "", str(n), outcome, 1) for n in range(3 * ROWS)])
    table.trim()
    assert len(rows(database, action=KICK)) == 400
    assert len(rows(database, action=action)) == ROWS - 400


def test_what_others_can_do_waits_with_the_traffic(
    audit: Audit, database: Away, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", {False: 5, True: 10})
    database.away = True
    audit.note(KICK, "key:a", "10.0.0.1", "c1")
    for number in range(20):
        audit.note(SIGN_IN, "anonymous", f"10.0.1.{number}", "key", "FORBIDDEN")
    clock.advance(WINDOW)
    audit.turn()
    database.away = False
    clock.advance(WINDOW)
    audit.turn()
    assert [one.target for one in rows(database, action=KICK)] == ["c1"]


def test_only_who_holds_the_lease_trims(audit: Audit, database: Away, clock: FakeClock) -> None:
    asked, holds = [], [False]

    def lease(name: str) -> bool:
        asked.append(name)
        return holds[0]

    fill(database, 2 * ROWS, 0)
    audit.start(lease)
    audit.close()
    audit.turn()
    assert set(asked) == {"audit"}
    assert len(rows(database)) == 2 * ROWS
    holds[0] = True
    clock.advance(WINDOW)
    audit.turn()
    assert len(rows(database)) == ROWS
    fill(database, 10, 0)
    audit.turn()
    assert len(rows(database)) == ROWS + 10, "not at every turn"
    database.away = True
    clock.advance(WINDOW)
    audit.turn()  # nothing is said of it, nothing fails
