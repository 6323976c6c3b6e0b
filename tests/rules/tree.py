"""The files that the rules are held against."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {"node_modules", "__pycache__", "data", "dist", "build"}
OURS_THOUGH_HIDDEN = {".ci"}


def modules(folder: str = "hermes") -> Iterator[Path]:
    """The Python files of a folder."""
    return (path for path in sorted((ROOT / folder).rglob("*.py")) if not _is_made(path))


def scripts(folder: str = "static") -> Iterator[Path]:
    """The JavaScript files of a folder."""
    return (path for path in sorted((ROOT / folder).rglob("*.js")) if not _is_made(path))


def texts() -> Iterator[tuple[Path, str]]:
    """All files of ours that are text: what git has or would take; without git all but what tools made."""
    for path in _ours():
        content = path.read_bytes()
        if b"\0" not in content:
            yield path, content.decode(errors="replace")


def name(path: Path) -> str:
    """A file's path from the top of the repository."""
    return path.relative_to(ROOT).as_posix()


def _ours() -> list[Path]:
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
        paths = [ROOT / line for line in listed if line]
    except (OSError, subprocess.CalledProcessError):
        paths = [path for path in ROOT.rglob("*") if not _is_made(path)]
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def _is_made(path: Path) -> bool:
    """Whether a tool made it: it lies in a folder of theirs."""
    folders = path.relative_to(ROOT).parts[:-1]
    return any(name in NOT_OURS or (name[0] == "." and name not in OURS_THOUGH_HIDDEN) for name in folders)
