"""Speed of every op against its MACs per byte of maps, under the ceilings of the operator model.

In the model the times of MACs, of map bytes and of the call add up, where a roofline takes the largest: so ops lie below both
ceilings, and near the one that holds them back. Bytes are those of the int8 maps that an op reads and writes, weights not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwscale.latency_model import FEMTO
from hwscale.result import CostReport, Fit
from hwscale.units import format_count, format_seconds
from hwscale.viz.canvas import new_figure, save_figure, ticks
from hwscale.viz.op_rows import OpRow, OpTable
from hwscale.viz.palette import KINDS, PAGE_INK, PAGE_QUIET, kind_of, light
from hwscale.viz.plotly_layout import Spec, axis, layout, plain
from hwscale.viz.scales import axis_ticks, tick_label
from hwscale.viz.time_plot import timed

MEGA = 1e6
X_TITLE, Y_TITLE = "MACs per byte of maps read and written", "speed [MMAC/s]"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What some kinds of op cannot exceed: ``mac_per_s``, or, where ``per_byte``, that many MAC/s at one MAC per byte."""

    words: str
    kinds: tuple[str, ...]
    mac_per_s: float
    per_byte: bool

    def at(self, intensity: Any) -> Any:
        """The ceiling [MAC/s] at some MACs per byte."""
        return self.mac_per_s * np.asarray(intensity) ** (1 if self.per_byte else 0)


def ceilings(table: OpTable) -> tuple[Ceiling, ...]:
    """The rates of the operator model for the kinds of op that the network has; of a call's own time there is no ceiling."""
    present = {row.op.kind for row in table.rows if row.op.macs}
    found = []
    for work, fs in table.rates.items():
        kinds = tuple(kind for kind in work.operators if kind in present)
        if not kinds or work.quantity == "ops":
            continue
        rate = FEMTO / fs
        unit = "MAC/s" if work.quantity == "macs" else "B/s of maps"
        words = f"{', '.join(kinds)}: {format_count(round(rate))}{unit}"
        found.append(Ceiling(words, kinds, rate, work.quantity == "elements"))
    return tuple(found)


def drawn_rows(table: OpTable) -> tuple[OpRow, ...]:
    """The ops that have both a speed and MACs per byte."""
    return tuple(row for row in table.rows if row.mac_per_s and row.macs_per_byte)


def _ends(table: OpTable) -> tuple[tuple[float, float], tuple[float, float]]:
    """Ends of both axes, the second in MMAC/s."""
    rows = drawn_rows(table)
    across = [row.macs_per_byte or 1 for row in rows]
    up = [(row.mac_per_s or 1) / MEGA for row in rows]
    flat = [one.mac_per_s / MEGA for one in ceilings(table) if not one.per_byte]
    return (min(across) / 1.5, max(across) * 1.5), (min(up) / 1.5, max([*up, *flat]) * 1.8)


def figure(result: Fit | CostReport) -> Any:
    """The static plot, a matplotlib Figure; ConfigError without matplotlib or without times."""
    table = timed(result)
    made, (axes,) = new_figure(7.5, 4.6)
    across, up = _ends(table)
    for kind in dict.fromkeys(kind_of(row.op.kind) for row in drawn_rows(table)):
        rows = [row for row in drawn_rows(table) if kind_of(row.op.kind) == kind]
        place = [row.macs_per_byte for row in rows], [(row.mac_per_s or 0) / MEGA for row in rows]
        axes.scatter(*place, s=22, color=KINDS[kind], edgecolors=light(PAGE_INK), linewidths=0.3, label=kind, gid=kind)
    for one, dash in zip(ceilings(table), ("-", "--", ":", "-.") * len(table.rates), strict=False):
        ends = np.geomspace(*across, 64)
        axes.plot(ends, one.at(ends) / MEGA, color=light(PAGE_INK), linewidth=1.1, linestyle=dash, label=one.words)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for which, (low, high) in (("x", across), ("y", up)):
        at = axis_ticks(low, high, log=True)
        getattr(axes, f"set_{which}lim")(low, high)
        ticks(getattr(axes, f"{which}axis"), at, [tick_label(tick) for tick in at])
    axes.set_xlabel(X_TITLE)
    axes.set_ylabel(f"estimated {Y_TITLE}")
    axes.set_title(f"{table.title}: ops by the operator model, and its rates", fontsize=9, loc="left")
    made.legend(loc="outside lower left", ncols=2, fontsize=7, frameon=False)
    return made


def spec(result: Fit | CostReport) -> Spec:
    """The interactive plot; ConfigError without times."""
    table = timed(result)
    across, up = _ends(table)
    traces: list[dict[str, Any]] = []
    for kind in dict.fromkeys(kind_of(row.op.kind) for row in drawn_rows(table)):
        rows = [row for row in drawn_rows(table) if kind_of(row.op.kind) == kind]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": kind,
                "x": [row.macs_per_byte for row in rows],
                "y": [(row.mac_per_s or 0) / MEGA for row in rows],
                "marker": {"size": 8, "color": KINDS[kind], "line": {"width": 0.6, "color": PAGE_QUIET}},
                "hoverinfo": "text",
                "hovertext": [
                    f"{row.number}. {plain(row.op.name)}<br>{plain(row.op.kind)}<br>{row.macs_per_byte:.1f} MACs per byte, "
                    f"{format_count(round(row.mac_per_s or 0))}MAC/s<br>{format_seconds(row.latency_s or 0)}"
                    for row in rows
                ],
            }
        )
    dashes = ("solid", "dash", "dot", "dashdot") * len(table.rates)
    for one, dash in zip(ceilings(table), dashes, strict=False):
        ends = np.geomspace(*across, 16)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": plain(one.words).replace(": ", ":<br>"),
                "x": ends.tolist(),
                "y": (one.at(ends) / MEGA).tolist(),
                "line": {"color": PAGE_INK, "width": 1.3, "dash": dash},
                "hoverinfo": "name",
            }
        )
    return {"data": traces, "layout": layout(_axis(X_TITLE, across), _axis(Y_TITLE, up), 430), "caption": ""}


def _axis(title: str, ends: tuple[float, float]) -> dict[str, Any]:
    at = axis_ticks(*ends, log=True)
    labels = [tick_label(tick) for tick in at]
    span = [float(np.log10(end)) for end in ends]
    return axis(title, type="log", range=span, tickmode="array", tickvals=at, ticktext=labels)


def save(result: Fit | CostReport, path: str | Path) -> None:
    """Write the static plot as .png, .svg or .pdf; see `hwscale.viz.canvas.save_figure` for errors."""
    save_figure(figure(result), path)
