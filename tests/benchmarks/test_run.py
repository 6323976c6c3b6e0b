"""The plan of a run, and that one bad measurement costs no other; with servers and works that do nothing."""

import itertools
import json
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from tests.benchmarks import run
from tests.benchmarks.__main__ import FAILED, INTERRUPTED, PASSED, USAGE, main
from tests.benchmarks.figure import Bound, Figure
from tests.benchmarks.report import MARKS
from tests.benchmarks.results import Results
from tests.benchmarks.run import Bench, TookTooLong, plan, time_limit
from tests.benchmarks.servers.base import Server
from tests.benchmarks.work import Scale
from tests.support.wait import wait_until

CPU = Figure("cpu", "CPU", "µs", must=Bound(1, "nchan"))


class Stub(Server):
    """Notes what is done with it."""

    diary: list[str]

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        assert folder.is_dir()
        assert list(folder.iterdir()) == []
        self.limits = dict(settings or {})
        self.stopped = False

    def start(self) -> Self:
        self.diary.append(f"start {self.name}")
        return self

    def stop(self) -> None:
        self.diary.append(f"stop {self.name}")

    def pids(self) -> Sequence[int]:
        return []

    def stream_path(self, channel: str) -> str:
        return ""

    def requests(self, channel: str, data: Sequence[str]) -> Sequence[bytes]:
        return []


@dataclass
class Doing:
    """A work whose measurement is a function of the server's name and the scale."""

    do: Callable[[str, Scale], Mapping[str, float]]
    name: str = "cpu"
    figures: tuple[Figure, ...] = (CPU,)
    servers: tuple[str, ...] = ("hermes", "nchan", "floor")
    settings: Mapping[str, str] = field(default_factory=dict)
    in_quick: bool = True
    rounds: int | None = None
    times: int = 1

    def measure(self, server: Server, scale: Scale) -> Mapping[str, float]:
        return self.do(server.name, scale)


@pytest.fixture
def diary() -> list[str]:
    return []


@pytest.fixture
def servers(diary: list[str]) -> dict[str, type[Server]]:
    names = ("hermes", "nchan", "floor")
    return {name: type(name, (Stub,), {"name": name, "diary": diary}) for name in names}


def fine(server: str, _scale: Scale) -> Mapping[str, float]:
    return {"cpu": {"hermes": 8.0, "nchan": 10.0, "floor": 5.0}[server]}


def broken(server: str, scale: Scale) -> Mapping[str, float]:
    if server == "hermes":
        raise OSError("no route\nand more")
    return fine(server, scale)


def taken(work: Doing, servers: Mapping[str, type[Server]], rounds: int = 1, **options: float) -> Results:
    results = Results(rounds)
    Bench(servers, results, **options).run(plan([work], tuple(servers), rounds))  # type: ignore[arg-type]
    return results


def test_each_round_begins_with_another_server() -> None:
    works = [Doing(fine), Doing(fine, "other", servers=("floor", "elsewhere"))]
    steps = [(step.round, step.work.name, step.server) for step in plan(works, ("hermes", "nchan", "floor"), 2)]
    assert steps == [
        *((1, "cpu", name) for name in ("hermes", "nchan", "floor")),
        (1, "other", "floor"),
        *((2, "cpu", name) for name in ("nchan", "floor", "hermes")),
        (2, "other", "floor"),
    ]


def test_a_work_may_ask_for_fewer_rounds(servers: dict[str, type[Server]]) -> None:
    works = [Doing(fine, rounds=1, servers=("floor",)), Doing(fine, "other", rounds=9, servers=("floor",))]
    assert [(step.round, step.work.name) for step in plan(works, ("floor",), 2)] == [
        (1, "cpu"),
        (1, "other"),
        (2, "other"),
    ]
    results = taken(works[0], servers, rounds=2)
    assert results.of("cpu") == {"floor": [5, None]}
    assert (results.failures, results.left_out) == ([], [])


def test_a_work_may_be_done_several_times_a_round_on_what_is_compared(servers: dict[str, type[Server]]) -> None:
    """CPU's bounds compare hermes, hermes-redis and nchan: the floor is measured once a round."""
    work = Doing(fine, times=2)
    steps = [(step.round, step.server) for step in plan([work], ("hermes", "nchan", "floor"), 2)]
    assert steps == [
        *((1, name) for name in ("hermes", "nchan", "floor")),
        *((2, name) for name in ("nchan", "hermes")),
        *((3, name) for name in ("floor", "hermes", "nchan")),
        *((4, name) for name in ("nchan", "hermes")),
    ]
    results = taken(work, servers, rounds=2)
    assert results.of("cpu") == {"hermes": [8, 8, 8, 8], "nchan": [10, 10, 10, 10], "floor": [5, None, 5]}


