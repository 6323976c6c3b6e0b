"""The API reference as people read it: every call, on a desk and on a phone, light and dark, and nothing but our own files."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from tests.browser.dashboard import complaints
from tests.support.browser import DESKTOP, PHONE, PlaywrightTab, open_chromium
from tests.support.hermes_server import HermesServer

pytestmark = pytest.mark.browser


@contextmanager
def open_docs(hermes: HermesServer, size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> Iterator[PlaywrightTab]:
    """The page, signed in; what it complains about, and what it loads from elsewhere, fails the test."""
    with open_chromium(size, dark=dark) as browser:
        answer = browser.context.request.post(f"{hermes.url}/dashboard/signin", form={"key": hermes.key})
        assert answer.ok, answer.text()
        tab, asked = browser.tab(), []
        tab.page.on("request", lambda request: asked.append(urlsplit(request.url).netloc))
        tab.go(f"{hermes.url}/docs")
        tab.wait_for("document.querySelectorAll('article.call').length > 0")
        yield tab
        assert complaints(browser) == []
        assert set(asked) == {urlsplit(hermes.url).netloc}


def calls(hermes: HermesServer) -> list[tuple[str, str]]:
    document = hermes.get("/api/v1/openapi.json").json()
    return [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]


def test_every_call_is_shown_and_listed(hermes: HermesServer) -> None:
    with open_docs(hermes) as tab:
        for where in ("article.call h3 a", "#list a"):
            shown = tab.evaluate(
                f"[...document.querySelectorAll('{where}')].map(link => [link.parentElement.querySelector('.method')"
                ".textContent, link.querySelector('code').textContent, link.getAttribute('href')])"
            )
            assert sorted((method, path) for method, path, _ in shown) == sorted(calls(hermes))
            for *_, href in shown:
                assert tab.evaluate(f"document.getElementById('{href[1:]}') !== null"), href
        links = tab.evaluate("[...document.querySelectorAll('main a[href^=\"#\"]')].map(link => link.hash.slice(1))")
        assert tab.evaluate(f"{sorted(set(links))!r}.filter(id => !document.getElementById(id))") == []


def test_a_call_is_found(hermes: HermesServer) -> None:
    with open_docs(hermes) as tab:
        tab.page.fill("#find", "get READYZ")
        shown = (
            "[...document.querySelectorAll('#list a')].filter(link => link.offsetParent).map(link => link.textContent)"
        )
        assert tab.wait_for(f"{shown}.length === 1 && {shown}") == ["GET/readyz"]
        tab.page.fill("#find", "nothing like it")
        tab.wait_for(f"{shown}.length === 0")
        assert "No call fits." in tab.page.locator("#list").inner_text()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE, (320, 700)], ids=["desk", "phone", "small phone"])
def test_it_is_readable(hermes: HermesServer, size: tuple[int, int], dark: bool) -> None:
    with open_docs(hermes, size, dark=dark) as tab:
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        sizes = tab.evaluate(
            "[...document.querySelectorAll('main *')].map(one => parseFloat(getComputedStyle(one).fontSize))"
        )
        assert min(sizes) >= 12
        ground, ink = tab.evaluate(
            "['backgroundColor', 'color'].map(name => getComputedStyle(document.documentElement)[name])"
        )
        assert (brightness(ground) < brightness(ink)) is dark
        assert tab.evaluate("document.getElementById('contents').open") is (size == DESKTOP)


def brightness(colour: str) -> int:
    return sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))


def test_who_is_not_signed_in_is_told(hermes: HermesServer) -> None:
    with open_chromium() as browser:
        tab = browser.tab(f"{hermes.url}/docs")
        assert "this needs credentials" in tab.page.locator("body").inner_text()
