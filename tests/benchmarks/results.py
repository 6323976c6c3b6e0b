"""What a run of the bench gave, as plain data that is kept in a JSON file, with the machine that gave it."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from tests.benchmarks.figure import Samples

ROOT = Path(__file__).resolve().parents[2]
VERSION = 1  # of the file's shape
SEARCHED = (
    f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"  # nginx is in none of a user's folders
)

PACKAGES = ("gunicorn", "gevent", "flask", "sse-starlette", "uvicorn", "django", "django-eventstream")
# A program's version: the command that prints it, and what is to be found in its output.
PROGRAMS = {
    "nginx": (("nginx", "-v"), r"nginx/(\S+)"),
    "nchan": (("dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-nchan"), r"(?:\d+:)?([\d.]+)"),
    "redis": (("redis-server", "--version"), r"v=(\S+)"),
}


class ResultsError(Exception):
    """A file that holds no results, or results that do not go together."""


@dataclass(frozen=True)
class Failure:
    """A measurement that gave nothing, and why; `reason` of one that was left out says what came in between."""

    round: int
    work: str
    server: str
    reason: str

    def __str__(self) -> str:
        first = self.reason.strip().split("\n")[0]
        return f"round {self.round}, {self.work} on {self.server}: {first}"


@dataclass
class Results:
    """`samples` are by work, figure and server, one for each round; `settings` what each work raised above defaults."""

    rounds: int
    quick: bool = False
    date: str = ""
    commit: str = ""
    machine: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    load: list[float] = field(default_factory=list)
    settings: dict[str, dict[str, str]] = field(default_factory=dict)
    samples: dict[str, dict[str, dict[str, list[float | None]]]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    left_out: list[Failure] = field(default_factory=list)

    @classmethod
    def begin(cls, rounds: int, *, quick: bool = False) -> Results:
        """Results that hold nothing yet but where and when they are taken."""
        now = datetime.now(UTC).isoformat(timespec="minutes").replace("+00:00", "Z")
        load = [round(value, 2) for value in os.getloadavg()]
        return cls(rounds, quick, now, commit(), machine(), versions(), load)

    def add(self, round: int, work: str, server: str, values: Mapping[str, float]) -> None:
        """Keeps what one measurement in this round (from 1) gave."""
        for key, value in values.items():
            rounds = self.samples.setdefault(work, {}).setdefault(key, {}).setdefault(server, [None] * self.rounds)
            rounds += [None] * (round - len(rounds))
            rounds[round - 1] = value

    def raised(self, work: str, settings: Mapping[str, str]) -> None:
        """Keeps what was raised for a work."""
        if settings:
            self.settings.setdefault(work, {}).update(settings)

    def of(self, key: str) -> Samples:
        """The samples of one figure; empty if it was not measured."""
        return next((figures[key] for figures in self.samples.values() if key in figures), {})

    # --- files

    def save(self, path: Path) -> None:
        """Writes the file in one piece: a run that is ended half way leaves the rounds before."""
        half = path.with_name(f".{path.name}.half")
        half.write_text(json.dumps({"version": VERSION, **asdict(self)}, indent=1, ensure_ascii=False) + "\n")
        half.replace(path)

    @classmethod
    def load_file(cls, path: Path) -> Results:
        """Reads what `save()` wrote. Raises `ResultsError`."""
        try:
            kept = json.loads(path.read_text())
            if kept.pop("version") != VERSION:
                raise ResultsError(f"{path}: results of another version of the bench")
            for name in ("failures", "left_out"):
                kept[name] = [Failure(**one) for one in kept[name]]
            return cls(**kept)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ResultsError(f"{path}: no results of the bench ({error})") from error


def merged(runs: Sequence[Results]) -> Results:
    """Several runs of parts of the bench as one: of a work that is in several, the last one's. Raises `ResultsError`.

    A work is taken whole, since its ratios are those within one run.
    """
    if len({json.dumps(run.machine, sort_keys=True) for run in runs}) > 1:
        raise ResultsError("results of different machines do not make one table")
    if len({run.quick for run in runs}) > 1:
        raise ResultsError("quick results and full ones do not make one table")
    last = runs[-1]
    whole = Results(min(run.rounds for run in runs), last.quick, last.date, "", last.machine, {}, last.load)
    for run in runs:
        whole.versions |= run.versions
        whole.samples |= run.samples
        whole.settings = _without(whole.settings, run.samples) | run.settings
        whole.failures = [one for one in whole.failures if one.work not in run.samples] + run.failures
        whole.left_out = [one for one in whole.left_out if one.work not in run.samples] + run.left_out
    whole.commit = ", ".join(dict.fromkeys(run.commit for run in runs if run.commit))
    return whole


def _without(settings: dict[str, dict[str, str]], works: Mapping[str, object]) -> dict[str, dict[str, str]]:
    return {work: raised for work, raised in settings.items() if work not in works}


# --- where it was measured


def machine() -> dict[str, str]:
    """What this machine is."""
    return {
        "cpu": _cpu_model(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
    }


def _cpu_model() -> str:
    found = re.search(r"^model name\s*: (.*)$", _text(Path("/proc/cpuinfo")), re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def versions() -> dict[str, str]:
    """What is measured, as far as it is installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    for name, (command, pattern) in PROGRAMS.items():
        match = re.search(pattern, _printed(command))
        if match:
            found[name] = match[1]
    return found


def commit() -> str:
    """The commit that was measured, with a `+` if files differ from it; empty outside of git."""
    hash = _printed(["git", "-C", str(ROOT), "rev-parse", "--short=10", "HEAD"]).strip()
    if not re.fullmatch(r"[0-9a-f]+", hash):
        return ""
    changed = _printed(["git", "-C", str(ROOT), "status", "--porcelain", "--", "hermes", "tests/benchmarks"])
    return hash + ("+" if changed.strip() else "")


def _printed(command: Sequence[str]) -> str:
    """What a command prints on both streams; nothing if it is not there or fails."""
    program = shutil.which(command[0], path=SEARCHED)
    if program is None:
        return ""
    done = subprocess.run(
        [program, *command[1:]], capture_output=True, text=True, timeout=10, check=False, stdin=subprocess.DEVNULL
    )
    return done.stdout + done.stderr if done.returncode == 0 else ""
