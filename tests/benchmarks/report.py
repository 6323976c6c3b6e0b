"""Results as people read them: one table for a terminal, another for the documents, a third over several runs. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from tests.benchmarks.figure import Bound, Figure, Kind, Samples, Verdict, measured, middle, ratio
from tests.benchmarks.results import Results

WIDTH = 120
FIRST = 34  # columns of the table's first cell
CELL = 14
REASON = 200  # characters of why something was not measured; the whole of it was told when it happened
MARKS = ("<!-- table -->", "<!-- /table -->")  # in the document, around what is generated
BESIDE = "nchan"  # the server that every figure is shown beside, whatever its bounds name

# In the order of the columns. A server that is not here comes after them, under its own name.
LABELS = {
    "hermes": "Hermes",
    "hermes-redis": "Hermes, Redis",
    "nchan": "Nchan",
    "sse-starlette": "sse-starlette",
    "django-eventstream": "django-eventstream",
    "floor": "bare C loop",
}


def number(value: float) -> str:
    """Three digits that matter: `0.810`, `7.30`, `13.0`, `1,523`, `38.4k`, `1.02M`."""
    size = abs(value)
    if size >= 999_500:
        return f"{_digits(value / 1e6)}M"
    if size >= 9_999.5:
        return f"{_digits(value / 1e3)}k"
    return _digits(value)


def _digits(value: float) -> str:
    size = abs(value)
    if size < 0.00995:
        return f"{value:.3g}"
    return f"{value:,.{sum(size < step for step in (99.95, 9.995, 0.9995))}f}"


def servers_of(results: Results) -> list[str]:
    """Those that gave anything, in the order of the columns."""
    names = {name for figures in results.samples.values() for samples in figures.values() for name in samples}
    order = list(LABELS)
    return sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name))


def verdicts_of(results: Results, figures: Iterable[Figure]) -> list[Verdict]:
    """All verdicts on what was measured."""
    return [verdict for figure in figures for verdict in figure.verdicts(results.of(figure.key))]


def word(holds: bool | None) -> str:
    """A verdict as tables say it."""
    return {True: "yes", False: "no", None: "-"}[holds]


# --- for a terminal


def text(results: Results, figures: Sequence[Figure]) -> str:
    """The table of one run, and what was not measured, in at most `WIDTH` columns."""
    names = servers_of(results)
    parts = [_wrapped(_about(results)), *(_wrapped(line) for line in raised(results)), "", *_header(names)]
    for figure in figures:
        samples = results.of(figure.key)
        if samples:
            parts += [
                f"{figure.title} ({figure.unit})" if figure.unit else figure.title,
                *_rows(figure, samples, names),
            ]
    return "\n".join(line.rstrip() for line in [*parts, "", *summary(results, figures)])


def _about(results: Results) -> str:
    machine, versions = results.machine, results.versions
    facts = [f"commit {results.commit}" if results.commit else "", machine.get("cpu", "")]
    facts += [f"{machine['cores']} cores" if "cores" in machine else "", machine.get("memory", "")]
    facts += [machine.get("kernel", ""), *(f"{name} {version}" for name, version in versions.items())]
    rounds = "a quick round" if results.quick else f"{results.rounds} round{'s' if results.rounds != 1 else ''}"
    load = f"load {results.load[0]:g} at the start" if results.load else ""
    return f"Hermes bench of {results.date}, {rounds}: {', '.join(fact for fact in [*facts, load] if fact)}."


def raised(results: Results, mark: str = "") -> list[str]:
    """What was raised above the defaults, for which works: one line for each set of settings, each between `mark`s."""
    works: dict[str, list[str]] = {}
    for work, settings in results.settings.items():
        said = ", ".join(f"{mark}{name}={value}{mark}" for name, value in sorted(settings.items()))
        works.setdefault(said, []).append(work)
    return [f"Raised for {', '.join(names)}: {settings}" for settings, names in works.items()]


def _title(figure: Figure) -> str:
    return f"{figure.title} ({figure.unit})" if figure.unit else figure.title


def _wrapped(line: str) -> str:
    return textwrap.fill(line, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _line(first: str, cells: Iterable[str]) -> str:
    """A row; a first cell that is too long takes from the room before the next one."""
    row = f"{first:<{FIRST}}"
    for cell in cells:
        row += f"{cell:>{CELL}}"
    return row


def _header(names: Sequence[str]) -> list[str]:
    columns = [textwrap.wrap(name, CELL - 1, break_on_hyphens=True) for name in names]
    height = max((len(column) for column in columns), default=0)
    return [_line("", [column[at] if at < len(column) else "" for column in columns]) for at in range(height)]


def _rows(figure: Figure, samples: Samples, names: Sequence[str]) -> list[str]:
    rows = [_line("  median", [_median(samples, name) for name in names])]
    spreads = [_spread(samples, name) for name in names]
    if any(spreads):
        rows.append(_line("  min-max", spreads))
    bounds: list[tuple[Kind, Bound | None]] = [("must", figure.must), ("aim", figure.aim)]
    if BESIDE in samples and len(samples) > 1 and all(bound is None or bound.beside != BESIDE for _, bound in bounds):
        rows.append(_line(f"  x {BESIDE}", [_ratio(samples, name, BESIDE) for name in names]))
    verdicts = {(verdict.kind, verdict.server): verdict for verdict in figure.verdicts(samples)}
    for kind, bound in bounds:
        if bound is not None:
            cells = [_judged(samples, name, bound, verdicts.get((kind, name))) for name in names]
            rows.append(_line(f"  {kind} {bound.words(figure)}", cells))
    return rows


def _median(samples: Samples, server: str) -> str:
    value = middle(samples.get(server, ()))
    return "-" if value is None else number(value)


def _spread(samples: Samples, server: str) -> str:
    values = measured(samples.get(server, ()))
    return f"{number(min(values))}-{number(max(values))}" if len(values) > 1 else ""


def _ratio(samples: Samples, server: str, beside: str) -> str:
    value = ratio(samples, server, beside)
    return "-" if value is None else number(value)


def _judged(samples: Samples, server: str, bound: Bound, verdict: Verdict | None) -> str:
    """`yes 0.81` for a ratio that is judged, `0.81` for one of another server, `yes` where the median itself is."""
    value = _ratio(samples, server, bound.beside) if bound.beside else ""
    if verdict is None:
        return value if server in samples else ""
    return f"{word(verdict.holds)} {value}".strip() if verdict.holds is not None else "-"


def summary(results: Results, figures: Sequence[Figure]) -> list[str]:
    """How many bounds hold, which do not, and what was not measured and why."""
    lines = [] if results.quick else _counts(verdicts_of(results, figures))
    if results.quick:
        lines.append(
            "A quick run does a tenth of the work: it shows that all of it runs. Its yes and no are but hints."
        )
    lines += [textwrap.shorten(f"FAILED: {failure}", REASON) for failure in results.failures]
    lines += [textwrap.shorten(f"left out: {failure}", REASON) for failure in results.left_out]
    return [_wrapped(line) for line in lines]


def _counts(verdicts: Sequence[Verdict]) -> list[str]:
    lines = []
    for kind in ("must", "aim"):
        judged = [verdict for verdict in verdicts if verdict.kind == kind]
        lines.append(f"{kind}: {sum(verdict.holds is True for verdict in judged)} of {len(judged)} hold")
        lines += [f"  no: {_sentence(verdict)}" for verdict in judged if verdict.holds is False]
        lines += [f"  not measured: {_name(verdict)}" for verdict in judged if verdict.holds is None]
    return lines


def _name(verdict: Verdict) -> str:
    return f"{verdict.figure.title}, {verdict.server}"


def _sentence(verdict: Verdict) -> str:
    said = verdict.bound.words(verdict.figure)
    value = "-" if verdict.value is None else number(verdict.value)
    return f"{_name(verdict)}: {value}, not {said}"


def passes(results: Results, figures: Sequence[Figure]) -> bool:
    """Whether all that was begun gave its figures, and, unless it was quick, every must that was judged holds."""
    broken = any(verdict.kind == "must" and verdict.holds is False for verdict in verdicts_of(results, figures))
    return not results.failures and (results.quick or not (broken or results.left_out))


# --- over several runs


def compared(runs: Mapping[str, Results], figures: Sequence[Figure]) -> tuple[str, bool]:
    """For each bound its value in each run, by the run's name, and whether it held in all; and whether every must did.

    A bound that a run did not judge has not held in all.
    """
    found = [{_id(verdict): verdict for verdict in verdicts_of(run, figures)} for run in runs.values()]
    every = {key: verdict for verdicts in found for key, verdict in verdicts.items()}
    rows, counts = [], {"must": [0, 0], "aim": [0, 0]}
    for figure in figures:
        own = [(key, verdict) for key, verdict in every.items() if key[0] == figure.key]
        rows += [_title(figure)] if own else []
        for key, verdict in sorted(own, key=lambda one: one[1].kind == "aim"):
            each = [verdicts.get(key) for verdicts in found]
            held = all(one is not None and one.holds is True for one in each)
            counts[verdict.kind][0] += held
            counts[verdict.kind][1] += 1
            bound = f"  {verdict.kind} {verdict.bound.words(figure)}"
            rows.append(_compared_row(bound, verdict.server, [*map(_value, each), "yes" if held else "NO"]))
    lines = [f"{kind}: {held} of {total} hold in all {len(runs)} runs" for kind, (held, total) in counts.items()]
    head = _compared_row("", "", [*runs, "in all"])
    return "\n".join([head, *rows, "", *lines]), counts["must"][0] == counts["must"][1]


def _id(verdict: Verdict) -> tuple[str, str, str]:
    return verdict.figure.key, verdict.kind, verdict.server


def _value(verdict: Verdict | None) -> str:
    return "-" if verdict is None or verdict.value is None else number(verdict.value)


def _compared_row(bound: str, server: str, cells: Sequence[str]) -> str:
    return f"{bound:<{FIRST}}{server:<14}" + "".join(f"{cell[1 - CELL :]:>{CELL}}" for cell in cells)


# --- for the documents


def markdown(results: Results, figures: Sequence[Figure]) -> str:
    """The run's tables for the documents: what was measured, and beneath it what was asked of it."""
    shown = [figure for figure in figures if results.of(figure.key)]
    parts = [_about(results), _medians(results, shown), _bounds(results, shown)]
    parts.append("\n".join(f"- {line}" for line in raised(results, "`")))
    missing = [*results.failures, *results.left_out]
    parts.append("\n".join(f"- Not measured: {failure}." for failure in missing))
    return "\n\n".join(part for part in parts if part)


