"""The page Audit: who was refused and why, the limits above it, and the warning that addresses cannot be known."""

from collections.abc import Iterator

import pytest
import requests

from tests.browser.dashboard import Dashboard, open_dashboard
from tests.support.browser import PHONE
from tests.support.hermes_server import HermesServer

pytestmark = pytest.mark.browser

PAGE = "#/audit"
ROW = "#page-audit tr.item"
MARKUP = "<img/src=x/onerror=window.hacked=1>"


@pytest.fixture(scope="module")
def hermes() -> Iterator[HermesServer]:
    """A server of its own: what is forwarded here would be told of on every page of others."""
    with HermesServer(env={"HERMES_MAX_CONNECTIONS_PER_CLIENT": "1", "HERMES_CHANNEL_RATE": "0"}) as server:
        yield server


@pytest.fixture(scope="module")
def refused(hermes: HermesServer) -> str:
    """What has happened before anybody looks: 140 channels were published to, and one publish was refused; by whom."""
    id, key = new_key(hermes, publish=["mine"])
    assert publish(hermes, key, "not:mine") == 403
    for part in range(2):
        _, key = new_key(hermes, publish=["more:*"])
        assert publish(hermes, key, *(f"more:{part}:{number}" for number in range(70))) == 201
    return id


@pytest.fixture(scope="module")
def audit(hermes: HermesServer, refused: str) -> Iterator[Dashboard]:
    """The page, for all tests here."""
    with open_dashboard(hermes, PAGE) as dashboard:
        yield dashboard


def publish(hermes: HermesServer, key: str, *channels: str) -> int:
    """The status of a call with that key that publishes to each of the channels."""
    events = [{"channel": channel, "data": 1} for channel in channels]
    url, headers = f"{hermes.url}/api/v1/events", {"X-API-Key": key}
    return requests.post(url, json=events, headers=headers, timeout=30).status_code


def show(audit: Dashboard, query: str = "") -> None:
    """Loads the page anew; what is noted until then is in it."""
    audit.tab.go(f"{audit.hermes.url}/dashboard{PAGE}{query}")
    audit.tab.reload()
    audit.page.wait_for_selector("#page-audit table[aria-busy=false]", state="attached")


def wait_row(audit: Dashboard, *texts: str) -> None:
    """Waits for a row with all of that; the page looks again by itself."""
    rows = f"[...document.querySelectorAll('{ROW}')]"
    audit.tab.wait_for(f"{rows}.some(row => {list(texts)!r}.every(text => row.textContent.includes(text)))", 30)


def new_key(hermes: HermesServer, **fields: object) -> tuple[str, str]:
    """The id of a new key, and the key."""
    made = hermes.post("/api/v1/keys", json={"name": "some", **fields}).json()
    return made["id"], made["key"]


def test_nothing_is_warned_of_at_first(audit: Dashboard) -> None:
    audit.page.wait_for_selector(".limits dd", state="attached")
    assert not audit.page.locator(".warning").is_visible()
    assert not audit.page.locator("#notices").is_visible()
    assert audit.text(".refused") == "Nobody."


def test_a_refused_publish_stands_out(audit: Dashboard, refused: str) -> None:
    show(audit, "?outcome=FORBIDDEN")
    wait_row(audit, f"key:{refused}", "you may not publish to 'not:mine'")
    row = audit.page.locator(ROW, has_text=f"key:{refused}")
    assert row.locator(".tag.bad").inner_text() == "FORBIDDEN"
    assert "inset" in row.evaluate("row => getComputedStyle(row).boxShadow")
    row.locator(".toggle").click()
    assert "127.0.0.1" in audit.text("#page-audit tr.detail")


def test_filters_are_in_the_address(audit: Dashboard) -> None:
    id, _ = new_key(audit.hermes, name="filtered")
    show(audit, "?action=key.create")
    wait_row(audit, id, "filtered")
    assert audit.page.input_value("#audit-action") == "key.create"
    assert set(audit.page.locator(f"{ROW} .cell-action").all_inner_texts()) == {"key.create"}
    audit.page.fill("#audit-principal", "key:nobody")
    audit.page.wait_for_selector("text=No entry matches")
    assert audit.page.url.endswith("#/audit?action=key.create&principal=key%3Anobody")
    audit.page.get_by_role("button", name="Clear the fields").click()
    audit.page.locator(ROW, has_text=id).locator(".toggle").click()
    audit.page.get_by_role("button", name="Only this action").click()
    audit.tab.wait_for("location.hash === '#/audit?action=key.create'")
    show(audit, "?outcome=NOVEL")
    audit.page.wait_for_selector("text=No entry matches")
    assert audit.page.input_value("#audit-outcome") == "NOVEL", "one that the page does not know yet"


