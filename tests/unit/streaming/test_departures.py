"""Clients that leave, on real sockets in a process of gevent's own: this one is not patched."""

import subprocess
import sys

import pytest

from tests.support.hermes_server import REPOSITORY

SCRIPT = """
from gevent import monkey
monkey.patch_all()
import socket, struct
import gevent
from hermes.streaming.departures import Departures

RST = struct.pack("ii", 1, 0)
departures = Departures()
told = []

def pair(name):
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    own, _ = server.accept()
    server.close()
    departures.watch(own, lambda: told.append(name))
    return client, own

def wait(count):
    with gevent.Timeout(5):
        while len(told) < count:
            gevent.sleep(0.001)

{body}
"""


def run(body: str) -> None:
    command = [sys.executable, "-c", SCRIPT.format(body=body)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "leave",
    [
        "client.close()",
        "client.shutdown(socket.SHUT_WR)",
        "client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST); client.close()",
        "client.send(b'GET / HTTP/1.1'); client.close()",
    ],
    ids=["close", "half-close", "reset", "unread-bytes"],
)
def test_each_way_to_leave_is_told_once(leave: str) -> None:
    run(f"""
client, own = pair("one")
other, own_other = pair("other")
{leave}
wait(1)
gevent.sleep(0.05)
assert told == ["one"], told
departures.forget(own)
""")


def test_what_a_client_sends_is_no_sign_of_leaving() -> None:
    run("""
client, own = pair("one")
client.send(b"GET / HTTP/1.1")
other, own_other = pair("other")
other.close()
wait(1)
assert told == ["other"], told
""")


def test_a_descriptor_that_is_used_again_is_another_client() -> None:
    run("""
kept = pair("the one that epoll is opened for")
client, own = pair("first")
number = own.fileno()
departures.forget(own)
departures.forget(own)
own.close()
client.close()
again, own_again = pair("second")
assert own_again.fileno() == number
again.close()
wait(1)
assert told == ["second"], told
""")


def test_many_at_once() -> None:
    run("""
import resource
pairs = [pair(index) for index in range(1200 if resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 3000 else 300)]
for client, _ in pairs:
    client.close()
wait(len(pairs))
assert sorted(told) == list(range(len(pairs)))
""")


def test_one_that_fails_does_not_keep_the_others_from_being_told() -> None:
    run("""
client, own = pair("one")
departures.forget(own)
def fail():
    raise RuntimeError("no")
departures.watch(own, fail)
pairs = [pair(index) for index in range(20)]
for leaving in (client, *(client for client, _ in pairs)):
    leaving.close()
wait(20)
""")
