"""The page of channels: what is in use, searched, opened, with any name; and the ways from there."""

import json

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard import Dashboard
from tests.browser.pages import ListPage, stream_of
from tests.support.browser import DESKTOP, PHONE
from tests.support.hermes_server import HermesServer

pytestmark = pytest.mark.browser

HOSTILE = [
    "h/a",
    "h//a",
    "/h/",
    "h%2Fa",
    "h/../x",
    "h?b#c&d=e",
    "h+;=@",
    "h/presence",
    "<b>h</b>",
    "hé\U0001f600",
    "h\u202eturned",
]
WAY = "way/%2F&x=1#y"
LONG = "w" * 250


@pytest.fixture(scope="module", autouse=True)
def filled(hermes: HermesServer) -> None:
    """What is published before the page is opened: the server looks at most once a second."""
    for n in range(6):
        hermes.publish("list:a", n)
    for n in range(12):
        hermes.publish("open:a", {"n": n, "deep": [n]}, type="tick", key=f"k{n % 3}")
    for name in [*HOSTILE, "find:one", "find:two", "other:one"]:
        hermes.publish(name, {"in": name})
    hermes.publish("..", {"up": 1})
    hermes.publish(WAY, "here it is")
    hermes.publish(LONG, {"x": "y" * 3000}, type="t" * 200)


@pytest.fixture
def channels(shared: Dashboard) -> ListPage:
    shared.page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    return ListPage(shared, "channels")


def fact(detail, name: str):
    return detail.locator(".facts > div", has=detail.page.get_by_text(name, exact=True)).locator("dd")


def test_a_channel_shows_how_lively_it_is(channels: ListPage, hermes: HermesServer) -> None:
    with stream_of(hermes, "ann", ["list:a", "list:silent"]):
        channels.show(q="list:")
        row = channels.row("list:a")
        expect(row.locator(".cell-subscribers")).to_have_text("1")
        expect(row.locator(".cell-rate")).to_have_text("0.10")
        expect(row.locator(".cell-last")).to_contain_text("s ago")
        assert row.locator("time").get_attribute("title")
        expect(channels.row("list:silent").locator(".cell-last")).to_have_text("none kept")
        hermes.publish("list:new", 1)
        channels.row("list:new")


def test_an_open_row_has_what_is_in_it(channels: ListPage, hermes: HermesServer) -> None:
    with stream_of(hermes, "ann", ["open:a"]), stream_of(hermes, "ben", ["open:*"]):
        channels.show(q="open:a")
        detail = channels.open_row("open:a")
        # The dashboard's own stream has every channel.
        expect(fact(detail, "Subscribers")).to_have_text("3: 1 by its name, 2 by a pattern")
        expect(fact(detail, "Retained")).to_have_text("3 keys with a state")
        summaries = detail.locator("summary")
        expect(summaries).to_have_count(10)
        expect(summaries.first).to_contain_text('tick{"n":11,"deep":[11]}')
        summaries.first.focus()
        channels.page.keyboard.press("Enter")
        assert json.loads(detail.locator("pre.json").inner_text()) == {"n": 11, "deep": [11]}

        hermes.publish("open:a", "news")
        expect(summaries.first).to_contain_text('"news"', timeout=15_000)
        expect(detail.locator("pre.json")).to_have_count(1)  # what was open stays so
        expect(summaries).to_have_count(10)


def test_any_name_opens(channels: ListPage) -> None:
    channels.show(q="h")
    for name in HOSTILE:
        row = channels.rows.filter(has=channels.page.get_by_text(name, exact=True))
        row.locator(".toggle").click()
        detail = channels.section.locator("tr.detail").filter(has=channels.page.get_by_text(name, exact=True))
        expect(detail.locator("summary")).to_contain_text(
            json.dumps({"in": name}, ensure_ascii=False, separators=(",", ":"))
        )
        expect(detail.get_by_role("alert")).to_be_hidden()


def test_a_name_that_no_address_holds_says_so(channels: ListPage) -> None:
    channels.show()
    channels.page.fill("#channels-q", "..")
    row = channels.rows.filter(has=channels.page.get_by_text("..", exact=True))
    row.locator(".toggle").click()
    detail = channels.section.locator("tr.detail", has_text="A browser cannot ask")
    detail.get_by_role("link", name="Show events").click()
    channels.dashboard.wait_row('{"up":1}')


def test_who_is_present(channels: ListPage, hermes: HermesServer) -> None:
    with stream_of(hermes, "<i>ann</i>", ["room:1"]), stream_of(hermes, "ben/é", ["room:1"]):
        channels.show(q="room:1")
        rows = channels.rows.filter(has=channels.page.get_by_text("room:1", exact=True))
        expect(rows.locator(".tag")).to_have_text("presence")
        rows.locator(".toggle").click()
        present = channels.section.locator(".chip")
        expect(present).to_have_count(2, timeout=10_000)
        expect(present.first).to_contain_text("<i>ann</i>")
        expect(present.last).to_contain_text("ben/é")


def test_the_search_is_kept_in_the_address(channels: ListPage) -> None:
    channels.show()
    channels.row("find:one")
    channels.page.keyboard.press("/")
    expect(channels.page.locator("#channels-q")).to_be_focused()
    channels.page.keyboard.type("ONE find")
    channels.wait_count(1)
    expect(channels.section.locator(".count")).to_contain_text("1 of ")
    channels.wait_hash("#/channels?q=ONE+find")
    channels.dashboard.tab.reload()
    channels.wait_count(1)
    channels.page.fill("#channels-q", "find:nothing")
    channels.section.get_by_role("button", name="Clear the search").click()
    channels.row("other:one")


def test_the_ways_from_a_channel(channels: ListPage, hermes: HermesServer) -> None:
    with stream_of(hermes, "ann", [WAY]):
        channels.show(q="way/")
        detail = channels.open_row(WAY)
        detail.get_by_role("link", name="Show connections").click()
        expect(channels.page.locator("#page-connections tr.item", has_text="ann")).to_be_visible()
        assert channels.page.input_value("#connections-channel") == WAY
        channels.page.go_back()
        detail.get_by_role("link", name="Show events").click()
        channels.dashboard.wait_rows(1)
        assert channels.page.input_value("#channels") == WAY
        assert channels.dashboard.evaluate("document.getElementById('main').dataset.view") == "events"
        channels.dashboard.open()


def test_a_phone_has_room(channels: ListPage) -> None:
    channels.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    channels.show(q="www")
    detail = channels.open_row(LONG)
    detail.locator("summary").click()
    expect(detail.locator("pre.json")).to_be_visible()
    assert not channels.overflows()
    assert channels.too_small() == []


def test_the_rest_is_loaded_when_asked_for(channels: ListPage, hermes: HermesServer) -> None:
    batch = [{"channel": f"zz:{n}", "data": n} for n in range(600)]
    assert hermes.post("/api/v1/events", json=batch).status_code == 201
    channels.leave()
    channels.show()
    expect(channels.section.locator(".count")).to_have_text("the first 500 channels")
    channels.section.get_by_role("button", name="Load more").click()
    expect(channels.section.get_by_role("button", name="Load more")).to_be_hidden()
    channels.page.fill("#channels-q", "zz:")
    channels.wait_count(600)
