"""RAM while each op runs, against the budget; the op where it peaks is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hwscale.result import CostReport, Fit
from hwscale.units import format_bytes
from hwscale.viz.canvas import new_figure, save_figure, ticks
from hwscale.viz.op_rows import OpTable, op_table
from hwscale.viz.palette import BUDGET, MEMORY, PAGE_GROUND, PAGE_INK, PEAK, light
from hwscale.viz.plotly_layout import Spec, axis, bars, layout, line, plain
from hwscale.viz.scales import axis_ticks, tick_label

KIB = 1024
NEAR = 3
"""A budget more than so many times the peak would flatten the bars: it is told in the legend instead."""
LIVE, REST = "live while the op runs", "the same for every op"


def figure(result: Fit | CostReport) -> Any:
    """The static plot, a matplotlib Figure; ConfigError without matplotlib."""
    table = op_table(result)
    made, (axes,) = new_figure(8.5, 4.2)
    numbers = [row.number for row in table.rows]
    rest, live = ([getattr(row, name) / KIB for row in table.rows] for name in ("rest_bytes", "live_bytes"))
    peak = table.peak
    colours = [PEAK if row is peak else MEMORY["activations"] for row in table.rows]
    if any(rest):
        axes.bar(numbers, rest, width=0.85, color=MEMORY["persistent"], label=REST, gid="rest")
    axes.bar(numbers, live, bottom=rest, width=0.85, color=colours, label=LIVE, gid="live")
    shown = _budget(table)
    if shown:
        axes.axhline(shown / KIB, color=light(BUDGET), linestyle="--", linewidth=1.2, gid="budget", label=_limit(table))
    high = _top(table)
    at = axis_ticks(0, high, log=False, binary=True)
    ticks(axes.yaxis, at, [tick_label(tick) for tick in at])
    axes.set_ylim(0, high)
    axes.set_xlim(0.3, len(numbers) + 0.7)
    axes.grid(visible=False, axis="x")
    axes.set_xlabel("op, in order of execution")
    axes.set_ylabel(table.ram_title)
    axes.annotate(
        peak_words(table),
        (peak.number, peak.ram_bytes / KIB),
        xytext=(12 if peak.number < len(numbers) / 2 else -12, 7),
        textcoords="offset points",
        ha="left" if peak.number < len(numbers) / 2 else "right",
        va="bottom",
        fontsize=8,
        color=PEAK,
        fontweight="bold",
        bbox={"facecolor": "#ffffff", "edgecolor": "none", "pad": 1, "alpha": 0.85},
    )
    axes.set_title(table.title + _far(table), fontsize=9, loc="left", pad=22)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles, labels, loc="lower right", bbox_to_anchor=(1, 1), ncols=3, fontsize=8, frameon=False)
    for handle in axes.get_legend().get_patches()[-1:]:
        handle.set_color(MEMORY["activations"])
    return made


def peak_words(table: OpTable) -> str:
    """Which op is the peak, and how high it is."""
    return f"peak: {table.peak_op}, {format_bytes(table.ram_bytes)}"


def _budget(table: OpTable) -> int | None:
    """The budget, where it is near enough to leave the bars readable."""
    budget = table.budget_bytes
    return budget if budget is not None and budget <= NEAR * table.ram_bytes else None


def _limit(table: OpTable) -> str:
    return f"limit: {format_bytes(table.budget_bytes or 0)}"


def _far(table: OpTable) -> str:
    far = table.budget_bytes is not None and _budget(table) is None
    return f"; {_limit(table)}, beyond the plot" if far else ""


def _top(table: OpTable) -> float:
    """The upper end of the axis [KiB], with room for the label of the peak."""
    return 1.14 * max(table.ram_bytes, _budget(table) or 0) / KIB


def spec(result: Fit | CostReport) -> Spec:
    """The interactive plot."""
    table = op_table(result)
    numbers = [row.number for row in table.rows]
    hover = [
        f"{row.number}. {plain(row.op.name)}<br>{plain(row.op.kind)}<br>{format_bytes(row.ram_bytes)}: "
        f"{format_bytes(row.live_bytes)} live + {format_bytes(row.rest_bytes)}"
        for row in table.rows
    ]
    peak = table.peak
    colours = [PEAK if row is peak else MEMORY["activations"] for row in table.rows]
    traces = []
    if any(row.rest_bytes for row in table.rows):
        rest = [row.rest_bytes / KIB for row in table.rows]
        traces.append(bars(REST, numbers, rest, MEMORY["persistent"], hover))
    traces.append(bars(LIVE, numbers, [row.live_bytes / KIB for row in table.rows], colours, hover))
    high = _top(table)
    at = axis_ticks(0, high, log=False, binary=True)
    y = axis(table.ram_title, range=[0, high], tickvals=at, ticktext=[tick_label(tick) for tick in at])
    x = axis("op, in order of execution", showgrid=False, range=[0.3, len(numbers) + 0.7])
    early = peak.number < len(numbers) / 2
    label = {
        "x": peak.number,
        "y": peak.ram_bytes / KIB,
        "text": plain(peak_words(table)),
        "showarrow": False,
        "xanchor": "left" if early else "right",
        "yanchor": "bottom",
        "yshift": 9,
        "bgcolor": PAGE_GROUND,
        "font": {"color": PAGE_INK},
    }
    made = layout(x, y, 380, barmode="stack", bargap=0.15)
    made |= {"shapes": [], "annotations": [label]}
    if shown := _budget(table):
        shape, words = line(shown / KIB, _limit(table), vertical=False)
        made["shapes"].append(shape)
        made["annotations"].append(words)
    return {"data": traces, "layout": made, "caption": f"{table.title}{_far(table)}"}


def save(result: Fit | CostReport, path: str | Path) -> None:
    """Write the static plot as .png, .svg or .pdf; see `hwscale.viz.canvas.save_figure` for errors."""
    save_figure(figure(result), path)
