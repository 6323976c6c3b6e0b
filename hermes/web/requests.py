"""What every request passes first: the runtime is up, the caller is known, the route's guard holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flask import current_app, g, request
from werkzeug.wrappers import Request

from hermes.access.guard import ADMIN, OPEN
from hermes.access.principal import Principal

if TYPE_CHECKING:
    from hermes.runtime import Runtime


class Call(NamedTuple):
    """A request that has passed its guard, and who it comes from."""

    runtime: Runtime
    principal: Principal
    request: Request


def current_runtime() -> Runtime:
    """The runtime of the application that serves this request."""
    runtime: Runtime = current_app.extensions["hermes"]
    return runtime


def current_call() -> Call:
    """The request that Flask serves now."""
    return Call(current_runtime(), g.principal, request)


def prepare() -> None:
    """Start the runtime where the server did not, and hold the view to its guard; a view without one needs an administrator."""
    if request.endpoint is None:
        return
    runtime = current_runtime()
    if not runtime.started:
        runtime.start()
    level = getattr(current_app.view_functions[request.endpoint], "guard", ADMIN)
    if level == OPEN:
        return
    g.principal = runtime.guard.admit(level, request)
