"""What administrators are told of limits: those in force, and whom any process of the fleet refused by them lately."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import orjson

from hermes.access.limits import MOST_REFUSED, Limits
from hermes.fleet.base import Answer
from hermes.settings import Settings, names_of

STATUS = "limits.status"
"""The question that each process answers with what it refused."""

IN_FORCE = (
    "max_connections_per_client",
    "max_connections_per_address",
    "connects_per_address",
    "publish_rate",
    "channel_rate",
)
"""The limits, by the names that refusals have."""


class Company(Protocol):
    """The processes, as far as they are asked and answer."""

    def on(self, name: str, answer: Answer, /) -> None:
        """Let ``answer`` answer the questions of that name."""

    def ask_each(self, name: str, questions: Mapping[str, bytes], /) -> dict[str, bytes]:
        """What the processes answer to the ``questions`` of that name, by their nodes; who gives no answer is left out."""


class Nodes(Protocol):
    """Knows the processes of the fleet."""

    @property
    def nodes(self) -> list[str]:
        """Every process of the fleet."""


class LimitsOverview:
    """Answers for this process, and asks all others."""

    def __init__(self, settings: Settings, limits: Limits, company: Company, fleet: Nodes) -> None:
        self._settings = settings
        self._limits = limits
        self._company = company
        self._fleet = fleet

    def listen(self) -> None:
        """Answer the questions of others."""
        self._company.on(STATUS, lambda _question: orjson.dumps(self._limits.status()))

    def status(self) -> dict[str, Any]:
        """The limits in force here; of the fleet whom it refused in the last minute and by whom addresses cannot be known."""
        answers = self._company.ask_each(STATUS, dict.fromkeys(self._fleet.nodes, b"")).values()
        told = [orjson.loads(answer) for answer in answers]
        return {
            "limits": [self._limit(name) for name in IN_FORCE],
            "refused": _latest(_added_up(one for status in told for one in status["refused"]))[:MOST_REFUSED],
            "forwarding": _latest(_newest_of_each(one for status in told for one in status["forwarding"])),
        }

    def _limit(self, name: str) -> dict[str, Any]:
        field = Settings.model_fields[name]
        return {
            "limit": name,
            "setting": names_of(field)[0],
            "value": getattr(self._settings, name),
            "about": field.description,
        }


def _added_up(refused: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """What several processes refused the same caller is one entry."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in refused:
        known = found.setdefault((one["limit"], one["who"]), one)
        if known is not one:
            known["times"] += one["times"]
            known["since"] = min(known["since"], one["since"])
            known["last"] = max(known["last"], one["last"])
    return found.values()


def _newest_of_each(forwarding: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Of each peer what was seen last."""
    return {one["peer"]: one for one in sorted(forwarding, key=_last)}.values()


def _latest(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(entries, key=_last, reverse=True)


def _last(entry: dict[str, Any]) -> str:
    """Times of this form sort as text."""
    last: str = entry["last"]
    return last
