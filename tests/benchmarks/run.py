"""The order in which the bench measures, and what it does with a measurement that fails or takes too long."""

from __future__ import annotations

import contextlib
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

import pytest

from tests.benchmarks.report import number
from tests.benchmarks.results import Failure, Results
from tests.benchmarks.servers.base import Server
from tests.benchmarks.work import Scale, Work

Make = Callable[[Path, Mapping[str, str]], Server]
"""A server that keeps its files in this folder, with these settings above its own."""

QUICK_SERVERS = ("hermes", "hermes-redis", "nchan", "floor")
QUICK_SECONDS = 46.0  # of a minute: what is left is for the set-up before, and the end of the last server
QUICK_LIMIT = 20.0  # of one measurement
FULL_LIMIT = 900.0
SHORTEST = 2.0  # seconds: with less left, a measurement is not begun

# What a measurement may end with: pytest's own are what the helpers of the tests raise where a program is missing.
FAILURES: tuple[type[BaseException], ...] = (Exception, pytest.skip.Exception, pytest.fail.Exception)


class TookTooLong(Exception):
    """A measurement was cut off; no `TimeoutError`, which a server's code may take for its own."""


@dataclass(frozen=True)
class Step:
    """One measurement: a work on a server, in a round (from 1)."""

    round: int
    work: Work
    server: str

    def failed(self, reason: str) -> Failure:
        """This step as one that gave nothing."""
        return Failure(self.round, self.work.name, self.server, reason)


def plan(works: Sequence[Work], servers: Sequence[str], rounds: int) -> list[Step]:
    """Every work on those of its servers that are in `servers`, round by round; each round begins with another one.

    A work that asks for fewer rounds is in the first ones; what it does several times in a round counts as rounds of its own.
    """
    steps = []
    for round in range(1, rounds + 1):
        for work in (work for work in works if round <= (work.rounds or rounds)):
            for turn in range(work.times):
                own_round = (round - 1) * work.times + turn + 1
                names = [name for name in work.servers if name in servers and (turn == 0 or name in compared(work))]
                first = (own_round - 1) % len(names) if names else 0
                steps += [Step(own_round, work, name) for name in names[first:] + names[:first]]
    return steps


def compared(work: Work) -> set[str]:
    """The servers that the bounds of a work's figures are about."""
    bounds = [bound for figure in work.figures for bound in (figure.must, figure.aim) if bound]
    return {name for figure in work.figures for name in figure.only} | {
        bound.beside for bound in bounds if bound.beside
    }


class Bench:
    """Takes the steps of a plan into `results`, one after the other, whatever becomes of each.

    `seconds` bounds all of them together: a step that would begin later is left out, and one that is not done by then is
    cut off and left out. `limit` bounds each. `say` is told every step's outcome; `keep` what there is after each work.
    """

    def __init__(
        self,
        servers: Mapping[str, Make],
        results: Results,
        *,
        limit: float = FULL_LIMIT,
        seconds: float = float("inf"),
        say: Callable[[str], None] = lambda _: None,
        keep: Callable[[Results], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.results = results
        self._servers = servers
        self._limit = limit
        self._say = say
        self._keep = keep
        self._clock = clock
        self._end = clock() + seconds

    def run(self, steps: Sequence[Step]) -> None:
        """Takes all steps. An interruption leaves the rest out, and goes on to whoever called once that is kept."""
        for index, step in enumerate(steps):
            self._progress = f"[{index + 1}/{len(steps)}] round {step.round}, {step.work.name} on {step.server}"
            try:
                self._take(step)
            except BaseException:
                self.results.left_out += [left.failed("interrupted") for left in steps[index:]]
                self._keep(self.results)
                raise
            if index + 1 == len(steps) or steps[index + 1].work is not step.work:
                self._keep(self.results)

    def _take(self, step: Step) -> None:
        left = self._end - self._clock()
        if left < SHORTEST:
            self._left_out(step, "no time left")
            return
        began = self._clock()
        try:
            values = self._measured(step, min(left, self._limit))
        except FAILURES as error:
            if isinstance(error, TookTooLong) and left < self._limit:
                self._left_out(step, "not done in the time left")
            else:
                self._failed(step, _reason(error))
            return
        self.results.add(step.round, step.work.name, step.server, values)
        missing = _missing(step, values)
        if missing:
            self._failed(step, f"gave no {', '.join(missing)}")
        self._say(f"{self._progress}: {shown(step.work, values)}  ({self._clock() - began:.1f} s)")

    def _measured(self, step: Step, limit: float) -> Mapping[str, float]:
        scale = Scale(quick=self.results.quick)
        with tempfile.TemporaryDirectory(prefix="hermes-bench-") as folder:
            server = self._servers[step.server](Path(folder), step.work.settings)
            with _stopped(server):
                with time_limit(limit):
                    server.start()
                    values = step.work.measure(server, scale)
                self.results.raised(step.work.name, server.limits)
                return values

    def _failed(self, step: Step, reason: str) -> None:
        self.results.failures.append(step.failed(reason))
        self._say(f"{self._progress}: FAILED: {reason}")

    def _left_out(self, step: Step, reason: str) -> None:
        self.results.left_out.append(step.failed(reason))
        self._say(f"{self._progress}: left out: {reason}")


def shown(work: Work, values: Mapping[str, float]) -> str:
    """The values of one measurement on one line."""
    units = {figure.key: figure.unit for figure in work.figures}
    return ", ".join(f"{key} {number(value)} {units.get(key, '')}".rstrip() for key, value in values.items())


def _missing(step: Step, values: Mapping[str, float]) -> list[str]:
    """The figures that this server has a bound for, and that the measurement did not give."""
    wanted = [figure for figure in step.work.figures if figure.must or figure.aim]
    return [figure.key for figure in wanted if step.server in figure.only and figure.key not in values]


def _reason(error: BaseException) -> str:
    text = str(error).strip()[:2000]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@contextlib.contextmanager
def _stopped(server: Server) -> Iterator[None]:
    """Stops the server at the end, also one that started half; what it was stopped for outweighs what that raises."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(*FAILURES):
            server.stop()
        raise
    server.stop()


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises `TookTooLong` in the main thread, in whatever it does, after so many seconds."""

    def cut(_number: int, _frame: FrameType | None) -> NoReturn:
        raise TookTooLong(f"not done in {seconds:.0f} s")

    began = time.monotonic()
    handler = signal.signal(signal.SIGALRM, cut)
    before, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        rest = max(0.001, before - (time.monotonic() - began)) if before else 0
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, rest, interval)  # an alarm that somebody else had set
