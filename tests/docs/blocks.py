"""The fenced blocks of a Markdown document, and how what they show is compared with what a program printed.

The first word of a block's info string is its language; what follows tells the tests how to treat it (runner.py).
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.rules.tree import ROOT

NOT_RUN = "not-run"
RUN_ELSEWHERE = {"nginx", "caddy"}  # test_proxies.py puts them in front of a real server

_FENCE = re.compile(r"^(?P<fence>```+)(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block: where it stands, its language, the words after that, its text."""

    document: str
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def where(self) -> str:
        return f"{self.document}:{self.line}"

    @property
    def is_run(self) -> bool:
        return NOT_RUN not in self.words and self.language not in RUN_ELSEWHERE


def documents() -> list[Path]:
    """The README and everything in docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


def blocks(path: Path) -> list[Block]:
    """The blocks of a document, in order."""
    source = path.read_text()
    found = []
    for match in _FENCE.finditer(source):
        language, *words = match["info"].split() or [""]
        line = source.count("\n", 0, match.start()) + 1
        found.append(Block(path.relative_to(ROOT).as_posix(), line, language, tuple(words), match["text"]))
    return found


def prose(path: Path) -> str:
    """The document without its blocks."""
    return _FENCE.sub("", path.read_text())


# --- what differs from run to run

_VARIABLE = [
    (r"\b[0-9a-z]{8}-\d+\b", "CURSOR"),
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "TIME"),
    (r"\b\d\d:\d\d:\d\d\.\d{3}\b", "CLOCK"),
    (r"(?<=\"connection_id\":\")[\w-]{16}", "CONNECTION"),
    (r"(?<=^retry: )\d+", "RETRY"),
    (r"(?<=code=)[\w-]{24}", "CODE"),
    (r"[\w-]{43}(?= \(new)", "KEY"),
    (r"(?<=hermes_session=)[\w.-]+", "SESSION"),
    (r"(?<=^Date: ).*|(?<=Expires=)[^;]+", "DATE"),
    (r"(?<=at most )\d+, so about \d+", "FILES"),
    (r"(?<=passed in )[\d.]+s", "DURATION"),
    (r"\b[\w.-]+:\d+-[0-9a-f]{4}(?=\")", "NODE"),
]


def normalised(text: str) -> str:
    """The text with ids, times and other things of the moment replaced by their kind."""
    for pattern, kind in _VARIABLE:
        text = re.sub(pattern, kind, text, flags=re.MULTILINE)
    return text


def expectation(shown: str) -> re.Pattern[str]:
    """What a `text` block accepts. `...` stands for the rest of a line, or alone on a line for any lines."""
    parts = []
    for line in normalised(shown.strip("\n")).split("\n"):
        if line.strip() == "...":
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            parts.append(r"[^\n]*".join(re.escape(part) for part in line.rstrip().split("...")) + r"[ \t]*\n")
    return re.compile("".join(parts))


def difference(shown: Any, printed: Any, where: str = "$") -> str | None:
    """How JSON that a document shows differs from what was printed, or None.

    Names, lengths, strings, booleans and null must agree, after normalising; of numbers it is enough that they are some.
    """
    if isinstance(shown, dict) and isinstance(printed, dict):
        if list(shown) != list(printed):
            return f"{where}: shown {list(shown)}, printed {list(printed)}"
        pairs = [(f"{where}.{name}", shown[name], printed[name]) for name in shown]
    elif isinstance(shown, list) and isinstance(printed, list):
        if len(shown) != len(printed):
            return f"{where}: shown {len(shown)} entries, printed {len(printed)}"
        pairs = [(f"{where}[{index}]", shown[index], printed[index]) for index in range(len(shown))]
    else:
        return None if _same(shown, printed) else f"{where}: shown {shown!r}, printed {printed!r}"
    return next((found for name, left, right in pairs if (found := difference(left, right, name))), None)


def _same(shown: Any, printed: Any) -> bool:
    if isinstance(shown, bool) or isinstance(printed, bool):
        return shown is printed
    if isinstance(shown, int | float) and isinstance(printed, int | float):
        return True
    if isinstance(shown, str) and isinstance(printed, str):
        return normalised(json.dumps(shown)) == normalised(json.dumps(printed))
    return shown == printed
