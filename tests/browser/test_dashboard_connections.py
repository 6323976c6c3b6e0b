"""The page of connections: who is there, live; narrowed, opened, disconnected; and quiet when it is not shown."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard import Dashboard
from tests.browser.pages import ListPage, stream_of
from tests.support.browser import DESKTOP, PHONE
from tests.support.hermes_server import HermesServer
from tests.support.wait import wait_until

pytestmark = pytest.mark.browser

PATH = "/api/v1/connections"
HOSTILE = "ä/../%2F?#&<b>" + "w" * 120


@pytest.fixture
def connections(shared: Dashboard) -> Iterator[ListPage]:
    shared.page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    yield ListPage(shared, "connections").show()
    shared.page.unroute_all()
    shared.evaluate("document.querySelector('dialog[open]')?.close()")


def watching(hermes: HermesServer) -> list[str]:
    """The ids of the streams on the channel of joins and leaves."""
    found = hermes.get(PATH, params={"channel": "hermes:connections"}).json()["items"]
    return [one["connection_id"] for one in found]


def answer_to(connections: ListPage, status: int, body: object) -> None:
    connections.page.route(f"**{PATH}?*", lambda route: route.fulfill(status=status, json=body))


def test_a_stream_comes_and_goes(connections: ListPage, hermes: HermesServer) -> None:
    with stream_of(hermes, "ann", ["orders:eu"], types="paid", filters=json.dumps({"n": {"gte": 9}})):
        row = connections.row("ann")
        expect(row.locator(".cell-channels")).to_contain_text("orders:eu")
        expect(row.locator(".cell-channels")).to_contain_text("types paid · n ≥ 9")
        expect(row.locator(".cell-where")).to_contain_text("127.0.0.1")
        expect(row.locator(".cell-lag")).to_have_text("live")
        assert row.locator(".cell-age time").get_attribute("title")
        count = connections.rows.count()
        expect(connections.section.locator(".count")).to_have_text(f"{count} streams")
    connections.wait_gone("ann")


def test_own_streams_are_marked_and_have_no_button(connections: ListPage) -> None:
    own = connections.row("this page")
    expect(own).to_have_count(2)
    expect(own.first.locator(".cell-who")).to_contain_text("Dashboard")
    expect(own.get_by_role("button", name="Disconnect")).to_have_count(0)


def test_disconnecting_asks_and_tells_the_client_to_stay_away(connections: ListPage, hermes: HermesServer) -> None:
    with stream_of(hermes, "ben", ["orders:ben"]) as client:
        button = connections.row("ben").get_by_role("button", name="Disconnect")
        button.focus()
        connections.page.keyboard.press("Enter")
        dialog = connections.page.get_by_role("dialog", name="Disconnect this stream?")
        expect(dialog).to_contain_text("ben from 127.0.0.1")
        expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        connections.page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        expect(button).to_be_focused()
        assert client.state == "open"

        button.click()
        dialog.get_by_role("button", name="Disconnect").click()
        connections.wait_gone("ben")
        expect(connections.page.locator("#status")).to_have_text("Disconnected ben.")
        wait_until(lambda: client.endings)
        close = [frame for frame in client.frames if frame["event"] == "close"]
        assert json.loads(close[0]["data"]) == {"reason": "kicked", "reconnect": False}


def test_disconnecting_all_of_a_user(connections: ListPage, hermes: HermesServer) -> None:
    with stream_of(hermes, "c/é%2F", ["all:1"]) as one, stream_of(hermes, "c/é%2F", ["all:2"]) as other:
        detail = connections.open_row("all:1")
        detail.get_by_role("button", name="Disconnect all of this user").click()
        connections.page.get_by_role("dialog").get_by_role("button", name="Disconnect all").click()
        connections.wait_gone("all:1")
        connections.wait_gone("all:2")
        expect(connections.page.locator("#status")).to_have_text("Disconnected 2 streams of c/é%2F.")
        wait_until(lambda: one.endings and other.endings)


def test_what_cannot_be_done_is_said_in_the_dialog(connections: ListPage, hermes: HermesServer) -> None:
    connections.page.route(f"**{PATH}/*", lambda route: route.abort())
    with stream_of(hermes, "dora", ["dora"]) as client:
        connections.row("dora").get_by_role("button", name="Disconnect").click()
        dialog = connections.page.get_by_role("dialog")
        dialog.get_by_role("button", name="Disconnect").click()
        expect(dialog.get_by_role("alert")).to_contain_text("No answer")
        expect(dialog.get_by_role("button", name="Disconnect")).to_be_enabled()
        assert client.state == "open"


def test_an_open_row_stays_while_others_come_and_go(connections: ListPage, hermes: HermesServer) -> None:
    filters = {"region": "eu"}
    with stream_of(hermes, "emil", ["orders:*", "runs"], filters=json.dumps(filters)):
        detail = connections.open_row("emil")
        assert json.loads(detail.locator("pre.json").inner_text()) == filters
        expect(detail.locator(".chips").first).to_have_text("orders:*runsuser:emil")
        toggle = connections.row("emil").locator(".toggle")
        toggle.focus()
        with stream_of(hermes, "fay", ["fay"]):
            connections.row("fay")
        connections.wait_gone("fay")
        expect(toggle).to_have_attribute("aria-expanded", "true")
        expect(toggle).to_be_focused()
        detail.get_by_role("button", name="Only this user").click()
        connections.wait_count(1)
        assert connections.page.input_value("#connections-user") == "emil"
    expect(connections.section.locator(".empty")).to_contain_text("No stream matches")


def test_fields_narrow_and_are_kept_in_the_address(connections: ListPage, hermes: HermesServer) -> None:
    with (
        stream_of(hermes, "gil", ["orders:eu"]),
        stream_of(hermes, "hal", ["orders:*"]),
        stream_of(hermes, "ian", ["x"]),
    ):
        connections.row("ian")
        connections.page.fill("#connections-channel", "orders:eu")
        connections.wait_gone("ian")
        connections.wait_count(3)  # the dashboard's own stream has every channel
        expect(connections.section.locator(".count")).to_have_text("3 streams match")
        connections.page.fill("#connections-user", "hal")
        connections.wait_count(1)
        connections.wait_hash("#/connections?user=hal&channel=orders%3Aeu")
        connections.dashboard.tab.reload()
        connections.wait_count(1)
        connections.row("hal")
        connections.page.fill("#connections-node", "nowhere")
        connections.section.get_by_role("button", name="Clear the fields").click()
        connections.row("ian")
        connections.wait_hash("#/connections")


def test_it_is_sorted_by_what_is_clicked(connections: ListPage, hermes: HermesServer) -> None:
    with stream_of(hermes, "zz-1", ["sort"]), stream_of(hermes, "zz-2", ["sort"]):
        names = connections.rows.locator(".cell-who .first", has_text="zz-")
        expect(names).to_have_text(["zz-2", "zz-1"])
        who = connections.section.get_by_role("columnheader", name="Who")
        who.get_by_role("button").click()
        expect(names).to_have_text(["zz-1", "zz-2"])
        expect(who).to_have_attribute("aria-sort", "ascending")
        who.get_by_role("button").click()
        expect(names).to_have_text(["zz-2", "zz-1"])
        who.get_by_role("button").click()
        expect(who).not_to_have_attribute("aria-sort", "ascending")


def test_it_listens_only_while_it_is_shown(connections: ListPage, hermes: HermesServer) -> None:
    wait_until(lambda: len(watching(hermes)) == 1)
    connections.leave()
    wait_until(lambda: not watching(hermes))
    connections.show()
    wait_until(lambda: len(watching(hermes)) == 1)


def test_silence_is_told_and_ends(connections: ListPage, hermes: HermesServer) -> None:
    connections.page.route(f"**{PATH}?*", lambda route: route.abort())
    with stream_of(hermes, "jo", ["jo"]):
        notice = connections.section.get_by_role("alert")
        expect(notice).to_contain_text("No answer", timeout=10_000)
        expect(notice).to_contain_text("older")
        expect(connections.rows.first).to_be_visible()
        connections.page.unroute_all()
        notice.get_by_role("button", name="Try again").click()
        connections.row("jo")
        expect(notice).to_be_hidden()


def test_who_is_signed_out_is_led_to_sign_in(connections: ListPage) -> None:
    connections.leave()
    answer_to(connections, 401, {"error": {"code": "UNAUTHORIZED", "message": "who is there?", "details": None}})
    connections.show()
    notice = connections.section.get_by_role("alert")
    expect(notice).to_contain_text("You are signed out.")
    expect(notice.get_by_role("button", name="Sign in")).to_be_visible()


def test_the_rest_is_loaded_when_asked_for(connections: ListPage) -> None:
    item = {
        "user_id": "kim", "principal": "user:kim", "address": "::1", "channels": ["c"], "types": [], "filters": None,
        "connected_at": "2026-11-20T22:18:19.912Z", "node": "n", "last_event_id": None, "lag": None, "queued": None,
    }  # fmt: skip

    def answer(route) -> None:
        second = "after=" in route.request.url
        ids = range(100, 150) if second else range(100)
        items = [{**item, "connection_id": f"c{n:03}"} for n in ids]
        route.fulfill(json={"items": items, "next": None if second else "c099"})

    connections.leave()
    connections.page.route(f"**{PATH}?*", answer)
    connections.show()
    connections.wait_count(100)
    expect(connections.section.locator(".count")).to_contain_text("the first 100 streams")
    connections.section.get_by_role("button", name="Load more").click()
    connections.wait_count(150)
    expect(connections.section.get_by_role("button", name="Load more")).to_be_hidden()
    expect(connections.row("kim").first.locator(".cell-lag")).to_contain_text("unknown")


def test_a_phone_has_room(connections: ListPage, hermes: HermesServer) -> None:
    connections.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    with stream_of(hermes, HOSTILE, ["c" * 250, "d/%2F/.."], types="t" * 200):
        connections.open_row(HOSTILE)
        assert not connections.overflows()
        assert connections.too_small() == []
        for link in connections.page.locator("#navigation a").all():
            link.focus()
            expect(link).to_be_in_viewport(ratio=0.9)
