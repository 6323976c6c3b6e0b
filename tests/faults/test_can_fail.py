"""Each scenario is shown able to fail: a copy of Hermes with a line or two broken, and what the oracle then says.

A scenario that passes against the broken copy is a defect of the scenario.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.hermes_server import REPOSITORY, TREE

pytestmark = [pytest.mark.live, pytest.mark.fault, pytest.mark.full, pytest.mark.timeout(240)]


class Line(NamedTuple):
    """A sound piece of a file, which stands there once, and what takes its place."""

    file: str
    sound: str
    broken: str


class Break(NamedTuple):
    """Which scenario (a test and perhaps words for -k), what is broken, and what the scenario must object to."""

    scenario: str
    test: str
    lines: tuple[Line, ...]
    objection: str


# The words of a broken promise, as they stand in tests/support/oracle.py and in the scenarios.
LOST, TWICE = r"[1-9]\d* lost", r"[1-9]\d* twice"

RESUME_AT_TIP = Line(
    "hermes/streaming/opening.py",
    "return self._resume(Position(place.epoch, place.number), cursor)",
    "return self._resume(Position(place.epoch, max(place.number, self._hub.last)), cursor)",
)
GAPS_TAKEN = Line(
    "hermes/streaming/follower.py",
    "if epoch == self._hub.epoch and first <= here + 1:",
    "if epoch == self._hub.epoch:",
)
EPOCH_KEPT = Line("hermes/brokers/lua/log.lua", "if meta[1] and meta[2] == run_id then", "if meta[1] then")

NOT_TOLD = Line("hermes/brokers/redis_feed.py", "        if not first:\n", "        if first is None:\n")
TIP_IGNORED = Line(
    "hermes/streaming/follower.py",
    "if behind or tip.epoch != self._hub.epoch:",
    "if tip.epoch != self._hub.epoch:",
)

BREAKS = [
    Break("1: a resume begins at the tip", "test_reconnect_storm.py -k embedded", (RESUME_AT_TIP,), LOST),
    Break(
        "1: a heartbeat carries the hub's number",
        "test_reconnect_storm.py -k redis",
        (
            Line(
                "hermes/streaming/listener.py",
                "return heartbeat_frame(self.position.cursor, self._timestamp())",
                "return heartbeat_frame(Position(self._hub.epoch, self._hub.last + 3).cursor, self._timestamp())",
            ),
        ),
        LOST,
    ),
    Break("2: a resume begins at the tip", "test_killed_worker.py", (RESUME_AT_TIP,), LOST),
    Break(
        "3: every start is a new epoch",
        "test_killed_server.py",
        (
            Line(
                "hermes/brokers/embedded.py",
                "boot: Callable[[], str] = journal_file.boot_id,",
                "boot: Callable[[], str] = lambda: str(os.getpid()),",
            ),
        ),
        r"[1-9]\d* resets|[1-9]\d* lost",
    ),
    Break(
        "4: streams are not told",
        "test_drain.py",
        (
            Line(
                "hermes/streaming/worker.py",
                "        self.runtime.drain()\n",
                "",
            ),
        ),
        r"scenario 4: .* 0 close frames",
    ),
    Break("6: a gap in the feed is taken", "test_killed_feed.py", (GAPS_TAKEN, NOT_TOLD), LOST),
    Break(
        "7: idempotency keys do nothing",
        "test_stalled_redis.py",
        (
            Line(
                "hermes/web/events.py",
                "idempotency_key=key)",
                "idempotency_key=None)",
            ),
        ),
        TWICE + "|stored entries",
    ),
    Break("8: a restart is no new epoch", "test_killed_redis.py -k True", (EPOCH_KEPT,), "one reset for each client"),
    Break(
        "9: a restored snapshot is no new epoch",
        "test_restored_redis.py -k snapshot",
        (EPOCH_KEPT,),
        r"resets: Standing\(",
    ),
    Break("9: a failover is no new epoch", "test_restored_redis.py -k lags", (EPOCH_KEPT,), r"resets: Standing\("),
    Break(
        "9: all restarted, and no new epoch",
        "test_restored_redis.py -k restarted",
        (EPOCH_KEPT,),
        r"resets: Standing\(",
    ),
    Break("10: a gap in the feed is taken", "test_full_output_buffer.py", (GAPS_TAKEN, NOT_TOLD, TIP_IGNORED), LOST),
    Break(
        "14: a stream that ends is not taken out",
        "test_leaving_clients.py",
        (
            Line(
                "hermes/streaming/registry.py",
                "if self._listeners.pop(listener.connection_id, None) is None:",
                "if True:",
            ),
        ),
        "not within",
    ),
    Break(
        "13: nobody asks whether bytes are acknowledged",
        "test_cut_network.py",
        (
            Line(
                "hermes/streaming/direct.py",
                "if stalled is not None and stalled >= self._lane.patience:",
                "if stalled is not None and stalled >= 1000:",
            ),
        ),
        "not within 12 s: 100 left",
    ),
    Break(
        "31: a cursor ahead of its process is pulled back",
        "test_late_process.py",
        (
            Line(
                "hermes/streaming/opening.py",
                "return self._resume(Position(place.epoch, place.number), cursor)",
                "return self._resume(Position(place.epoch, min(place.number, self._hub.last)), cursor)",
            ),
        ),
        TWICE,
    ),
    Break(
        "31: a cursor ahead of its process is refused",
        "test_late_process.py",
        (
            Line(
                "hermes/core/recovery.py",
                "    if cursor.number > store.number:\n",
                "    if cursor.number > last:\n",
            ),
        ),
        r"[1-9]\d* resets",
    ),
    Break(
        "32: the replay begins above the snapshot's tip",
        "test_slow_openings.py -k embedded",
        (
            Line(
                "hermes/streaming/opening.py",
                "return Opening(Position(snapshot.epoch, snapshot.tip), snapshot.tip, snapshot=snapshot)",
                "return Opening(Position(snapshot.epoch, snapshot.tip + 40), snapshot.tip, snapshot=snapshot)",
            ),
        ),
        r"[1-9]\d* differ",
    ),
    Break(
        "33: the lock keeps nobody out",
        "test_reload.py",
        (
            Line(
                "hermes/brokers/folder_lock.py",
                "fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)",
                "fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)",
            ),
        ),
        "one owner at any time|[2-9] at once at most",
    ),
    Break(
        "18: the rest of a body is taken as gunicorn does",
        "test_hostile_events.py -k 18",
        (
            Line(
                "hermes/streaming/worker.py",
                "            taken = take_rest(req.body)\n",
                "            taken = True\n",
            ),
        ),
        r"late by \d+ ms at most \(1[05] MB",
    ),
    Break(
        "19: control characters pass",
        "test_hostile_events.py -k test_19_odd_characters",
        (
            Line(
                "hermes/core/channel.py",
                "if _FORBIDDEN_IN_NAME.search(name):",
                "if _FORBIDDEN_IN_NAME.search(name.replace(chr(10), '')):",
            ),
        ),
        r"^E +(assert|\w+Error)",
    ),
    Break(
        "25: a path of a filter is as long as it likes",
        "test_hostile_filters.py",
        (
            Line(
                "hermes/core/filter.py",
                "MAX_LEVELS = 3",
                "MAX_LEVELS = 3000",
            ),
        ),
        r"^E +assert",
    ),
]


def broken_copy(folder: Path, broken: Break) -> Path:
    """A copy of Hermes, with these lines broken."""
    for name in ("hermes", "static", "tests/support"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "app.py", folder)
    for line in broken.lines:
        path = folder / line.file
        text = path.read_text()
        assert text.count(line.sound) == 1, f"{line.file} has no longer one {line.sound!r}: break it anew"
        path.write_text(text.replace(line.sound, line.broken))
    return folder


@pytest.mark.parametrize("broken", BREAKS, ids=[broken.scenario for broken in BREAKS])
def test_the_scenario_objects(broken: Break, tmp_path: Path) -> None:
    tree = broken_copy(tmp_path / "broken", broken)
    file, *more = broken.test.split()
    command = [sys.executable, "-m", "pytest", f"tests/faults/{file}", *more, "-q", "-s", "-p", "no:cacheprovider"]
    environment = {name: value for name, value in os.environ.items() if name != "HERMES_TEST_FULL"}
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**environment, TREE: str(tree)},
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
    )
    said = [line.strip() for line in done.stdout.splitlines() if re.search(broken.objection, line)]
    print(f"{broken.scenario} -> {said[0][:400] if said else done.stdout[-3000:]}")
    assert done.returncode == 1, f"it passes, or did not run: {done.stdout[-3000:]}{done.stderr[-1000:]}"
    assert said, done.stdout[-6000:]