def test_values_are_kept_by_round(servers: dict[str, type[Server]], diary: list[str]) -> None:
    counter = itertools.count(1.0)
    work = Doing(lambda _name, _scale: {"cpu": next(counter)}, settings={"HERMES_X": "9"})
    results = taken(work, servers, rounds=2)
    assert results.of("cpu") == {"hermes": [1, 6], "nchan": [2, 4], "floor": [3, 5]}
    assert results.settings == {"cpu": {"HERMES_X": "9"}}
    assert diary == [f"{what} {name}" for name in ("hermes", "nchan", "floor") for what in ("start", "stop")] + [
        f"{what} {name}" for name in ("nchan", "floor", "hermes") for what in ("start", "stop")
    ]


def test_a_failure_costs_no_other_measurement(servers: dict[str, type[Server]], diary: list[str]) -> None:
    results = taken(Doing(broken), servers)
    assert results.of("cpu") == {"nchan": [10], "floor": [5]}
    (failure,) = results.failures
    assert str(failure) == "round 1, cpu on hermes: OSError: no route"
    assert "and more" in failure.reason
    assert diary.count("stop hermes") == 1


@pytest.mark.parametrize("raises", [ValueError(""), pytest.skip.Exception("no redis"), pytest.fail.Exception("no")])
def test_what_counts_as_a_failure(servers: dict[str, type[Server]], raises: BaseException) -> None:
    def do(_name: str, _scale: Scale) -> Mapping[str, float]:
        raise raises

    assert len(taken(Doing(do), servers).failures) == 3


def test_a_start_and_a_stop_that_fail(servers: dict[str, type[Server]], diary: list[str]) -> None:
    def fails(server: Server) -> None:
        raise RuntimeError(server.name)

    bad_start = type("BadStart", (servers["hermes"],), {"start": fails})
    bad_stop = type("BadStop", (servers["nchan"],), {"stop": fails})
    results = taken(Doing(fine), servers | {"hermes": bad_start, "nchan": bad_stop})
    assert [failure.reason for failure in results.failures] == ["RuntimeError: hermes", "RuntimeError: nchan"]
    assert diary == ["stop hermes", "start nchan", "start floor", "stop floor"]
    assert results.of("cpu") == {"floor": [5]}


def test_a_figure_that_is_judged_and_not_given_is_a_failure(servers: dict[str, type[Server]]) -> None:
    results = taken(Doing(lambda _name, _scale: {}), servers)
    assert [str(failure) for failure in results.failures] == ["round 1, cpu on hermes: gave no cpu"]


def forever(_name: str, _scale: Scale) -> Mapping[str, float]:
    wait_until(lambda: False, 30)
    return {}


def test_a_measurement_that_does_not_end_is_cut_off(servers: dict[str, type[Server]], diary: list[str]) -> None:
    results = taken(Doing(forever, servers=("hermes",)), servers, limit=0.05)
    assert [failure.reason for failure in results.failures] == ["TookTooLong: not done in 0 s"]
    assert diary == ["start hermes", "stop hermes"]


def test_what_would_begin_too_late_is_left_out(servers: dict[str, type[Server]]) -> None:
    now = 0.0

    def slow(name: str, scale: Scale) -> Mapping[str, float]:
        nonlocal now
        now += 5
        return fine(name, scale)

    results = Results(1)
    Bench(servers, results, seconds=11, clock=lambda: now).run(plan([Doing(slow)], tuple(servers), 1))
    assert results.of("cpu") == {"hermes": [8], "nchan": [10]}
    assert [str(one) for one in results.left_out] == ["round 1, cpu on floor: no time left"]
    assert results.failures == []


