"""For the tests of programs that use Hermes: a clock that is moved by hand, a runtime in one line, a reader of streams."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from hermes.app import create_app
from hermes.core.clock import Clock
from hermes.core.sse import Frame, Parser
from hermes.runtime import Runtime
from hermes.settings import Settings, load_settings

__all__ = ["TEST_KEY", "FakeClock", "read_frames", "running"]

TEST_KEY = "hermes-testing-d7c1e50b93fa4826b1740e6d"
"""The admin key of a runtime made by :func:`running`."""


class FakeClock:
    """A :class:`~hermes.core.clock.Clock` that stands still until :meth:`advance`."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> float:
        """See :class:`~hermes.core.clock.Clock`."""
        return self._now

    def monotonic(self) -> float:
        """See :class:`~hermes.core.clock.Clock`."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self._now += seconds
        self._monotonic += seconds

    def set_wall(self, now: float) -> None:
        """Set the wall clock alone, as an administrator would."""
        self._now = now


@contextmanager
def running(clock: Clock | None = None, **settings: Any) -> Iterator[tuple[Runtime, FlaskClient]]:
    """A whole Hermes on an embedded store in a folder of its own, and a client for it.

    ``settings`` are those of :class:`~hermes.settings.Settings` by their Python names. The client sends :data:`TEST_KEY`.

        with running() as (runtime, client):
            runtime.publisher.publish("orders", {"id": 1})
    """
    with tempfile.TemporaryDirectory(prefix="hermes-") as folder:
        made: Settings = load_settings(
            **{"data_dir": Path(folder), "api_keys": (TEST_KEY,), "system_interval": 0, **settings}
        )
        runtime = Runtime(made, clock=clock)
        app = create_app(runtime=runtime)
        runtime.start()
        client = app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {TEST_KEY}"
        try:
            yield runtime, client
        finally:
            runtime.close()


def read_frames(chunks: Iterator[bytes], count: int) -> list[Frame]:
    """The first ``count`` frames of a streaming response's ``response.response`` or ``iter_encoded()``."""
    parser, frames = Parser(), list[Frame]()
    for chunk in chunks:
        frames += parser.feed(chunk)
        if len(frames) >= count:
            break
    return frames[:count]
