"""The lock that makes one process the owner of a data folder, and tells the others who that is."""

from __future__ import annotations

import fcntl
import os
import socket
import time
import weakref
from collections.abc import Callable
from math import ceil
from pathlib import Path

from hermes.errors import StoreError

FILE = "journal.lock"
TURN = 0.05
"""Seconds between two tries."""


class FolderLock:
    """An exclusive lock on a folder, held by this open file until it is released or the process ends, however it ends.

    ``flock`` and not ``lockf``: a second owner in the same process is refused too, and reading the file by other means
    cannot let go of it. A forked child gives its copy back at once, so that no child outlives its parent as owner.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / FILE
        self._descriptor: int | None = None
        _locks.add(self)

    @property
    def held(self) -> bool:
        """Whether this lock is held, and the file by that name is still the one that is locked."""
        return self._descriptor is not None and self._is_current(self._descriptor)

    def acquire(self, wait: float = 0.0, keep_alive: Callable[[], None] | None = None) -> None:
        """Take the lock within ``wait`` seconds, calling ``keep_alive`` between two tries.

        Raises :class:`~hermes.errors.StoreError` that names the owner and what to set.
        """
        if self.held:
            return
        self.release()
        for _ in range(ceil(wait / TURN)):
            if self._try():
                return
            if keep_alive is not None:
                keep_alive()
            time.sleep(TURN)
        if not self._try():
            raise StoreError(self._refusal())

    def release(self) -> None:
        """Let go. Idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _try(self) -> bool:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"The lock {self._path} cannot be opened ({error.strerror}): make the folder writable."
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken = self._is_current(descriptor)
        except BlockingIOError:
            taken = False
        except OSError as error:
            os.close(descriptor)
            raise StoreError(
                f"The file system of {self._folder} has no file locks ({error.strerror}): put HERMES_DATA_DIR on a local disk."
            ) from error
        if not taken:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)
        self._descriptor = descriptor
        return True

    def _is_current(self, descriptor: int) -> bool:
        """Whether the locked file still has its name: a lock on a removed file keeps nobody out."""
        try:
            named, locked = os.stat(self._path), os.fstat(descriptor)
        except OSError:
            return False
        return (named.st_dev, named.st_ino) == (locked.st_dev, locked.st_ino)

    def _refusal(self) -> str:
        return (
            f"The data folder {self._folder} is in use by {self._owner()}, and the embedded store has one owner: stop that"
            " process, or set REDIS_URL to run more than one process."
        )

    def _owner(self) -> str:
        try:
            pid, _, host = self._path.read_text().strip().partition(" ")
        except OSError:
            pid, host = "", ""
        if not pid:
            return "another process"
        return f"process {pid}" if host in ("", socket.gethostname()) else f"process {pid} on {host}"


def _close_in_child() -> None:
    """Closing is not unlocking: the lock stays with the parent."""
    for lock in list(_locks):
        lock.release()


_locks: weakref.WeakSet[FolderLock] = weakref.WeakSet()
os.register_at_fork(after_in_child=_close_in_child)
