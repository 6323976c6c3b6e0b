"""The Flask application: settings, runtime, blueprints."""

from __future__ import annotations

from flask import Flask

from hermes.observe.logs import secrets_of, set_up_logs
from hermes.runtime import Runtime
from hermes.settings import Settings, load_settings
from hermes.web import (
    audit,
    channels,
    connections,
    errors,
    events,
    health,
    keys,
    limits,
    pages,
    reference,
    streams,
    tokens,
    users,
)
from hermes.web.body import MAX_BODY
from hermes.web.cors import allow_origins, may_vary
from hermes.web.fast_path import FastPath
from hermes.web.headers import SafeAnswers
from hermes.web.requests import prepare

BLUEPRINTS = (
    events.blueprint,
    streams.blueprint,
    keys.blueprint,
    tokens.blueprint,
    connections.blueprint,
    users.blueprint,
    channels.blueprint,
    audit.blueprint,
    limits.blueprint,
    health.blueprint,
    reference.blueprint,
    pages.blueprint,
)


def create_app(settings: Settings | None = None, runtime: Runtime | None = None) -> Flask:
    """The whole of Hermes as one WSGI application.

    It opens nothing until its runtime starts: by our gunicorn worker before it accepts, else by the first request. Raises
    :class:`~hermes.errors.SettingsError`.
    """
    settings = settings or (runtime.settings if runtime else load_settings())
    set_up_logs("debug" if settings.debug else settings.log_level, secrets_of(settings))
    app = Flask("hermes", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY + 1, JSON_SORT_KEYS=False)
    runtime = runtime or Runtime(settings)
    app.extensions["hermes"] = runtime
    errors.register(app)
    app.before_request(prepare)
    for blueprint in (*BLUEPRINTS, *runtime.blueprints):
        app.register_blueprint(blueprint)
    allow_origins(app, settings)
    answers = SafeAnswers(FastPath(app, runtime), varies=may_vary(settings))
    app.wsgi_app = answers  # type: ignore[method-assign]
    return app
