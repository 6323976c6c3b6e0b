"""Hermes with places that fail, each with the whole request in its error.

HermesServer(app="tests.security.failing_app:app"); GET /fails and GET /fails/outside.
"""

import logging
from collections.abc import Iterable
from typing import Any

import structlog
from flask import Response, request

from app import app
from hermes.access.guard import OPEN, guarded

log = structlog.get_logger(__name__)


def _fails() -> Response:
    """A view that fails, and logs what it should not have."""
    log.debug("asked", url=request.url, headers=dict(request.headers), cookies=dict(request.cookies))
    sentence = f"asked for {request.url} with {list(request.headers.items())}"
    log.warning(sentence)
    logging.getLogger("another.library").error(sentence)
    raise RuntimeError(f"{request.url} failed with {dict(request.headers)}")


app.add_url_rule("/fails", view_func=guarded(OPEN)(_fails))
_inner = app.wsgi_app


def _outside(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """A middleware that fails, which nobody catches but the server."""
    if environ["PATH_INFO"] == "/fails/outside":
        given = {name: value for name, value in environ.items() if name.startswith("HTTP_")}
        raise RuntimeError(f"{environ['RAW_URI']} failed with {given}")
    return _inner(environ, start_response)


app.wsgi_app = _outside  # type: ignore[method-assign]
