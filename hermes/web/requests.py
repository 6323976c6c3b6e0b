"""What every request passes first: the runtime is up, the caller is known, the route's guard holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import current_app, g, request

from hermes.access.guard import ADMIN, OPEN
from hermes.access.principal import Principal

if TYPE_CHECKING:
    from hermes.runtime import Runtime


def current_runtime() -> Runtime:
    """The runtime of the application that serves this request."""
    runtime: Runtime = current_app.extensions["hermes"]
    return runtime


def current_principal() -> Principal:
    """Who is calling."""
    principal: Principal = g.principal
    return principal


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
    g.principal = runtime.guard.principal(request)
    runtime.guard.check(level, g.principal)
