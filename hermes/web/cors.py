"""Which pages of other origins may read answers: those of ``HERMES_ALLOWED_ORIGINS``, by flask-cors."""

from __future__ import annotations

import re

from flask import Flask
from flask_cors import CORS

from hermes.settings import Settings

ALLOWED_HEADERS = ["Authorization", "Content-Type", "X-API-Key", "Last-Event-ID", "Cache-Control", "Idempotency-Key"]
EXPOSED_HEADERS = ["Retry-After"]

PREFLIGHT_AGE = 600
"""Seconds for which a browser remembers that it may: the most that Chromium before 76 and WebKit take."""

SHARED = re.compile(r"/api/|/events(?:/authenticated)?\Z")
"""Paths whose answers other origins may read."""


def is_shared(path: str) -> bool:
    """Whether an answer of ``path`` may differ by the origin that asks."""
    return SHARED.match(path) is not None


def may_vary(settings: Settings) -> bool:
    """Whether answers differ by the origin that asks: not where all or none may read."""
    return bool(settings.allowed_origins) and "*" not in settings.allowed_origins


def allow_origins(app: Flask, settings: Settings) -> None:
    """Let the pages of the allowed origins read what ``app`` answers. Only whole origins count.

    A text with a ``[`` or a ``*`` would be a regular expression to flask-cors, and one that ends early: so each is given
    as an expression that ends where the origin does.
    """
    if not settings.allowed_origins:
        return
    everybody = "*" in settings.allowed_origins
    CORS(
        app,
        resources={SHARED.pattern: {}},
        origins="*" if everybody else [_whole(origin) for origin in settings.allowed_origins],
        supports_credentials=settings.allow_credentials and not everybody,
        allow_headers=ALLOWED_HEADERS,
        expose_headers=EXPOSED_HEADERS,
        max_age=PREFLIGHT_AGE,
        send_wildcard=everybody,
        always_send=everybody,
        vary_header=False,  # flask-cors leaves it out where an origin is refused; see hermes.web.headers
    )


def _whole(origin: str) -> re.Pattern[str]:
    return re.compile(re.escape(origin.rstrip("/")) + r"\Z", re.IGNORECASE)
