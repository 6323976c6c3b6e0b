"""Health: alive, ready, and how many streams."""

from __future__ import annotations

from flask import Blueprint, Response

from hermes.access.guard import OPEN, guarded
from hermes.web.json import json_response
from hermes.web.requests import current_runtime

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@blueprint.get("/health")
@guarded(OPEN)
def alive() -> Response:
    """This process answers."""
    return json_response({"status": "ok"})


@blueprint.get("/readyz")
@guarded(OPEN)
def ready() -> Response:
    """The store answers, the feed keeps up, and this process is not about to stop."""
    runtime = current_runtime()
    parts = {
        "started": runtime.started,
        "store": runtime.started and runtime.follower.answering,
        "draining": runtime.registry.draining,
    }
    return json_response({"ready": runtime.ready, "parts": parts}, 200 if runtime.ready else 503)


@blueprint.get("/api/v1/events/health")
@guarded(OPEN)
def streams() -> Response:
    """Streams of the fleet, and of this process."""
    runtime = current_runtime()
    here = len(runtime.registry)
    return json_response(
        {
            "enabled": runtime.settings.enable_sse,
            "active_connections": max(here, runtime.follower.fleet_streams) if runtime.started else here,
            "max_connections": runtime.registry.max_connections,
            "heartbeat_interval": runtime.settings.heartbeat_interval,
            "process": {"node": runtime.node, "active_connections": here},
        }
    )
