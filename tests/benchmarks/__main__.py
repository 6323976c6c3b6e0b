"""`python -m tests.benchmarks`, behind `script/bench`: what is asked for, the run, and the exit code."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from tests.benchmarks import plot, report
from tests.benchmarks.figure import Figure
from tests.benchmarks.results import ROOT, Results, ResultsError, merged
from tests.benchmarks.run import FULL_LIMIT, QUICK_LIMIT, QUICK_SECONDS, QUICK_SERVERS, Bench, Make, plan
from tests.benchmarks.work import Work

PASSED, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
DOCUMENT, PICTURE, DATA = "performance.md", "performance.svg", "performance.json"
NOT_QUICK = "the documents show full runs, not quick ones"


def parser() -> argparse.ArgumentParser:
    """What can be asked for; `script/bench --help` says the same at more length."""
    made = argparse.ArgumentParser(prog="script/bench", allow_abbrev=False)
    made.add_argument("--quick", action="store_true")
    made.add_argument("--rounds", type=_rounds)
    made.add_argument("--only", type=_names, metavar="NAME[,NAME]")
    made.add_argument("--servers", type=_names, metavar="NAME[,NAME]")
    made.add_argument("--json", type=Path, metavar="FILE")
    made.add_argument("--docs", action="store_true")
    made.add_argument("--from", dest="kept", type=Path, nargs="+", metavar="FILE")
    made.add_argument("--compare", type=Path, nargs="+", metavar="FILE")
    made.add_argument("--folder", type=Path, default=Path(), help="what files are named from")
    return made


def _rounds(text: str) -> int:
    if not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError("1 to 100")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def main(
    arguments: Sequence[str], servers: Mapping[str, Make], works: Sequence[Work], docs: Path = ROOT / "docs"
) -> int:
    """Does what the arguments say; the exit code."""
    options = parser().parse_args(arguments)
    json = options.folder / options.json if options.json else None
    figures = [figure for work in works for figure in work.figures]
    try:
        if options.docs and options.quick:
            raise ResultsError(NOT_QUICK)
        if options.compare:
            return _compare([options.folder / path for path in options.compare], figures)
        interrupted = False
        if options.kept:
            results = merged([Results.load_file(options.folder / path) for path in options.kept])
            _keep(json, results)
        else:
            results, interrupted = _run(options, servers, works, partial(_keep, json))
        print(report.text(results, figures))
        if interrupted:
            return INTERRUPTED
        if options.docs:
            write_docs(docs, results, figures)
        return PASSED if report.passes(results, figures) else FAILED
    except (ResultsError, OSError, ValueError) as error:
        print(f"script/bench: {error}", file=sys.stderr)
        return USAGE


def _compare(paths: Sequence[Path], figures: Sequence[Figure]) -> int:
    runs = {path.stem: Results.load_file(path) for path in paths}
    if len(runs) < len(paths):
        raise ResultsError("files of one name cannot be told apart in the table")
    table, held = report.compared(runs, figures)
    print(table)
    return PASSED if held else FAILED


def _run(
    options: argparse.Namespace,
    servers: Mapping[str, Make],
    works: Sequence[Work],
    keep: Callable[[Results], None],
) -> tuple[Results, bool]:
    """Measures; the results, and whether somebody ended it before its time."""
    quick = options.quick
    names = options.servers or [name for name in servers if name in QUICK_SERVERS or not quick]
    _known(names, servers, "server")
    chosen = [work for work in works if work.in_quick or not quick]
    if options.only:
        _known(options.only, [work.name for work in works], "work")
        chosen = [work for work in works if work.name in options.only]
    results = Results.begin(options.rounds or (1 if quick else 5), quick=quick)
    bench = Bench(
        servers,
        results,
        limit=QUICK_LIMIT if quick else FULL_LIMIT,
        seconds=QUICK_SECONDS if quick else float("inf"),
        say=lambda line: print(line, file=sys.stderr, flush=True),
        keep=keep,
    )
    try:
        bench.run(plan(chosen, names, results.rounds))
    except KeyboardInterrupt:
        return results, True
    return results, False


def _known(names: Sequence[str], known: Mapping[str, object] | Sequence[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"no {what} is called {name}; there are {', '.join(known)}")


def _keep(path: Path | None, results: Results) -> None:
    if path:
        results.save(path)


def write_docs(folder: Path, results: Results, figures: Sequence[Figure]) -> None:
    """The tables, the picture and the data of the documents. Raises `ResultsError` for a quick run."""
    if results.quick:
        raise ResultsError(NOT_QUICK)
    document = folder / DOCUMENT
    tables = f"{PICTURE_LINE}\n\n{report.markdown(results, figures)}\n\nAll of it, round by round: [{DATA}]({DATA})."
    written = report.into(document.read_text(), tables)
    plot.draw(results, folder / PICTURE)
    results.save(folder / DATA)
    document.write_text(written)


PICTURE_LINE = f"![Hermes and other servers beside Nchan: CPU, memory, bursts, publishing, latency]({PICTURE})"


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    from tests.benchmarks.servers import SERVERS
    from tests.benchmarks.servers.base import LOAD_CORE
    from tests.benchmarks.works import WORKS

    os.sched_setaffinity(0, {LOAD_CORE})  # what publishes shares a core with the load, never with the server
    signal.signal(signal.SIGTERM, _interrupt)  # servers end in order, and what was measured is shown
    sys.exit(main(sys.argv[1:], SERVERS, WORKS))
