"""A real browser on real pages: one small face, so that other engines can stand behind it later.

with open_chromium(size=(390, 844), dark=True) as browser:
    tab = browser.tab(f"{hermes.url}/")
    assert tab.evaluate("document.title")
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser as Engine
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Playwright, WebError, sync_playwright

from tests.support.program import require_program
from tests.support.wait import wait_until

PHONE = (390, 844)
DESKTOP = (1440, 900)

# Nothing but the page under test: no look-ups of the vendor's services, no first-run pages.
CHROMIUM_FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]


@dataclass(frozen=True)
class ConsoleLine:
    """One line of a page's console; `kind` is `log`, `warning`, `error` ... or `exception` for an uncaught one."""

    kind: str
    text: str


class Tab(ABC):
    """One page."""

    @abstractmethod
    def go(self, url: str) -> None:
        """Loads that address and waits for its load event."""

    @abstractmethod
    def reload(self) -> None:
        """Loads the page again."""

    @abstractmethod
    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page; `await` may be used in it."""

    @abstractmethod
    def screenshot(self, path: Path, *, whole: bool = False) -> Path:
        """Writes a PNG of what is visible, or of the whole page."""

    @abstractmethod
    def close(self) -> None:
        """Closes the tab as a person would."""

    def wait_for(self, expression: str, timeout: float = 10.0) -> Any:
        """Waits until the expression is true in the page; its value."""
        return wait_until(
            lambda: self.evaluate(expression),
            timeout,
            lambda: f"{expression}\n--- the page says:\n{self.evaluate('document.body.innerText')[:2000]}",
        )


class Browser(ABC):
    """One engine with a profile of its own."""

    console: list[ConsoleLine]

    @abstractmethod
    def tab(self, url: str | None = None) -> Tab:
        """Opens a tab."""

    def errors(self) -> list[ConsoleLine]:
        """What the pages complained about. A stream that was read to its end is `net::ERR_ABORTED` in Chromium."""
        return [
            line for line in self.console if line.kind in ("error", "exception") and "net::ERR_ABORTED" not in line.text
        ]


class PlaywrightTab(Tab):
    """A tab driven by Playwright; `page` is its own object, for what the small face lacks (typing, clicking)."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def go(self, url: str) -> None:
        self.page.goto(url)

    def reload(self) -> None:
        self.page.reload()

    def evaluate(self, expression: str) -> Any:
        return self.page.evaluate(f"async () => ({expression})")

    def screenshot(self, path: Path, *, whole: bool = False) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, full_page=whole)
        return path

    def close(self) -> None:
        self.page.close(run_before_unload=False)


class PlaywrightBrowser(Browser):
    """An engine driven by Playwright."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.console = []
        context.on("console", self._heard)
        context.on("weberror", self._failed)

    def tab(self, url: str | None = None) -> PlaywrightTab:
        tab = PlaywrightTab(self.context.new_page())
        if url is not None:
            tab.go(url)
        return tab

    def _heard(self, message: ConsoleMessage) -> None:
        self.console.append(ConsoleLine(message.type, message.text))

    def _failed(self, error: WebError) -> None:
        self.console.append(ConsoleLine("exception", str(error.error)))


class _Chromium:
    """One Chromium for all tests of this process: each has a profile of its own in it, which costs next to nothing."""

    def __init__(self) -> None:
        self._playwright: Playwright | None = None
        self._engine: Engine | None = None

    def engine(self) -> Engine:
        """The running one; one that has crashed is started anew."""
        if self._playwright is None:
            self._playwright = sync_playwright().start()
        if self._engine is None or not self._engine.is_connected():
            program = require_program("chromium")
            flags = [*CHROMIUM_FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
            self._engine = self._playwright.chromium.launch(executable_path=program, args=flags)
        return self._engine

    def close(self) -> None:
        """Ends it, where it was started."""
        if self._engine is not None:
            self._engine.close()
        if self._playwright is not None:
            self._playwright.stop()
        self._engine = self._playwright = None


_chromium = _Chromium()
end_browsers = _chromium.close


@contextmanager
def open_chromium(
    size: tuple[int, int] = DESKTOP, *, dark: bool = False, reduced_motion: bool = False
) -> Iterator[PlaywrightBrowser]:
    """The system's Chromium, headless, with an empty profile; `size` is the page's in CSS pixels."""
    context = _chromium.engine().new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce" if reduced_motion else "no-preference",
        ignore_https_errors=True,
    )
    try:
        yield PlaywrightBrowser(context)
    finally:
        context.close()
