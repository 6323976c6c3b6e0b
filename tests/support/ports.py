"""Free ports on loopback, for servers that must come back on the port that they had."""

import os
import random
import socket

LOOPBACK = "127.0.0.1"

# Below the kernel's range for outgoing connections (32768 and up): while a server is down, no client of a test may be
# given its port by chance. Test processes that run side by side have ranges of their own: a port that one was given is
# free until its server listens.
_SHARE = 3_000
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_RANGE = range(20_000, 32_000)[_WORKER % 4 * _SHARE :][:_SHARE]
_given: set[int] = set()


def free_port() -> int:
    """A port of loopback that nobody listens on, and that this process was not given before."""
    for port in random.sample(_RANGE, 500):
        if port not in _given and not is_taken(port):
            _given.add(port)
            return port
    raise RuntimeError(f"no free port in {_RANGE}")


def is_taken(port: int) -> bool:
    """Whether binding to that port of loopback fails."""
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def is_listening(port: int) -> bool:
    """Whether somebody accepts connections on that port of loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0
