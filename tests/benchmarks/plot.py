"""The picture of a run for the documents: each server beside Nchan, readable on a white page and on a dark one.

matplotlib is in the dependency group `bench` alone, so it is imported when a picture is drawn, and by name: the types
are checked on machines that have it and on machines that have not.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.figure import Samples, ratio
from tests.benchmarks.report import BESIDE, LABELS
from tests.benchmarks.results import Results

# Tones in the middle: each has a contrast of at least 3 with white and with GitHub's dark page.
ACCENT, SOFT, REFERENCE, GREY, TEXT = "#d9541e", "#cf7a52", "#3f83c4", "#8a929b", "#768089"
COLOURS = {"hermes": ACCENT, "hermes-redis": SOFT, BESIDE: REFERENCE}
ORDER = ("hermes", "hermes-redis", BESIDE, "sse-starlette", "django-eventstream", "floor")

STYLE = {
    "svg.hashsalt": "hermes",  # the same ids in every file, so that only what was measured differs
    "svg.fonttype": "path",  # no page has to have the font
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 9.5,
    "text.color": TEXT,
}
WIDTH, ROW, TITLE, GAP, FOOT = 9.2, 0.24, 0.5, 0.22, 0.42  # inches
BARS = 0.76  # of a panel's width
FURTHEST = 4.0  # times Nchan: where a linear panel ends, with longer bars cut and marked


@dataclass(frozen=True)
class Panel:
    """One figure of the picture: what is less, or more, is better; `log` for what differs by orders of magnitude."""

    key: str
    title: str
    better: str
    log: bool = False


PANELS = (
    Panel("delivery.cpu", "CPU of a delivery,\n1,000 streams", "less"),
    Panel("crowd.cpu", "CPU of a delivery,\n10,000 streams", "less"),
    Panel("crowd.memory", "Memory of a stream,\n10,000 idle ones", "less"),
    Panel("burst.rate", "Deliveries in a burst\nof 300 events", "more", log=True),
    Panel("publishing.single", "Published events,\nsingle requests", "more"),
    Panel("delivery.p99", "Publish to receive, p99,\n1,000 streams", "less"),
)
COLUMNS = 3


def ratios(samples: Samples) -> dict[str, float]:
    """What each server had for one of Nchan's, in the order of the rows, as far as it was measured."""
    found = {name: ratio(samples, name, BESIDE) for name in ORDER}
    return {name: value for name, value in found.items() if value}


def draw(results: Results, path: Path, *, background: str | None = None) -> None:
    """Writes the picture; its format is the file's ending. The same results give the same bytes of an SVG.

    Without `background` it is transparent. Raises `ValueError` if nothing was measured beside Nchan, and `ImportError`
    where matplotlib is missing.
    """
    matplotlib: Any = importlib.import_module("matplotlib")
    shown = [(panel, found) for panel in PANELS if len(found := ratios(results.of(panel.key))) > 1]
    if not shown:
        raise ValueError(f"no figure of the picture was measured beside {LABELS[BESIDE]}")
    servers = [name for name in ORDER if any(name in found for _, found in shown)]
    with matplotlib.rc_context(STYLE):
        figure = _figure(shown, servers)
        metadata = {"Date": None, "Creator": None} if path.suffix == ".svg" else None
        colour = background or "none"
        figure.savefig(path, format=path.suffix[1:], metadata=metadata, facecolor=colour, dpi=144)


def _figure(shown: Sequence[tuple[Panel, Mapping[str, float]]], servers: Sequence[str]) -> Any:
    # `Figure` itself and no pyplot: no window, no state that is left behind, whatever the machine has for a screen.
    make: Any = importlib.import_module("matplotlib.figure").Figure
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    inner = ROW * len(servers)  # inches of a panel's bars
    height = rows * (TITLE + inner) + (rows - 1) * GAP + FOOT
    figure = make(figsize=(WIDTH, height))
    grid = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(left=1.62 / WIDTH, right=1 - 0.1 / WIDTH, top=1 - TITLE / height, bottom=FOOT / height)
    figure.subplots_adjust(wspace=0.14, hspace=(TITLE + GAP) / inner)
    for place, axes in enumerate(grid.flat):
        axes.set_axis_off()
        if place < len(shown):
            _panel(axes, *shown[place], servers, names=place % columns == 0)
    note = "Every server on one core, in the same run; medians of its rounds' ratios to Nchan's."
    figure.text(1 - 0.1 / WIDTH, 0.1 / height, note, ha="right", fontsize=8)
    return figure


def _panel(axes: Any, panel: Panel, found: Mapping[str, float], servers: Sequence[str], *, names: bool) -> None:
    axes.set_title(panel.title, loc="left", fontsize=9.5, fontweight="bold", linespacing=1.3, pad=5)
    better = f"{panel.better} is better" + (" (log)" if panel.log else "")
    axes.text(1, 1, better, transform=axes.transAxes, ha="right", va="bottom", fontsize=7.5, style="italic")
    low, high = _span(panel, found)
    if panel.log:
        axes.set_xscale("log")
    # The bars end before the column of their numbers, which stand one below the other at the right.
    axes.set_xlim(low, low * (high / low) ** (1 / BARS) if panel.log else high / BARS)
    axes.set_ylim(len(servers) - 0.5, -0.5)
    axes.axvline(low, color=GREY, linewidth=0.8)
    axes.axvline(1, color=REFERENCE, linewidth=1, linestyle=(0, (2, 2)), zorder=0)
    for row, name in enumerate(servers):
        style = {"color": COLOURS.get(name, TEXT), "fontweight": "bold" if name.startswith("hermes") else "normal"}
        _bar(axes, row, found.get(name), low, high, COLOURS.get(name, GREY))
        place = axes.get_yaxis_transform()  # across: of the panel's width; down: the row
        axes.text(1, row, _said(name, found.get(name)), transform=place, ha="right", va="center", **style)
        if names:
            axes.text(-0.03, row, LABELS[name], transform=place, ha="right", va="center", **style)


def _said(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    if name == BESIDE:
        return "1"
    return f"{value:.0f}×" if value >= 9.95 else f"{value:.2f}×" if value >= 0.005 else f"{value:.1g}×"


def _span(panel: Panel, found: Mapping[str, float]) -> tuple[float, float]:
    """Where the bars begin, and where the longest may end."""
    if panel.log:
        return min(0.5, min(found.values()) / 2), max(2.0, *found.values())
    return 0.0, min(FURTHEST, max(1.2, *found.values()))


def _bar(axes: Any, row: int, value: float | None, low: float, high: float, colour: str) -> None:
    if value is None:
        return
    pieces = [(low, value)] if value <= high else [(low, high * 0.93), (high * 0.955, high)]  # cut, and seen to be
    for begin, end in pieces:
        axes.barh(row, end - begin, left=begin, height=0.66, color=colour, linewidth=0, zorder=2)
