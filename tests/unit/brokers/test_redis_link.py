"""The scripts as they are packaged, and the sentences for what Redis refuses."""

from __future__ import annotations

import time

import pytest
from redis.exceptions import NoPermissionError, OutOfMemoryError, ResponseError

from hermes.brokers.redis_errors import explain
from hermes.brokers.redis_link import Link, script
from hermes.brokers.redis_url import Dialer
from hermes.errors import Unavailable
from tests.support.ports import LOOPBACK, free_port


@pytest.mark.parametrize("name", ["publish", "read", "tip", "retained"])
def test_a_script_begins_with_its_flags_and_the_epoch_check(name: str) -> None:
    found = script(name)
    assert found.source.startswith(b"#!lua")
    assert found.source.count(b"\n#!lua") == 0, "the first line alone may be one"
    assert b"run_id:(%x+)" in found.source
    assert len(found.sha) == 40
    assert script(name) is found


def test_only_publishing_is_refused_when_memory_is_short() -> None:
    assert script("publish").source.startswith(b"#!lua\n")
    for name in ("read", "tip", "retained"):
        assert script(name).source.startswith(b"#!lua flags=allow-oom\n")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            OutOfMemoryError("command not allowed when used memory > 'maxmemory'.", status_code="OOM"),
            "HERMES_LOG_BYTES",
        ),
        (ResponseError("MISCONF Redis is configured to save RDB snapshots"), "disk"),
        (ResponseError("NOREPLICAS Not enough good replicas to write."), "min-replicas-to-write"),
        (NoPermissionError("this user has no permissions", status_code="NOPERM"), "EVAL and INFO"),
        (ResponseError("ERR something else"), "something else"),
    ],
)
def test_errors_are_explained(error: ResponseError, says: str) -> None:
    assert says in explain(error)


def test_nobody_there() -> None:
    link = Link(Dialer(f"redis://{LOOPBACK}:{free_port()}/0"), "test", time.monotonic, 0.1)
    started = time.monotonic()
    with pytest.raises(Unavailable, match="did not answer in time"):
        link.call("tip", [], 0.3)
    assert time.monotonic() - started < 1
    link.close()
    with pytest.raises(Unavailable):
        link.call("tip", [], 60)
    assert time.monotonic() - started < 2, "a closed link tries once"
