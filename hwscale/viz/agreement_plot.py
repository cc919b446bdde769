"""Predicted against measured: many networks on two logarithmic axes, or the few rows of one verification as differences."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwscale.drawing.marks import BLUE, GREEN, ORANGE, PURPLE, VERMILLION
from hwscale.errors import ConfigError
from hwscale.units import format_bytes, format_count
from hwscale.verification import Row, Verification
from hwscale.viz.canvas import new_figure, save_figure, ticks
from hwscale.viz.palette import PAGE_INK, PAGE_QUIET, SKY, light
from hwscale.viz.scales import axis_ticks, tick_label

STYLES = tuple(zip((BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION), "os^Dv*", strict=True))
"""Colour and marker: series differ in both."""
LOOKS = {"params": "parameters", "macs": "MACs", "ram_bytes": "RAM", "flash_bytes": "Flash"}


@dataclass(frozen=True, slots=True)
class Pair:
    """One row: ``low`` .. ``high`` is what was predicted, one number or an interval; the same unit as ``measured``."""

    series: str
    name: str
    low: float
    high: float
    measured: float

    @property
    def predicted(self) -> float:
        """The middle of the prediction in ratio."""
        return float(np.sqrt(self.low * self.high))


def read_pairs(path: str | Path) -> tuple[tuple[Pair, ...], str]:
    """The rows of a table of predictions and measurements, and their unit ("KiB" or "ms").

    Known are tables as docs/fidelity_rows.csv, of which rows in bytes are taken, and docs/latency_rows.csv. ConfigError for others.
    """
    try:
        with Path(path).open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}); give a .csv") from None
    columns = set(rows[0]) if rows else set()
    if {"predicted_low", "predicted_high", "measured", "runtime", "unit"} <= columns:
        bytes_only = [row for row in rows if row["unit"] == "B"]
        found = [_pair(row, "runtime", "predicted_low", "predicted_high", "measured", 1024) for row in bytes_only]
        unit = "KiB"
    elif {"predicted_ms", "published_ms", "library"} <= columns:
        found = [_pair(row, "library", "predicted_ms", "predicted_ms", "published_ms", 1) for row in rows]
        unit = "ms"
    else:
        raise ConfigError(
            f"{path}: no such table; it needs the columns of docs/fidelity_rows.csv or docs/latency_rows.csv"
        )
    return tuple(pair for pair in found if pair is not None and min(pair.low, pair.measured) > 0), unit


def _pair(row: Mapping[str, str], series: str, low: str, high: str, measured: str, unit: float) -> Pair | None:
    try:
        numbers = [float(row[name]) / unit for name in (low, high, measured)]
    except (TypeError, ValueError):
        return None  # not predicted, or not published
    return Pair(row[series], row.get("network", ""), *numbers)


def figure(pairs: Sequence[Pair], unit: str, what: str = "") -> Any:
    """The static plot, a matplotlib Figure; ConfigError without matplotlib or without rows."""
    if not pairs:
        raise ConfigError("there is no row to draw; give predictions with their measurements")
    made, (axes,) = new_figure(6.4, 5.6)
    series = list(dict.fromkeys(pair.series for pair in pairs))
    shown = series[: len(STYLES)] if len(series) <= len(STYLES) else series[: len(STYLES) - 1]
    groups = {name: [pair for pair in pairs if pair.series == name] for name in shown}
    if rest := [pair for pair in pairs if pair.series not in shown]:
        groups["others"] = rest
    for (name, some), (colour, marker) in zip(groups.items(), STYLES, strict=False):
        at = [pair.measured for pair in some], [pair.predicted for pair in some]
        below = [pair.predicted - pair.low for pair in some]
        above = [pair.high - pair.predicted for pair in some]
        if any(above):
            axes.errorbar(*at, yerr=[below, above], fmt="none", ecolor=colour, elinewidth=0.8, alpha=0.7)
        label = f"{name} ({len(some)})"
        style = {"s": 20, "color": colour, "alpha": 0.75, "edgecolors": light(PAGE_INK), "linewidths": 0.2}
        axes.scatter(*at, marker=marker, label=label, gid=name, **style)
    every = [end for pair in pairs for end in (pair.low, pair.high, pair.measured)]
    low, high = min(every) / 1.3, max(every) * 1.3
    axes.plot([low, high], [low, high], color=light(PAGE_INK), linewidth=1, label="predicted = measured")
    at_ticks = axis_ticks(low, high, log=True, binary=unit == "KiB")
    for which in "xy":
        getattr(axes, f"set_{which}scale")("log")
        getattr(axes, f"set_{which}lim")(low, high)
        ticks(getattr(axes, f"{which}axis"), at_ticks, [tick_label(tick) for tick in at_ticks])
    axes.set_aspect("equal")
    axes.set_xlabel(f"measured [{unit}]")
    axes.set_ylabel(f"predicted [{unit}]")
    axes.set_title(f"{what or 'predicted against measured'}, {len(pairs)} rows", fontsize=9, loc="left")
    axes.legend(loc="upper left", fontsize=7, framealpha=0.9)
    return made


def differences(verification: Verification) -> tuple[tuple[str, float, float], ...]:
    """(label, (measured / predicted - 1) [%], tolerance [%]) of each row; none where nothing was measured."""
    return tuple(
        (row_label(row), 100 * (row.measured / row.predicted - 1), 100 * row.tolerance / row.predicted)
        for row in verification.rows
        if row.predicted
    )


def row_label(row: Row) -> str:
    """The quantity for people, with what was predicted."""
    size = format_bytes(row.predicted) if row.quantity.endswith("_bytes") else format_count(row.predicted)
    return f"{LOOKS.get(row.quantity, row.quantity.removesuffix('_bytes'))}: {size}"


def figure_of_verification(verification: Verification) -> Any:
    """What was measured, as difference from what was predicted; ConfigError without matplotlib or without measurement."""
    rows = differences(verification)
    if not rows:
        raise ConfigError("nothing was measured; run fit with --verify torch or tflm")
    made, (axes,) = new_figure(6.4, 1.2 + 0.4 * len(rows))
    for at, (_, difference, tolerance) in enumerate(rows):
        axes.barh(
            at, 2 * tolerance, left=-tolerance, height=0.5, color=SKY, alpha=0.5, label="tolerance" if not at else None
        )
        axes.plot(difference, at, "o", color=VERMILLION, label="measured" if not at else None, gid="measured")
    axes.axvline(0, color=light(PAGE_QUIET), linewidth=1)
    most = max(0.1, *(1.3 * max(abs(difference), tolerance) for _, difference, tolerance in rows))
    axes.set_xlim(-most, most)
    axes.set_yticks(range(len(rows)), [label for label, _, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("measured / predicted - 1 [%]")
    axes.set_title(f"measured with {verification.backend}", fontsize=9, loc="left")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, fontsize=8, frameon=False)
    return made


def save(path: str | Path, pairs: Sequence[Pair], unit: str, what: str = "") -> None:
    """Write the plot of rows as .png, .svg or .pdf; see `hwscale.viz.canvas.save_figure` for errors."""
    save_figure(figure(pairs, unit, what), path)
