"""What a plot of a front draws: the points left of it, the steps of its staircase, the budget, the place of the chosen fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwscale.viz.scales import Quantity, find_quantity, logarithmic

Floats = npt.NDArray[np.float64]
MOST_DRAWN, COARSEST = 1500, 0.5
"""Points that a plot has at most: epsilon is doubled until it does, up to `COARSEST`; steps of the staircase likewise."""
ROOM = 0.04
"""Empty margin of an axis, as a share of its span."""


@dataclass(frozen=True)
class ParetoPoints:
    """What is drawn of a front: ``rows`` and their columns, ``stairs`` the rows of the staircase, ``budget`` of x in the
    column's unit, ``mark`` the place of the chosen fit; x and y in the columns' units."""

    x: Quantity
    y: Quantity
    rows: npt.NDArray[np.int64]
    xs: Floats
    ys: Floats
    resolutions: Floats
    stair_xs: Floats
    stair_ys: Floats
    budget: int | None
    mark: tuple[float, float] | None
    caption: str

    @property
    def colours(self) -> bool:
        """Whether colour says something: points differ in resolution."""
        return len(self.rows) > 0 and bool(self.resolutions.min() < self.resolutions.max())

    @property
    def log_x(self) -> bool:
        """Whether x is drawn on a logarithmic axis."""
        return len(self.xs) > 0 and logarithmic(self.xs)

    @property
    def log_y(self) -> bool:
        """The same of y."""
        return len(self.ys) > 0 and logarithmic(self.ys)

    def span(self, name: str) -> tuple[float, float]:
        """The ends of an axis in its unit: points, budget and mark, and some room."""
        at = 0 if name == "x" else 1
        quantity, values, log = (self.x, self.xs, self.log_x) if name == "x" else (self.y, self.ys, self.log_y)
        shown = [
            *values,
            *([self.budget] if name == "x" and self.budget else []),
            *([self.mark[at]] if self.mark else []),
        ]
        ends = quantity.drawn([min(shown), max(shown)] if shown else [1, 2])
        low, high = np.log(ends) if log else ends
        room = ROOM * (high - low) or ROOM * abs(high) or 1.0
        low, high = low - room, high + room
        return (float(np.exp(low)), float(np.exp(high))) if log else (float(low), float(high))


def pareto_points(front: Any, x: str, y: str, epsilon: float, marked: Any = None) -> ParetoPoints:
    """What is drawn; ``marked`` is a point of the front, its row, a `Fit`, or None. ConfigError for a column that there is not."""
    across, up = find_quantity(x, front.columns), find_quantity(y, front.columns)
    rows = np.asarray(front.thinned(x, y, epsilon), np.int64)
    while len(rows) > MOST_DRAWN and epsilon < COARSEST:
        epsilon = min(2 * epsilon, COARSEST)
        rows = np.asarray(front.thinned(x, y, epsilon), np.int64)
    stairs = np.asarray(front.staircase(x, y), np.int64)
    if len(stairs) > MOST_DRAWN:
        stairs = stairs[np.linspace(0, len(stairs) - 1, MOST_DRAWN).round().astype(np.int64)]
    xs, ys = (np.asarray(front.columns[name], np.float64) for name in (x, y))
    budget = front.budget.get(x)
    return ParetoPoints(
        across,
        up,
        rows,
        xs[rows],
        ys[rows],
        np.asarray(front.columns["resolution"], np.float64)[rows],
        xs[stairs],
        ys[stairs],
        None if budget is None else int(budget),
        place_of(marked, front, x, y),
        f"{len(rows):,} of {len(front):,} points drawn, each other within {100 * epsilon:g} % of one of them",
    )


def place_of(marked: Any, front: Any, x: str, y: str) -> tuple[float, float] | None:
    """Where the chosen fit is; None without one, or where one of the two is not known of it."""
    if marked is None:
        return None
    row = row_of(marked, front)
    if row is not None:
        return float(front.columns[x][row]), float(front.columns[y][row])
    _, height, width = marked.input_shape
    known = {
        "params": marked.cost.params,
        "resolution": (height * width) ** 0.5,
        "score": marked.certificate.objective,
    }
    found = [known[name] if name in known else marked.cost.quantity(name) for name in (x, y)]
    return None if None in found else (float(found[0]), float(found[1]))


def row_of(marked: Any, front: Any) -> int | None:
    """The row of the chosen fit; None without one, or where the front has no point of its cost."""
    if isinstance(marked, int) or marked is None:
        return marked
    if hasattr(marked, "row"):
        return int(marked.row)
    _, height, width = marked.input_shape
    cost = {"ram": marked.cost.ram_bytes, "flash": marked.cost.flash_bytes, "macs": marked.cost.macs}
    same = np.isclose(front.columns["resolution"], (height * width) ** 0.5)
    for name, value in cost.items():
        same &= np.asarray(front.columns[name]) == value
    found = np.flatnonzero(same)
    return int(found[0]) if len(found) else None
