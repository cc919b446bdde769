"""MACs of the best of every family on every platform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hwscale.units import format_bytes, format_count
from hwscale.viz.agreement_plot import STYLES
from hwscale.viz.canvas import new_figure, save_figure, ticks
from hwscale.viz.palette import PAGE_INK, light
from hwscale.viz.plotly_layout import Spec, axis, layout, plain
from hwscale.viz.scales import axis_ticks, logarithmic, tick_label

MEGA = 1e6
TITLE = "MACs of the best that fits [M]"


def answered(comparison: Any) -> list[Any]:
    """The rows that have an answer."""
    return [row for row in comparison.rows if row.cost is not None]


def platforms_of(comparison: Any) -> list[str]:
    """In the comparison's order."""
    return list(dict.fromkeys(row.platform for row in comparison.rows))


def figure(comparison: Any) -> Any:
    """The static plot, a matplotlib Figure; ConfigError without matplotlib."""
    rows, places = answered(comparison), platforms_of(comparison)
    made, (axes,) = new_figure(7.5, 1.4 + 0.3 * len(places))
    for family, (colour, marker) in zip(dict.fromkeys(row.family for row in rows), STYLES * 3, strict=False):
        own = [row for row in rows if row.family == family]
        at = [row.cost.macs / MEGA for row in own], [places.index(row.platform) for row in own]
        axes.plot(
            *at,
            marker,
            color=colour,
            markersize=7,
            markeredgecolor=light(PAGE_INK),
            markeredgewidth=0.3,
            label=family,
            gid=family,
        )
    axes.set_yticks(range(len(places)), places)
    axes.set_ylim(len(places) - 0.5, -0.5)
    axes.set_xlabel(TITLE)
    if rows:
        every = [row.cost.macs / MEGA for row in rows]
        log = logarithmic(every)
        low, high = (min(every) / 1.4, max(every) * 1.4) if log else (0, max(every) * 1.08)
        if log:
            axes.set_xscale("log")
        axes.set_xlim(low, high)
        at_ticks = axis_ticks(low, high, log=log)
        ticks(axes.xaxis, at_ticks, [tick_label(tick) for tick in at_ticks])
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=6, fontsize=8, frameon=False)
    return made


def spec(comparison: Any) -> Spec:
    """The interactive plot."""
    rows, places = answered(comparison), platforms_of(comparison)
    symbols = {"o": "circle", "s": "square", "^": "triangle-up", "D": "diamond", "v": "triangle-down", "*": "star"}
    traces = []
    for family, (colour, marker) in zip(dict.fromkeys(row.family for row in rows), STYLES * 3, strict=False):
        own = [row for row in rows if row.family == family]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": plain(family),
                "x": [row.cost.macs / MEGA for row in own],
                "y": [plain(row.platform) for row in own],
                "marker": {
                    "size": 11,
                    "color": colour,
                    "symbol": symbols[marker],
                    "line": {"width": 0.6, "color": PAGE_INK},
                },
                "hoverinfo": "text",
                "hovertext": [
                    f"{plain(row.family)} on {plain(row.platform)}<br>{format_count(row.cost.macs)} MACs<br>"
                    f"RAM {format_bytes(row.cost.ram_bytes)}, Flash {format_bytes(row.cost.flash_bytes)}"
                    for row in own
                ],
            }
        )
    every = [row.cost.macs for row in rows]
    x = axis(TITLE, type="log" if every and logarithmic(every) else "linear")
    names = [plain(place) for place in places]
    y = axis("", type="category", categoryorder="array", categoryarray=names[::-1], range=[-0.5, len(names) - 0.5])
    return {"data": traces, "layout": layout(x, y, 140 + 30 * len(places), dragmode=False), "caption": ""}


def save(comparison: Any, path: str | Path) -> None:
    """Write the static plot as .png, .svg or .pdf; see `hwscale.viz.canvas.save_figure` for errors."""
    save_figure(figure(comparison), path)
