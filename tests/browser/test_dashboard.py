"""The dashboard shows what is published: live, from before, filtered, paused, bounded, as text."""

import json
import subprocess
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser.dashboard import ROWS, Dashboard, open_dashboard
from tests.support.browser import PHONE
from tests.support.hermes_server import HermesServer
from tests.support.wait import wait_until

pytestmark = pytest.mark.browser


def subscription(url: str) -> tuple[set[str], set[str]]:
    """The channels and types that a request for the stream asks for."""
    parts = urlsplit(url)
    query = parse_qs(parts.query) if parts.path.endswith("/stream") else {}
    return set(query.get("channels", [""])[0].split(",")), set(query.get("types", [""])[0].split(","))


# What a finger must be able to hit; and what is only a part of something larger that it hits.
CONTROLS = "button, input, textarea, summary, .segments span, nav a"
PARTS = ".toggle, [type=radio], [type=checkbox]"
MARKUP = "<img/src=x/onerror=window.hacked=1>"


def test_an_event_published_by_curl_appears(dashboard: Dashboard) -> None:
    dashboard.page.evaluate(
        """async () => {
            const { connect } = await import("/static/hermes.js");
            window.own = [];
            const stream = connect("/api/v1/events/stream", { channels: ["curl:*"], persist: false });
            stream.on("hello", ({ data, channel }) => window.own.push([channel, data]));
            await new Promise((resolve) => stream.on("connected", resolve));
        }"""
    )
    body = json.dumps({"channel": "curl:1", "type": "hello", "data": {"n": 1, "text": "Zoë"}})
    url, key = f"{dashboard.hermes.url}/api/v1/events", f"X-API-Key: {dashboard.hermes.key}"
    answer = subprocess.run(["curl", "-sS", "-X", "POST", url, "-H", key, "-d", body], capture_output=True, check=True)
    event_id = json.loads(answer.stdout)["id"]

    dashboard.wait_row(event_id)
    assert dashboard.texts("channel")[0] == "curl:1"
    assert dashboard.texts("type")[0] == "hello"
    assert dashboard.texts("data")[0] == '{"n":1,"text":"Zoë"}'
    # ... and any page of ours that imports the client.
    assert dashboard.tab.wait_for("window.own.length && window.own") == [["curl:1", {"n": 1, "text": "Zoë"}]]


def test_what_was_published_before_is_there_and_stays_over_a_reload(hermes: HermesServer) -> None:
    ids = [hermes.publish("before", {"n": n}) for n in range(5)]
    with open_dashboard(hermes, "?channels=before") as dashboard:
        dashboard.wait_rows(5)
        assert dashboard.texts("id") == ids[::-1]
        dashboard.tab.reload()
        dashboard.wait_rows(5)
        hermes.publish("before", {"n": 5})
        dashboard.wait_rows(6)
        assert [json.loads(text)["n"] for text in dashboard.texts("data")] == [5, 4, 3, 2, 1, 0]


def test_retained_state_is_shown_once_and_marked(hermes: HermesServer) -> None:
    hermes.publish("kept", {"n": 1}, key="a")
    for n in range(600):  # beyond what the page looks back
        hermes.publish("other", n)
    with open_dashboard(hermes, "?channels=kept") as dashboard:
        dashboard.wait_rows(1)
        assert dashboard.texts("data") == ['state {"n":1}']
        hermes.publish("kept", {"n": 2}, key="a")
        dashboard.wait_rows(2)


def test_a_row_opens_by_click_and_by_enter(dashboard: Dashboard) -> None:
    dashboard.hermes.publish("open", {"deep": {"list": [1, None, True]}}, type="nested")
    dashboard.only("open")
    dashboard.wait_rows(1)
    dashboard.page.locator("tr.event").click()
    assert json.loads(dashboard.text("pre.json")) == {"deep": {"list": [1, None, True]}}
    assert '\n  "deep": {' in dashboard.text("pre.json")
    dashboard.page.locator("tr.event").click()
    assert dashboard.page.locator("pre.json").count() == 0
    dashboard.page.locator(".toggle").focus()
    dashboard.page.keyboard.press("Enter")
    assert dashboard.page.locator(".toggle").get_attribute("aria-expanded") == "true"
    dashboard.browser.context.grant_permissions(["clipboard-read", "clipboard-write"])
    dashboard.page.get_by_role("button", name="Copy event").click()
    copied = json.loads(dashboard.tab.wait_for("navigator.clipboard.readText()"))
    assert (copied["channel"], copied["type"], copied["data"]["deep"]["list"]) == ("open", "nested", [1, None, True])


