"""Every error that leaves by HTTP, in one JSON shape; never a stack trace."""

from __future__ import annotations

import math

import structlog
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from hermes.errors import RequestError, Retryable
from hermes.web.json import json_response

log = structlog.get_logger(__name__)


def register(app: Flask) -> None:
    """Let ``app`` answer errors in our shape."""
    for kind in (RequestError, HTTPException, Exception):  # each, so that a team's own for Exception takes only that
        app.register_error_handler(kind, answer_any)


def answer_any(error: Exception) -> Response:
    """The answer to whatever was raised."""
    if isinstance(error, RequestError):
        return answer(error)
    if isinstance(error, HTTPException):
        return _http(error)
    return _unexpected(error)


def answer(error: RequestError) -> Response:
    """The JSON of an error that was raised on purpose."""
    response = json_response(error.as_dict(), error.status)
    if isinstance(error, Retryable):
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    return response


def _http(error: HTTPException) -> Response:
    code = (error.name or "error").upper().replace(" ", "_")
    body = {"error": {"code": code, "message": error.description or code, "details": None}}
    response = json_response(body, error.code or 500)
    for name, value in error.get_headers():
        if name.lower() in ("allow", "location"):
            response.headers[name] = value
    return response


def _unexpected(error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    return json_response(
        {
            "error": {
                "code": "INTERNAL_ERROR",
                "message": "something went wrong on the server; its log has the cause",
                "details": None,
            }
        },
        500,
    )