def _medians(results: Results, figures: Sequence[Figure]) -> str:
    names = servers_of(results)
    rows = [["median (smallest to largest round)", *(LABELS.get(name, name) for name in names)]]
    for figure in figures:
        samples = results.of(figure.key)
        cells = [_median(samples, name) + _in_brackets(_spread(samples, name)) for name in names]
        rows.append([_title(figure), *cells])
    return _table(rows)


def _bounds(results: Results, figures: Sequence[Figure]) -> str:
    """One row for each figure and server that has bounds there."""
    rows = [["", "", "must", "", "aim", ""]]
    for figure in figures:
        samples = results.of(figure.key)
        verdicts = {(verdict.kind, verdict.server): verdict for verdict in figure.verdicts(samples)}
        for server in dict.fromkeys(server for _, server in verdicts):
            row = [figure.title, LABELS.get(server, server)]
            for kind in ("must", "aim"):
                row += _bound_cells(verdicts.get((kind, server)))
            rows.append(row)
    return _table(rows) if len(rows) > 1 else ""


def _bound_cells(verdict: Verdict | None) -> list[str]:
    if verdict is None:
        return ["", ""]
    bound = verdict.bound
    said = Bound(bound.limit, LABELS.get(bound.beside, bound.beside) if bound.beside else None).words(verdict.figure)
    said = said.replace("<=", "≤").replace(">=", "≥").replace(" x ", " × ")
    return [said, f"{word(verdict.holds)}{_in_brackets(_value(verdict))}" if verdict.holds is not None else "-"]


def _in_brackets(value: str) -> str:
    return f" ({value})" if value else ""


def _table(rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *("---" if not rows[0][0] and at == 0 else "---:" for at in range(len(rows[0]) - 1))]
    return "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], rule, *rows[1:]])


def into(document: str, tables: str) -> str:
    """The document with `tables` between its two marks. Raises `ValueError` if it has not each of them once."""
    if any(document.count(mark) != 1 for mark in MARKS) or document.index(MARKS[0]) > document.index(MARKS[1]):
        raise ValueError(f"it needs {' and '.join(MARKS)}, each once, for the tables to go between")
    before, rest = document.split(MARKS[0])
    _, after = rest.split(MARKS[1])
    return f"{before}{MARKS[0]}\n\n{tables}\n\n{MARKS[1]}{after}"