def test_what_is_not_done_in_the_time_left_is_left_out(
    servers: dict[str, type[Server]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SHORTEST", 0.01)
    results = taken(Doing(forever, servers=("hermes",)), servers, seconds=0.1)
    assert [one.reason for one in results.left_out] == ["not done in the time left"]
    assert results.failures == []


def test_the_time_limit_leaves_another_alarm_as_it_was() -> None:
    handler = signal.getsignal(signal.SIGALRM)
    before, _ = signal.getitimer(signal.ITIMER_REAL)  # pytest-timeout's
    with pytest.raises(TookTooLong), time_limit(0.01):
        wait_until(lambda: False, 10)
    with time_limit(10):
        pass
    assert signal.getsignal(signal.SIGALRM) is handler
    after, _ = signal.getitimer(signal.ITIMER_REAL)
    assert before - 5 < after <= before


# --- the command


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "performance.md").write_text(f"# P\n\n{MARKS[0]}\nold\n{MARKS[1]}\n\nmore\n")
    return tmp_path


def test_a_run_that_passes(
    servers: dict[str, type[Server]], docs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept.json"
    assert main(["--rounds", "2", "--json", "kept.json", "--folder", str(tmp_path)], servers, [Doing(fine)], docs) == 0
    printed = capsys.readouterr()
    assert "must <= 1 x nchan" in printed.out
    assert "must: 1 of 1 hold" in printed.out
    assert "[1/6] round 1, cpu on hermes: cpu 8.00 µs" in printed.err
    assert Results.load_file(kept).of("cpu")["hermes"] == [8, 8]
    assert main(["--from", str(kept)], servers, [Doing(fine)], docs) == PASSED
    assert "must: 1 of 1 hold" in capsys.readouterr().out
    assert main(["--compare", str(kept)], servers, [Doing(fine)], docs) == PASSED


def test_a_must_that_does_not_hold_fails(servers: dict[str, type[Server]]) -> None:
    work = Doing(lambda name, _scale: {"cpu": 11.0 if name == "hermes" else 10.0})
    assert main(["--rounds", "1"], servers, [work]) == FAILED
    assert main(["--quick"], servers, [work]) == PASSED  # a quick one judges nothing


@pytest.mark.parametrize("options", [["--rounds", "1"], ["--quick"]])
def test_a_failure_fails(
    servers: dict[str, type[Server]], options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(options, servers, [Doing(broken)]) == FAILED
    printed = capsys.readouterr()
    assert "FAILED: OSError: no route" in printed.err
    assert "FAILED: round 1, cpu on hermes: OSError: no route" in printed.out


def test_a_quick_run_does_less(servers: dict[str, type[Server]], diary: list[str]) -> None:
    scales = []

    def do(name: str, scale: Scale) -> Mapping[str, float]:
        scales.append(scale.quick)
        return fine(name, scale)

    class Django(Stub):
        name = "django-eventstream"

    Django.diary = diary
    names = ("hermes", "nchan", "django-eventstream")
    works = [Doing(do, servers=names), Doing(do, "long", in_quick=False)]
    assert main(["--quick"], {**servers, "django-eventstream": Django}, works) == PASSED
    assert diary == ["start hermes", "stop hermes", "start nchan", "stop nchan"]
    assert scales == [True, True]


def test_only_what_was_asked_for(servers: dict[str, type[Server]], diary: list[str]) -> None:
    works = [Doing(fine), Doing(fine, "other", figures=())]
    assert main(["--rounds", "1", "--only", "other", "--servers", "nchan,floor"], servers, works) == PASSED
    assert diary == ["start nchan", "stop nchan", "start floor", "stop floor"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--only", "cpi"], "no work is called cpi; there are cpu"),
        (["--servers", "apache"], "no server is called apache; there are hermes, nchan, floor"),
        (["--quick", "--docs"], "the documents show full runs, not quick ones"),
        (["--compare", "/nowhere"], "/nowhere: no results of the bench"),
        (["--from", "/nowhere"], "/nowhere: no results of the bench"),
    ],
)
def test_mistakes(
    servers: dict[str, type[Server]], arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments, servers, [Doing(fine)]) == USAGE
    assert says in capsys.readouterr().err


def test_an_interruption_keeps_what_there_is(
    servers: dict[str, type[Server]], tmp_path: Path, diary: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    def do(name: str, scale: Scale) -> Mapping[str, float]:
        if name == "nchan":
            raise KeyboardInterrupt
        return fine(name, scale)

    kept = tmp_path / "kept.json"
    assert main(["--rounds", "1", "--json", str(kept)], servers, [Doing(do)]) == INTERRUPTED
    assert diary[-1] == "stop nchan"
    left = json.loads(kept.read_text())["left_out"]
    assert [(one["server"], one["reason"]) for one in left] == [("nchan", "interrupted"), ("floor", "interrupted")]
    assert "interrupted" in capsys.readouterr().out


def test_the_documents_are_written(servers: dict[str, type[Server]], docs: Path) -> None:
    pytest.importorskip("matplotlib")
    figures = (Figure("delivery.cpu", "CPU", "µs", must=Bound(1, "nchan")),)
    work = Doing(lambda name, scale: {"delivery.cpu": fine(name, scale)["cpu"]}, figures=figures)
    assert main(["--rounds", "1", "--docs"], servers, [work], docs) == PASSED
    text = (docs / "performance.md").read_text()
    assert "old" not in text
    assert text.endswith(f"{MARKS[1]}\n\nmore\n")
    assert "| CPU | Hermes | ≤ 1 × Nchan | yes (0.800) |" in text
    assert (docs / "performance.svg").read_text().startswith("<?xml")
    assert Results.load_file(docs / "performance.json").of("delivery.cpu")["hermes"] == [8]


def test_a_kept_quick_run_is_not_written_into_the_documents(
    servers: dict[str, type[Server]], docs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = docs / "quick.json"
    before = (docs / "performance.md").read_text()
    assert main(["--quick", "--json", str(kept)], servers, [Doing(fine)], docs) == PASSED
    assert main(["--from", str(kept), "--docs"], servers, [Doing(fine)], docs) == USAGE
    assert "not quick ones" in capsys.readouterr().err
    assert (docs / "performance.md").read_text() == before
