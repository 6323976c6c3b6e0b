"""What processes used: CPU seconds to the microsecond, and the memory that is theirs alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path


def cpu_seconds(pids: Sequence[int]) -> float:
    """CPU of all threads of these processes so far, user and system, by the kernel's clock of each process."""
    return sum(time.clock_gettime(_cpu_clock(pid)) for pid in pids)


def _cpu_clock(pid: int) -> int:
    """The id of a process's CPU clock as Linux builds it (clock_getcpuclockid(3)): nanoseconds, where /proc has ticks."""
    return (~pid << 3) | 2


def private_bytes(pids: Sequence[int]) -> int:
    """Private memory of these processes (`/proc/PID/smaps_rollup`); the kernel's socket buffers are not in it."""
    return sum(_private_kilobytes(pid) for pid in pids) * 1024


def _private_kilobytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean:", "Private_Dirty:")))
