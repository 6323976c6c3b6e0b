"""What every request passes first: the runtime is up, the caller is known, the route's guard holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Response, current_app, g, request
from werkzeug.wrappers import Request

from hermes.access.addresses import Address
from hermes.access.guard import ADMIN, OPEN
from hermes.access.principal import Principal
from hermes.errors import RateLimited, RequestError, Retryable, Unauthorized
from hermes.streaming.bearer import Bearer
from hermes.web.refusals import refusal

if TYPE_CHECKING:
    from hermes.runtime import Runtime


class Call(NamedTuple):
    """A request that has passed its guard, and who it comes from."""

    runtime: Runtime
    principal: Principal
    request: Request
    address: Address

    @property
    def bearer(self) -> Bearer:
        """Whose stream or long poll it is."""
        principal = self.principal
        return Bearer(
            principal.id,
            principal.user_id,
            principal.key_id,
            principal.token_id,
            self.address.text,
            principal.expires_at,
        )

    def refused(self, error: RequestError) -> None:
        """Note that this call was refused with ``error``."""
        self.runtime.audit.refused(
            self.address.text, self.request.path, error.message, principal_id=self.principal.id, code=error.code
        )


def current_runtime() -> Runtime:
    """The runtime of the application that serves this request."""
    runtime: Runtime = current_app.extensions["hermes"]
    return runtime


def current_call() -> Call:
    """The request that Flask serves now."""
    return Call(current_runtime(), g.principal, request, g.address)


def admit(runtime: Runtime, view: Any, request: Request) -> Call:
    """The call that ``request`` is, held to the guard of ``view``; refused credentials are counted by their address."""
    address = runtime.limits.address(request.environ)
    try:
        runtime.limits.check(address)
        principal = runtime.guard.principal(request, query_token=is_stream(view))
    except (Unauthorized, RateLimited) as error:
        runtime.audit.refused(address.text, request.path, error.message, code=error.code)
        if isinstance(error, Unauthorized):
            runtime.limits.failed(address)
        raise
    call = Call(runtime, principal, request, address)
    try:
        runtime.guard.check(getattr(view, "guard", ADMIN), principal)
    except RequestError as error:
        call.refused(error)
        if isinstance(error, Unauthorized):
            runtime.limits.failed(address)
        raise
    return call


def prepare() -> Response | None:
    """Start the runtime where the server did not, and hold the view to its guard; a view without one needs an administrator."""
    if request.endpoint is None or request.method == "OPTIONS":
        return None  # a preflight carries no credentials (Fetch standard, section 4.8); Flask answers it, no view is called
    runtime = current_runtime()
    if not runtime.started:
        runtime.start()
    view = current_app.view_functions[request.endpoint]
    if getattr(view, "guard", ADMIN) != OPEN:
        try:
            call = admit(runtime, view, request)
        except Retryable as error:
            if not is_stream(view):
                raise
            return refusal(error, request)
        g.principal, g.address = call.principal, call.address
    return None


def is_stream(view: Any) -> bool:
    """Whether a view answers with a stream."""
    return bool(getattr(view, "is_stream", False))
