"""Exact filters: which rows of a ranking are needed by somebody.

Rows come in the order of preference, best first. One is kept if none before it costs at most as much in every respect: then it is the best
answer to the limits that equal its own costs, and to no other limits is a row that is left out.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import repeat

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
BLOCK = 4096
"""Rows that are held against the staircase so far in one go, before the others are looked at one by one."""
FEW = 64
"""Rows that are compared each with each."""
EARLIER = np.triu(np.ones((FEW, FEW), np.bool_), 1)


class Staircase:
    """The lower left hull of points (x, y): ``xs`` rises while ``ys`` falls."""

    def __init__(self) -> None:
        self.xs: list[int] = []
        self.ys: list[int] = []

    def descend(self, rows: list[int], xs: list[int], ys: list[int], solid: list[bool] | None = None) -> list[int]:
        """Put in points one after the other, but for those that are not ``solid``; the rows of those that are not covered when their turn
        comes."""
        hull_x, hull_y, kept = self.xs, self.ys, []
        for row, x, y, real in zip(rows, xs, ys, repeat(True) if solid is None else solid, strict=False):
            at = bisect_right(hull_x, x)
            if at and hull_y[at - 1] <= y:
                continue
            kept.append(row)
            if not real:
                continue
            if at and hull_x[at - 1] == x:
                at -= 1
            stop = at
            while stop < len(hull_y) and hull_y[stop] >= y:
                stop += 1
            hull_x[at:stop] = [x]
            hull_y[at:stop] = [y]
        return kept

    def covered(self, x: Ints, y: Ints) -> Flags:
        """`covers` of many points."""
        if not self.xs:
            return np.zeros(len(x), np.bool_)
        xs, ys = np.array(self.xs), np.array(self.ys)
        at = np.searchsorted(xs, x, side="right") - 1
        return np.asarray((at >= 0) & (ys[np.maximum(at, 0)] <= y))


def foremost(costs: Ints, solid: Flags | None = None) -> Ints:
    """Of ``costs`` (2 or 3, n) in order of preference the rows to keep, ascending. Rows that are not ``solid`` displace none."""
    if solid is None:
        solid = np.ones(costs.shape[1], np.bool_)
    if len(costs) == 2:
        return _swept(costs[0], costs[1], solid)
    if len(costs) == 3:
        return _halved(costs, solid, np.arange(costs.shape[1]))
    raise ValueError(f"fronts are over 2 or 3 costs, got {len(costs)}")


def _swept(x: Ints, y: Ints, solid: Flags) -> Ints:
    stairs = Staircase()
    kept: list[int] = []
    for start in range(0, len(x), BLOCK):
        block = slice(start, start + BLOCK)
        some = start + np.flatnonzero(~stairs.covered(x[block], y[block]))
        kept += stairs.descend(some.tolist(), x[some].tolist(), y[some].tolist(), solid[some].tolist())
    return np.array(kept, np.int64)


def _halved(costs: Ints, solid: Flags, rows: Ints) -> Ints:
    """Divide and conquer over the ranking: what the better half keeps is held against what the other half keeps."""
    if len(rows) <= FEW:
        less = EARLIER[: len(rows), : len(rows)] & solid[rows, None]
        for row in costs[:, rows]:
            less &= row[:, None] <= row
        return rows[~less.any(axis=0)]
    middle = len(rows) // 2
    better, worse = _halved(costs, solid, rows[:middle]), _halved(costs, solid, rows[middle:])
    real = better[solid[better]]
    return np.concatenate([better, worse[~_shadowed(costs[:, real], costs[:, worse])]])


def _shadowed(better: Ints, worse: Ints) -> Flags:
    """Which columns of ``worse`` (3, m) have a column of ``better`` (3, n) that is at most as large in all rows."""
    if better.shape[1] * worse.shape[1] <= 1 << 14:
        less = better[0][:, None] <= worse[0]
        for a, b in zip(better[1:], worse[1:], strict=True):
            less &= a[:, None] <= b
        return np.asarray(less.any(axis=0))
    found = np.zeros(worse.shape[1], np.bool_)
    first = np.argsort(better[0], kind="stable")
    order = np.argsort(worse[0], kind="stable")
    upto = np.searchsorted(better[0][first], worse[0][order], side="right").tolist()
    first_rows = first.tolist()
    bx, by = better[1][first].tolist(), better[2][first].tolist()
    wx, wy = worse[1][order].tolist(), worse[2][order].tolist()
    stairs, at = Staircase(), 0
    covered = []
    for until, x, y in zip(upto, wx, wy, strict=True):
        if until > at:
            stairs.descend(first_rows[at:until], bx[at:until], by[at:until])
            at = until
        below = bisect_right(stairs.xs, x)
        covered.append(below > 0 and stairs.ys[below - 1] <= y)
    found[order] = covered
    return found
