"""A front as a scatter of two of its columns, static and interactive; see `hwscale.viz.drawn_points` for what is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hwscale.units import format_bytes
from hwscale.viz.canvas import STATIC, check_target, new_figure, require, save_figure, ticks
from hwscale.viz.drawn_points import Floats, ParetoPoints, pareto_points, row_of
from hwscale.viz.palette import BUDGET, MARKED, PAGE_INK, PAGE_QUIET, RESOLUTIONS, SKY, light
from hwscale.viz.plotly_layout import Spec, axis, layout, line, plain
from hwscale.viz.scales import QUANTITIES, Quantity, axis_ticks, tick_label

INTERACTIVE = ".html"


def budget_words(points: ParetoPoints, platform: str | None) -> str:
    """The label of the budget's line."""
    size = format_bytes(points.budget or 0)
    return f"{platform}: {size}" if platform else size


def figure(front: Any, x: str = "ram", y: str = "score", epsilon: float = 0.005, marked: Any = None) -> Any:
    """The static plot, a matplotlib Figure; ConfigError without matplotlib."""
    points = pareto_points(front, x, y, epsilon, marked)
    made, (axes,) = new_figure(7.5, 4.8)
    drawn = (points.x.drawn(points.xs), points.y.drawn(points.ys))
    if points.colours:
        dots = axes.scatter(
            *drawn,
            c=points.resolutions,
            cmap=RESOLUTIONS,
            s=13,
            linewidths=0.3,
            edgecolors=light(PAGE_QUIET),
            gid="points",
        )
        made.colorbar(dots, ax=axes, label=QUANTITIES["resolution"].title, pad=0.01).outline.set_visible(False)
    else:
        axes.scatter(*drawn, c=SKY, s=13, linewidths=0.3, edgecolors=light(PAGE_QUIET), gid="points")
    stairs = points.x.drawn(points.stair_xs), points.y.drawn(points.stair_ys)
    name = f"best {points.y.label} for its {points.x.label}"
    axes.plot(*stairs, drawstyle="steps-post", color=light(PAGE_INK), linewidth=1.1, label=name, gid="staircase")
    if points.budget is not None:
        words = budget_words(points, front.platform)
        place = float(points.x.drawn(points.budget))
        axes.axvline(place, color=light(BUDGET), linestyle="--", linewidth=1.2, label=words, gid="budget")
    if points.mark is not None:
        at = float(points.x.drawn(points.mark[0])), float(points.y.drawn(points.mark[1]))
        style = {"color": MARKED, "markersize": 15, "markeredgecolor": light(PAGE_INK), "linestyle": "none"}
        axes.plot(*at, marker="*", label="chosen", gid="marked", zorder=5, **style)
    for which, log in (("x", points.log_x), ("y", points.log_y)):
        low, high = points.span(which)
        quantity = points.x if which == "x" else points.y
        if log:
            getattr(axes, f"set_{which}scale")("log")
        at_ticks = axis_ticks(low, high, log=log, binary=quantity.binary)
        getattr(axes, f"set_{which}lim")(low, high)
        ticks(getattr(axes, f"{which}axis"), at_ticks, [tick_label(tick) for tick in at_ticks])
        getattr(axes, f"set_{which}label")(axis_title(quantity, front.objective))
    axes.set_title(f"{headline(front)}\n{points.caption}", fontsize=9, loc="left")
    axes.legend(loc="upper left", fontsize=8, framealpha=0.9)
    return made


def headline(front: Any) -> str:
    """Of what the front is."""
    where = f" on {front.platform}" if front.platform else ""
    return f"{front.family}{where}, runtime {front.runtime}, objective {front.objective}"


def axis_title(quantity: Quantity, objective: str) -> str:
    """With the objective where the score is one's."""
    return f"score: {objective}" if quantity.name == "score" else quantity.title


def spec(front: Any, x: str = "ram", y: str = "score", epsilon: float = 0.005, marked: Any = None) -> Spec:
    """The interactive plot. Row numbers are its custom data, and the page puts what hovers, see `hwscale.viz.front_section.front_points`."""
    points = pareto_points(front, x, y, epsilon, marked)
    marker: dict[str, Any] = {"size": 7, "line": {"width": 0.6, "color": PAGE_INK}, "color": SKY}
    if points.colours:
        bar = {"title": {"text": QUANTITIES["resolution"].title, "side": "right"}, "thickness": 12, "outlinewidth": 0}
        marker |= {"color": _short(points.resolutions), "colorscale": RESOLUTIONS.capitalize(), "colorbar": bar}
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "networks",
            "x": _short(points.x.drawn(points.xs)),
            "y": _short(points.y.drawn(points.ys)),
            "customdata": points.rows.tolist(),
            "marker": marker,
            "hoverinfo": "text",
            "showlegend": False,
        },
        {
            "type": "scatter",
            "mode": "lines",
            "name": f"best {points.y.label} for its {points.x.label}",
            "x": _short(points.x.drawn(points.stair_xs)),
            "y": _short(points.y.drawn(points.stair_ys)),
            "line": {"shape": "hv", "color": PAGE_INK, "width": 1.2},
            "hoverinfo": "skip",
        },
    ]
    if points.mark is not None:
        row = row_of(marked, front)
        told = {"hoverinfo": "name"} if row is None else {"hoverinfo": "text", "customdata": [row]}
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "chosen",
                "cliponaxis": False,
                "x": [float(points.x.drawn(points.mark[0]))],
                "y": [float(points.y.drawn(points.mark[1]))],
                "marker": {"symbol": "star", "size": 16, "color": MARKED, "line": {"width": 1, "color": PAGE_INK}},
                **told,
            }
        )
    made = layout(_spec_axis(points, "x", front.objective), _spec_axis(points, "y", front.objective), 460)
    if points.budget is not None:
        shape, label = line(float(points.x.drawn(points.budget)), budget_words(points, front.platform), vertical=True)
        if points.log_x:
            label["x"] = float(np.log10(label["x"]))  # plotly takes annotations, unlike shapes, in the axis's logarithm
        made |= {"shapes": [shape], "annotations": [label]}
    return {"data": traces, "layout": made, "caption": points.caption}


def _short(values: Floats) -> list[float]:
    """Numbers as precise as a plot can show, for the size of the page."""
    return [float(f"{value:.8g}") for value in values]


def _spec_axis(points: ParetoPoints, which: str, objective: str) -> dict[str, Any]:
    quantity, log = (points.x, points.log_x) if which == "x" else (points.y, points.log_y)
    low, high = points.span(which)
    at = axis_ticks(low, high, log=log, binary=quantity.binary)
    ends = [float(np.log10(low)), float(np.log10(high))] if log else [low, high]
    return axis(
        plain(axis_title(quantity, objective)),
        type="log" if log else "linear",
        range=ends,
        tickmode="array",
        tickvals=at,
        ticktext=[tick_label(tick) for tick in at],
    )


def save_front(front: Any, path: str | Path, x: str, y: str, epsilon: float = 0.005, marked: Any = None) -> None:
    """Write the plot: .html interactive, .png, .svg or .pdf static; replaced in one step.

    ``x``, ``y`` name columns of the front. ConfigError for another suffix or column, a place that cannot be written, or a missing
    package.
    """
    target = check_target(path, (INTERACTIVE, *STATIC))
    if target.suffix.lower() == INTERACTIVE:
        from hwscale.viz.report import write_front_report

        require("plotly")
        write_front_report(front, target, x=x, y=y, epsilon=epsilon, marked=marked)
        return
    save_figure(figure(front, x, y, epsilon, marked), target)
