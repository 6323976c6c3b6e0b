"""Names in addresses: what divides a path, and what is part of a name."""

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from hermes.web.names import ends_with_part


def request(path: str, **more: str) -> Request:
    """A request as our own worker gives it; with `RAW_URI=""` as a server that keeps only the decoded path."""
    environ = EnvironBuilder(path=path).get_environ() | {"RAW_URI": path, "REQUEST_URI": path} | more
    return Request(environ)


@pytest.mark.parametrize(
    ("path", "ends"),
    [
        ("/c/a/presence", True),
        ("/c/a/presence?limit=1", True),
        ("/c/a/%70resence", True),
        ("/c/a%2Fpresence", False),
        ("/c/a%2fpresence?x=/presence", False),
        ("/c/a/presence/", False),
        ("/c/presence", True),
        ("http://hermes.example/c/a/presence", True),
    ],
)
def test_what_divides(path: str, ends: bool) -> None:
    assert ends_with_part(request(path), "presence") is ends


def test_a_server_that_keeps_the_decoded_path_alone() -> None:
    assert ends_with_part(request("/c/a%2Fpresence", RAW_URI="", REQUEST_URI=""), "presence")
