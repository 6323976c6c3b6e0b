"""Hermes with one more route, which tells what no client can see: greenlets, subscribers, and how late the loop runs.

HermesServer(app="tests.support.inspected_app:app"); GET /inside, with `?reset=1` the lateness starts again from 0.
"""

import gc
import os
import time
from typing import Any

import gevent
import psutil
from flask import Response, request
from greenlet import greenlet

from app import app
from hermes.access.guard import OPEN, guarded
from hermes.web.json import json_response

LOOK = 0.01  # seconds

_late = {"worst": 0.0}


def _watch() -> None:
    """A greenlet that wants to wake every few milliseconds, and notes by how much it was kept waiting."""
    while True:
        wanted = time.monotonic() + LOOK
        gevent.sleep(LOOK)
        _late["worst"] = max(_late["worst"], time.monotonic() - wanted)


def _inside() -> Response:
    runtime = app.extensions["hermes"]
    if "watch" not in _late:
        _late["watch"] = 1.0
        gevent.spawn(_watch)
    gevent.sleep(2 * LOOK)  # the watch shall have noted what came before
    figures: dict[str, Any] = {
        "pid": os.getpid(),
        "descriptors": psutil.Process().num_fds(),
        "greenlets": sum(1 for item in gc.get_objects() if isinstance(item, greenlet) and not item.dead),
        "subscribers": runtime.hub.subscribers,
        "streams": len(runtime.registry),
        "late": round(_late["worst"], 4),
        "rss": psutil.Process().memory_info().rss,
    }
    if request.args.get("reset"):
        _late["worst"] = 0.0
    return json_response(figures)


app.add_url_rule("/inside", view_func=guarded(OPEN)(_inside))
