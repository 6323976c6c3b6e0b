"""Refusals that a retry can cure, in a form that an EventSource survives."""

from __future__ import annotations

from flask import Response
from werkzeug.wrappers import Request

from hermes.core.sse import OPENING_COMMENT, control_frame
from hermes.errors import Retryable
from hermes.streaming.listener import jittered
from hermes.web import errors

HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}
"""Of every answer that is a stream."""


def refusal(error: Retryable, request: Request) -> Response:
    """A refusal as a stream: an EventSource gives up for ever on any status but 200.

    A client that accepts JSON too reads statuses, and gets the plain answer; so does one that polls.
    """
    if "application/json" in request.headers.get("Accept", "") or request.args.get("poll") == "1":
        return errors.answer(error)
    data = {"code": error.code, "message": error.message, "error": error.message}
    frame = control_frame("error", data, retry_ms=round(jittered(error.retry_after) * 1000))
    return Response(OPENING_COMMENT + frame, headers=HEADERS)
