"""The dashboard as a person has it before them: signed in, looked at, clicked."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Page

from tests.support.browser import DESKTOP, ConsoleLine, PlaywrightBrowser, PlaywrightTab, open_chromium
from tests.support.hermes_server import HermesServer

ROWS = "[...document.querySelectorAll('tr.event')]"


class Dashboard:
    """One page of it; `page` is Playwright's own object, for typing and clicking."""

    def __init__(self, browser: PlaywrightBrowser, hermes: HermesServer) -> None:
        self.browser = browser
        self.hermes = hermes
        self.tab: PlaywrightTab = browser.tab()
        self.page: Page = self.tab.page

    def sign_in(self) -> None:
        """The session's cookie, without the page for it."""
        answer = self.browser.context.request.post(f"{self.hermes.url}/dashboard/signin", form={"key": self.hermes.key})
        assert answer.ok, answer.text()

    def open(self, query: str = "") -> "Dashboard":
        """Loads the page and waits until it is live."""
        self.tab.go(f"{self.hermes.url}/dashboard{query}")
        self.wait_kind("live")
        return self

    def wait_kind(self, kind: str, timeout: float = 15.0) -> None:
        """Waits for that state of the connection pill."""
        self.tab.wait_for(f"document.getElementById('pill').dataset.kind === '{kind}'", timeout)

    def only(self, channels: str) -> None:
        """Types that into the filter, and waits until it holds: the page takes what is typed after a pause."""
        self.page.fill("#channels", channels)
        self.tab.wait_for(f"new URLSearchParams(location.search).get('channels') === {channels!r}")

    def texts(self, column: str) -> list[str]:
        """What stands in that column, newest first."""
        found: list[str] = self.tab.evaluate(f"{ROWS}.map(row => row.querySelector('td.{column}').textContent)")
        return found

    def wait_row(self, text: str, timeout: float = 10.0) -> None:
        """Waits for a row that holds that text."""
        self.tab.wait_for(f"{ROWS}.some(row => row.textContent.includes({text!r}))", timeout)

    def wait_rows(self, count: int, timeout: float = 10.0) -> None:
        """Waits until so many events are in the table."""
        self.tab.wait_for(f"{ROWS}.length === {count}", timeout)

    def text(self, selector: str) -> str:
        """The text of an element."""
        return self.page.locator(selector).inner_text()

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page."""
        return self.tab.evaluate(expression)


@contextmanager
def open_dashboard(
    hermes: HermesServer, query: str = "", *, size: tuple[int, int] = DESKTOP, **options: bool
) -> Iterator[Dashboard]:
    """A browser of its own, signed in; what the page complains about fails the test."""
    with open_chromium(size, **options) as browser:
        dashboard = Dashboard(browser, hermes)
        dashboard.sign_in()
        yield dashboard.open(query)
        assert complaints(browser) == []


def complaints(browser: PlaywrightBrowser) -> list[ConsoleLine]:
    """Errors of the console, without what Chromium itself writes there of requests that were refused or cut."""
    return [line for line in browser.errors() if not line.text.startswith("Failed to load resource")]
