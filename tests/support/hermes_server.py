"""Hermes as its users start it: the real gunicorn command on a port of loopback."""

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import requests

from tests.support.ports import LOOPBACK, free_port
from tests.support.process import Process

REPOSITORY = Path(__file__).resolve().parents[2]
KEY = "hermes-testing-5be0c914d7f2a683-90c4e1b7d3"  # an admin key, as HERMES_API_KEYS takes it

TREE = "HERMES_TEST_TREE"  # a folder with another hermes/ to run: tests/faults/test_can_fail.py breaks copies

# What a person's own shell may hold, and no test may see.
_SETTINGS = ("HERMES_", "REDIS_", "SSE_")
_SETTING_NAMES = {"API_PORT", "DATABASE_URL", "GUNICORN_CMD_ARGS", "HOST", "PORT", "SENTRY_DSN", "WEB_CONCURRENCY"}


def clean_environment(**settings: str) -> dict[str, str]:
    """This process's environment without any setting of Hermes, and then `settings`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_SETTINGS) and name not in _SETTING_NAMES
    }
    return kept | {"PYTHONUNBUFFERED": "1"} | settings


class HermesServer:
    """`gunicorn -c python:hermes.gunicorn_conf app:app`, waited for until `/readyz` answers 200.

        with HermesServer(tmp_path, env={"HERMES_SSE_HEARTBEAT_INTERVAL": "1"}) as hermes:
            hermes.publish("prices", {"eur": 1.08})

    `data_dir` is kept over restarts; without it a temporary one serves. `redis_url` and `env` become its environment,
    `app` is what gunicorn serves. `prefix` are words before the command, of a program that becomes it (`taskset`).
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        port: int | None = None,
        workers: int = 1,
        redis_url: str | None = None,
        env: Mapping[str, str] | None = None,
        arguments: tuple[str, ...] = (),
        app: str = "app:app",
        prefix: Sequence[str] = (),
    ) -> None:
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if data_dir is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="hermes-test-data-")
            data_dir = Path(self._temporary.name)
        self.data_dir = data_dir
        self.port = port or free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.key = KEY
        settings = {
            "HERMES_API_KEYS": KEY,
            "HERMES_DATA_DIR": str(data_dir),
            "HOST": LOOPBACK,
            "PORT": str(self.port),
            "WEB_CONCURRENCY": str(workers),
        }
        if redis_url is not None:
            settings["REDIS_URL"] = redis_url
        command = [*prefix, sys.executable, "-m", "gunicorn", "-c", "python:hermes.gunicorn_conf", *arguments, app]
        self.process = Process(
            command,
            env=clean_environment(**(settings | dict(env or {}))),
            cwd=os.environ.get(TREE, REPOSITORY),
            log=data_dir.with_name(f"{data_dir.name}-{self.port}.log"),
            grace=40.0,
        )
        self._local = threading.local()
        self._sessions: list[requests.Session] = []

    # --- life

    def start(self, timeout: float = 30.0) -> Self:
        """Starts it and waits until it is ready."""
        self.process.start()
        try:
            self.wait_ready(timeout)
        except BaseException:
            self.process.kill9()
            raise
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hang_up()
        self.process.end(timeout=10)
        if self._temporary is not None:
            self.process.log.unlink(missing_ok=True)
            self._temporary.cleanup()

    def stop(self) -> int:
        """SIGTERM, and waits for its drain; the exit code. One that does not end in time fails the test."""
        self.hang_up()
        self.terminate()
        code = self.process.wait(self.process.grace)
        self.process.end()
        return code

    def terminate(self) -> None:
        """SIGTERM, and waits for nothing."""
        self.process.signal(signal.SIGTERM)

    def kill9(self) -> None:
        """Master and workers end as in a crash."""
        self.process.kill9()

    def restart(self, timeout: float = 30.0) -> Self:
        """Comes back on the same port and data; one that still runs is stopped in order first."""
        if self.process.is_running:
            self.stop()
        return self.start(timeout)

    def hup(self) -> None:
        """SIGHUP: gunicorn starts new workers while the old ones drain."""
        self.process.signal(signal.SIGHUP)

    def worker_pids(self) -> list[int]:
        """The process ids of the workers, oldest first."""
        return [child.pid for child in psutil.Process(self.process.pid).children()]

    def kill9_workers(self) -> list[int]:
        """KILL to every worker; the master starts others. The ids of those killed."""
        pids = self.worker_pids()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return pids

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Waits until `/readyz` answers 200."""
        self.process.wait_for(self.is_ready, timeout, f"{self.url}/readyz")

    def is_ready(self) -> bool:
        """Whether `/readyz` answers 200 now."""
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    # --- use

    @property
    def headers(self) -> dict[str, str]:
        """What authorises a request as the administrator."""
        return {"Authorization": f"Bearer {self.key}"}

    @property
    def session(self) -> requests.Session:
        """A session of this thread's own with the admin key."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            self._sessions.append(session)
            session.trust_env = False
            session.headers.update(self.headers)
        return session

    def hang_up(self) -> None:
        """Closes the idle connections of all sessions, which a server that drains waits for."""
        for session in list(self._sessions):
            session.close()

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request with the admin key; `options` are those of requests."""
        return self.session.request(method, self.url + path, **({"timeout": 30} | options))

    def get(self, path: str, **options: Any) -> requests.Response:
        """`request("GET", ...)`."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        """`request("POST", ...)`."""
        return self.request("POST", path, **options)

    def publish(self, channel: str, data: Any = None, **fields: Any) -> str:
        """Publishes one event (`type=`, `key=`, `ttl=`, `idempotency_key=` ...) and answers its id; else raises."""
        answer = self.post("/api/v1/events", json={"channel": channel, "data": data, **fields})
        if answer.status_code != 201:
            raise requests.HTTPError(f"publish: {answer.status_code} {answer.text[:500]}", response=answer)
        return str(answer.json()["id"])
