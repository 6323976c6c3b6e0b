"""The one oracle of all scenarios: what was acknowledged, what each client saw, and what is wrong between the two.

Each payload carries its channel and a number that counts up within it. One publisher at a time owns a channel, and
tries an event again (with the same idempotency key) until it is acknowledged before it goes on to the next.
"""

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.support.event_parser import Frame


class Finding(NamedTuple):
    """One thing that is wrong: which client, which channel, which number."""

    client: str
    channel: str
    number: int


@dataclass
class Verdict:
    """What the oracle found. `is_clean` is the scenarios' Z: nothing lost, twice, out of order; nobody stopped."""

    acknowledged: int = 0
    clients: int = 0
    deliveries: int = 0
    lost: list[Finding] = field(default_factory=list)
    twice: list[Finding] = field(default_factory=list)
    out_of_order: list[Finding] = field(default_factory=list)
    invented: list[Finding] = field(default_factory=list)  # seen, and never published
    stopped: dict[str, str] = field(default_factory=dict)  # client -> why
    resets: Counter[str] = field(default_factory=Counter)  # client -> how many it was sent

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.twice or self.out_of_order or self.invented or self.stopped)

    def line(self, title: str = "oracle", **more: object) -> str:
        """One line of figures; `more` is added at its end."""
        figures = {
            "acknowledged": self.acknowledged,
            "clients": self.clients,
            "deliveries": self.deliveries,
            "lost": len(self.lost),
            "twice": len(self.twice),
            "out of order": len(self.out_of_order),
            "stopped": len(self.stopped),
            "resets": self.resets.total(),
        }
        if self.invented:
            figures["invented"] = len(self.invented)
        return f"{title}: " + ", ".join(f"{value} {name}" for name, value in (figures | more).items())

    def details(self, limit: int = 5) -> str:
        """Which they are, the first few of each kind."""
        kinds = {name: getattr(self, name) for name in ("lost", "twice", "out_of_order", "invented")}
        kinds["stopped"] = list(self.stopped.items())
        return "\n".join(f"  {name}: {found[:limit]}" for name, found in kinds.items() if found)

    def check(self, title: str = "oracle", **more: object) -> None:
        """Prints the line of figures; raises with the details unless it is clean."""
        print(self.line(title, **more))
        if not self.is_clean:
            raise AssertionError(f"{self.line(title, **more)}\n{self.details()}")


