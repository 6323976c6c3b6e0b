"""hermes.js in a real page: what only a browser's own module loading and scheduling show."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.browser import PlaywrightBrowser, open_chromium
from tests.support.hermes_server import HermesServer

pytestmark = [pytest.mark.browser, pytest.mark.live]


@pytest.fixture(scope="module")
def browser() -> Iterator[PlaywrightBrowser]:
    with open_chromium() as chromium:
        yield chromium


def test_updates_in_one_turn_go_in_their_order(
    start_hermes: Callable[..., HermesServer], browser: PlaywrightBrowser
) -> None:
    """The last one wins, each time anew: imports that are under way at once do not end in their order."""
    hermes = start_hermes()
    tab = browser.tab()
    for attempt in range(20):
        tab.go(f"{hermes.url}/healthz")
        channels = tab.evaluate("""(async () => {
          const { connect } = await import("/static/hermes.js");
          const stream = connect("/api/v1/events/stream", { channels: ["public:a"], persist: false });
          await new Promise((resolve) => stream.on("heartbeat", resolve));
          const seen = [];
          stream.on("connected", (event) => seen.push(event.data.channels));
          const first = stream.update({ channels: ["public:a", "public:b"] });
          await stream.update({ channels: ["public:a", "public:c"] });
          await first;
          stream.close();
          return seen.at(-1);
        })()""")
        assert channels == ["public:a", "public:c"], f"attempt {attempt}"