def test_arrow_keys_lead_from_row_to_row(dashboard: Dashboard) -> None:
    for n in range(3):
        dashboard.hermes.publish("arrows", n)
    dashboard.only("arrows")
    dashboard.wait_rows(3)
    assert dashboard.evaluate("document.querySelectorAll('.toggle[tabindex=\"0\"]').length") == 1
    dashboard.page.locator(".toggle").first.focus()
    for key, row in [("ArrowDown", 1), ("End", 2), ("ArrowUp", 1), ("Home", 0)]:
        dashboard.page.keyboard.press(key)
        assert dashboard.evaluate(f"{ROWS}.findIndex(row => row.contains(document.activeElement))") == row


def test_filters_are_kept_in_the_address_and_applied_on_the_server(dashboard: Dashboard) -> None:
    asked: list[tuple[set[str], set[str]]] = []
    dashboard.page.on("request", lambda request: asked.append(subscription(request.url)))
    for channel, kind in [("f:a", "one"), ("f:a", "two"), ("f:b", "one"), ("g:a", "one")]:
        dashboard.hermes.publish(channel, {"at": f"{channel} {kind}"}, type=kind)
    dashboard.only("f:*")
    dashboard.wait_rows(3)
    dashboard.page.fill("#types", "one")
    dashboard.wait_rows(2)
    assert "channels=f:*&types=one" in dashboard.page.url
    dashboard.page.fill("#search", "F:B")
    dashboard.wait_rows(1)
    dashboard.tab.wait_for("location.search.includes('q=F:B')")
    wanted = ({"data:system", "f:*"}, {"data_update", "one"})
    wait_until(lambda: wanted in asked, message=lambda: str(asked))

    dashboard.tab.reload()
    dashboard.wait_rows(1)
    assert dashboard.page.input_value("#channels") == "f:*"
    assert dashboard.page.input_value("#types") == "one"
    assert dashboard.page.input_value("#search") == "F:B"
    dashboard.page.fill("#search", "")
    dashboard.wait_rows(2)
    assert dashboard.texts("channel") == ["f:b", "f:a"]


def test_no_event_is_lost_while_filters_change(hermes: HermesServer) -> None:
    with open_dashboard(hermes, "?channels=lossless") as dashboard:
        for n in range(120):
            hermes.publish("lossless", n)
            if n % 15 == 7:
                dashboard.page.fill("#channels", f"lossless, other:{n}" if n % 2 else "lossless")
        dashboard.wait_rows(120)
        assert dashboard.texts("data") == [str(n) for n in reversed(range(120))]


def test_a_filter_that_cannot_be_is_explained(dashboard: Dashboard) -> None:
    before = dashboard.page.url
    dashboard.page.fill("#channels", "two words")
    dashboard.tab.wait_for("!document.getElementById('filter-problem').hidden")
    assert "white space" in dashboard.text("#filter-problem")
    assert dashboard.page.locator("#channels").get_attribute("aria-invalid") == "true"
    assert dashboard.page.url == before
    dashboard.only("fine")
    dashboard.tab.wait_for("document.getElementById('filter-problem').hidden")


def test_private_channels_come_when_asked_for(dashboard: Dashboard) -> None:
    dashboard.hermes.publish("user:7", "for seven", type="private")
    dashboard.hermes.publish("public", "for all", type="private")
    dashboard.page.fill("#types", "private")
    dashboard.wait_rows(1)
    dashboard.page.click("#quick [value='user:*']")
    dashboard.wait_rows(2)
    assert dashboard.page.input_value("#channels") == "*, user:*"
    dashboard.hermes.publish("user:8", "for eight", type="private")
    dashboard.wait_rows(3)
    dashboard.page.click("#quick [value='user:*']")
    dashboard.wait_rows(1)
    assert "channels" not in dashboard.page.url


