"""Scenario 26: markup and script in every field that the dashboard shows: it is shown as text, and nothing runs."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from playwright.sync_api import expect

from tests.browser.dashboard import Dashboard, complaints
from tests.security.conftest import server_on
from tests.support.browser import open_chromium
from tests.support.hermes_server import HermesServer
from tests.support.load import stream_url
from tests.support.sse_client import StandardClient

pytestmark = pytest.mark.browser

# What would show that something ran; `window.ran` is set up before any script of the page.
WATCH = """
window.ran = [];
window.broken = [];
addEventListener("securitypolicyviolation", (event) =>
    window.broken.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
for (const name of ["alert", "confirm", "prompt", "open"]) window[name] = (...words) => { window.ran.push(name); };
"""
RUNS = "window.ran.push('HERE')"

# Without white space, commas and stars, which a channel name and a type cannot hold.
MARKUP = [
    f"<img/src='x'/onerror={RUNS}>",
    f"<svg/onload={RUNS}>",
    f"<svg><script>{RUNS}</script></svg>",
    f"<script>{RUNS}</script>",
    f"</script><script>{RUNS}</script>",
    f"</td></tr></table><img/src='x'/onerror={RUNS}>",
    f"\"><img/src='x'/onerror={RUNS}>",
    f"'onmouseover='{RUNS}'autofocus='onfocus={RUNS}",
    f'"onpointerenter="{RUNS}"x="',
    f"<a/href=javascript:{RUNS}>click</a>",
    f"javascript:{RUNS}",
    f'<iframe/srcdoc="<script>parent.{RUNS}</script>"></iframe>',
    "<link/rel='stylesheet'/href='//evil.test/a.css'>",
    "<style>body{background:url(//evil.test/a)}</style>",
    "<base/href=//evil.test/>",
    "<meta/http-equiv='refresh'/content='0;//evil.test'>",
    f'<form/action="javascript:{RUNS}"><button>b</button></form>',
    f"<math><mtext></table><mglyph><style><img/src='x'/onerror={RUNS}></style></mglyph></mtext></math>",
    f"<template><img/src='x'/onerror={RUNS}></template>",
    f"&lt;img/src=x/onerror={RUNS}&gt;",
    f"{{{{constructor.constructor('{RUNS}')()}}}}",
    f"${{{RUNS}}}",
    "<!--",
    "]]>",
    "__proto__",
    "constructor",
    "\u202e<b>turned</b>\u202c",
]
CONTROL = 9  # so many of them would run by themselves, and lead nowhere
MARKUP = [text.replace("HERE", str(number)) for number, text in enumerate(MARKUP)]

FOREIGN_PARTS = """[...document.querySelectorAll(`
    script:not([src^="/static/"]), iframe, object, embed, base, link:not([href^="/static/"]), meta[http-equiv], style,
    img, template, math, form:not([action^="/dashboard/"]):not(#publish):not(:not([action])),
    [onerror], [onload], [onclick], [onfocus], [onmouseover], [onpointerenter], [href^="javascript:"], [srcdoc]
`)].map((one) => one.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module")
def hermes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HermesServer]:
    """A server whose every field holds markup: what was published, who may do what, who is here, what was refused."""
    broker = getattr(request, "param", "embedded")
    with ExitStack() as stack:
        server = stack.enter_context(server_on(broker, tmp_path_factory, HERMES_PRESENCE_CHANNELS="*"))
        for text in MARKUP:
            fill(server, text)
            stack.enter_context(opened_by(server, text))
        yield server


BOTH = pytest.mark.parametrize("hermes", ["embedded", "redis"], indirect=True)  # what comes by way of the broker


def printable(text: str) -> str:
    """What fields take that hold no other characters."""
    return "".join(character for character in text if character.isprintable())


def fill(hermes: HermesServer, text: str) -> None:
    """Puts the markup wherever the server takes it."""
    data: Any = {text: [text, {text: text}], "url": f"javascript:{RUNS}", "__proto__": {"polluted": text}}
    hermes.publish(f"m:{text}", data, type=text)
    hermes.publish(f"m:{text}", text, type=text, key=printable(text))
    made = hermes.post("/api/v1/keys", json={"name": printable(text)[:80], "subscribe": [f"m:{text}*"]})
    assert made.status_code == 201, made.text
    for query in ({"channels": f"secret:{text}"}, {"token": text}):
        refused = requests.get(f"{hermes.url}/api/v1/events/stream", params=query, timeout=10)
        assert refused.status_code in (401, 403), refused.text


def opened_by(hermes: HermesServer, text: str) -> StandardClient:
    """A stream of a user of that name, on a channel of that name."""
    asked = {"user_id": printable(text), "subscribe": [f"m:open:{text}"], "ttl": 600}
    answer = hermes.post("/api/v1/tokens", json=asked)
    assert answer.status_code == 201, answer.text
    headers = {"Authorization": f"Bearer {answer.json()['token']}"}
    return StandardClient(stream_url(hermes, [f"m:open:{text}"]), headers=headers, reconnect=False)


@pytest.fixture
def dashboard(hermes: HermesServer) -> Iterator[Dashboard]:
    """The page, signed in, and watched before it loads; what ran or broke the policy fails the test."""
    with open_chromium() as browser:
        browser.context.add_init_script(WATCH)
        page = Dashboard(browser, hermes)
        page.sign_in()
        yield page
        assert complaints(browser) == []


def assert_nothing_ran(dashboard: Dashboard) -> None:
    for one in dashboard.browser.context.pages:
        assert one.evaluate("window.ran") == []
        assert one.evaluate("window.broken") == []
        assert one.evaluate(FOREIGN_PARTS) == []
        assert one.evaluate("({}).polluted === undefined")
        assert one.url.startswith(dashboard.hermes.url), one.url


def touch(dashboard: Dashboard) -> None:
    """Moves over, focuses and opens whatever the page has now."""
    dashboard.evaluate("""[...document.querySelectorAll("main *")].forEach((one) => {
        for (const kind of ["pointerenter", "mouseover", "mouseenter", "focus", "pointerover"])
            one.dispatchEvent(new Event(kind, { bubbles: true }));
    })""")


@BOTH
def test_26_events_from_before_and_live(dashboard: Dashboard) -> None:
    dashboard.open("?channels=m:*")
    dashboard.wait_rows(2 * len(MARKUP))
    for text in MARKUP:
        dashboard.hermes.publish(f"m:live:{text}", {"text": text}, type=text)
    dashboard.wait_rows(3 * len(MARKUP))
    shown = set(dashboard.texts("channel"))
    assert {f"m:{text}" for text in MARKUP} | {f"m:live:{text}" for text in MARKUP} == shown, "as text, to the letter"
    assert set(dashboard.texts("type")) == set(MARKUP)
    for toggle in dashboard.page.locator(".toggle").all():
        toggle.dispatch_event("click")
    touch(dashboard)
    opened = dashboard.page.locator("pre.json").all_inner_texts()
    assert len(opened) == 3 * len(MARKUP)
    assert any("<script>" in text for text in opened)
    assert_nothing_ran(dashboard)


@BOTH
def test_26_connections(dashboard: Dashboard) -> None:
    dashboard.open("#/connections")
    rows = dashboard.page.locator("#page-connections tr.item")
    expect(rows).to_have_count(len(MARKUP) + 2)  # the page's own
    users = set(dashboard.page.locator(".cell-who .first").all_inner_texts())
    assert {printable(text) for text in MARKUP} <= users, "as text, to the letter"
    for toggle in dashboard.page.locator("#page-connections .toggle").all():
        toggle.dispatch_event("click")
    touch(dashboard)
    assert set(dashboard.page.locator(".chips code").all_inner_texts()) >= {f"m:open:{text}" for text in MARKUP}
    rows.filter(has_text=MARKUP[0]).first.get_by_role("button", name="Disconnect").click()
    expect(dashboard.page.locator("dialog[open]")).to_contain_text(MARKUP[0])
    touch(dashboard)
    dashboard.page.keyboard.press("Escape")
    assert_nothing_ran(dashboard)


@BOTH
def test_26_channels(dashboard: Dashboard) -> None:
    dashboard.open("#/channels?q=m:")
    wanted = {f"m:{text}" for text in MARKUP} | {f"m:open:{text}" for text in MARKUP}
    first = "[...document.querySelectorAll('.cell-channel .first')].map((one) => one.textContent)"
    dashboard.tab.wait_for(f"{first}.length >= {len(wanted)}")
    assert wanted <= set(dashboard.evaluate(first)), "as text, to the letter"
    for text in MARKUP:
        row = dashboard.page.locator("#page-channels tr.item", has=dashboard.page.get_by_text(f"m:{text}", exact=True))
        row.first.locator(".toggle").dispatch_event("click")
    expect(dashboard.page.locator("#page-channels summary")).to_have_count(2 * len(MARKUP))
    for summary in dashboard.page.locator("#page-channels summary").all():
        summary.dispatch_event("click")
    expect(dashboard.page.locator("#page-channels pre.json")).to_have_count(2 * len(MARKUP))
    touch(dashboard)
    assert_nothing_ran(dashboard)


def test_26_what_stands_in_the_address(dashboard: Dashboard) -> None:
    for text in MARKUP:
        query = urlencode({"channels": f"m:{text}", "types": text, "q": text})
        dashboard.open(f"?{query}#/{text}")
        dashboard.tab.reload()
        dashboard.wait_kind("live")
        touch(dashboard)
        assert_nothing_ran(dashboard)


@pytest.mark.parametrize(("page", "field"), [("connections", "user"), ("channels", "q")])
def test_26_what_stands_behind_the_hash(dashboard: Dashboard, page: str, field: str) -> None:
    dashboard.open()
    for text in MARKUP:
        dashboard.page.evaluate("hash => { location.hash = hash; }", f"#/{page}?{urlencode({field: text})}")
        expect(dashboard.page.locator(f"#{page}-{field}")).to_have_value(text)
        dashboard.page.wait_for_selector(f"#page-{page} table[aria-busy=false]", state="attached")
    touch(dashboard)
    assert_nothing_ran(dashboard)


def test_26_what_is_typed_and_what_the_server_says_of_it(dashboard: Dashboard) -> None:
    dashboard.open()
    dashboard.page.locator("#publish-more > summary").click()
    for text in MARKUP:
        dashboard.page.fill("#publish-channel", f"two words {text}")
        dashboard.page.fill("#publish-type", f"two words {text}")
        dashboard.page.fill("#publish-data", text)
        dashboard.page.fill("#publish-key", text)
        dashboard.page.fill("#channels", f"m:{text}")
        dashboard.page.fill("#search", text)
        dashboard.page.click("#publish-button")
        touch(dashboard)
    dashboard.page.fill("#publish-data", "null")
    dashboard.page.click("#publish-button")
    dashboard.tab.wait_for("!document.getElementById('publish-channel-problem').hidden")
    assert_nothing_ran(dashboard)


def test_26_every_section(dashboard: Dashboard) -> None:
    dashboard.open()
    sections = dashboard.evaluate(
        "[...document.querySelectorAll('#navigation a')].map((one) => one.getAttribute('href'))"
    )
    assert sections
    for section in sections:
        dashboard.page.click(f'#navigation a[href="{section}"]')
        dashboard.tab.wait_for(f"location.hash === {section!r}")
        touch(dashboard)
        assert_nothing_ran(dashboard)


def test_26_it_can_fail(hermes: HermesServer) -> None:
    """The same markup where it would be parsed: what watches sees it, and the policy holds it back."""
    with open_chromium() as browser:
        browser.context.add_init_script(WATCH)
        dashboard = Dashboard(browser, hermes)
        dashboard.sign_in()
        dashboard.open()
        for text in MARKUP[:CONTROL]:
            dashboard.page.evaluate(
                "(text) => document.querySelector('main').insertAdjacentHTML('beforeend', text)", text
            )
        touch(dashboard)
        dashboard.tab.wait_for("window.broken.length")
        assert dashboard.evaluate("window.ran") == [], "the policy holds"
        assert dashboard.evaluate(FOREIGN_PARTS) != []
        browser.console.clear()
    with open_chromium() as browser:  # a page without a policy, where it does run
        browser.context.add_init_script(WATCH)
        tab = browser.tab()
        tab.page.set_content("<main></main>")
        for text in MARKUP[:CONTROL]:
            tab.page.evaluate("(text) => document.querySelector('main').insertAdjacentHTML('beforeend', text)", text)
        tab.wait_for("window.ran.length >= 3")
