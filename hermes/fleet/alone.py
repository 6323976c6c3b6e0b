"""The fleet of the embedded store: this process is all of it."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from hermes.fleet.answers import answered
from hermes.fleet.base import MOST_PAGE, Answer, Changes, Heard, Record, sound


class Alone:
    """See :class:`~hermes.fleet.base.Fleet`. Nobody else is heard, every lease is held, and nothing is ever unavailable."""

    def __init__(self, node: str) -> None:
        self.node = node
        self._records: dict[str, bytes] = {}
        self._answer: Answer | None = None

    def exchange(self, reports: Mapping[str, bytes], changes: Changes, *, anew: bool = False) -> Heard:  # noqa: ARG002
        """See :class:`~hermes.fleet.base.Fleet`; only the records matter here."""
        if anew:
            self._records.clear()
        for id, data in sound(changes).items():
            if data is None:
                self._records.pop(id, None)
            else:
                self._records[id] = data
        return Heard({})

    def records(self, after: str, limit: int) -> list[Record]:
        """See :class:`~hermes.fleet.base.Fleet`."""
        records = list(self._records.items())
        page = heapq.nsmallest(min(limit, MOST_PAGE), (record for record in records if record[0] > after))
        return [Record(self.node, id, data) for id, data in page]

    def find(self, id: str) -> Record | None:
        """See :class:`~hermes.fleet.base.Fleet`."""
        data = self._records.get(id)
        return None if data is None else Record(self.node, id, data)

    def ask(self, node: str, question: bytes) -> bytes | None:
        """See :class:`~hermes.fleet.base.Fleet`; there is nobody else to ask."""
        if node != self.node or self._answer is None:
            return None
        return answered(self._answer, question)

    def listen(self, answer: Answer) -> None:
        """See :class:`~hermes.fleet.base.Fleet`."""
        self._answer = answer

    def hold(self, name: str) -> bool:  # noqa: ARG002 - there is nobody else
        """See :class:`~hermes.fleet.base.Fleet`."""
        return True

    def close(self) -> None:
        """See :class:`~hermes.fleet.base.Fleet`."""
        self._records.clear()
        self._answer = None
