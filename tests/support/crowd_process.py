"""The child of `tests/support/crowd.py`: standard-following clients in greenlets, and what each of them saw.

Run as `python -m tests.support.crowd_process SPEC`; one JSON command a line on stdin, one answer a line on stdout. It
ends when stdin does.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402 - nothing may be imported before it is patched
import random  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections import Counter, defaultdict  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from gevent.fileobject import FileObject  # noqa: E402

from tests.support.event_parser import Frame  # noqa: E402
from tests.support.sse_client import StandardClient  # noqa: E402

STEP = 0.5  # seconds that a client reads before it looks at its plans


class Watcher:
    """One client with its plan: `churn` [least, most] seconds between reconnects, `rate` bytes a second that it reads."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.name: str = plan["name"]
        self.channels: list[str] = plan["channels"]
        self._urls: list[str] = plan["urls"]
        self._churn: list[float] | None = plan.get("churn")
        self._rate: float | None = plan.get("rate")
        self._delay: float = plan.get("delay", 0.0)
        self.is_open = False
        self.seen: dict[str, list[int]] = defaultdict(list)
        self.newest: dict[str, int] = defaultdict(int)
        self.state: dict[str, Any] = {}
        self.resets: list[dict[str, Any]] = []
        self.closes: list[dict[str, Any]] = []
        self.errors: Counter[str] = Counter()
        self.returns: list[dict[str, float]] = []
        self.openings = self.decreases = self.retained = self.frames = self.recovered = self.churned = 0
        self._last_id = ("", 0)
        self._broken: dict[str, float] | None = None
        self._endings = 0
        self.client = StandardClient(
            self._urls[0],
            headers=plan.get("headers"),
            last_event_id=plan.get("last_event_id", ""),
            retry=plan.get("retry", 0.5),
            retry_limit=plan.get("retry_limit", 60.0),
            receive_buffer=plan.get("receive_buffer"),
            on_frame=self._saw,
            keep_frames=False,
        )

    def run(self) -> None:
        gevent.sleep(self._delay)
        leave_at = None
        while self.client.state != "closed":
            if not churning:
                leave_at = None
            elif self._churn and leave_at is None:
                leave_at = time.monotonic() + random.uniform(*self._churn)
            self._read(STEP if leave_at is None else min(STEP, leave_at - time.monotonic()))
            if churning and leave_at is not None and time.monotonic() >= leave_at:
                leave_at = None
                self._leave()

    def _read(self, timeout: float) -> None:
        before = self.client.received
        self.client.pump(max(0.0, timeout))
        if self._rate:
            gevent.sleep((self.client.received - before) / self._rate)
        if len(self.client.endings) > self._endings:
            self._ended()

    def _leave(self) -> None:
        self.client.redirect(random.choice(self._urls))
        if self.client.state == "open":
            self.churned += 1
            self.client.drop(reset=random.random() < 0.5)
            self._endings = len(self.client.endings)
            self.is_open = False

    def _ended(self) -> None:
        """The server, or the wire, ended the connection."""
        if self._broken is None:
            self._broken = {"ended": time.monotonic(), "retry": self.client.retry}
        self._endings = len(self.client.endings)
        self.client.redirect(random.choice(self._urls))
        self.is_open = False

    # What it saw

    def _saw(self, frame: Frame) -> None:
        self.frames += 1
        if frame["id"] is not None:
            self._note_id(frame["id"])
        match frame["event"]:
            case "connected":
                self.openings += 1
                self.recovered += json.loads(frame["data"])["recovered"] is True
            case "reset":
                said = json.loads(frame["data"])
                self.resets.append({"at": frame["at"], "opening": self.openings, **said})
            case "heartbeat":
                self.is_open = True
            case "error":
                self.errors[json.loads(frame["data"])["code"]] += 1
            case "close":
                self.closes.append({"at": frame["at"], "retry": self.client.retry, **json.loads(frame["data"])})
            case _:
                self._saw_event(frame)

    def _note_id(self, identifier: str) -> None:
        epoch, _, number = identifier.rpartition("-")
        if epoch == self._last_id[0] and int(number) < self._last_id[1]:
            self.decreases += 1
        self._last_id = (epoch, int(number))
        if self._broken is not None:
            self.returns.append({**self._broken, "live": time.monotonic()})
            self._broken = None

    def _saw_event(self, frame: Frame) -> None:
        payload = json.loads(frame["data"])
        if not isinstance(payload, dict) or "n" not in payload:
            return
        if "key" in payload:
            self.state[payload["key"]] = payload["n"]
        if frame["retained"]:
            self.retained += 1
            return
        channel, number = payload["channel"], payload["n"]
        self.seen[channel].append(number)
        self.newest[channel] = max(number, self.newest[channel])

    def owes(self, last: dict[str, int]) -> bool:
        return any(self.newest[channel] < last.get(channel, 0) for channel in self.channels)

    def report(self) -> dict[str, Any]:
        names = (
            "seen",
            "state",
            "resets",
            "closes",
            "errors",
            "returns",
            "openings",
            "decreases",
            "retained",
            "frames",
        )
        return {
            **{name: getattr(self, name) for name in names},
            "recovered": self.recovered,
            "churned": self.churned,
            "opened": self.client.opened,
            "endings": Counter(self.client.endings),
            "last_event_id": self.client.last_event_id,
            "stopped": str(self.client.stopped) if self.client.stopped else None,
            "is_open": self.is_open,
        }


churning = False


def answer(watchers: list[Watcher], command: dict[str, Any]) -> dict[str, Any]:
    """Does what the parent asks; every answer tells where the crowd stands."""
    global churning  # noqa: PLW0603 - one switch for all clients
    match command["do"]:
        case "churn":
            churning = command["on"]
        case "report":
            Path(command["to"]).write_text(json.dumps({watcher.name: watcher.report() for watcher in watchers}))
        case _:
            pass
    last = command.get("last") or {}
    return {
        "clients": len(watchers),
        "open": sum(watcher.is_open for watcher in watchers),
        "stopped": sum(watcher.client.stopped is not None for watcher in watchers),
        "opened": sum(watcher.client.opened for watcher in watchers),
        "deliveries": sum(map(len, (seen for watcher in watchers for seen in watcher.seen.values()))),
        "owing": sum(watcher.owes(last) for watcher in watchers),
        "resets": sum(len(watcher.resets) for watcher in watchers),
        "reset_clients": sum(bool(watcher.resets) for watcher in watchers),
    }


def main() -> None:
    plans = json.loads(Path(sys.argv[1]).read_text())
    watchers = [Watcher(plan) for plan in plans]
    for watcher in watchers:
        gevent.spawn(watcher.run)
    commands = FileObject(sys.stdin.fileno(), "r")
    for line in commands:
        print(json.dumps(answer(watchers, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
