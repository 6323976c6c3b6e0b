"""hermes.js with short-lived tokens: a new one at each expiry, nothing lost, no loop; and what a revocation does."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.browser import PlaywrightBrowser, PlaywrightTab, open_chromium
from tests.support.hermes_server import HermesServer
from tests.support.wait import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.live]

TTL = 2  # seconds of each token
EXPIRIES = 2

LISTEN = """(async () => {
  const { connect } = await import("/static/hermes.js");
  const seen = window.seen = { numbers: [], closes: [], asked: [], resets: 0, gaveup: 0, opened: 0 };
  const getToken = async ({ refresh }) => {
    seen.asked.push(refresh);
    return await window.mint();
  };
  const stream = window.stream = connect("/api/v1/events/stream", { channels: ["news"], getToken, persist: false });
  stream.on("message", (event) => seen.numbers.push(event.data));
  stream.on("close", (event) => seen.closes.push(event.data.reason));
  stream.on("connected", () => seen.opened++);
  stream.on("reset", () => seen.resets++);
  stream.on("gaveup", () => seen.gaveup++);
  await new Promise((resolve) => stream.on("heartbeat", resolve));
})()"""


@pytest.fixture(scope="module")
def browser() -> Iterator[PlaywrightBrowser]:
    with open_chromium() as chromium:
        yield chromium


@pytest.fixture
def hermes(start_hermes: Callable[..., HermesServer]) -> HermesServer:
    return start_hermes(env={"HERMES_SSE_RETRY": "0.2", "HERMES_SYSTEM_INTERVAL": "0"})


def listening(
    browser: PlaywrightBrowser, hermes: HermesServer, minted: list[dict[str, Any]], ttl: int
) -> PlaywrightTab:
    """A page that listens to `news`; each token that it asks for is noted in `minted`."""

    def mint() -> str:
        answer = hermes.post("/api/v1/tokens", json={"user_id": "7", "subscribe": ["news"], "ttl": ttl})
        assert answer.status_code == 201, answer.text
        minted.append(answer.json())
        return str(minted[-1]["token"])

    tab = browser.tab(f"{hermes.url}/healthz")
    tab.page.expose_function("mint", mint)
    tab.evaluate(LISTEN)
    return tab


def test_a_stream_outlives_its_tokens(browser: PlaywrightBrowser, hermes: HermesServer) -> None:
    minted: list[dict[str, Any]] = []
    published: list[int] = []
    tab = listening(browser, hermes, minted, TTL)

    def reopened() -> bool:
        published.append(len(published))
        hermes.publish("news", published[-1])
        return bool(tab.evaluate("seen.opened") > EXPIRIES)

    wait_until(reopened, EXPIRIES * TTL + 15)
    tab.wait_for(f"seen.numbers.length >= {len(published)}")
    seen = tab.evaluate("seen")
    assert seen["numbers"] == published
    assert set(seen["closes"]) <= {"expired"}
    assert (seen["resets"], seen["gaveup"]) == (0, 0)
    # A token for each opening, and at most one more where one expired on its way.
    assert EXPIRIES + 1 <= len(minted) <= 2 * (EXPIRIES + 1)
    assert seen["asked"][0] is False
    assert all(seen["asked"][1:]), "a new one is asked for as such"
    tab.evaluate("stream.close()")


def test_a_revoked_token_ends_the_stream_for_good(browser: PlaywrightBrowser, hermes: HermesServer) -> None:
    minted: list[dict[str, Any]] = []
    tab = listening(browser, hermes, minted, 60)
    assert hermes.request("DELETE", f"/api/v1/tokens/{minted[0]['jti']}").status_code == 204
    tab.wait_for("stream.state === 'closed'")
    assert tab.evaluate("seen.closes") == ["revoked"]
    assert len(minted) == 1
