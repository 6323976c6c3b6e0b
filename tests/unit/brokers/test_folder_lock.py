import os
import subprocess
import sys
from pathlib import Path

import pytest

from hermes.brokers.folder_lock import FILE, FolderLock
from hermes.errors import StoreError

HOLD = """
import sys
from pathlib import Path
from hermes.brokers.folder_lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""

FORK = """
import os, sys
from pathlib import Path
from hermes.brokers.folder_lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
lock.acquire()
if os.fork() == 0:
    print("child holds it:", lock.held, flush=True)
    sys.stdin.read()
    os._exit(0)
os._exit(0)
"""


def start(script: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_second_owner_hears_who_has_it_and_what_to_set(tmp_path: Path) -> None:
    with start(HOLD, tmp_path) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(StoreError, match=rf"in use by process {child.pid}, .*REDIS_URL") as error:
            FolderLock(tmp_path).acquire()
        assert str(tmp_path) in str(error.value)
        child.kill()


def test_killed_owner_leaves_no_lock(tmp_path: Path) -> None:
    with start(HOLD, tmp_path) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.kill()
    lock = FolderLock(tmp_path)
    lock.acquire()
    assert (tmp_path / FILE).read_text().split()[0] == str(os.getpid())
    lock.release()


def test_two_owners_in_one_process_are_impossible_too(tmp_path: Path) -> None:
    first = FolderLock(tmp_path)
    first.acquire()
    first.acquire()  # what is held stays held
    with pytest.raises(StoreError, match=f"process {os.getpid()}"):
        FolderLock(tmp_path).acquire()
    first.release()
    first.release()
    FolderLock(tmp_path).acquire()


def test_waiting_keeps_the_worker_alive_until_the_owner_goes(tmp_path: Path) -> None:
    owner, heir = FolderLock(tmp_path), FolderLock(tmp_path)
    owner.acquire()
    turns: list[int] = []

    def keep_alive() -> None:
        turns.append(len(turns))
        if len(turns) == 3:
            owner.release()

    heir.acquire(wait=10, keep_alive=keep_alive)
    assert heir.held
    assert len(turns) == 3
    heir.release()


def test_waiting_ends(tmp_path: Path) -> None:
    owner = FolderLock(tmp_path)
    owner.acquire()
    turns: list[None] = []
    with pytest.raises(StoreError):
        FolderLock(tmp_path).acquire(wait=0.1, keep_alive=lambda: turns.append(None))
    assert len(turns) == 2
    owner.release()


def test_child_of_a_fork_does_not_own_what_its_parent_owned(tmp_path: Path) -> None:
    with start(FORK, tmp_path) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "child holds it: False\n"
        assert parent.wait(10) == 0  # the child lives on: its standard input is still open
        lock = FolderLock(tmp_path)
        lock.acquire()
        lock.release()
        assert parent.stdin is not None
        parent.stdin.close()


def test_lock_on_a_removed_file_counts_for_nothing(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    lock.acquire()
    (tmp_path / FILE).unlink()
    assert not lock.held
    lock.acquire()
    assert lock.held
    lock.release()


def test_owner_on_another_host_is_named_with_it(tmp_path: Path) -> None:
    owner = FolderLock(tmp_path)
    owner.acquire()
    (tmp_path / FILE).write_text("7 web-1.example\n")
    with pytest.raises(StoreError, match=r"process 7 on web-1\.example"):
        FolderLock(tmp_path).acquire()
    owner.release()


def test_folder_that_cannot_hold_a_lock(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        FolderLock(tmp_path / "missing").acquire()
