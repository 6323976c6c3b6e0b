"""The page Keys: a key is made, shown once, used and revoked; what is wrong with one is said at its field."""

from collections.abc import Iterator

import pytest
import requests

from tests.browser.dashboard import Dashboard, open_dashboard
from tests.support.browser import PHONE
from tests.support.hermes_server import HermesServer

pytestmark = pytest.mark.browser

PAGE = "#/keys"
ROW = "#page-keys tr.item"
MARKUP = "<img/src=x/onerror=window.hacked=1>"


@pytest.fixture(scope="module")
def keys(hermes: HermesServer) -> Iterator[Dashboard]:
    """The page, for all tests here."""
    with open_dashboard(hermes, PAGE) as dashboard:
        yield dashboard


@pytest.fixture(autouse=True)
def anew(keys: Dashboard) -> None:
    """Each test begins with the page as it is first shown."""
    keys.tab.go(f"{keys.hermes.url}/dashboard{PAGE}")
    keys.tab.reload()
    keys.page.wait_for_selector(ROW)


def fill(keys: Dashboard, **fields: str) -> None:
    """Opens the form and types that."""
    keys.page.get_by_role("button", name="New key").click()
    for name, text in fields.items():
        keys.page.fill(f"#key-{name}", text)


def made(keys: Dashboard, **fields: str) -> str:
    """A key that was made in the form: its text, as the page shows it."""
    fill(keys, **fields)
    keys.page.get_by_role("button", name="Create key").click()
    keys.page.wait_for_selector(".reveal:not([hidden])")
    return keys.text(".secret code")


def problem(keys: Dashboard, field: str) -> str:
    """What is said at a field."""
    keys.page.wait_for_selector(f"#key-{field}[aria-invalid=true]")
    return keys.text(f"#key-{field}-problem")


def publish(hermes: HermesServer, key: str, channel: str) -> int:
    """The status of a publish with that key."""
    event = {"channel": channel, "data": 1}
    return requests.post(f"{hermes.url}/api/v1/events", json=event, headers={"X-API-Key": key}, timeout=30).status_code


def cell(keys: Dashboard, name: str, column: str) -> str:
    """What stands in that column of the key of that name."""
    found: str = keys.page.locator(ROW, has_text=name).locator(f".cell-{column}").inner_text()
    return found


def test_a_key_is_made_used_and_revoked(keys: Dashboard) -> None:
    key = made(keys, name="shop of the test", publish="shop:*, stock", subscribe="shop:*")
    assert key.startswith("hk_")
    assert publish(keys.hermes, key, "shop:1") == 201
    assert publish(keys.hermes, key, "elsewhere") == 403
    keys.page.wait_for_selector(f"{ROW}:has-text('shop of the test')")
    assert cell(keys, "shop of the test", "name").split("\n")[1] == f"{key[:12]}…"
    assert cell(keys, "shop of the test", "grants") == "subscribe shop:*\npublish shop:*, stock"
    assert cell(keys, "shop of the test", "state") == "active"

    keys.page.get_by_role("button", name="Revoke shop of the test").click()
    assert keys.evaluate("document.activeElement.textContent") == "Cancel"
    keys.page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    keys.page.wait_for_selector(f"{ROW}:has-text('shop of the test') >> text=revoked")
    assert publish(keys.hermes, key, "shop:1") == 401
    assert keys.page.get_by_role("button", name="Revoke shop of the test").count() == 0


def test_a_key_is_shown_once(keys: Dashboard) -> None:
    keys.browser.context.grant_permissions(["clipboard-read", "clipboard-write"])
    key = made(keys, name="seen once")
    assert "shown once" in keys.text(".reveal")
    keys.page.locator(".reveal").get_by_role("button", name="Copy").click()
    assert keys.tab.wait_for("navigator.clipboard.readText()") == key
    keys.page.get_by_role("button", name="I have it").click()
    assert key not in keys.page.content()
    assert keys.evaluate("document.activeElement.textContent") == "New key"

    second = made(keys, name="seen once, too")
    keys.tab.reload()
    keys.page.wait_for_selector(f"{ROW}:has-text('seen once, too')")
    keys.page.locator(ROW, has_text="seen once, too").locator(".toggle").click()
    assert second not in keys.page.content()
    stored = "JSON.stringify([{...localStorage}, {...sessionStorage}, history.state, location.href])"
    assert second not in keys.evaluate(stored)
    assert second not in keys.hermes.get("/api/v1/keys").text


