"""Processes: what is waited for, what a failure shows, and that nothing is left behind."""

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.ports import free_port, is_listening, is_taken
from tests.support.process import Process, ProcessEnded
from tests.support.wait import WaitTimeout, wait_until


def python(program: str, **options: object) -> Process:
    return Process([sys.executable, "-u", "-c", program], **options)  # type: ignore[arg-type]


def test_line_port_and_end() -> None:
    port = free_port()
    with Process([sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", str(port)]) as server:
        assert server.wait_for_line(r"port (\d+)").group(1) == str(port)
        server.wait_for_port(port)
        assert is_taken(port)
        pid = server.pid
    assert server.exit_code == -signal.SIGTERM
    assert not psutil.pid_exists(pid)
    assert not is_listening(port)


def test_a_failure_shows_the_output() -> None:
    with (
        python("print('what went wrong'); raise SystemExit(3)") as process,
        pytest.raises(ProcessEnded, match=r"ended with 3 (.|\n)*what went wrong"),
    ):
        process.wait_for(lambda: False)
    with python("import time; print('busy'); time.sleep(60)") as process:
        process.wait_for_line("busy")
        with pytest.raises(WaitTimeout, match=r"a line like 'never'(.|\n)*busy"):
            process.wait_for_line("never", timeout=0.1)


def test_kill_after_grace_takes_the_whole_group(tmp_path: Path) -> None:
    program = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child: print("child", child)
time.sleep(60)
"""
    with python(program, grace=0.2) as process:
        child = int(process.wait_for_line(r"child (\d+)").group(1))
    assert process.exit_code == -signal.SIGKILL
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_kill9_waits_for_the_whole_group() -> None:
    """The kernel takes long to end the child: its memory is large."""
    program = """
import os, socket, time
listener = socket.create_server(("127.0.0.1", 0))
if os.fork(): time.sleep(60)
memory = bytearray(b"x") * 300_000_000
print("port", listener.getsockname()[1])
time.sleep(60)
"""
    with python(program) as process:
        port = int(process.wait_for_line(r"port (\d+)").group(1))
        process.kill9()
        assert not is_listening(port)


def test_stop_and_cont_and_lives_that_share_a_log(tmp_path: Path) -> None:
    program = "import time\nfor n in range(10**6): print(n); time.sleep(0.005)"
    with python(program, log=tmp_path / "log") as process:
        process.wait_for_line("^3$")
        process.stop()
        wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
        process.cont()
        process.wait_for_line("^9$")
        process.stop()  # ending one that is stopped works too
    assert process.exit_code == -signal.SIGTERM
    process.start()
    process.wait_for_line("^1$")
    assert "\n9\n" not in process.output()
    process.end()
    assert os.path.getsize(tmp_path / "log") > len(process.output())
