"""Signing in by key and by link, what is said when that fails, signing out, and the theme."""

import re

import pytest

from tests.browser.dashboard import Dashboard, complaints, open_dashboard
from tests.support.browser import open_chromium
from tests.support.hermes_server import HermesServer

pytestmark = pytest.mark.browser


def test_by_key(hermes: HermesServer) -> None:
    with open_chromium() as browser:
        tab = browser.tab(f"{hermes.url}/dashboard#/channels")
        assert tab.evaluate("document.activeElement.id") == "key"
        tab.page.fill("#key", "wrong")
        tab.page.keyboard.press("Enter")
        tab.page.wait_for_selector("#problem:not([hidden])")
        assert "does not count" in tab.page.locator("#problem").inner_text()
        tab.reload()  # not the same refusal again
        assert not tab.page.locator("#problem").is_visible()
        tab.page.fill("#key", hermes.key)
        tab.page.keyboard.press("Enter")
        tab.page.wait_for_selector("#pill[data-kind=live]")
        tab.page.wait_for_selector("#page-channels")  # where it was to go
        assert complaints(browser) == []


def test_by_link(start_hermes) -> None:
    hermes = start_hermes()
    link = re.search(r"dashboard +http://[^/]+(/dashboard\?code=\S+)", hermes.process.log.read_text())
    assert link is not None
    with open_chromium() as browser:
        tab = browser.tab(hermes.url + link[1])
        tab.wait_for("document.getElementById('pill')?.dataset.kind === 'live'")
        assert "code" not in tab.evaluate("location.href")
    with open_chromium() as browser:
        tab = browser.tab(hermes.url + link[1])
        assert "used already" in tab.page.locator("#problem").inner_text()
        assert "code" not in tab.evaluate("location.href")


def test_out(hermes: HermesServer) -> None:
    with open_dashboard(hermes) as dashboard:
        dashboard.page.get_by_role("button", name="Sign out").click()
        dashboard.page.wait_for_selector("#key")
        assert not [cookie for cookie in dashboard.browser.context.cookies() if cookie["name"] == "hermes_session"]


@pytest.mark.parametrize(("chosen", "dark"), [("light", True), ("dark", False)])
def test_a_chosen_theme_stays(hermes: HermesServer, chosen: str, dark: bool) -> None:
    with open_dashboard(hermes, dark=dark) as dashboard:
        scheme = "getComputedStyle(document.documentElement).colorScheme"
        ground = "getComputedStyle(document.documentElement).backgroundColor"
        before = dashboard.evaluate(ground)
        dashboard.page.locator(f"#themes input[value={chosen}]").check(force=True)
        assert dashboard.evaluate(scheme) == chosen
        after = dashboard.evaluate(ground)
        assert after != before
        dashboard.tab.reload()
        assert dashboard.evaluate(ground) == after
        assert dashboard.page.locator(f"#themes input[value={chosen}]").is_checked()
        dashboard.page.locator("#themes input[value=auto]").check(force=True)
        assert dashboard.evaluate(ground) == before


def test_first_paint_waits_for_no_script(hermes: HermesServer) -> None:
    with open_chromium() as browser:
        page = Dashboard(browser, hermes)
        page.sign_in()
        page.page.route(
            "**/*.js", lambda route: route.abort() if "theme.js" not in route.request.url else route.fallback()
        )
        page.tab.go(f"{hermes.url}/dashboard")
        assert page.text("#pill") == "Connecting"
        assert page.page.locator("h2").first.is_visible()
