"""The web server's own log: what a client sent does not stand in it, for nobody knows where a secret was in it."""

from __future__ import annotations

import logging
import re
import traceback

from hermes.observe.redaction import REMOVED, Redactor

SERVER_LOG = "gunicorn.error"

_QUOTES = re.compile(r"(?s)^((?:Invalid request from ip=|Ignored premature client disconnection)[^'\"]*?):? b?['\"].*$")
"""Lines in which gunicorn quotes a request that it could not read, and the part of them that says what was wrong."""

_ENVIRONMENT = re.compile(r"(?m)^( *(?:raw_)?env: ).*$")
"""In the configuration that gunicorn logs at its debug level: variables that its command line set."""

_QUERY = re.compile(r"(/[^\s?\"']*\?)[^\s\"']+")


def keep_secrets_out(redactor: Redactor) -> None:
    """Filter the server's log in this process; a filter of before goes."""
    server = logging.getLogger(SERVER_LOG)
    for former in [one for one in server.filters if isinstance(one, _Clean)]:
        server.removeFilter(former)
    server.addFilter(_Clean(redactor))


class _Clean(logging.Filter):
    """Rewrites records: no quoted request, no query, nothing that looks like a secret, tracebacks included."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """See :mod:`logging`."""
        message = _QUOTES.sub(r"\1", record.getMessage())
        record.msg = self._cleaned(_ENVIRONMENT.sub(rf"\1{REMOVED}", message))
        record.args = None
        if record.exc_info and record.exc_info[1] is not None:
            # A formatter takes the text that is there; what else looks at the record still has the error.
            record.exc_text = self._cleaned("".join(traceback.format_exception(record.exc_info[1])).rstrip())
        return True

    def _cleaned(self, text: str) -> str:
        return self._redactor(_QUERY.sub(rf"\1{REMOVED}", text))
