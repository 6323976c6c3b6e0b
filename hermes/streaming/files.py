"""Open files: every stream takes one, and the usual soft limit of 1,024 is far below the hard one."""

from __future__ import annotations

import resource
import sys

SPARE = 200
"""Descriptors that are not for streams."""


def raise_file_limit() -> None:
    """Lift this process's soft limit to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def streams_that_fit() -> int:
    """How many streams this process can hold under its soft limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else max(1, soft - SPARE)
