"""A work: something that is done the same way on every server, and the figures that it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tests.benchmarks.figure import Figure
from tests.benchmarks.servers.base import Server


@dataclass(frozen=True)
class Scale:
    """How much is done: each method says what the full bench does, of which a quick one takes its part.

    A tiny one shows only that a work runs: its figures mean nothing.
    """

    quick: bool = False
    tiny: bool = False

    def streams(self, full: int) -> int:
        """A number of streams."""
        if self.tiny:
            return max(min(full, 20), full // 1000)
        return max(min(full, 100), full // 10) if self.quick else full

    def events(self, full: int) -> int:
        """A number of events or requests."""
        if self.tiny:
            return max(min(full, 3), full // 100)
        return max(min(full, 10), full // 10) if self.quick else full

    def seconds(self, full: float) -> float:
        """A time to watch something."""
        if self.tiny:
            return full / 100
        return full / 5 if self.quick else full


class Work(Protocol):
    """`servers` names those that it is measured on, each started anew for every round; see `tests/benchmarks/servers`."""

    name: str
    figures: tuple[Figure, ...]
    servers: tuple[str, ...]
    settings: Mapping[str, str] = {}  # Hermes' limits that it raises
    in_quick: bool = True  # whether `--quick` has it
    rounds: int | None = None  # at most so many, however many others take
    times: int = 1  # measurements in each round, of the servers that bounds compare: more where noise is near a bound

    def measure(self, server: Server, scale: Scale) -> Mapping[str, float]:
        """Do it once; the value of each figure by its key."""
