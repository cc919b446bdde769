"""The front in a page: the plot with its axes to choose, the panel of a point, the table of the staircase."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hwscale.stage_names import gathered
from hwscale.viz.drawn_points import row_of
from hwscale.viz.markup import Cell, amount, data, paragraph, section, table, text, words
from hwscale.viz.pareto_plot import headline, spec
from hwscale.viz.plotly_layout import Spec
from hwscale.viz.scales import QUANTITIES

MOST_ROWS = 300
"""Rows of the staircase in the table."""
CHANNELS = 3
"""Of the input image, unless others are asked for."""
_FACTS = ("ram", "flash", "macs", "params", "latency", "resolution", "score")


def front_section(
    front: Any,
    *,
    x: str | None = None,
    y: str | None = None,
    epsilon: float = 0.005,
    marked: Any = None,
    flags: Sequence[str] | None = None,
) -> str:
    """The section as HTML. ``x`` and ``y`` are the axes shown first, ``flags`` what the `hwscale cost` line of a point ends with:
    by default `point_flags`."""
    if not len(front):
        return section(
            "front", "Pareto front", paragraph("The front has no point: no network of the domain can be built.")
        )
    xs, ys = axes_of(front)
    first_x, first_y = x or xs[0], y or ys[0]
    xs, ys = tuple(dict.fromkeys((first_x, *xs))), tuple(dict.fromkeys((first_y, *ys)))
    views: dict[str, Spec] = {f"{a} {b}": spec(front, a, b, epsilon, marked) for a in xs for b in ys}
    stairs = [int(row) for row in front.staircase(first_x, first_y)]
    chosen = row_of(marked, front)
    if marked is None and front.budget and set(front.budget) <= set(front.costs) and (best := front.best()) is not None:
        chosen = int(best.row)
    drawn: set[int] = {row for view in views.values() for trace in view["data"] for row in trace.get("customdata", ())}
    shown = stairs[:: -(-len(stairs) // MOST_ROWS)]
    points = front_points(front, sorted({*drawn, *shown, *([] if chosen is None else [chosen])}), flags)
    opened = "" if chosen is None else f' data-first="{chosen}"'
    height = max(view["layout"]["height"] for view in views.values())
    plot = (
        f'<div class="axes">{_select("front-x", "across", xs)}{_select("front-y", "up", ys)}</div>'
        f'<div class="front"><figure><div class="plot" id="front-plot" data-clickable="yes"{opened} style="height:{height}px"></div>'
        '<figcaption id="front-caption"></figcaption></figure>'
        '<aside class="panel" id="panel" aria-live="polite" aria-label="the network chosen in the plot">'
        "<p>Click a point to see its configuration.</p></aside></div>\n"
    )
    counted = f"{len(front):,} networks that no other beats, of {front.candidates:,}; {front.method}, {front.seconds:.2f} s; domain {front.digest}"
    some = f", {len(shown):,} of {len(stairs):,}" if len(shown) < len(stairs) else ""
    name = f"Best {QUANTITIES[first_y].label} for its {QUANTITIES[first_x].label}{some}"
    return section(
        "front",
        "Pareto front",
        paragraph(f"{headline(front)}: {counted}."),
        plot,
        _table(front, shown, name) if shown else "",
        data("points", points),
        data("fronts", views),
    )


def axes_of(front: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns to choose from, across and up: what is minimised, and what is gained by it."""
    xs = tuple(name for name in front.costs if name in front.columns)
    same = front.objective in ("macs", "params")
    return xs, ("score",) if same else ("score", "macs")


def _select(name: str, label: str, choices: Sequence[str]) -> str:
    options = "".join(f'<option value="{text(one)}">{text(QUANTITIES[one].label)}</option>' for one in choices)
    return f'<label>{label} <select id="{name}">{options}</select></label>'


