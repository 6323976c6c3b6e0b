"""A machine on which nothing is set."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of the machine that runs the tests, and no `.env` file but a test's own."""
    for name in os.environ:
        if name.startswith(("HERMES_", "REDIS_", "SSE_", "API_", "DATABASE_")) or name in (
            "PORT",
            "HOST",
            "WEB_CONCURRENCY",
        ):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