def test_metrics_are_charts_that_move_and_no_noise_in_the_table(dashboard: Dashboard) -> None:
    dashboard.tab.wait_for("document.querySelectorAll('.chart.waiting').length === 0")
    path = "document.querySelector('.chart path.line').getAttribute('d')"
    first = dashboard.tab.wait_for(path)
    dashboard.tab.wait_for(f"{path} !== {first!r}")
    assert dashboard.page.locator(".chart").count() == 6
    values = dashboard.page.locator(".chart .value").all_inner_texts()
    assert all(value.replace(".", "").isdigit() for value in values), values
    assert "data:system" not in dashboard.texts("channel")
    plot = dashboard.page.locator(".plot").first
    plot.hover(position={"x": plot.evaluate("plot => plot.clientWidth") - 8, "y": 10})
    dashboard.tab.wait_for("document.querySelector('.chart .at').textContent.length === 8")

    dashboard.page.click("#quick [value='data:system']")
    dashboard.tab.wait_for(f"{ROWS}.filter(row => row.textContent.includes('data:system')).length > 5")
    assert "system=1" in dashboard.page.url
    dashboard.page.click("#quick [value='data:system']")
    dashboard.tab.wait_for(f"!{ROWS}.some(row => row.textContent.includes('data:system'))")


def test_pause_counts_what_is_new_and_shows_it_after(hermes: HermesServer) -> None:
    with open_dashboard(hermes, "?channels=paused") as dashboard:
        hermes.publish("paused", 0)
        dashboard.wait_rows(1)
        dashboard.page.keyboard.press("Space")
        for n in range(1, 4):
            hermes.publish("paused", n)
        dashboard.tab.wait_for("document.getElementById('pause-label').textContent.includes('3 new')")
        assert dashboard.texts("data") == ["0"]
        dashboard.page.keyboard.press("Space")
        dashboard.wait_rows(4)
        assert dashboard.text("#pause-label") == "Pause"


def test_reading_is_not_disturbed(hermes: HermesServer) -> None:
    with open_dashboard(hermes, "?channels=reading", size=PHONE) as dashboard:
        for n in range(40):
            hermes.publish("reading", n)
        dashboard.wait_rows(40)
        dashboard.page.locator("tr.event").nth(1).click()
        hermes.publish("reading", 40)
        dashboard.tab.wait_for("document.getElementById('pause-label').textContent.includes('1 new')")
        dashboard.page.locator("tr.event").nth(1).click()
        dashboard.wait_rows(41)

        dashboard.page.locator("tr.event").nth(30).scroll_into_view_if_needed()
        dashboard.tab.wait_for("!document.getElementById('held').hidden")
        hermes.publish("reading", 41)
        dashboard.tab.wait_for("document.getElementById('held-label').textContent.includes('1 new')")
        dashboard.page.locator("#held").click()
        dashboard.wait_rows(42)
        dashboard.tab.wait_for(f"{ROWS}[0].getBoundingClientRect().top < innerHeight")


def test_two_thousand_events_leave_bounded_rows(hermes: HermesServer) -> None:
    with open_dashboard(hermes, "?channels=flood") as dashboard:
        for first in range(0, 2000, 500):
            batch = [{"channel": "flood", "type": "drop", "data": n} for n in range(first, first + 500)]
            assert hermes.post("/api/v1/events", json=batch).status_code == 201
        dashboard.tab.wait_for(f"{ROWS}[0]?.querySelector('td.data').textContent === '1999'", timeout=20)
        assert dashboard.texts("data") == [str(n) for n in range(1999, 1499, -1)]
        skipped = "".join(filter(str.isdigit, dashboard.text("#older").split("Skipped")[1]))
        assert skipped == "1500"


