"""Dominance between labels: which partial paths cannot lead to a better answer than another one in the same state.

A label goes if another has a larger value and uses no more of anything. Uses fall into a grid of cells; a running maximum over the
grid gives, for every cell, the largest value in cells strictly below it in every use. What dominates from within the same row
of cells is overlooked, which costs time and never an answer. Few labels are compared each with each. Where values are equal the tie order must not suffer: a label
only goes if the one that the tie order puts first uses no more, and stays first whatever follows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
CELLS = 400_000
"""Cells of the grids of all states together."""
FEW = 600
"""Labels that are compared each with each."""
COARSE, NEARBY = 12, 32
"""Cells along one use below which a grid sees little, and how many neighbours each label then meets besides."""


def undominated(state: Ints, value: Ints, used: Ints, ties: Ints, *, capped: bool = False) -> Ints:
    """Rows to keep, ascending; ``used`` (kinds, n), ``ties`` as in `hwscale.solve.completions.Partial`. Rows come in the order that breaks ties.

    ``capped``: a limit on the value itself binds, so that more of it is no advantage and only equal values compare.
    """
    rows = _foremost(state, value, used, ties)
    if capped:
        return rows
    return rows[~_beaten(state[rows], value[rows], used[:, rows])]


def _foremost(state: Ints, value: Ints, used: Ints, ties: Ints) -> Ints:
    """Rows without those that tie in state and value with a row that is ahead of them in everything.

    Latency, Flash and what persists add up along the path and memory regions are maxima: less latency stays less, less RAM may
    become equal RAM.
    """
    if not len(state):
        return np.arange(0)
    latency, parts, flash = ties[0], ties[1:-1], ties[-1]
    ram = parts.sum(axis=0)
    order = np.lexsort((np.arange(len(state)), flash, ram, latency, value, state))
    fresh = np.append(True, (np.diff(state[order]) != 0) | (np.diff(value[order]) != 0))
    first = order[np.flatnonzero(fresh)[np.cumsum(fresh) - 1]]
    behind = (used[:, first] <= used[:, order]).all(axis=0) & ~fresh
    ahead = (flash[first] < flash[order]) | ((flash[first] == flash[order]) & (first < order))
    settled = (latency[first] < latency[order]) | ((parts[:, first] <= parts[:, order]).all(axis=0) & ahead)
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
    if len(state) <= FEW:
        less = (used[:, :, None] <= used[:, None]).all(axis=0) & (state[:, None] == state)
        return np.asarray((less & (value[:, None] > value)).any(axis=0))
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
    beaten = np.asarray(best[(state, *(cell - 1))] > value)
    return beaten | _beaten_nearby(state, value, used) if side < COARSE else beaten


def _beaten_nearby(state: Ints, value: Ints, used: Ints) -> npt.NDArray[np.bool_]:
    """The same, where each row only meets the few of its state that come next above it in value."""
    order = np.lexsort((-value, state))
    state, value, used = state[order], value[order], used[:, order]
    beaten = np.zeros(len(state), np.bool_)
    for apart in range(1, NEARBY):
        ahead = (state[:-apart] == state[apart:]) & (value[:-apart] > value[apart:])
        beaten[apart:] |= ahead & (used[:, :-apart] <= used[:, apart:]).all(axis=0)
    found = np.empty_like(beaten)
    found[order] = beaten
    return found
