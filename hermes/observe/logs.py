"""Structured logs to standard error: lines for people on a terminal, JSON elsewhere; secrets are kept out of both."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from urllib.parse import unquote, urlsplit

import structlog

from hermes.observe.redaction import REMOVED, Redactor
from hermes.observe.server_log import keep_secrets_out
from hermes.settings import Settings

SECRET_FIELDS = frozenset(
    {"api_key", "authorization", "cookie", "cookies", "jwt", "key", "password", "secret", "token"}
)
"""Fields of a line that are never shown, whatever they hold."""


def set_up_logs(level: str, secrets: Iterable[str] = ()) -> None:
    """Let every logger of Hermes write one line an event, from ``level`` on, without ``secrets`` and what looks like one.

    What other libraries log and nobody else handles goes the same way, and the server's log is kept clean too.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    redactor = Redactor(secrets)
    structlog.configure(
        processors=_processors(redactor),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.getLogger("hermes").setLevel(number)
    logging.lastResort = _Forwarder()
    keep_secrets_out(redactor)


def secrets_of(settings: Settings) -> Iterator[str]:
    """The secrets that the settings hold, those within addresses too."""
    yield from settings.api_keys
    for secret in (settings.jwt_secret, settings.redis_password):
        if secret is not None:
            yield secret.get_secret_value()
    for url in (settings.redis_url, settings.database_url):
        password = _password(url.get_secret_value()) if url is not None else None
        if password:
            yield password
            yield unquote(password)


def _password(url: str) -> str | None:
    try:
        return urlsplit(url).password
    except ValueError:
        return None


def _processors(redactor: Redactor) -> list[structlog.typing.Processor]:
    is_terminal = sys.stderr.isatty()

    def without_secrets(
        _logger: object, _method: str, fields: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        for name, value in fields.items():
            if isinstance(value, str):
                fields[name] = REMOVED if name in SECRET_FIELDS else redactor(value)
        return fields

    def line_without_secrets(_logger: object, _method: str, line: str) -> str:
        return redactor(line)  # what the renderer made of lists, of objects

    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        without_secrets,
        structlog.dev.ConsoleRenderer(colors=True) if is_terminal else structlog.processors.JSONRenderer(),
        line_without_secrets,  # type: ignore[list-item]  # what follows a renderer gets its line
    ]


class _Forwarder(logging.Handler):
    """Where what nobody handles ends: a structured line, like all others."""

    def emit(self, record: logging.LogRecord) -> None:
        """See :mod:`logging`."""
        level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)
        try:
            structlog.get_logger().log(level, record.getMessage(), logger=record.name, exc_info=record.exc_info)
        except Exception:
            self.handleError(record)
