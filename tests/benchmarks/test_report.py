"""Results as data, as tables and as a picture."""

import json
from pathlib import Path

import pytest

from tests.benchmarks import plot, report
from tests.benchmarks.figure import Bound, Figure
from tests.benchmarks.results import Failure, Results, ResultsError, commit, machine, merged, versions
from tests.benchmarks.servers import SERVERS
from tests.benchmarks.works import WORKS

FIGURES = [
    Figure("delivery.cpu", "CPU of a delivery, 1,000 streams", "µs", must=Bound(1, "nchan"), aim=Bound(1.1, "floor")),
    Figure("rate", "Accepted streams", "/s", "high", must=Bound(1500), aim=Bound(4000)),
    Figure("bare", "Told alone", ""),
]


def sample(redis: float = 12.0) -> Results:
    rounds = 3
    results = Results(rounds, date="2026-11-21T01:00Z", commit="abc", machine={"cpu": "Chip", "cores": "2"})
    results.versions = {"python": "3.13", "nchan": "1.3.6"}
    results.load = [0.25]
    values = {"hermes": 8.0, "hermes-redis": redis, "nchan": 10.0, "django-eventstream": 40.0, "floor": 6.0}
    for round in range(1, rounds + 1):
        for server, value in values.items():
            results.add(round, "deliveries", server, {"delivery.cpu": value * (1 + round / 100), "bare": 0.0001})
        results.add(round, "accept", "hermes", {"rate": 2600.0})
    results.raised("deliveries", {"HERMES_SSE_MAX_CONNECTIONS": "20000"})
    return results


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"),
        (0.00012, "0.00012"),
        (0.0298, "0.030"),
        (0.8, "0.800"),
        (0.9996, "1.00"),
        (7.315, "7.32"),
        (9.996, "10.0"),
        (99.96, "100"),
        (1523.4, "1,523"),
        (9999, "9,999"),
        (10_000, "10.0k"),
        (38_440, "38.4k"),
        (999_400, "999k"),
        (999_600, "1.00M"),
        (1_023_000, "1.02M"),
        (-1523, "-1,523"),
    ],
)
def test_numbers(value: float, said: str) -> None:
    assert report.number(value) == said


# --- the terminal's table


def row(table: str, title: str, first: str) -> list[str]:
    """The cells of the row that begins with `first`, of the figure with that title."""
    lines = table.split("\n")
    at = next(number for number, line in enumerate(lines) if line.startswith(title))
    found = next(line for line in lines[at:] if line.startswith(f"  {first}"))
    return [found[place : place + report.CELL].strip() for place in range(report.FIRST, len(found), report.CELL)]


def test_the_table() -> None:
    table = report.text(sample(), FIGURES)
    assert max(map(len, table.split("\n"))) <= report.WIDTH
    title = "CPU of a delivery, 1,000 streams (µs)"
    assert row(table, title, "median") == ["8.16", "12.2", "10.2", "40.8", "6.12"]
    assert row(table, title, "min-max")[0] == "8.08-8.24"
    assert row(table, title, "must <= 1 x nchan") == ["yes 0.800", "no 1.20", "1.00", "4.00", "0.600"]
    assert row(table, title, "aim <= 1.1 x floor") == ["no 1.33", "no 2.00", "1.67", "6.67", "1.00"]
    assert row(table, "Accepted streams (/s)", "median") == ["2,600", "-", "-", "-", "-"]
    assert row(table, "Accepted streams (/s)", "must >= 1,500 /s") == ["yes"]
    assert row(table, "Told alone", "x nchan") == ["1.00"] * 5
    assert "must: 2 of 3 hold\n  no: CPU of a delivery, 1,000 streams, hermes-redis: 1.20, not <= 1 x nchan" in table
    assert "aim: 0 of 3 hold" in table
    assert "Raised for deliveries: HERMES_SSE_MAX_CONNECTIONS=20000" in table


