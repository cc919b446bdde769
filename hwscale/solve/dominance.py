"""Dominance between labels: which partial paths cannot lead to a better answer than another one in the same state.

A label goes if another has a larger value and uses no more of anything. Uses fall into a grid of cells; a running maximum over the
grid gives, for every cell, the largest value in cells strictly below it in every use. What dominates from within the same row
of cells is overlooked, which costs time and never an answer. Where values are equal the tie order must not suffer: a label
only goes if the one that the tie order puts first uses no more, and stays first whatever follows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
CELLS = 400_000
"""Cells of the grids of all states together."""


def undominated(state: Ints, value: Ints, used: Ints, ties: Ints, *, capped: bool = False) -> Ints:
    """Rows to keep, ascending; ``used`` (kinds, n), ``ties`` (3, n). Rows come in the order that breaks ties.

    ``capped``: a limit on the value itself binds, so that more of it is no advantage and only equal values compare.
    """
    rows = _foremost(state, value, used, ties)
    if capped:
        return rows
    return rows[~_beaten(state[rows], value[rows], used[:, rows])]


def _foremost(state: Ints, value: Ints, used: Ints, ties: Ints) -> Ints:
    """Rows without those that tie in state and value with a row that is ahead of them in everything.

    Latency and Flash add up along the path and RAM is a maximum: less latency stays less, less RAM may become equal RAM.
    """
    if not len(state):
        return np.arange(0)
    latency, ram, flash = ties
    order = np.lexsort((np.arange(len(state)), flash, ram, latency, value, state))
    fresh = np.append(True, (np.diff(state[order]) != 0) | (np.diff(value[order]) != 0))
    first = order[np.flatnonzero(fresh)[np.cumsum(fresh) - 1]]
    behind = (used[:, first] <= used[:, order]).all(axis=0) & ~fresh
    ahead = (flash[first] < flash[order]) | ((flash[first] == flash[order]) & (first < order))
    settled = (latency[first] < latency[order]) | ((ram[first] <= ram[order]) & ahead)
    return np.sort(order[~(behind & settled)])


def _beaten(state: Ints, value: Ints, used: Ints) -> npt.NDArray[np.bool_]:
    """Which rows have a larger value somewhere below them."""
    if not len(state):
        return np.zeros(0, np.bool_)
    states, kinds = int(state.max()) + 1, len(used)
    if kinds == 0:
        best = np.full(states, np.iinfo(np.int64).min)
        np.maximum.at(best, state, value)
        return np.asarray(best[state] > value)
    side = max(2, int((CELLS / states) ** (1 / kinds)))
    low = used.min(axis=1, keepdims=True)
    width = (used.max(axis=1, keepdims=True) - low) // (side - 1) + 1
    # cell 0 stays empty, so that the cell below the lowest exists
    cell = (used - low) // width + 1
    shape = (states, *[side + 1] * kinds)
    best = np.full(shape, np.iinfo(np.int64).min)
    np.maximum.at(best, (state, *cell), value)
    for axis in range(1, kinds + 1):
        np.maximum.accumulate(best, axis=axis, out=best)
    return np.asarray(best[(state, *(cell - 1))] > value)
