"""The dashboard's files: what is needed at once is preloaded; every module is short, and knows no way to make markup of text."""

import re
from pathlib import Path

import pytest

STATIC = Path(__file__).resolve().parents[2] / "static"
FOLDER = STATIC / "dashboard"
MODULES = sorted(FOLDER.rglob("*.js"))
PAGES = sorted(re.findall(r'import\("\./(pages/[\w-]+\.js)"\)', (FOLDER / "views.js").read_text()))


def imported(path: Path, found: dict[Path, None]) -> dict[Path, None]:
    """A module and all that it imports at once."""
    if path not in found:
        found[path] = None
        for target in re.findall(r'^(?:import|export)\b[^;]*?from "([^"]+)"', path.read_text(), re.MULTILINE):
            base = STATIC.parent / target[1:] if target.startswith("/") else path.parent / target
            imported(base.resolve(), found)
    return found


def test_every_module_is_preloaded() -> None:
    needed = sorted(f"/static/{path.relative_to(STATIC)}" for path in imported(FOLDER / "main.js", {}))
    needed.remove("/static/dashboard/main.js")
    page = (FOLDER / "index.html").read_text()
    lines = "\n".join(f'  <link rel="modulepreload" href="{name}">' for name in needed)
    preloaded = re.findall(r'<link rel="modulepreload" href="([^"]+)">', page)
    assert sorted(preloaded) == needed, f"index.html needs\n{lines}"


def test_a_page_is_loaded_when_it_is_shown() -> None:
    at_once = imported(FOLDER / "main.js", {})
    assert PAGES
    for name in PAGES:
        assert "export function page(section, frame)" in (FOLDER / name).read_text()
        assert FOLDER / name not in at_once
        assert all(path.is_file() for path in imported(FOLDER / name, {}))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_a_module(path: Path) -> None:
    text = path.read_text()
    assert re.match(r"// [A-Z]", text), "begins with what lives here"
    assert text.count("\n") < 300
    parsing = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|setHTML|DOMParser|createContextualFragment"
    assert not re.search(rf"{parsing}|\beval\b|new Function", text)


@pytest.mark.parametrize("name", ["index.html", "signin.html"])
def test_a_page_keeps_the_policy(name: str) -> None:
    text = (FOLDER / name).read_text()
    assert not re.search(r'\sstyle="|\son\w+="|<style|javascript:|<script(?![^>]*\ssrc=)', text)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text), "nothing from elsewhere"