def test_markup_is_text_everywhere(dashboard: Dashboard) -> None:
    hermes = dashboard.hermes
    hermes.publish(MARKUP, {MARKUP: MARKUP}, type=MARKUP, key="<b>k</b>")
    hermes.publish("markup", f"</script><script>window.hacked=1</script>{MARKUP}", type="text")
    dashboard.page.fill("#search", "onerror")
    dashboard.wait_rows(2)
    for row in dashboard.page.locator("tr.event").all():
        row.click()
    assert MARKUP in dashboard.page.locator("tr.event td.channel").all_inner_texts()
    assert dashboard.page.locator("pre.json").count() == 2
    dashboard.page.get_by_role("button", name="Only this type").last.click()
    dashboard.tab.wait_for("document.getElementById('types').value.includes('<img')")
    dashboard.page.fill("#publish-channel", f"{MARKUP} {MARKUP}")
    dashboard.page.click("#publish-button")
    dashboard.tab.wait_for("!document.getElementById('publish-channel-problem').hidden")
    dashboard.tab.reload()  # the filters come from the address now
    dashboard.wait_rows(1)
    assert dashboard.evaluate("document.querySelectorAll('img, script:not([src]), td b, dd b').length") == 0
    assert dashboard.evaluate("window.hacked") is None


def test_a_new_page_says_how_to_publish(hermes: HermesServer) -> None:
    with open_dashboard(hermes, "?q=nothing-has-this") as dashboard:
        dashboard.tab.wait_for("!document.getElementById('empty-filtered').hidden")
        dashboard.page.click("#clear-filters")
        dashboard.tab.wait_for("!location.search")
        for place in ("#snippets-publish", "#snippets-empty"):
            commands = dashboard.evaluate(f"[...document.querySelectorAll('{place} pre')].map(pre => pre.textContent)")
            assert len(commands) == 3
            assert all(hermes.url in command and hermes.key not in command for command in commands)
        curl = dashboard.evaluate("document.querySelector('#snippets-empty pre').textContent")
        environment = {"PATH": "/usr/bin:/bin", "HERMES_API_KEY": hermes.key}
        answer = subprocess.run(["sh", "-c", curl], env=environment, capture_output=True, check=True)
        dashboard.wait_row(json.loads(answer.stdout)["id"])


def test_keys(dashboard: Dashboard) -> None:
    dashboard.page.keyboard.press("/")
    assert dashboard.evaluate("document.activeElement.id") == "search"
    dashboard.page.keyboard.type("? /")
    assert dashboard.page.input_value("#search") == "? /"
    dashboard.page.keyboard.press("Escape")
    dashboard.page.keyboard.press("?")
    assert dashboard.evaluate("document.getElementById('help').open")
    dashboard.page.locator("#keys-on").uncheck()
    dashboard.page.keyboard.press("Escape")
    assert not dashboard.evaluate("document.getElementById('help').open")
    dashboard.page.keyboard.press("?")
    assert not dashboard.evaluate("document.getElementById('help').open")
    dashboard.page.locator("#help-button").click()
    dashboard.page.locator("#keys-on").check()
    dashboard.page.get_by_role("button", name="Close").click()
    dashboard.evaluate("document.activeElement.blur()")  # back on the help button, whose own key Space is
    dashboard.page.keyboard.press("Space")
    wait_until(lambda: dashboard.text("#pause-label").startswith("Resume"))


@pytest.mark.parametrize("size", [PHONE, (1024, 768), (1920, 1080)], ids=lambda size: str(size[0]))
def test_every_width_has_room(hermes: HermesServer, size: tuple[int, int]) -> None:
    hermes.publish("w" * 200, {"text": "x" * 3000}, type="t" * 200)
    with open_dashboard(hermes, size=size) as dashboard:
        dashboard.wait_row("w" * 200)
        dashboard.page.locator("tr.event").first.click()
        assert dashboard.evaluate("document.documentElement.scrollWidth <= innerWidth")
        if size == PHONE:
            small = f"""[...document.querySelectorAll("{CONTROLS}")]
                .filter(one => one.checkVisibility() && !one.closest(".offscreen") && !one.matches("{PARTS}"))
                .filter(one => one.getBoundingClientRect().height < 43.9).map(one => one.outerHTML)"""
            assert dashboard.evaluate(small) == []
            assert dashboard.evaluate("document.querySelector('tr.event').getBoundingClientRect().height") >= 44
