"""The bench's own programs in C: `load.c` holds streams and counts what arrives, `floor.c` is the cheapest server of them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE.parents[2] / "build" / "native"
FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror")


class NotCompiled(RuntimeError):
    """A program could not be made; the message says what is missing or wrong."""


def program(name: str, build: Path = BUILD) -> Path:
    """The program of `NAME.c`, compiled if there is none of this very source yet."""
    target = build / f"{name}-{_hash_of_sources(name)}"
    if not target.exists():
        build.mkdir(parents=True, exist_ok=True)
        _compile(HERE / f"{name}.c", target)
    return target


def _hash_of_sources(name: str) -> str:
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for source in [HERE / f"{name}.c", *sorted(HERE.glob("*.h"))]:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def _compile(source: Path, target: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        raise NotCompiled(f"{source.name} needs a C compiler: install the packages gcc and libc6-dev")
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")  # two that compile at once do not meet
    done = subprocess.run(
        [compiler, *FLAGS, "-o", unfinished, source], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:
        raise NotCompiled(f"{source.name} (if headers are missing: libc6-dev)\n{done.stderr}")
    unfinished.replace(target)
