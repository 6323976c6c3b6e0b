"""Every route of Hermes, from its URL map, so that no test forgets one that is new."""

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from hermes.app import create_app
from hermes.settings import load_settings
from tests.support.hermes_server import KEY

READING = frozenset({"GET"})
WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Route(NamedTuple):
    """A method and a path in which every part that varies is `x`."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@lru_cache(maxsize=1)
def routes() -> tuple[Route, ...]:
    """All routes, without the HEAD and OPTIONS that come with them."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(load_settings(data_dir=Path(folder), api_keys=(KEY,)))
    found = set()
    for rule in app.url_map.iter_rules():
        built = rule.build(dict.fromkeys(rule.arguments, "x"), append_unknown=False)
        assert built is not None, rule
        found |= {Route(method, built[1]) for method in (rule.methods or ()) if method in READING | WRITING}
    return tuple(sorted(found))


def reading() -> list[Route]:
    """The routes that read."""
    return [route for route in routes() if route.method in READING]


def writing() -> list[Route]:
    """The routes that write."""
    return [route for route in routes() if route.method in WRITING]
