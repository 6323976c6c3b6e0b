"""The connection pill tells the truth while the server is away, back, another one, or has forgotten the session."""

from collections.abc import Callable

import pytest

from tests.browser.dashboard import open_dashboard
from tests.support.hermes_server import HermesServer

pytestmark = [pytest.mark.browser, pytest.mark.fault]

Start = Callable[..., HermesServer]


def test_reconnecting_and_live_again_when_the_server_restarts(start_hermes: Start) -> None:
    hermes = start_hermes()
    with open_dashboard(hermes) as dashboard:
        before = hermes.publish("restart", {"n": 1})
        dashboard.wait_row(before)
        hermes.stop()
        dashboard.wait_kind("waiting")
        assert "Reconnecting" in dashboard.text("#pill-label")
        dashboard.tab.wait_for("/attempt \\d/.test(document.getElementById('pill-detail').textContent)")
        assert "Reconnecting" in dashboard.evaluate("document.title")
        hermes.start()
        dashboard.wait_kind("live", timeout=40)
        after = hermes.publish("restart", {"n": 2})
        dashboard.wait_row(after)
        assert dashboard.texts("id")[:2] == [after, before]
        assert "Nothing was missed" in dashboard.text("tr.note")


def test_the_details_of_the_connection(start_hermes: Start) -> None:
    with open_dashboard(start_hermes(env={"HERMES_SSE_HEARTBEAT_INTERVAL": "7"})) as dashboard:
        dashboard.page.click("#pill")
        dashboard.tab.wait_for("document.getElementById('link-heartbeat').textContent.includes('7 s')")
        assert "-" in dashboard.text("#link-cursor")


def test_another_store_is_a_reset_in_the_table(start_hermes: Start, redis_url: str, start_redis: Callable) -> None:
    redis = start_redis()
    hermes = start_hermes(redis_url=redis.url)
    with open_dashboard(hermes) as dashboard:
        hermes.publish("shared", 1)
        dashboard.wait_rows(1)
        redis.kill9()
        redis.start()
        dashboard.tab.wait_for("document.querySelector('tr.note')?.textContent.includes('may be missing')", timeout=30)
        assert "restarted or replaced" in dashboard.text("tr.note >> nth=0")


def test_a_session_that_does_not_count_any_more(start_hermes: Start) -> None:
    hermes = start_hermes()
    with open_dashboard(hermes) as dashboard:
        dashboard.browser.context.clear_cookies()
        hermes.restart()
        dashboard.tab.wait_for("!document.getElementById('banner').hidden", timeout=40)
        assert dashboard.text("#pill-label") == "Signed out"
        dashboard.page.click("#banner a")
        dashboard.page.wait_for_selector("#key")
