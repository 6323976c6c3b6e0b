"""Imports run one way: web -> access, core; sources -> core; brokers -> core; core -> nothing but itself.

Late imports within functions count like all others; so do those for type checkers alone, but for what a unit is handed.
"""

import ast
from collections.abc import Iterator

import pytest

from tests.rules.tree import ROOT, modules

# Each unit (a package or module right below hermes/) and the units that it may import; "brokers.base" is that module
# alone. A unit may always import itself. `app` and `runtime` put everything together, so they know everything.
BASE = {"errors", "settings", "loop", "strength"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "loop": set(),
    "settings": {"errors", "strength"},
    "strength": set(),
    "core": {"errors"},
    "brokers": BASE | {"core"},
    "db": BASE,
    "fleet": BASE | {"core", "brokers"},
    "control": BASE | {"core"},
    "stores": BASE | {"brokers", "core", "db", "fleet"},
    "observe": BASE | {"core", "db"},
    "runs": BASE | {"core", "db"},
    "access": BASE | {"control", "core", "db", "fleet.base"},
    "streaming": BASE | {"core", "brokers.base", "fleet.base"},
    "web": BASE | {"access", "control", "core", "db", "fleet.base", "observe", "streaming"},
    "sources": BASE | {"core", "fleet.base"},
    "banner": BASE | {"access", "core"},
    "listening": BASE | {"core"},
    "publishing": BASE | {"access.admin_key", "brokers", "core"},
    "gunicorn_conf": BASE | {"banner", "observe", "streaming.files"},
    "cli": BASE | {"access", "db", "banner", "brokers", "core", "gunicorn_conf", "listening", "publishing"},
    "testing": BASE | {"app", "brokers", "core", "runtime"},
    "__init__": {"app", "errors", "publishing"},
}
EVERYTHING = {"app", "runtime"}

# What a unit is handed, and knows by its type alone: imported only under `if TYPE_CHECKING`.
HANDED: dict[str, set[str]] = {"web": {"runtime"}}

# Libraries that a unit must not know.
STORES = {"redis", "sqlite3", "sqlalchemy", "psycopg"}
WEB = {"flask", "werkzeug", "gunicorn"}
BANNED: dict[str, set[str]] = {
    "core": STORES | WEB | {"flask_cors", "gevent", "requests"},
    "errors": STORES | WEB | {"gevent"},
    "settings": STORES | WEB | {"gevent"},
    "brokers": WEB,
    "access": {"redis", "sqlite3", "psycopg"},
    "web": STORES,
    "sources": STORES,
}


def unit_of(module: str) -> str:
    """`hermes.core.event` -> `core`; `hermes` -> `__init__`."""
    return module.split(".")[1] if "." in module else "__init__"


def imported(module: str, source: str, *, is_package: bool = False) -> Iterator[tuple[str, bool]]:
    """Every module that the source of `module` imports, in full, and whether for type checkers alone.

    Of `from a import b` that is `a.b`, be it a module or not.
    """
    tree = ast.parse(source)
    guarded = {
        node
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and ast.unparse(test.test).endswith("TYPE_CHECKING")
        for statement in test.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node in guarded) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")[: None if is_package and node.level == 1 else -node.level + is_package]
                base = ".".join([*parents, *([base] if base else [])])
            yield from ((f"{base}.{alias.name}", node in guarded) for alias in node.names)


def violations(module: str, source: str, *, is_package: bool = False) -> list[str]:
    """What the source of `module` imports and must not, as sentences."""
    unit = unit_of(module)
    if unit in EVERYTHING:
        return []
    if unit not in ALLOWED:
        return [f"{module}: say in tests/rules/test_imports.py what hermes/{unit} may import"]
    found = []
    for target, is_for_types in imported(module, source, is_package=is_package):
        top, _, rest = target.partition(".")
        allowed = ALLOWED[unit] | (HANDED.get(unit, set()) if is_for_types else set())
        if top in BANNED.get(unit, ()):
            found.append(f"{module} imports {target}: {unit} knows no {top}")
        if top == "hermes" and not _is_allowed(rest, allowed | {unit, "__version__"}):
            found.append(f"{module} imports {target}: {unit} may import {sorted(ALLOWED[unit])}")
    return found


def _is_allowed(rest: str, allowed: set[str]) -> bool:
    return any(rest == one or rest.startswith(f"{one}.") for one in allowed)


def test_imports_run_one_way() -> None:
    found = []
    for path in modules():
        parts = path.relative_to(ROOT).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if is_package else parts)
        found += violations(module, path.read_text(), is_package=is_package)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("hermes.core.event", "import flask"),
        ("hermes.core.event", "def f():\n    from gevent.queue import Queue"),
        ("hermes.core.event", "import sqlite3 as s"),
        ("hermes.core.event", "from hermes.brokers.base import Broker"),
        ("hermes.core.event", "from hermes import settings"),
        ("hermes.core.event", "from ..web import errors"),
        ("hermes.core.event", "import hermes.runtime"),
        ("hermes.brokers.redis", "from hermes.web import api"),
        ("hermes.brokers.redis", "from hermes.streaming.hub import Hub"),
        ("hermes.streaming.store", "from hermes.brokers.redis import RedisBroker"),
        ("hermes.streaming.store", "from hermes.brokers import redis"),
        ("hermes.web.api", "from hermes.brokers.base import Broker"),
        ("hermes.web.api", "from redis import Redis"),
        ("hermes.web.api", "from hermes.runtime import Runtime"),
        ("hermes.web.api", "if TYPE_CHECKING:\n    from hermes.brokers.redis import RedisBroker"),
        ("hermes.sources.system", "from hermes.runtime import Runtime"),
        ("hermes.sources.system", "from hermes.web.api import blueprint"),
        ("hermes.novelty", ""),
    ],
)
def test_the_rule_can_fail(module: str, source: str) -> None:
    assert violations(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("hermes.core.event", "import json, orjson\nfrom hermes.core import sse\nfrom .channel import Channel"),
        ("hermes.brokers.redis", "import redis\nfrom hermes.core.event import Event\nfrom hermes import errors, loop"),
        ("hermes.streaming.store", "from hermes.brokers.base import Broker\nfrom hermes.brokers import base"),
        ("hermes.web.api", "if typing.TYPE_CHECKING:\n    from hermes.runtime import Runtime"),
        ("hermes.banner", "from hermes import __version__"),
        ("hermes.runtime", "from hermes.web import api\nimport redis"),
    ],
)
def test_what_is_allowed_passes(module: str, source: str) -> None:
    assert violations(module, source) == []


def test_relative_imports_are_seen_through() -> None:
    def names(module: str, source: str, is_package: bool = False) -> list[str]:
        return [name for name, _ in imported(module, source, is_package=is_package)]

    assert names("hermes.core.event", "from . import sse\nfrom ..web import x") == ["hermes.core.sse", "hermes.web.x"]
    assert names("hermes.core", "from .event import E", True) == ["hermes.core.event.E"]
    assert names("hermes.core", "from ..web import x", True) == ["hermes.web.x"]
