"""The works: what each promises to measure, and that it runs. Their figures at this scale mean nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.benchmarks.figure import Bound, Figure
from tests.benchmarks.servers import SERVERS
from tests.benchmarks.servers.hermes import Hermes
from tests.benchmarks.work import Scale, Work
from tests.benchmarks.works import WORKS
from tests.benchmarks.works.filters import order
from tests.benchmarks.works.steps import text

FIGURES = {figure.key: figure for work in WORKS for figure in work.figures}
OWN = {"hermes", "hermes-redis"}

# key: better, must, aim, whom they are for
PROMISED = {
    "delivery.cpu": ("low", Bound(1.0, "nchan"), Bound(1.1, "floor"), OWN),
    "delivery.p99": ("low", Bound(1.2, "nchan"), Bound(1.0, "nchan"), OWN),
    "burst.rate": ("high", Bound(20, "nchan"), Bound(60, "nchan"), OWN),
    "crowd.cpu": ("low", Bound(1.0, "nchan"), Bound(1.1, "floor"), OWN),
    "crowd.memory": ("low", Bound(18), Bound(13), OWN),
    "crowd.accepted": ("high", Bound(1500), Bound(4000), OWN),
    "growth.cpu": ("low", Bound(1.2, "floor"), Bound(1.0, "floor"), OWN),
    "idle.cpu": ("low", Bound(5), Bound(2), OWN),
    "reconnect.time": ("low", Bound(8), Bound(4), OWN),
    "reconnect.reads": ("low", Bound(0.1), Bound(0.1), OWN),
    "filters.cpu": ("low", Bound(1.3), Bound(1.1), OWN),
    "stalled.p99": ("low", Bound(1.2), Bound(1.0), OWN),
    "latency.embedded": ("low", Bound(2), Bound(1), {"hermes"}),
    "latency.redis": ("low", Bound(3), Bound(1), {"hermes-redis"}),
    "publishing.single": ("high", Bound(1500), Bound(4000), OWN),
    "publishing.batches": ("high", Bound(40_000), Bound(100_000), {"hermes"}),
    "publishing.batches_redis": ("high", Bound(25_000), Bound(100_000), {"hermes-redis"}),
    "fifty_thousand.lost": ("low", Bound(0), Bound(0), {"hermes-redis"}),
    "fifty_thousand.reach": ("low", Bound(3), Bound(1.5), {"hermes-redis"}),
}


def test_every_figure_has_the_bounds_that_were_promised() -> None:
    assert {key: described(figure) for key, figure in FIGURES.items()} == PROMISED


def described(figure: Figure) -> tuple[str, Bound | None, Bound | None, set[str]]:
    return figure.better, figure.must, figure.aim, set(figure.only)


def test_names_and_keys_are_unique() -> None:
    assert len({work.name for work in WORKS}) == len(WORKS)
    assert len(FIGURES) == sum(len(work.figures) for work in WORKS)


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def test_a_work_is_measured_on_whom_its_bounds_name(work: Work) -> None:
    assert set(work.servers) <= set(SERVERS)
    for figure in work.figures:
        assert figure.key.startswith(f"{work.name}.")
        assert set(figure.only) <= set(work.servers)
        for bound in (figure.must, figure.aim):
            assert bound is None or bound.beside is None or bound.beside in work.servers


@pytest.mark.parametrize("make", [text, order])
def test_data_is_64_bytes_of_json_without_white_space(make: Callable[[], str]) -> None:
    made = make()
    assert len(made) == 64
    assert json.dumps(json.loads(made), separators=(",", ":")) == made


@pytest.fixture(scope="module")
def hermes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hermes]:
    settings = {name: value for work in WORKS for name, value in work.settings.items() if name.startswith("HERMES_")}
    folder: Path = tmp_path_factory.mktemp("hermes")
    with Hermes(folder, settings) as server:
        yield server


@pytest.mark.live
@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def test_it_runs(work: Work, hermes: Hermes) -> None:
    figures = work.measure(hermes, Scale(tiny=True))
    own = {figure.key for figure in work.figures if "hermes" in figure.only or work.servers == ("hermes-redis",)}
    assert set(figures) == own
    assert all(math.isfinite(value) for value in figures.values())  # so little work says no more