def test_the_widest_table_fits() -> None:
    results = sample()
    for server in report.LABELS:
        for round in (1, 2, 3):
            results.add(round, "accept", server, {"rate": 12_345.0 + round * 1000})
    table = report.text(results, FIGURES)
    assert "13.3k-15.3k" in table
    assert max(map(len, table.split("\n"))) <= report.WIDTH


def test_what_was_not_measured_is_said() -> None:
    results = Results(1)
    results.failures.append(Failure(1, "accept", "hermes", "OSError: no\nmore"))
    results.left_out.append(Failure(1, "accept", "nchan", "no time left"))
    table = report.text(results, FIGURES)
    assert "FAILED: round 1, accept on hermes: OSError: no\n" in table
    assert "left out: round 1, accept on nchan: no time left" in table
    assert "must: 0 of 0 hold" in table


def test_a_server_without_a_value_is_not_judged() -> None:
    results = Results(1)
    results.add(1, "deliveries", "hermes", {"delivery.cpu": 8.0})
    table = report.text(results, FIGURES)
    assert row(table, "CPU of a delivery", "must") == ["-"]
    assert report.passes(results, FIGURES)


@pytest.mark.parametrize(
    ("redis", "quick", "failed", "left", "passed"),
    [
        (9.0, False, False, False, True),
        (11.0, False, False, False, False),
        (11.0, True, False, False, True),
        (9.0, False, True, False, False),
        (9.0, True, True, False, False),
        (9.0, False, False, True, False),
        (9.0, True, False, True, True),
    ],
)
def test_what_passes(redis: float, quick: bool, failed: bool, left: bool, passed: bool) -> None:
    results = sample(redis)
    results.quick = quick
    results.failures += [Failure(1, "accept", "hermes", "x")] * failed
    results.left_out += [Failure(1, "accept", "hermes", "x")] * left
    assert report.passes(results, FIGURES) is passed


# --- several runs


def test_a_bound_holds_in_all_runs_or_not() -> None:
    runs = {"a": sample(9.0), "b": sample(9.5), "c": sample()}
    table, held = report.compared(runs, FIGURES)
    assert not held
    assert max(map(len, table.split("\n"))) <= report.WIDTH
    assert [line.split() for line in table.split("\n")][:4] == [
        ["a", "b", "c", "in", "all"],
        ["CPU", "of", "a", "delivery,", "1,000", "streams", "(µs)"],
        ["must", "<=", "1", "x", "nchan", "hermes", "0.800", "0.800", "0.800", "yes"],
        ["must", "<=", "1", "x", "nchan", "hermes-redis", "0.900", "0.950", "1.20", "NO"],
    ]
    assert "must: 2 of 3 hold in all 3 runs" in table
    assert report.compared({name: runs[name] for name in "ab"}, FIGURES)[1]


def test_what_one_run_lacks_did_not_hold_in_all() -> None:
    lacking = sample(9.0)
    del lacking.samples["accept"]
    table, held = report.compared({"a": sample(9.0), "b": lacking}, FIGURES)
    assert not held
    (line,) = [line.split() for line in table.split("\n") if "must >= 1,500 /s" in line]
    assert line[-3:] == ["2,600", "-", "NO"]


# --- documents


def test_the_tables_of_the_documents() -> None:
    results = sample()
    results.failures.append(Failure(2, "accept", "nchan", "OSError: no"))
    text = report.markdown(results, FIGURES)
    assert "| Hermes | Hermes, Redis | Nchan | django-eventstream | bare C loop |" in text
    assert "| CPU of a delivery, 1,000 streams (µs) | 8.16 (8.08-8.24) | 12.2 (12.1-12.4) |" in text
    assert (
        "| CPU of a delivery, 1,000 streams | Hermes | ≤ 1 × Nchan | yes (0.800) | ≤ 1.1 × bare C loop | no (1.33) |"
    ) in text
    assert "| Accepted streams | Hermes | ≥ 1,500 /s | yes (2,600) | ≥ 4,000 /s | no (2,600) |" in text
    assert "- Raised for deliveries: `HERMES_SSE_MAX_CONNECTIONS=20000`" in text
    assert "- Not measured: round 2, accept on nchan: OSError: no." in text
    columns = {line.count("|") for line in text.split("\n") if line.startswith("|")}
    assert columns == {7}


