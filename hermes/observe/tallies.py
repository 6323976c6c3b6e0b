"""What was done, by whom and how often: summed up in bounded memory until it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import NamedTuple

OK = "ok"
"""The outcome of what was done; any other outcome is the code of the error that it was refused with."""

ANONYMOUS = "anonymous"
"""The principal of a caller without credentials, as everywhere."""

OTHERS = "(others)"
"""Stands for what could not be named one by one."""

MOST_CALLERS, MOST_TARGETS = 4000, 100
"""Sums of what callers with credentials did, of each action, and of these the most that one caller has: one that names ever new
channels must not hide the others."""

MOST_STRANGERS, MOST_REASONS = 1000, 10
"""Sums of what was refused and of what anybody may do, of each action, and of these the most that one address has."""

WRITTEN_STRANGERS = 200
"""Of those the largest are written one by one: an attacker with many addresses must not fill the table."""

MOST_TEXT = 255
MOST_DETAIL = 500
"""Characters that are kept of a text."""


@dataclass(slots=True)
class Entry:
    """One line of the audit: it happened ``count`` times, at last at ``at`` (ms since 1970). ``id`` is the table's."""

    at: int
    action: str
    principal: str
    address: str
    target: str
    outcome: str
    count: int
    detail: str = ""
    id: int = 0


class _Key(NamedTuple):
    """What is counted together. Callers are told apart by name and target, strangers also by address and by reason."""

    action: str
    outcome: str
    principal: str
    address: str
    item: str


@dataclass(slots=True)
class _Sum:
    entry: Entry
    is_strangers: bool
    is_rest: bool
    calls: int = 0

    def told(self) -> Entry:
        return replace(self.entry, detail=f"and {self.calls} more") if self.is_rest else self.entry


class Tallies:
    """Sums, bounded in number: what goes beyond the bounds is summed up in entries that say "and N more" calls.

    Not safe for threads. Texts may be any that a caller sent: what cannot be printed is left out of them.
    """

    def __init__(self) -> None:
        self._sums: dict[_Key, _Sum] = {}
        self._held: dict[tuple[str | bool, ...], int] = {}

    def __len__(self) -> int:
        return len(self._sums)

    def add(self, entry: Entry) -> None:
        """Count what ``entry``, which is given away, tells; a detail and a stranger's target are those of the first one."""
        is_strangers = entry.outcome != OK or entry.principal == ANONYMOUS
        at, count = entry.at, entry.count
        found = self._sums.get(_key(entry, is_strangers))
        if found is None:
            found = self._begun(entry, is_strangers)
        found.calls += 1
        kept = found.entry
        kept.at = at
        kept.count += count
        if not found.is_rest:
            kept.address = clean(entry.address)

    def take(self) -> list[Entry]:
        """All that was counted since the last time, in the order of its times."""
        sums, self._sums, self._held = self._sums, {}, {}
        kept = [one for one in sums.values() if not one.is_strangers]
        kept += _largest(one for one in sums.values() if one.is_strangers)
        return sorted((one.told() for one in kept), key=attrgetter("at"))

    def _begun(self, entry: Entry, is_strangers: bool) -> _Sum:
        """The sum that takes ``entry``: one of its own where there is room, or that of the others."""
        clean_up(entry)
        key = _key(entry, is_strangers)
        found = self._sums.get(key)
        if found is not None:
            return found
        most, most_of_one = (MOST_STRANGERS, MOST_REASONS) if is_strangers else (MOST_CALLERS, MOST_TARGETS)
        all_of_them, of_one = (entry.action, is_strangers), (entry.action, is_strangers, key.principal, key.address)
        is_rest = self._held.get(of_one, 0) >= most_of_one
        if is_rest:
            key = key._replace(item=OTHERS)
        if key not in self._sums and self._held.get(all_of_them, 0) >= most:
            key, is_rest = _Key(key.action, key.outcome, OTHERS, "", OTHERS), True
        found = self._sums.get(key)
        if found is not None:
            return found
        for group in (all_of_them, of_one):
            self._held[group] = self._held.get(group, 0) + 1
        entry.count = 0
        if is_rest:
            entry.principal, entry.address, entry.target = key.principal, key.address, OTHERS
        begun = self._sums[key] = _Sum(entry, is_strangers, is_rest)
        return begun


def clean(text: str, most: int = MOST_TEXT) -> str:
    """``text`` without what cannot be printed (control characters, those that turn the direction, surrogates), and bounded."""
    if text.isprintable():
        return text[:most]
    return "".join(character for character in text[: 4 * most] if character.isprintable())[:most]


def clean_up(entry: Entry) -> None:
    """Clean the texts of ``entry`` that come from callers."""
    entry.principal = clean(entry.principal)
    entry.address = clean(entry.address)
    entry.target = clean(entry.target)
    entry.detail = clean(entry.detail, MOST_DETAIL)


def _key(entry: Entry, is_strangers: bool) -> _Key:
    if is_strangers:
        return _Key(entry.action, entry.outcome, entry.principal, entry.address, entry.detail)
    return _Key(entry.action, entry.outcome, entry.principal, "", entry.target)


def _largest(sums: Iterable[_Sum]) -> list[_Sum]:
    """The largest of each action, and for each outcome the sum of the others."""
    kept: list[_Sum] = []
    rest: dict[tuple[str, str], _Sum] = {}
    named: Counter[str] = Counter()
    for one in sorted(sums, key=lambda one: one.entry.count, reverse=True):
        entry = one.entry
        if entry.principal != OTHERS and named[entry.action] < WRITTEN_STRANGERS:
            named[entry.action] += 1
            kept.append(one)
            continue
        begun = replace(entry, principal=OTHERS, address="", target=OTHERS, count=0)
        others = rest.setdefault((entry.action, entry.outcome), _Sum(begun, is_strangers=True, is_rest=True))
        others.calls += one.calls
        others.entry.count += entry.count
        others.entry.at = max(others.entry.at, entry.at)
    return kept + list(rest.values())
