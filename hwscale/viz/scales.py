"""Axes: which unit a quantity is drawn in, where its ticks are, what they say; the same for paper and page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwscale.drawing.marks import log_ticks
from hwscale.drawing.marks import ticks as round_ticks
from hwscale.errors import ConfigError, nearest
from hwscale.units import format_bytes, format_count, format_seconds

LOGARITHMIC = 20
"""Ratio of the largest to the least value from which an axis is logarithmic."""
MOST = 7
"""Ticks on an axis."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """``label`` and ``unit`` of an axis, ``factor`` of the column's unit in it, ``show`` one value as text; ``binary`` if
    ticks are powers of two."""

    name: str
    label: str
    unit: str
    factor: float
    show: Callable[[Any], str]
    binary: bool = False

    @property
    def title(self) -> str:
        """What an axis is called."""
        return f"{self.label} [{self.unit}]" if self.unit else self.label

    def drawn(self, values: Any) -> Any:
        """Values in the axis's unit."""
        return np.asarray(values, np.float64) / self.factor


def _bytes(value: Any) -> str:
    return format_bytes(int(value))


def _count(value: Any) -> str:
    return format_count(int(value))


QUANTITIES = {
    one.name: one
    for one in (
        Quantity("ram", "RAM", "KiB", 1024, _bytes, binary=True),
        Quantity("flash", "Flash", "KiB", 1024, _bytes, binary=True),
        Quantity("macs", "MACs", "M", 1e6, _count),
        Quantity("params", "parameters", "k", 1e3, _count),
        Quantity("latency", "latency", "ms", 1e-3, lambda value: format_seconds(float(value))),
        Quantity("resolution", "resolution", "px", 1, lambda value: f"{value:g} px"),
        Quantity("score", "score", "", 1, lambda value: f"{value:.6g}"),
    )
}


def find_quantity(name: str, columns: Iterable[str]) -> Quantity:
    """A quantity that can be drawn of these columns; ConfigError for another name."""
    known = [one for one in columns if one in QUANTITIES]
    if name not in known:
        raise ConfigError(f"unknown axis {name!r}; {nearest(name, known)}")
    return QUANTITIES[name]


def logarithmic(values: Any) -> bool:
    """Whether values span enough for a logarithmic axis."""
    least, most = float(np.min(values)), float(np.max(values))
    return least > 0 and most / least > LOGARITHMIC


def axis_ticks(low: float, high: float, *, log: bool, binary: bool = False) -> list[float]:
    """About `MOST` ticks within ``low`` .. ``high``; of sizes at powers of two."""
    if log and not binary:
        found = log_ticks(low, high)
        return found[:: math.ceil(len(found) / MOST)]
    if log:
        first, last = math.ceil(math.log2(low)), math.floor(math.log2(high))
        every = max(1, math.ceil((last - first + 1) / MOST))
        return [2.0**power for power in range(first, last + 1, every)]
    if binary and high >= 8:
        step = 2.0 ** math.ceil(math.log2(high / MOST))
        return [step * at for at in range(int(high / step) + 1) if step * at >= low]
    step = round_ticks(high - low)[1]
    return [round(step * at, 9) for at in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def tick_label(tick: float) -> str:
    """1,024; 0.5."""
    return f"{tick:,.0f}" if tick == int(tick) else f"{tick:g}"
