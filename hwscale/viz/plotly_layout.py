"""The part of a plotly figure that all plots share, as plain dicts: the page has the script, so Python needs no plotly to describe one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from hwscale.viz.palette import PAGE_GRID, PAGE_GROUND, PAGE_INK, PAGE_QUIET

Spec = dict[str, Any]
"""{"data": [...], "layout": {...}}; colours that begin with "@" are the page's."""


def plain(words: object) -> str:
    """Any text as plotly shows it literally: it reads some HTML in labels and hover text."""
    text = "".join(c if c.isprintable() else "?" for c in str(words))
    return escape(text, quote=False).replace("%{", "%&#123;")


def axis(title: str, **options: Any) -> dict[str, Any]:
    """An axis with its unit in the title."""
    return {
        "title": {"text": title, "standoff": 8},
        "automargin": True,
        "gridcolor": PAGE_GRID,
        "linecolor": PAGE_QUIET,
        "tickcolor": PAGE_QUIET,
        "zeroline": False,
        **options,
    }


def layout(x: Mapping[str, Any], y: Mapping[str, Any], height: int, **options: Any) -> dict[str, Any]:
    """Layout of ``height`` px; the width is that of its place in the page."""
    return {
        "xaxis": dict(x),
        "yaxis": dict(y),
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 30, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": PAGE_INK},
        "hoverlabel": {"bgcolor": PAGE_GROUND, "font": {"color": PAGE_INK}, "align": "left"},
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "xref": "container",
            "y": 0,
            "yanchor": "bottom",
            "yref": "container",
        },
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": PAGE_QUIET, "activecolor": PAGE_INK},
        "hovermode": "closest",
        "showlegend": True,
        **options,
    }


def line(at: float, words: str, *, vertical: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """A dashed line right across the plot, and its label: a shape and an annotation."""
    axis, other = ("x", "y") if vertical else ("y", "x")
    shape = {
        "type": "line",
        f"{axis}0": at,
        f"{axis}1": at,
        f"{other}0": 0,
        f"{other}1": 1,
        f"{other}ref": "paper",
        f"{axis}ref": axis,
        "line": {"color": PAGE_INK, "width": 1.5, "dash": "dash"},
    }
    label: dict[str, Any] = {
        "text": plain(words),
        "showarrow": False,
        "font": {"color": PAGE_INK},
        "bgcolor": PAGE_GROUND,
    }
    if vertical:
        label |= {
            "x": at,
            "xref": "x",
            "y": 0.02,
            "yref": "paper",
            "yanchor": "bottom",
            "xanchor": "right",
            "xshift": -4,
        }
    else:
        label |= {"y": at, "yref": "y", "x": 1, "xref": "paper", "xanchor": "right", "yanchor": "bottom"}
    return shape, label


def bars(
    name: str, x: Sequence[Any], y: Sequence[Any], colour: Any, hover: Sequence[str], **options: Any
) -> dict[str, Any]:
    """A trace of bars, each with its own hover text."""
    return {
        "type": "bar",
        "name": plain(name),
        "x": list(x),
        "y": list(y),
        "hovertext": list(hover),
        "hoverinfo": "text",
        "marker": {"color": colour, "line": {"width": 0}},
        **options,
    }
