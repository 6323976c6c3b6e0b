"""The portable lane alone, under WSGI servers that are not ours: real threads, no gevent, no gunicorn.

Each server runs in a process of its own: the tests' own process must not hold Hermes' threads.
"""

import sys
from collections.abc import Iterator

import pytest

from tests.integration.conftest import here, opened
from tests.support.hermes_server import REPOSITORY, HermesServer, clean_environment
from tests.support.ports import LOOPBACK
from tests.support.process import Process
from tests.support.wait import wait_until

pytestmark = pytest.mark.live

WERKZEUG = """
import sys
from werkzeug.serving import make_server
from hermes import create_app
make_server("127.0.0.1", int(sys.argv[1]), create_app(), threaded=True).serve_forever()
"""
WAITRESS = """
import sys
import waitress
from hermes import create_app
waitress.serve(create_app(), host="127.0.0.1", port=int(sys.argv[1]), threads=16, channel_timeout=5)
"""
SERVERS = {"werkzeug": WERKZEUG, "waitress": WAITRESS}


class OtherServer(HermesServer):
    """The same face, another server behind it."""

    def __init__(self, data_dir: object, program: str) -> None:
        super().__init__(data_dir)  # type: ignore[arg-type]
        settings = {
            "HERMES_API_KEYS": self.key,
            "HERMES_DATA_DIR": str(self.data_dir),
            "HERMES_SYSTEM_INTERVAL": "0",
            "HERMES_SSE_HEARTBEAT_INTERVAL": "0.5",
            "HOST": LOOPBACK,
        }
        self.process = Process(
            [sys.executable, "-c", program, str(self.port)],
            env=clean_environment(**settings),
            cwd=REPOSITORY,
            log=self.process.log,
            grace=2,
        )


@pytest.fixture(params=list(SERVERS))
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HermesServer]:
    pytest.importorskip(request.param)
    server = OtherServer(tmp_path_factory.mktemp(request.param) / "data", SERVERS[request.param])
    with server:
        yield server


def test_receive_resume_and_poll(other: HermesServer) -> None:
    other.publish("o", {"v": 1}, key="k", type="level")
    with opened(other, "o") as client:
        assert [frame["event"] for frame in client.frames] == ["connected", "level", "heartbeat"]
        ids = [other.publish("o", number, type="tick") for number in range(20)]
        frames = client.read_until(lambda frame: frame["id"] == ids[-1])
        assert [frame["id"] for frame in frames if frame["event"] == "tick"] == ids
        client.read_until(lambda frame: frame["event"] == "heartbeat")
        assert client.opened == 1
    wait_until(lambda: here(other) == 0, 5, "a client that left is gone by its next heartbeat but one")
    with opened(other, "o", cursor=ids[14]) as client:
        assert [frame["id"] for frame in client.frames if frame["event"] == "tick"] == ids[15:]
    page = other.get(f"/api/v1/events?channels=o&after={ids[17]}").json()
    assert [event["id"] for event in page["events"]] == ids[18:]
    assert other.get("/readyz").status_code == 200
    assert other.get("/api/v1/events/stream?channels=a%20b").status_code == 400
    assert other.request("HEAD", "/api/v1/events/stream?channels=o").status_code == 200


def test_many_publishers_and_streams_on_real_threads(other: HermesServer) -> None:
    from tests.support.load import Load

    with Load([other], clients=8, channels=4, rate=60, threads=2) as load:
        load.run(2)
        verdict = load.finish()
    verdict.check("real threads", **load.figures())
    assert verdict.resets.total() == 0
