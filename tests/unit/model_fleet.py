"""A fleet in memory that is too simple to be wrong, and loses what a test tells it to lose."""

from collections.abc import Mapping

from hermes.errors import Unavailable
from hermes.fleet.base import MOST_SAID, SILENCE, Answer, Changes, Heard, Record
from hermes.testing import FakeClock


class Exchange:
    """What all processes share."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.holder: str | None = None
        """Who gets every lease; `None`: nobody."""
        self.away = False
        self.mute: set[str] = set()
        """Who does not answer questions."""
        self.reports: dict[str, Mapping[str, bytes]] = {}
        self.records: dict[str, Record] = {}
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, bytes]] = []
        self._heard: dict[str, float] = {}
        self._known: set[str] = set()

    def call(self) -> None:
        if self.away:
            raise Unavailable("the store is away")
        now = self.clock.monotonic()
        for node in [node for node, heard in self._heard.items() if now - heard > SILENCE]:
            self.forget(node)

    def is_forgotten(self, node: str) -> bool:
        return node in self._known and node not in self._heard

    def hear(self, node: str) -> None:
        self._known.add(node)
        self._heard[node] = self.clock.monotonic()

    def forget(self, node: str) -> None:
        """A process has left, or was not heard for too long."""
        self._heard.pop(node, None)
        self.reports.pop(node, None)
        self.records = {id: record for id, record in self.records.items() if record.node != node}


class ModelFleet:
    """The fleet as one process sees it."""

    def __init__(self, exchange: Exchange, node: str) -> None:
        self._exchange = exchange
        self.node = node

    def exchange(self, reports: Mapping[str, bytes], changes: Changes, *, anew: bool = False) -> Heard:
        shared = self._exchange
        shared.call()
        forgotten = shared.is_forgotten(self.node)
        if anew:
            shared.forget(self.node)
        shared.hear(self.node)
        shared.reports[self.node] = {name: report for name, report in reports.items() if report}
        for id, data in changes.items():
            shared.records.pop(id, None)
            if data is not None:
                shared.records[id] = Record(self.node, id, data)
        return Heard({node: told for node, told in shared.reports.items() if node != self.node}, forgotten)

    def records(self, after: str, limit: int) -> list[Record]:
        self._exchange.call()
        return sorted((one for one in self._exchange.records.values() if one.id > after), key=lambda one: one.id)[
            :limit
        ]

    def find(self, id: str) -> Record | None:
        self._exchange.call()
        return self._exchange.records.get(id)

    def ask(self, node: str, question: bytes) -> bytes | None:
        self._exchange.call()
        self._exchange.asked.append((node, question))
        answer = self._exchange.answers.get(node)
        if answer is None or node in self._exchange.mute:
            return None
        said = answer(question)
        assert max(len(question), len(said)) <= MOST_SAID
        return said

    def listen(self, answer: Answer) -> None:
        self._exchange.answers[self.node] = answer

    def hold(self, name: str) -> bool:
        return not self._exchange.away and self._exchange.holder == self.node

    def close(self) -> None:
        self._exchange.answers.pop(self.node, None)
        self._exchange.forget(self.node)
