"""The load: streams held open by the native generator on a core of its own, and what they received.

    with Load(server.port, [server.stream_path("c")], streams=1000, headers=server.stream_headers) as load:
        load.wait_open()
        load.reset()
        publish(...)
        seen = load.wait_events(300)

The generator bounds itself in time, speaks to loopback only, and ends with this process. While this process waits, it
sleeps: the generator itself knows when the last stream has what was asked for.
"""

from __future__ import annotations

import json
import math
import os
import select
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.benchmarks.native import program
from tests.benchmarks.servers.base import LOAD_CORE

Answer = Mapping[str, Any]
"""The state of one generator, as its source describes it."""

_STREAMS_OF_ADDRESS = 10_000  # of 28,000 ports, while those of closed streams may still be kept
_PATIENCE = 10.0  # seconds that a generator may answer too late


class LoadFailure(RuntimeError):
    """The streams did not open, did not receive in time what was waited for, or the generator ended."""


@dataclass(frozen=True)
class Seen:
    """What all streams have received since the last reset; latencies from the mark to the arrival.

    `open` are open now, `closed` were; `refused` had no answer or another than 200. `open_s` is from the first connect
    until all streams had a byte of the body, `last_s` until the last marked event. `least` and `most` are the marked
    events of one reading stream. `cpu_s` is what the generator itself used.
    """

    streams: int
    open: int
    refused: int
    closed: int
    open_s: float | None
    events: int
    least: int
    most: int
    bytes: int
    span_s: float
    last_s: float | None
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    cpu_s: float


def merge(answers: Sequence[Answer]) -> Seen:
    """What several generators have seen together; times are of one clock."""
    reading = [answer for answer in answers if answer["reading"]]
    marked = [answer for answer in answers if answer["events"]]
    began = min(answer["began_ns"] for answer in answers)
    first = min((answer["first_ns"] for answer in marked), default=0)
    last = max((answer["last_ns"] for answer in marked), default=0)
    all_opened = all(answer["ever_open"] == answer["streams"] for answer in answers)
    latencies: Counter[int] = Counter()
    for answer in answers:
        latencies.update(dict(answer["latencies"]))
    longest = max(answer["latency_max_ns"] for answer in answers)
    # The middle of the last bucket may lie above its longest latency.
    p50, p90, p99 = (min(percentile(latencies, share), longest) / 1e6 for share in (0.5, 0.9, 0.99))
    return Seen(
        streams=_sum(answers, "streams"),
        open=_sum(answers, "open"),
        refused=_sum(answers, "refused"),
        closed=_sum(answers, "closed"),
        open_s=(max(answer["opened_ns"] for answer in answers) - began) / 1e9 if all_opened else None,
        events=_sum(answers, "events"),
        least=min((answer["least"] for answer in reading), default=0),
        most=max((answer["most"] for answer in reading), default=0),
        bytes=_sum(answers, "bytes"),
        span_s=(last - first) / 1e9,
        last_s=(last - began) / 1e9 if marked else None,
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
        max_ms=longest / 1e6,
        cpu_s=_sum(answers, "cpu_ns") / 1e9,
    )


def _sum(answers: Sequence[Answer], name: str) -> int:
    return sum(answer[name] for answer in answers)


def percentile(counts: Mapping[int, int], share: float) -> int:
    """The value that `share` of all values are at most, of values and how often each was; 0 of none."""
    rank = math.ceil(sum(counts.values()) * share)
    passed = 0
    for value, count in sorted(counts.items()):
        passed += count
        if passed >= rank:
            return value
    return 0