def test_the_tables_go_between_the_marks() -> None:
    begin, end = report.MARKS
    assert report.into(f"a\n{begin}\nold\n{end}\nb\n", "new") == f"a\n{begin}\n\nnew\n\n{end}\nb\n"
    again = report.into(report.into(f"{begin}{end}", "one"), "two")
    assert again == f"{begin}\n\ntwo\n\n{end}"
    for wrong in ("", begin, end, begin * 2 + end, end + begin):
        with pytest.raises(ValueError, match="each once"):
            report.into(wrong, "new")


def test_the_picture_is_the_same_for_the_same_results(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for name in ("a.svg", "b.svg"):
        plot.draw(sample(), tmp_path / name)
    picture = (tmp_path / "a.svg").read_bytes()
    assert picture == (tmp_path / "b.svg").read_bytes()
    assert b"date" not in picture
    with pytest.raises(ValueError, match="beside Nchan"):
        plot.draw(Results(1), tmp_path / "c.svg")


def test_the_rows_of_the_picture() -> None:
    assert plot.ratios({"nchan": [2.0], "hermes": [1.0], "floor": [None]}) == {"hermes": 0.5, "nchan": 1.0}


# --- data


def test_results_are_kept_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    results = sample()
    results.failures.append(Failure(1, "accept", "hermes", "x"))
    results.left_out.append(Failure(1, "accept", "nchan", "y"))
    results.save(path)
    assert Results.load_file(path) == results
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 99}', '{"version": 1}', '{"version": 1, "x": 1}'])
def test_a_file_of_something_else(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(ResultsError, match=r"other\.json"):
        Results.load_file(path)


def test_runs_of_parts_make_one() -> None:
    first, second = sample(), Results(3, commit="def", machine=sample().machine)
    first.failures += [Failure(1, "accept", "hermes", "x"), Failure(1, "deliveries", "hermes", "x")]
    second.add(1, "accept", "nchan", {"rate": 1.0})
    whole = merged([first, second])
    assert whole.of("rate") == {"nchan": [1.0, None, None]}  # of one run alone, so that ratios are
    assert whole.of("delivery.cpu") == first.of("delivery.cpu")
    assert whole.commit == "abc, def"
    assert [failure.work for failure in whole.failures] == ["deliveries"]
    assert whole.settings == first.settings


def test_runs_that_do_not_go_together() -> None:
    with pytest.raises(ResultsError, match="machines"):
        merged([sample(), Results(3, machine={"cpu": "Other"})])
    with pytest.raises(ResultsError, match="quick"):
        merged([sample(), Results(3, machine=sample().machine, quick=True)])


def test_what_is_known_of_this_machine() -> None:
    assert json.dumps(machine())
    assert {"cpu", "cores", "memory", "kernel"} <= set(machine())
    found = versions()
    assert found["gunicorn"]
    assert all(found.values())
    assert commit() == "" or len(commit().rstrip("+")) >= 7


def test_the_picture_shows_figures_that_there_are() -> None:
    figures = {figure.key: figure for work in WORKS for figure in work.figures}
    for panel in plot.PANELS:
        assert panel.better == {"low": "less", "high": "more"}[figures[panel.key].better]


def test_no_two_works_share_a_name_or_a_key() -> None:
    names = [work.name for work in WORKS]
    keys = [figure.key for work in WORKS for figure in work.figures]
    assert len(set(names)) == len(names)
    assert len(set(keys)) == len(keys)
    assert {name for work in WORKS for name in work.servers} == set(SERVERS)
