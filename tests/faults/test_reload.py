"""Scenario 33: the server with the embedded store is reloaded while it is written to."""

import os
import threading
from pathlib import Path

import pytest

from tests.faults.conftest import ROOMY, StartHermes
from tests.support.hermes_server import HermesServer
from tests.support.load import Load
from tests.support.wait import wait_until

pytestmark = [pytest.mark.live, pytest.mark.fault]

LOOK = 0.005  # seconds between two looks at who owns the journal


class Owners(threading.Thread):
    """Looks from outside, again and again, which processes hold the lock and which have the journal open."""

    def __init__(self, hermes: HermesServer) -> None:
        super().__init__(daemon=True)
        self._hermes = hermes
        self._ended = threading.Event()
        self._lock = (hermes.data_dir / "journal.lock").stat().st_ino
        self.looks = 0
        self.most_open = 0
        self.most_locked = 0
        self.strangers = 0  # looks at which a process without the lock had the journal open
        self.owners: list[int] = []

    def run(self) -> None:
        while not self._ended.wait(LOOK):
            self._look()

    def _look(self) -> None:
        holders, users = self._holders(), self._users()
        if users != self._users() or holders != self._holders():
            return  # it changed while we looked
        self.looks += 1
        self.most_locked = max(self.most_locked, len(holders))
        self.most_open = max(self.most_open, len(users))
        self.strangers += bool(users - holders)
        self.owners += [pid for pid in holders if pid not in self.owners]

    def _holders(self) -> set[int]:
        """Of /proc/locks: `1: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF`; those that wait have an arrow."""
        lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        return {int(words[4]) for words in lines if words[1] == "FLOCK" and words[5].endswith(f":{self._lock}")}

    def _users(self) -> set[int]:
        return {pid for pid in self._hermes.worker_pids() if self._has_open(pid)}

    def _has_open(self, pid: int) -> bool:
        journal = str(self._hermes.data_dir / "journal.db")
        try:
            with os.scandir(f"/proc/{pid}/fd") as descriptors:
                return any(os.readlink(one.path) == journal for one in descriptors)
        except OSError:
            return False

    def end(self) -> None:
        self._ended.set()
        self.join()


@pytest.mark.timeout(180)
def test_33_reload_while_publishing(start_hermes: StartHermes, full: bool) -> None:
    hermes = start_hermes(env={**ROOMY, "HERMES_DRAIN_SPREAD": "2"})
    reloads = 8 if full else 2
    owners = Owners(hermes)
    with Load([hermes], clients=60, rate=200) as load:
        owners.start()
        for _ in range(reloads):
            load.run(1)
            before = hermes.worker_pids()
            hermes.hup()
            wait_until(lambda: hermes.worker_pids() and not set(hermes.worker_pids()) & set(before), 40)  # noqa: B023
            hermes.wait_ready()
        load.run(1)
        verdict = load.finish()
    owners.end()
    figures = {
        "reloads": reloads,
        "looks at the journal": owners.looks,
        "owners in turn": len(owners.owners),
        "at once at most": max(owners.most_locked, owners.most_open),
        "without the lock": owners.strangers,
    }
    verdict.check("scenario 33", **load.figures(), **figures)
    assert owners.looks > 100
    assert len(owners.owners) == reloads + 1
    assert owners.most_locked == owners.most_open == 1, "one owner at any time"
    assert owners.strangers == 0
    assert verdict.resets.total() == 0