class Load:
    """`streams` event streams of the server on `port` of 127.0.0.1, connecting at once; ended with the `with` block.

    Stream i reads `paths[i % len(paths)]` with `headers`; the first `stalled` streams stop reading as soon as they are
    open. `processes` share the streams, for a process may be held to fewer files. All run on `core` (`None`: anywhere)
    and end after `seconds` whatever happens. An event counts if a line of its data holds `mark` followed by
    CLOCK_MONOTONIC nanoseconds (`time.monotonic_ns()`).
    """

    def __init__(
        self,
        port: int,
        paths: Sequence[str],
        streams: int,
        *,
        headers: Mapping[str, str] | None = None,
        stalled: int = 0,
        processes: int = 1,
        core: int | None = LOAD_CORE,
        seconds: float = 120.0,
        mark: str = "t=",
    ) -> None:
        self._paths = paths
        shares = [range(streams * i // processes, streams * (i + 1) // processes) for i in range(processes)]
        self._shares = [share for share in shares if share]
        cores = f"0-{(os.cpu_count() or 1) - 1}" if core is None else str(core)
        self._pin = ["taskset", "--cpu-list", cores]
        self._arguments = [
            *("--port", str(port)),
            *("--stalled", str(stalled)),
            *("--sources", str(1 + streams // _STREAMS_OF_ADDRESS)),
            *("--seconds", str(math.ceil(seconds))),
            *("--mark", mark),
        ]
        for name, value in (headers or {}).items():
            self._arguments += ["--header", f"{name}: {value}"]
        self._generators: list[_Generator] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="hermes-load-"))
            paths = Path(folder) / "paths"
            paths.write_text("".join(f"{path}\n" for path in self._paths))
            command = [*self._pin, str(program("load")), *self._arguments, "--paths", str(paths)]
            for share in self._shares:
                generator = _Generator([*command, "--first", str(share.start), "--streams", str(len(share))])
                stack.callback(generator.end)
                self._generators.append(generator)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._generators.clear()
        self._stack.close()

    @property
    def pids(self) -> Sequence[int]:
        """The processes of the generator."""
        return [generator.pid for generator in self._generators]

    def wait_open(self, timeout: float = 60.0) -> float:
        """Waits until every stream is open; the seconds that took from the first connect to the last stream."""
        seen = self._ask(f"open {timeout}", timeout)
        if seen.open_s is None or seen.open < seen.streams:
            raise LoadFailure(f"not all streams opened within {timeout:g} s: {seen}")
        return seen.open_s

    def wait_events(self, each: int, timeout: float = 60.0) -> Seen:
        """Waits until each reading stream has `each` marked events since the last reset."""
        seen = self._ask(f"events {each} {timeout}", timeout)
        if seen.least < each:
            raise LoadFailure(f"not {each} events on each stream within {timeout:g} s: {seen}")
        return seen

    def seen(self) -> Seen:
        """What arrived up to now."""
        return self._ask("seen")

    def reset(self) -> None:
        """Counts from zero; the streams stay."""
        self._ask("reset")

    def reconnect(self, header: str | None = None) -> None:
        """Closes all streams and opens them again, this header line added; all is counted from this moment."""
        self._ask(f"reconnect {header or ''}".rstrip())

    def _ask(self, command: str, timeout: float = 0.0) -> Seen:
        for generator in self._generators:
            generator.tell(command)
        deadline = time.monotonic() + timeout + _PATIENCE
        return merge([generator.hear(deadline) for generator in self._generators])


class _Generator:
    """One process of `load.c`: a command a line, an answer a line."""

    def __init__(self, command: Sequence[str]) -> None:
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        self._unread = b""

    @property
    def pid(self) -> int:
        return self._child.pid

    def tell(self, command: str) -> None:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(f"{command}\n".encode())
        except BrokenPipeError:
            raise self._ended() from None

    def hear(self, deadline: float) -> Answer:
        assert self._child.stdout is not None
        output = self._child.stdout.fileno()
        poller = select.poll()
        poller.register(output, select.POLLIN)
        while b"\n" not in self._unread:
            if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise LoadFailure("the generator does not answer")
            piece = os.read(output, 1 << 16)
            if not piece:
                raise self._ended()
            self._unread += piece
        line, self._unread = self._unread.split(b"\n", 1)
        answer: Answer = json.loads(line)
        return answer

    def _ended(self) -> LoadFailure:
        """Called once its output is closed, or nobody reads its input: it has ended or is about to."""
        assert self._child.stderr is not None
        return LoadFailure(f"the generator ended: {self._child.stderr.read().decode(errors='replace').strip()}")

    def end(self) -> None:
        """Its input ends, and so does it."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        try:
            self._child.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._child.kill()
        for pipe in (self._child.stdout, self._child.stderr):
            if pipe is not None:
                pipe.close()
        self._child.wait()
