"""The browser's own EventSource on a public channel: receives, resumes over a restart, and survives what a retry can cure."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.browser import PlaywrightBrowser, PlaywrightTab, open_chromium
from tests.support.hermes_server import HermesServer
from tests.support.wait import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.live]

OPEN = """(() => {
  globalThis.seen = []; globalThis.frames = [];
  globalThis.source = new EventSource("/api/v1/events/stream?channels=public:news");
  source.addEventListener("story", event => seen.push([event.lastEventId, JSON.parse(event.data).n]));
  for (const type of ["connected", "reset", "heartbeat", "error", "close"])
    source.addEventListener(type, event => event.data && frames.push([type, JSON.parse(event.data)]));
  return true;
})()"""


@pytest.fixture(scope="module")
def browser() -> Iterator[PlaywrightBrowser]:
    with open_chromium() as chromium:
        yield chromium


def page_of(browser: PlaywrightBrowser, hermes: HermesServer) -> PlaywrightTab:
    tab = browser.tab(f"{hermes.url}/healthz")
    tab.evaluate(OPEN)
    return tab


def connected(tab: PlaywrightTab, times: int = 1) -> Any:
    return tab.wait_for(f"frames.filter(([type]) => type === 'connected').length >= {times}")


def publish(hermes: HermesServer, numbers: range) -> None:
    for n in numbers:
        hermes.publish("public:news", {"n": n}, type="story")


def test_it_receives_and_resumes_over_a_restart(
    start_hermes: Callable[..., HermesServer], browser: PlaywrightBrowser
) -> None:
    hermes = start_hermes(env={"HERMES_SSE_RETRY": "0.3"})
    tab = page_of(browser, hermes)
    connected(tab)
    publish(hermes, range(5))
    tab.wait_for("seen.length === 5")
    hermes.kill9()
    hermes.start()
    publish(hermes, range(5, 10))
    connected(tab, times=2)
    tab.wait_for("seen.length >= 10")
    assert tab.evaluate("seen.map(([, n]) => n)") == list(range(10))
    assert tab.evaluate("frames.filter(([type]) => type === 'reset')") == []
    assert tab.evaluate("frames.filter(([type]) => type === 'connected').at(-1)[1].recovered") is True
    tab.close()


def test_a_drain_is_a_close_and_it_comes_back(
    start_hermes: Callable[..., HermesServer], browser: PlaywrightBrowser
) -> None:
    hermes = start_hermes(env={"HERMES_SSE_RETRY": "0.3"})
    tab = page_of(browser, hermes)
    connected(tab)
    hermes.hup()
    tab.wait_for("frames.some(([type, data]) => type === 'close' && data.reason === 'drain' && data.reconnect)")
    connected(tab, times=2)
    publish(hermes, range(3))
    tab.wait_for("seen.length === 3")
    tab.close()


def test_a_full_server_does_not_end_it_for_ever(
    start_hermes: Callable[..., HermesServer], browser: PlaywrightBrowser
) -> None:
    hermes = start_hermes(env={"HERMES_SSE_MAX_CONNECTIONS": "1"})
    first = page_of(browser, hermes)
    connected(first)
    second = page_of(browser, hermes)
    second.wait_for("frames.some(([type, data]) => type === 'error' && data.code === 'MAX_CONNECTIONS')")
    wait_until(lambda: second.evaluate("source.readyState") == 0, 5, "the refused EventSource waits to reconnect")
    first.close()
    second.close()


def test_a_refusal_that_no_retry_cures_ends_it(
    start_hermes: Callable[..., HermesServer], browser: PlaywrightBrowser
) -> None:
    hermes = start_hermes()
    tab = browser.tab(f"{hermes.url}/healthz")
    tab.evaluate("globalThis.source = new EventSource('/api/v1/events/stream?channels=private')")
    tab.wait_for("source.readyState === EventSource.CLOSED")
    tab.close()
