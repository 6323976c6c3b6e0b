"""The fast path: opening a stream and publishing, nearly all that is asked for, go past Flask's routing and contexts.

Those take 0.3 ms of a request, as much as all of Hermes (measured). The same views answer, behind the same guard, with the
same errors; what is unusual about a request goes Flask's way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, Response
from werkzeug.wrappers import Request

from hermes.web import errors, events, streams
from hermes.web.body import MAX_BODY
from hermes.web.requests import Call, prepare

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

    from hermes.runtime import Runtime

VIEWS: dict[tuple[str, str], tuple[Callable[[], Response], Callable[[Call], Response]]] = {
    ("GET", "/api/v1/events/stream"): (streams.stream, streams.stream_to),
    ("POST", "/api/v1/events"): (events.publish, events.publish_by),
}
"""For a method and a path, Flask's view, whose guard holds, and what answers in its place."""


class _Request(Request):
    max_content_length = MAX_BODY + 1


class FastPath:
    """The WSGI application around Flask's own."""

    def __init__(self, app: Flask, runtime: Runtime) -> None:
        self._app = app
        self._flask = app.wsgi_app
        self._runtime = runtime
        self._is_plain: bool | None = None

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        views = VIEWS.get((environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")))
        if views is None or not self._may():
            return self._flask(environ, start_response)
        response = self._answer(_Request(environ), *views)
        return response(environ, start_response)

    def _answer(self, request: Request, view: Callable[[], Response], answer: Callable[[Call], Response]) -> Response:
        try:
            level: str = view.guard  # type: ignore[attr-defined]
            return answer(Call(self._runtime, self._runtime.guard.admit(level, request), request))
        except Exception as error:
            return errors.answer_any(error)

    def _may(self) -> bool:
        """Not before the runtime is up, and not where Flask calls more than ours around a view: CORS, or a team's own."""
        if self._is_plain is None and self._runtime.started:
            app = self._app
            before = [function for functions in app.before_request_funcs.values() for function in functions]
            others = (app.after_request_funcs, app.teardown_request_funcs, app.teardown_appcontext_funcs)
            self._is_plain = before == [prepare] and not any(others) and not app.url_value_preprocessors
        return bool(self._is_plain)