def front_points(front: Any, rows: Iterable[int], flags: Sequence[str] | None = None) -> dict[str, Any]:
    """What hovers over the points and what the panel says, for the page's script to put together: a front is large, and a line for each
    point would make a page of hundreds of MB.

    ``rows``: by row the place of its names in ``names``, the hyperparameters' values, the facts, and the dict for `hwscale.build`;
    ``facts``: label of each fact, and what follows its value.
    """
    columns = [name for name in _FACTS if name in front.columns]
    names: dict[tuple[str, ...], int] = {}
    held = {}
    for row in rows:
        values = front.hyperparameters(row)
        knobs = gathered(values, values)
        place = names.setdefault(tuple(name for name, _ in knobs), len(names))
        told = [_fact(front, name, row) for name in columns]
        held[str(row)] = [place, [value for _, value in knobs], told, repr(dict(values))]
    return {
        "family": front.family,
        "start": shlex.join(["hwscale", "cost", "--net", front.family]),
        "end": shlex.join(point_flags(front) if flags is None else flags),
        "build": [f"hwscale.build({front.family!r}, ", build_ends(front)],
        "names": [list(one) for one in names],
        "facts": [[QUANTITIES[name].label, _known(front, name)] for name in columns],
        "rows": held,
    }


def _fact(front: Any, name: str, row: int) -> str:
    value = front.columns[name][row]
    budget = front.budget.get(name)
    share = f", {100 * float(value) / budget:.1f} %" if budget else ""
    return f"{QUANTITIES[name].show(value)}{share}"


def _known(front: Any, name: str) -> str:
    """What follows every value of a column: the budget, and that it is bounded or estimated."""
    budget = front.budget.get(name)
    share = f" of {QUANTITIES[name].show(budget)}" if budget else ""
    known = str(front.evidence.get(name, "exact"))
    return f"{share}, {known.split(':')[0]}" if known.startswith(("bounded", "estimated")) else share


def cost_line(front: Any, values: Mapping[str, Any], flags: Sequence[str] | None = None) -> str:
    """The command that prices one point on its own."""
    fixed = [word for name, value in gathered(values, values) for word in ("--fix", f"{name}={value}")]
    return shlex.join(
        ["hwscale", "cost", "--net", front.family, *fixed, *(point_flags(front) if flags is None else flags)]
    )


def point_flags(front: Any) -> list[str]:
    """Options of `hwscale cost` that price a point as the front did; a descriptor of one's own has to be named by hand."""
    shape = "" if front.input_shape is None else "x".join(map(str, front.input_shape))
    given = {
        "--platform": front.platform,
        "--runtime": front.runtime,
        "--classes": front.classes,
        "--in-channels": "" if shape or front.in_channels == CHANNELS else front.in_channels,
        "--input-shape": shape,
        "--input-buffer": "external" if front.external_input else "",
    }
    return [word for name, value in given.items() if value not in (None, "") for word in (name, str(value))]


def build_line(front: Any, values: Mapping[str, Any]) -> str:
    """The Python that makes the torch module of one point."""
    return f"hwscale.build({front.family!r}, {dict(values)!r}{build_ends(front)}"


def build_ends(front: Any) -> str:
    """What follows the hyperparameters in `build_line`."""
    if front.input_shape is not None:
        return f", classes={front.classes}, input_shape={tuple(front.input_shape)})"
    channels = "" if front.in_channels == CHANNELS else f", in_channels={front.in_channels}"
    return f", classes={front.classes}{channels})"


def _table(front: Any, rows: Sequence[int], name: str) -> str:
    columns = [one for one in _FACTS if one in front.columns]
    lines = []
    for row in rows:
        numbers = [
            amount(front.columns[one][row].item(), QUANTITIES[one].show(front.columns[one][row])) for one in columns
        ]
        values = front.hyperparameters(row)
        knobs = "  ".join(f"{key}={value}" for key, value in gathered(values, values))
        button = Cell(f'<button type="button" data-row="{row}" aria-label="show network {row}">show</button>', "")
        lines.append([button, *numbers, words(knobs)])
    return table(name, ["", *(QUANTITIES[one].label for one in columns), "hyperparameters"], lines, tall=True)
