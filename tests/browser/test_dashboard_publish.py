"""The publish box: what is wrong is said at its field, what is right is published once."""

import pytest

from tests.browser.dashboard import Dashboard

pytestmark = pytest.mark.browser


def result(dashboard: Dashboard, kind: str) -> str:
    dashboard.tab.wait_for(f"document.getElementById('publish-result').classList.contains('{kind}')")
    return dashboard.text("#publish-result")


def problem(dashboard: Dashboard, field: str) -> str:
    dashboard.tab.wait_for(f"!document.getElementById('publish-{field}-problem').hidden")
    assert dashboard.page.locator(f"#publish-{field}").get_attribute("aria-invalid") == "true"
    return dashboard.text(f"#publish-{field}-problem")


def test_publishes_and_shows_the_id(dashboard: Dashboard) -> None:
    dashboard.page.fill("#publish-channel", "box")
    dashboard.page.fill("#publish-type", "typed")
    dashboard.page.fill("#publish-data", '{"a": [1, 2]}')
    dashboard.page.click("#publish-button")
    event_id = result(dashboard, "done").removeprefix("Published as ").split(".")[0]
    dashboard.wait_row(event_id)
    assert dashboard.texts("channel")[0] == "box"
    assert dashboard.texts("data")[0] == '{"a":[1,2]}'


def test_says_when_the_filters_hide_it(dashboard: Dashboard) -> None:
    dashboard.only("elsewhere")
    dashboard.tab.wait_for("location.search.includes('elsewhere')")
    dashboard.page.fill("#publish-channel", "box")
    dashboard.page.click("#publish-button")
    assert "hide it" in result(dashboard, "done")


def test_data_is_checked_while_typing(dashboard: Dashboard) -> None:
    dashboard.page.fill("#publish-data", '{"n": }')
    assert "column 7" in problem(dashboard, "data")
    dashboard.page.fill("#publish-data", '{"n": 2}')
    dashboard.tab.wait_for("document.getElementById('publish-data-problem').hidden")


def test_the_servers_words_are_at_their_fields(dashboard: Dashboard) -> None:
    dashboard.page.fill("#publish-channel", "two words")
    dashboard.page.fill("#publish-type", "heartbeat")
    dashboard.page.keyboard.press("Control+Enter")
    assert "white space" in problem(dashboard, "channel")
    assert "reserved" in problem(dashboard, "type")
    assert dashboard.evaluate("document.activeElement.id") == "publish-channel"
    dashboard.page.fill("#publish-channel", "box")
    assert not dashboard.page.locator("#publish-channel-problem").is_visible()


def test_more_opens_where_its_fields_are_wrong(dashboard: Dashboard) -> None:
    dashboard.page.locator("#publish-more > summary").click()
    dashboard.page.fill("#publish-ttl", "soon")
    dashboard.page.locator("#publish-more > summary").click()
    dashboard.page.click("#publish-button")
    assert "seconds" in problem(dashboard, "ttl")
    dashboard.page.fill("#publish-ttl", "")
    dashboard.page.fill("#publish-key", "k")
    dashboard.page.click("#publish-button")
    result(dashboard, "done")


def test_an_answer_that_was_lost_does_not_publish_twice(dashboard: Dashboard) -> None:
    lost = []

    def lose(route) -> None:
        if route.request.method != "POST" or lost:
            return route.fallback()
        lost.append(route.fetch().status)  # the server has it, the page never hears
        return route.abort()

    dashboard.page.route("**/api/v1/events", lose)
    dashboard.page.fill("#publish-channel", "once")
    dashboard.page.fill("#publish-data", '"only once"')
    dashboard.page.click("#publish-button")
    assert "not known" in result(dashboard, "failed")
    assert lost == [201]
    dashboard.page.click("#publish-button")
    event_id = result(dashboard, "done").removeprefix("Published as ").split(".")[0]
    dashboard.wait_row(event_id)
    assert dashboard.texts("channel").count("once") == 1
