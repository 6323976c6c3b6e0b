"""Every way to write a log line in a process of Hermes, and what stands in it then. Each runs in a process of its own."""

import json
import subprocess
import sys
from typing import Any

import pytest

from hermes.observe.logs import secrets_of
from hermes.settings import load_settings

SECRET = "correct-horse-battery-staple-0123456789"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"

SET_UP = f"""
import logging, structlog
from hermes.observe.logs import set_up_logs
set_up_logs("LEVEL", [{SECRET!r}])
log = structlog.get_logger("hermes.some")
secret, token = {SECRET!r}, {TOKEN!r}
"""


def lines(program: str, level: str = "info") -> list[dict[str, Any]]:
    """What the program logs after the set-up."""
    command = [sys.executable, "-W", "error", "-c", SET_UP.replace("LEVEL", level) + program]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert "horse" not in output, output
    assert "eyJ" not in output, output
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.parametrize(
    "call",
    [
        "log.info(f'opened /stream?token={token}')",
        "log.info('opened', url=f'/stream?token={token}&a=b')",
        "log.info('opened', headers={'Authorization': f'Bearer {secret}', 'Cookie': token})",
        "log.info('opened', headers=[('X-API-Key', 'horse-of-another')])",
        "log.info('opened', token='horse', password='horse', authorization='horse')",
        "log.info('opened', error=ValueError(f'bad {secret}'))",
        "log.bind(principal=secret).info('opened')",
        "structlog.contextvars.bind_contextvars(address=token); log.info('opened')",
    ],
)
def test_structured_lines_hold_no_secret(call: str) -> None:
    (line,) = lines(call)
    assert line["level"] == "info"
    assert line["event"].startswith("opened")
    assert "(removed)" in json.dumps(line)


def test_tracebacks_hold_no_secret() -> None:
    (line,) = lines(
        """
try:
    try:
        raise ValueError(f"GET /stream?token={token} failed")
    except ValueError as error:
        raise RuntimeError({"Authorization": f"Bearer {secret}"}) from error
except RuntimeError:
    log.exception("request failed")
"""
    )
    assert "ValueError: GET /stream?token=(removed) failed" in line["exception"]
    assert "RuntimeError: {'Authorization': '(removed)'}" in line["exception"]


def test_what_others_log_and_nobody_handles_becomes_a_structured_line() -> None:
    found = lines(
        """
logging.getLogger("urllib3.connectionpool").warning("Retrying %s", f"/keys?token={token}")
logging.getLogger("urllib3.connectionpool").info("not shown")
logging.getLogger("hermes.brokers.x").info("the store is back")
logging.getLogger("hermes.brokers.x").debug("not shown")
logging.getLogger("a").log(35, "odd level")
try:
    raise OSError(f"cannot reach redis://:{secret}@host")
except OSError:
    logging.getLogger("hermes.brokers.x").exception("gone")
"""
    )
    assert [(line["level"], line["logger"], line["event"]) for line in found] == [
        ("warning", "urllib3.connectionpool", "Retrying /keys?token=(removed)"),
        ("info", "hermes.brokers.x", "the store is back"),
        ("warning", "a", "odd level"),
        ("error", "hermes.brokers.x", "gone"),
    ]
    assert "OSError: cannot reach redis://(removed)@host" in found[3]["exception"]


def test_who_has_handlers_of_their_own_is_left_alone() -> None:
    assert lines("logging.basicConfig(filename='/dev/null'); logging.getLogger('hermes.x').warning('theirs')") == []


def test_the_level_counts_for_both_kinds() -> None:
    program = "log.debug('one'); logging.getLogger('hermes.x').debug('two'); logging.getLogger('other').debug('three')"
    assert [line["event"] for line in lines(program, "debug")] == ["one", "two"]
    assert lines(program, "info") == []


API_KEY, JWT_SECRET = "9d41c7e05bf8a2361c7e94d0b5f82a63", "e07b5ac3128df9464b1d93f8c52e6071"


def test_the_secrets_of_the_settings_are_known() -> None:
    settings = load_settings(
        api_keys=(API_KEY,),
        jwt_secret=JWT_SECRET,
        redis_url="rediss://user:pass%20word@host:1/0",
        redis_password="another-password",
        database_url="postgresql://u:p%40ssword@db/hermes",
    )
    assert set(secrets_of(settings)) >= {API_KEY, JWT_SECRET, "pass word", "another-password", "p%40ssword", "p@ssword"}
    assert list(secrets_of(load_settings(redis_url="redis://[broken"))) == []
