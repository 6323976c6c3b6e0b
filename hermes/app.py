"""The Flask application: settings, runtime, blueprints."""

from __future__ import annotations

from flask import Flask
from flask_cors import CORS

from hermes.observe.logs import set_up_logs
from hermes.runtime import Runtime
from hermes.settings import Settings, load_settings
from hermes.web import errors, events, health, pages, streams
from hermes.web.body import MAX_BODY
from hermes.web.fast_path import FastPath
from hermes.web.requests import prepare

CORS_HEADERS = ["Authorization", "Content-Type", "X-API-Key", "Last-Event-ID", "Cache-Control", "Idempotency-Key"]


def create_app(settings: Settings | None = None, runtime: Runtime | None = None) -> Flask:
    """The whole of Hermes as one WSGI application.

    It opens nothing until its runtime starts: by our gunicorn worker before it accepts, else by the first request. Raises
    :class:`~hermes.errors.SettingsError`.
    """
    settings = settings or (runtime.settings if runtime else load_settings())
    set_up_logs("debug" if settings.debug else settings.log_level)
    app = Flask("hermes", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY + 1, JSON_SORT_KEYS=False)
    runtime = runtime or Runtime(settings)
    app.extensions["hermes"] = runtime
    errors.register(app)
    app.before_request(prepare)
    for blueprint in (events.blueprint, streams.blueprint, health.blueprint, pages.blueprint, *runtime.blueprints):
        app.register_blueprint(blueprint)
    if settings.allowed_origins:
        CORS(
            app,
            resources={r"/api/*": {}, "/events": {}, "/events/authenticated": {}},
            origins=list(settings.allowed_origins),
            supports_credentials=settings.allow_credentials,
            allow_headers=CORS_HEADERS,
            expose_headers=["Retry-After"],
            vary_header=True,
        )
    app.wsgi_app = FastPath(app, runtime)  # type: ignore[method-assign]
    return app
