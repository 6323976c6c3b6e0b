"""The broker in processes of its own: killed ones, two that want one folder, and the event loop of gevent."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hermes.brokers.base import Bounds
from hermes.brokers.embedded import EmbeddedBroker
from hermes.core.clock import SystemClock
from hermes.errors import StoreError

ROOT = Path(__file__).resolve().parents[3]

COMMON = """
import sys, threading, time
from pathlib import Path
from hermes.brokers.base import Bounds
from hermes.brokers.base import Bounds
from hermes.brokers.embedded import EmbeddedBroker
from hermes.core.clock import SystemClock
from hermes.core.event import Event

def event(data, channel="a"):
    return Event((channel,), "message", str(data).encode(), 1)

broker = EmbeddedBroker(Path(sys.argv[1]), clock=SystemClock(), bounds=Bounds(per_channel=100_000))
broker.open(wait=10)
"""

GEVENT = "from gevent import monkey; monkey.patch_all()\n"

PUBLISH_FOR_EVER = """
lock = threading.Lock()

def publish(thread):
    count = 0
    while True:
        count += 1
        cursors = broker.publish([event(f"[{thread},{count},{part}]") for part in range(3)])
        with lock:
            for part, cursor in enumerate(cursors):
                print(f"{cursor} [{thread},{count},{part}]", flush=True)

threads = [threading.Thread(target=publish, args=(thread,)) for thread in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def run(script: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True, cwd=ROOT)


@pytest.mark.parametrize("world", ["threads", "gevent"])
def test_killed_process_loses_nothing_that_was_acknowledged(world: str, tmp_path: Path) -> None:
    script = (GEVENT if world == "gevent" else "") + COMMON + PUBLISH_FOR_EVER
    acknowledged: dict[str, str] = {}
    for _ in range(3):
        with run(script, tmp_path) as child:
            assert child.stdout is not None
            lines = [child.stdout.readline() for _ in range(600)]
            child.send_signal(signal.SIGKILL)
            lines += [line for line in child.stdout if line.endswith("\n")]
        acknowledged |= dict(line.rstrip("\n").split(" ", 1) for line in lines)
    broker = EmbeddedBroker(tmp_path, clock=SystemClock(), bounds=Bounds(per_channel=100_000))
    broker.open()
    page = broker.read(0, 100_000, 1 << 30)
    broker.close()
    assert (page.floor, page.floors, page.last) == (0, {}, page.tip)
    assert [found.number for found in page.events] == [*range(1, page.tip + 1)]
    assert len(acknowledged) >= 1800
    stored = {f"{page.epoch}-{found.number}": found.data.decode() for found in page.events}
    assert acknowledged.items() <= stored.items()


def test_second_process_waits_for_the_first_and_then_says_who_it_is(tmp_path: Path) -> None:
    hold = COMMON + "print('open', flush=True); sys.stdin.read(); broker.close(); print('closed', flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == "open\n"
        heir = EmbeddedBroker(tmp_path, clock=SystemClock())
        with pytest.raises(StoreError, match=rf"process {child.pid}, .*REDIS_URL"):
            heir.open()
        heir.open(wait=10, keep_alive=child.stdin.close)
        assert heir.tip().number == 0
        assert child.stdout.readline() == "closed\n"
        heir.close()


LOOP = (
    GEVENT
    + COMMON
    + """
import gevent
from hermes.brokers.journal import Journal

sleep = monkey.get_original("time", "sleep")
write, late, ticks = Journal.write, [], 0

def slow(journal, calls):
    sleep(0.5)  # blocks its thread, as a disk does
    return write(journal, calls)

def tick():
    global ticks
    while True:
        begun = time.perf_counter()
        gevent.sleep(0.005)
        late.append(time.perf_counter() - begun - 0.005)
        ticks += 1

class Feed:
    thread = None
    def accept(self, epoch, first, events):
        Feed.thread = monkey.get_original("_thread", "get_ident")()

broker.feed(Feed())
Journal.write = slow
gevent.spawn(tick)
broker.publish([event(1)])
during = ticks
Journal.write = write
broker.publish([event(2)] * 1000)
assert Feed.thread == monkey.get_original("_thread", "get_ident")(), "fed outside the event loop's thread"
assert len(broker.read(0, 1000, 1 << 20).events) == 1000
broker.close()
print(during, max(late))
"""
)


def test_slow_commit_does_not_stall_the_event_loop(tmp_path: Path) -> None:
    with run(LOOP, tmp_path) as child:
        output, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    ticks, late = output.split()
    print(f"{ticks} turns of the loop during a commit of 0.5 s, the latest late by {float(late) * 1000:.1f} ms")
    assert int(ticks) > 25
    assert float(late) < 0.4


OFFLOAD = (
    GEVENT
    + """
import sys
from hermes.loop import Offload

off_loop = Offload()
def fail():
    raise ValueError("expected")
try:
    off_loop(fail)
except ValueError as error:
    print("raised", error)
off_loop.close()
"""
)


def test_error_off_the_loop_is_raised_and_not_printed() -> None:
    found = subprocess.run(
        [sys.executable, "-c", OFFLOAD], capture_output=True, check=True, text=True, cwd=ROOT, timeout=60
    )
    assert (found.stdout, found.stderr) == ("raised expected\n", "")