def test_what_is_wrong_is_said_at_its_field(keys: Dashboard) -> None:
    fill(keys, subscribe="two words, orders:*", publish="hermes:status")
    create = keys.page.get_by_role("button", name="Create key")
    create.click()
    assert "whose key" in problem(keys, "name")
    assert keys.evaluate("document.activeElement.id") == "key-name"
    keys.page.fill("#key-name", "wrong")
    assert not keys.page.locator("#key-name-problem").is_visible()
    create.click()
    assert "'two words'" in problem(keys, "subscribe")
    assert "need admin" in problem(keys, "publish")
    assert keys.evaluate("document.activeElement.id") == "key-subscribe"
    assert keys.page.input_value("#key-subscribe") == "two words, orders:*"
    keys.page.fill("#key-subscribe", "orders:*")
    keys.page.fill("#key-publish", "")
    keys.page.select_option("#key-expires", "date")
    create.click()
    assert "Say when" in problem(keys, "until")
    keys.page.fill("#key-until", "2020-01-01T00:00")
    create.click()
    keys.tab.wait_for("document.getElementById('key-until-problem').textContent.includes('from now on')")


def test_an_administrators_key_that_expires(keys: Dashboard) -> None:
    fill(keys, name="ops")
    keys.page.get_by_label("Administrator").check()
    assert not keys.page.locator("#key-subscribe").is_visible()
    keys.page.select_option("#key-expires", label="In 7 days")
    keys.page.get_by_role("button", name="Create key").click()
    keys.page.wait_for_selector(f"{ROW}:has-text('ops')")
    assert cell(keys, "ops", "expires") == "in 7 d"
    assert cell(keys, "ops", "grants") == "everything\nadministrator"
    key = keys.text(".secret code")
    answer = requests.get(f"{keys.hermes.url}/api/v1/keys", headers={"X-API-Key": key}, timeout=30)
    assert answer.status_code == 200


def test_a_key_of_the_settings_cannot_be_revoked(keys: Dashboard) -> None:
    row = keys.page.locator(ROW, has_text="HERMES_API_KEYS")
    assert row.locator(".cell-actions").inner_text() == "In the settings"
    assert row.get_by_role("button", name="Revoke").count() == 0
    row.locator(".toggle").click()
    assert "Take it out there and restart Hermes" in keys.text("#page-keys tr.detail")


def test_markup_in_a_name_is_text(keys: Dashboard) -> None:
    key = made(keys, name=MARKUP)
    assert keys.text(".reveal h3") == f"The new key of “{MARKUP}”"
    keys.page.wait_for_selector(f"{ROW}:has-text('{MARKUP}')")
    keys.page.locator(ROW, has_text=MARKUP).locator(".toggle").click()
    keys.page.get_by_role("button", name=f"Revoke {MARKUP}").click()
    assert MARKUP in keys.text("dialog[open]")
    keys.page.keyboard.press("Escape")
    assert keys.evaluate("document.querySelectorAll('img').length") == 0
    assert keys.evaluate("window.hacked") is None
    assert publish(keys.hermes, key, "any") == 403, "it was not revoked"


def test_the_fields_narrow_the_list_and_stay_in_the_address(keys: Dashboard) -> None:
    made(keys, name="needle")
    keys.page.get_by_role("button", name="I have it").click()
    keys.page.fill("#keys-q", "NEEDLE")
    keys.tab.wait_for(f"document.querySelectorAll('{ROW}').length === 1")
    assert "q=NEEDLE" in keys.page.url
    keys.page.select_option("#keys-state", "revoked")
    keys.page.wait_for_selector("text=No key matches")
    keys.tab.reload()
    keys.page.wait_for_selector("text=No key matches")
    keys.page.get_by_role("button", name="Clear the fields").click()
    keys.page.wait_for_selector(ROW)


def test_by_keyboard(keys: Dashboard) -> None:
    opener = keys.page.get_by_role("button", name="New key")
    opener.press("Enter")
    assert opener.get_attribute("aria-expanded") == "true"
    keys.page.keyboard.type("typed")
    keys.page.keyboard.press("Escape")
    assert opener.get_attribute("aria-expanded") == "false"
    assert keys.evaluate("document.activeElement.textContent") == "New key"
    keys.page.keyboard.press("Enter")
    assert keys.page.input_value("#key-name") == "", "what was typed is forgotten"
    keys.page.keyboard.type("typed again")
    keys.page.keyboard.press("Enter")
    keys.page.wait_for_selector(".reveal:not([hidden])")
    assert keys.evaluate("document.activeElement.classList.contains('reveal')")


def test_a_narrow_page_does_not_scroll_sideways(hermes: HermesServer, keys: Dashboard) -> None:
    with_patterns = {"name": "n" * 100, "subscribe": [f"{'c' * 200}:{number}" for number in range(20)]}
    assert hermes.post("/api/v1/keys", json=with_patterns).status_code == 201
    keys.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    try:
        made(keys, name="small")
        keys.page.locator(ROW, has_text="n" * 100).locator(".toggle").click()
        keys.page.get_by_role("button", name="New key").click()
        keys.page.select_option("#key-expires", "date")
        assert keys.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    finally:
        keys.page.set_viewport_size({"width": 1440, "height": 900})
