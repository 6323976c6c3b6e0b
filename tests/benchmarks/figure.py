"""A figure: one number that the bench takes, and what it must and aims to be. Pure: no server, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

Samples = Mapping[str, Sequence[float | None]]
"""What one figure was, for each server by name, in the order of the rounds; `None` where a round did not give it."""

Kind = Literal["must", "aim"]


@dataclass(frozen=True)
class Bound:
    """At most (or at least) `limit`: of the figure itself, or of its ratio to the server `beside` in the same round."""

    limit: float
    beside: str | None = None

    def words(self, figure: Figure) -> str:
        """As a table says it: `<= 1.2 x nchan`, `>= 1,500 /s`."""
        sign = "<=" if figure.better == "low" else ">="
        number = f"{self.limit:,g}"
        return f"{sign} {number} x {self.beside}" if self.beside else f"{sign} {number} {figure.unit}".rstrip()


@dataclass(frozen=True)
class Figure:
    """`key` names it in files; `only` are the servers whose bounds count, by default all of Hermes' own."""

    key: str
    title: str
    unit: str
    better: Literal["low", "high"] = "low"
    must: Bound | None = None
    aim: Bound | None = None
    only: tuple[str, ...] = ("hermes", "hermes-redis")

    def value(self, samples: Samples, server: str, bound: Bound) -> float | None:
        """What `bound` is about: the median over the rounds, of the figure or of its ratio; `None` if not measured."""
        if bound.beside is None:
            return middle(samples.get(server, ()))
        return ratio(samples, server, bound.beside)

    def holds(self, samples: Samples, server: str, bound: Bound) -> bool | None:
        """Whether `server` keeps `bound`; `None` where it was not measured."""
        value = self.value(samples, server, bound)
        if value is None:
            return None
        return value <= bound.limit if self.better == "low" else value >= bound.limit

    def verdicts(self, samples: Samples) -> list[Verdict]:
        """One for each bound, and each server that was measured and that it counts for."""
        bounds: list[tuple[Kind, Bound | None]] = [("must", self.must), ("aim", self.aim)]
        return [
            Verdict(self, kind, bound, server, self.value(samples, server, bound), self.holds(samples, server, bound))
            for kind, bound in bounds
            if bound is not None
            for server in self.only
            if server in samples
        ]


@dataclass(frozen=True)
class Verdict:
    """Whether one server keeps one bound of a figure, and the value that says so; both `None` if not measured."""

    figure: Figure
    kind: Kind
    bound: Bound
    server: str
    value: float | None
    holds: bool | None


def measured(values: Sequence[float | None]) -> list[float]:
    """Those rounds that gave a value."""
    return [value for value in values if value is not None]


def middle(values: Sequence[float | None]) -> float | None:
    """The median of what was measured."""
    found = measured(values)
    return median(found) if found else None


def ratio(samples: Samples, server: str, beside: str) -> float | None:
    """The median over the rounds of what `server` had for one of `beside`: a noisy minute of the machine hits both."""
    pairs = zip(samples.get(server, ()), samples.get(beside, ()), strict=False)
    return middle([mine / other for mine, other in pairs if mine is not None and other])
