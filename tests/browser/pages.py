"""A page of the dashboard that lists something, as a person has it before them; and streams of users to be listed."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

from playwright.sync_api import Locator

from tests.browser.dashboard import Dashboard
from tests.support.hermes_server import HermesServer
from tests.support.load import stream_url
from tests.support.sse_client import StandardClient

# What a finger must be able to hit; and what is only a part of something larger that it hits.
CONTROLS = "button, input, select, summary, nav a, .page a"
PARTS = ".sort, .link, [type=checkbox]"


class ListPage:
    """One page by its hash, in a browser that other tests share."""

    def __init__(self, dashboard: Dashboard, name: str) -> None:
        self.dashboard = dashboard
        self.page = dashboard.page
        self.name = name
        self.section: Locator = dashboard.page.locator(f"#page-{name}")
        self.rows: Locator = self.section.locator("tr.item")

    def show(self, **query: str) -> "ListPage":
        """Goes there, with what the fields shall hold, and waits for the answer."""
        hash = f"#/{self.name}" + (f"?{urlencode(query)}" if query else "")
        self.page.evaluate("hash => { location.hash = hash; }", hash)
        self.section.locator("table[aria-busy=false]").wait_for(state="attached")
        return self

    def leave(self) -> None:
        """To the overview."""
        self.page.evaluate("location.hash = '#/'")
        self.section.wait_for(state="hidden")

    def row(self, text: str) -> Locator:
        """The row that holds that text, which is waited for."""
        found = self.rows.filter(has_text=text)
        found.first.wait_for()
        return found

    def wait_gone(self, text: str) -> None:
        """Waits until no row holds that text."""
        self.rows.filter(has_text=text).first.wait_for(state="detached")

    def wait_count(self, count: int) -> None:
        """Waits until so many rows are shown."""
        self.dashboard.tab.wait_for(f"document.querySelectorAll('#page-{self.name} tr.item').length === {count}")

    def open_row(self, text: str) -> Locator:
        """Opens that row; what is below it."""
        row = self.row(text)
        row.locator(".toggle").click()
        return self.section.locator("tr.item.open + tr.detail")

    def wait_hash(self, hash: str) -> None:
        """Waits until the address ends so."""
        self.dashboard.tab.wait_for(f"location.hash === {hash!r}")

    def too_small(self) -> list[str]:
        """What on a touch screen is too small to be hit."""
        found: list[str] = self.dashboard.evaluate(f"""[...document.querySelectorAll("{CONTROLS}")]
            .filter(one => one.checkVisibility() && !one.closest(".offscreen") && !one.matches("{PARTS}"))
            .filter(one => one.getBoundingClientRect().height < 43.9).map(one => one.outerHTML)""")
        return found

    def overflows(self) -> bool:
        """Whether the window would have to be scrolled sideways."""
        return bool(self.dashboard.evaluate("document.documentElement.scrollWidth > innerWidth"))


@contextmanager
def stream_of(hermes: HermesServer, user: str, channels: list[str], **query: str) -> Iterator[StandardClient]:
    """An open stream of that user, read all along."""
    asked = {"user_id": user, "subscribe": ["*", "presence:*"], "ttl": 600}
    answer = hermes.post("/api/v1/tokens", json=asked)
    assert answer.status_code == 201, answer.text
    headers = {"Authorization": f"Bearer {answer.json()['token']}"}
    with StandardClient(stream_url(hermes, channels, **query), headers=headers) as client:
        yield client.start()