class Oracle:
    """Keeps the books of one scenario. Every method may be called from any thread.

        payload = oracle.issue("prices")            # {"channel": "prices", "n": 1}
        ... publish it; on 2xx:
        oracle.acknowledge(payload)
        oracle.watch("client-1", ["prices"])        # once its stream is open: all that is issued from here is owed
        StandardClient(url, on_frame=oracle.observer("client-1"))
        oracle.verdict().check("scenario 1")

    With `resets_excuse` a `reset` frame forgives what its client did not see of the named channels up to then.
    """

    def __init__(self, *, resets_excuse: bool = False) -> None:
        self._resets_excuse = resets_excuse
        self._lock = threading.Lock()
        self._issued: Counter[str] = Counter()
        self._acknowledged: dict[str, set[int]] = defaultdict(set)
        self._owed_after: dict[tuple[str, str], int] = {}
        self._owed_until: dict[str, dict[str, int]] = {}
        self._forgiven: dict[tuple[str, str], int] = {}
        self._seen: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._stopped: dict[str, str] = {}
        self._resets: Counter[str] = Counter()

    # --- the publisher's side

    def issue(self, channel: str, **more: Any) -> dict[str, Any]:
        """The next payload of a channel; `more` goes into it."""
        with self._lock:
            self._issued[channel] += 1
            return {"channel": channel, "n": self._issued[channel], **more}

    def acknowledge(self, *payloads: dict[str, Any]) -> None:
        """These were answered 2xx."""
        with self._lock:
            for payload in payloads:
                self._acknowledged[payload["channel"]].add(payload["n"])

    def issued(self) -> dict[str, int]:
        """The newest number of each channel, acknowledged or still under way."""
        with self._lock:
            return dict(self._issued)

    def newest(self) -> dict[str, int]:
        """The newest number of each channel that was acknowledged."""
        with self._lock:
            return {channel: max(numbers) for channel, numbers in self._acknowledged.items() if numbers}

    # --- the clients' side

    def watch(self, client: str, channels: Iterable[str]) -> None:
        """From now on this client is owed every event of these channels; what was issued before may come or not."""
        with self._lock:
            for channel in channels:
                self._owed_after[client, channel] = self._issued[channel]

    def release(self, client: str) -> None:
        """What is issued from now on is no longer owed to this client."""
        with self._lock:
            self._owed_until[client] = dict(self._issued)

    def saw(self, client: str, channel: str, number: int) -> None:
        """This client was sent this event."""
        self._seen[client, channel].append(number)

    def observe(self, client: str, frame: Frame) -> None:
        """Enters a frame in the books: payloads of this oracle and resets; retained ones and the rest are left out."""
        if frame["event"] == "reset":
            self._observe_reset(client, frame)
        elif frame["event"] not in ("connected", "heartbeat", "error", "close") and not frame["retained"]:
            payload = json.loads(frame["data"])
            if isinstance(payload, dict) and "n" in payload and "channel" in payload:
                self.saw(client, payload["channel"], payload["n"])

    def observer(self, client: str) -> Any:
        """`observe` for that client, as `on_frame` takes it."""
        return lambda frame: self.observe(client, frame)

    def take(
        self, client: str, seen: Mapping[str, Iterable[int]], *, resets: int = 0, stopped: str | None = None
    ) -> None:
        """Enters what a client in another process saw of each channel, in its order."""
        for channel, numbers in seen.items():
            self._seen[client, channel].extend(numbers)
        with self._lock:
            self._resets[client] += resets
        if stopped is not None:
            self.stop(client, stopped)

    def forgive(self, client: str, numbers: Mapping[str, int]) -> None:
        """Up to these numbers this client is owed nothing: a `reset` said so."""
        with self._lock:
            for channel, number in numbers.items():
                self._forgiven[client, channel] = max(number, self._forgiven.get((client, channel), 0))

    def stop(self, client: str, reason: str) -> None:
        """This client was stopped for good, and did not want to be."""
        with self._lock:
            self._stopped[client] = reason

    def missing(self) -> int:
        """How many deliveries are still owed: a condition to wait for before the verdict."""
        return len(self.verdict().lost)

    def _observe_reset(self, client: str, frame: Frame) -> None:
        with self._lock:
            self._resets[client] += 1
            if self._resets_excuse:
                for channel in json.loads(frame["data"])["channels"]:
                    self._forgiven[client, channel] = self._issued[channel]

    # --- the end

    def verdict(self) -> Verdict:
        """What is wrong by now."""
        with self._lock:
            watched = sorted(set(self._owed_after) | set(self._seen))
            verdict = Verdict(
                acknowledged=sum(map(len, self._acknowledged.values())),
                clients=len({client for client, _ in watched}),
                stopped=dict(self._stopped),
                resets=Counter(self._resets),
            )
            for client, channel in watched:
                self._judge(verdict, client, channel)
            return verdict

    def _judge(self, verdict: Verdict, client: str, channel: str) -> None:
        numbers = list(self._seen.get((client, channel), ()))
        verdict.deliveries += len(numbers)
        before, seen = 0, set()
        for number in numbers:
            if number in seen:
                verdict.twice.append(Finding(client, channel, number))
            elif number < before:
                verdict.out_of_order.append(Finding(client, channel, number))
            if not 0 < number <= self._issued[channel]:
                verdict.invented.append(Finding(client, channel, number))
            seen.add(number)
            before = max(before, number)
        if (client, channel) in self._owed_after:
            first = max(self._owed_after[client, channel], self._forgiven.get((client, channel), 0))
            last = self._owed_until.get(client, self._issued).get(channel, 0)
            owed = {number for number in self._acknowledged[channel] if first < number <= last}
            verdict.lost.extend(Finding(client, channel, number) for number in sorted(owed - seen))