def test_more_is_loaded(audit: Dashboard) -> None:
    show(audit, "?action=publish")
    audit.tab.wait_for(f"document.querySelectorAll('{ROW}').length === 100", 30)
    assert audit.text("#page-audit .count") == "the newest 100 entries"
    audit.page.get_by_role("button", name="Load more").click()
    audit.tab.wait_for(f"document.querySelectorAll('{ROW}').length === 140")
    assert not audit.page.get_by_role("button", name="Load more").is_visible()


def test_markup_is_text(audit: Dashboard) -> None:
    id, _ = new_key(audit.hermes, name=MARKUP)
    show(audit, "?action=key.create")
    wait_row(audit, id, MARKUP)
    audit.page.locator(ROW, has_text=id).locator(".toggle").click()
    assert MARKUP in audit.text("#page-audit tr.detail")
    show(audit, f"?principal={MARKUP}")
    audit.page.wait_for_selector("text=No entry matches")
    assert audit.evaluate("document.querySelectorAll('img').length") == 0
    assert audit.evaluate("window.hacked") is None


def test_limits_and_whom_they_refuse(audit: Dashboard) -> None:
    token = audit.hermes.post("/api/v1/tokens", json={"user_id": "ada", "subscribe": ["public:*"]}).json()["token"]
    url, headers = f"{audit.hermes.url}/api/v1/events/stream?channels=public:a", {"Authorization": f"Bearer {token}"}
    with requests.get(url, headers=headers, stream=True, timeout=30) as first:
        assert first.status_code == 200
        assert "MAX_CONNECTIONS" in requests.get(url, headers=headers, timeout=30).text
    show(audit)
    audit.tab.wait_for("document.querySelector('.refused').textContent.includes('user:ada')")
    assert "1 time" in audit.text(".refused")
    assert "Streams of one user or key: 1" in audit.text(".refused")
    limits = audit.page.locator(".limits > div")
    assert limits.filter(has_text="HERMES_CONNECTS_PER_ADDRESS").locator("dd").inner_text() == "50"
    assert limits.filter(has_text="HERMES_CHANNEL_RATE").locator("dd").inner_text() == "no limit"


def test_forwarding_from_an_untrusted_peer_is_told_on_every_page(audit: Dashboard) -> None:
    forged = {"X-Forwarded-For": "203.0.113.9", **audit.hermes.headers}
    assert requests.get(f"{audit.hermes.url}/api/v1/limits", headers=forged, timeout=30).status_code == 200
    show(audit)
    audit.page.wait_for_selector(".warning:not([hidden])")
    assert "127.0.0.1" in audit.text(".warning")
    assert "HERMES_TRUSTED_PROXIES" in audit.text(".warning")
    assert not audit.page.locator("#notices").is_visible(), "not twice"
    for page in ("Overview", "Events", "Connections", "Channels", "Keys"):
        audit.page.locator("#navigation").get_by_role("link", name=page).click()
        audit.page.wait_for_selector("#notices:not([hidden]) >> text=HERMES_TRUSTED_PROXIES")
        assert "127.0.0.1" in audit.text("#notices")
    audit.page.get_by_role("button", name="Dismiss").click()
    assert not audit.page.locator("#notices").is_visible()
    with audit.page.expect_request_finished(lambda request: "/api/v1/connections" in request.url):
        audit.page.goto(f"{audit.hermes.url}/dashboard?again#/connections")
    assert not audit.page.locator("#notices").is_visible(), "for the session"
    show(audit)
    audit.page.wait_for_selector(".warning:not([hidden])")


def test_a_narrow_page_does_not_scroll_sideways(audit: Dashboard) -> None:
    key = {"name": "n" * 100, "publish": ["c" * 250]}
    assert audit.hermes.post("/api/v1/keys", json=key).status_code == 201
    audit.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    show(audit)
    wait_row(audit, "n" * 100)
    audit.page.locator(ROW, has_text="n" * 100).locator(".toggle").click()
    audit.page.get_by_text("Limits in force").click()
    assert audit.evaluate("document.documentElement.scrollWidth") == PHONE[0]
