"""One line in the log when a database begins to fail, and one when it works again."""

from __future__ import annotations

import logging

_log = logging.getLogger(__name__)


class Health:
    """Remembers whether the database called ``name`` fails. Reasons may say what callers need not know."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._failing = False

    def fails(self, reason: object) -> None:
        """It did not do what was asked."""
        if not self._failing:
            self._failing = True
            _log.warning("%s fails: %s", self._name, reason)

    def works(self) -> None:
        """It did."""
        if self._failing:
            self._failing = False
            _log.warning("%s works again", self._name)
