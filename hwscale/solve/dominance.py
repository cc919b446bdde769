"""Dominance between labels: which partial paths cannot lead to a better answer than another one in the same state.

A label goes if another has a larger value and uses no more of anything. Uses fall into a grid of cells; a running maximum over the
grid gives, for every cell, the largest value in cells strictly below it in every use. What dominates from within the same row
of cells is overlooked, which costs time and never an answer. Where values are equal the tie order must not suffer, so only a
label equal in every respect goes, if it comes later.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
CELLS = 400_000
"""Cells of the grids of all states together."""


def undominated(state: Ints, value: Ints, used: Ints, ties: Ints) -> Ints:
    """Rows to keep, ascending; ``used`` (kinds, n), ``ties`` (3, n). Rows come in the order that breaks ties."""
    rows = _distinct(state, value, used, ties)
    return rows[~_beaten(state[rows], value[rows], used[:, rows])]


def _distinct(state: Ints, value: Ints, used: Ints, ties: Ints) -> Ints:
    """The first of every set of equal rows."""
    keys = np.stack([state, value, *used, *ties])
    order = np.lexsort((np.arange(len(state)), *keys[::-1]))
    fresh = np.append(True, (np.diff(keys[:, order], axis=1) != 0).any(axis=0))
    return np.sort(order[fresh[: len(order)]])


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
