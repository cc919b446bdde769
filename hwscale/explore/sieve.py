"""A coarse filter ahead of the exact one: the best score known so far in every cell of a grid over the costs.

What lies in a cell that is larger in every cost than one with a better score is dominated. The others may be, which costs time and never an
answer. The same holds of a whole box of candidates: it is put in the cell of its least costs with the most that it can score.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hwscale.objectives import Objective

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
SIDE = {2: 1024, 3: 80}
"""Cells along each cost, by the number of costs."""
STEPS = 1 << 16
"""Entries of the table that leads from a cost to its cell."""
PATIENCE = 1 << 17
"""Candidates that are noted before the grid is made anew."""
NEAR = 1e-12
"""Relative slack on float scores: vector and scalar logarithms differ by a few ulp."""


def slack(goal: Objective, scores: Floats) -> Floats:
    """How far scores of arrays may be off those of single candidates."""
    return np.zeros(len(scores)) if goal.plain else NEAR * np.maximum(1.0, np.abs(scores))


class Sieve:
    """One grid per objective; ``sample`` (costs, n) says where the candidates are, so that cells hold about equally many."""

    def __init__(self, goals: Sequence[Objective], sample: Ints) -> None:
        self.goals = tuple(goals)
        self.side = SIDE[len(sample)]
        self._low = sample.min(axis=1)
        self._shift = [
            max(0, int(high - low).bit_length() - 16) for low, high in zip(self._low, sample.max(axis=1), strict=True)
        ]
        self._cells = [self._table(axis, row) for axis, row in enumerate(sample)]
        shape = (self.side + 1,) * len(sample)
        self._best = [np.full(shape, -np.inf) for _ in goals]
        self._new = [np.full(shape, -np.inf) for _ in goals]
        self._noted = PATIENCE

    def _table(self, axis: int, values: Ints) -> Ints:
        steps = np.minimum((values - self._low[axis]) >> self._shift[axis], STEPS - 1)
        counts = np.cumsum(np.bincount(steps, minlength=STEPS))
        return np.asarray((counts - 1) * self.side // counts[-1] + 1)

    def _cell(self, costs: Ints) -> list[Ints]:
        # cell 0 stays empty, so that the cell below the lowest exists
        found = []
        for axis, row in enumerate(costs):
            steps = np.clip((row - self._low[axis]) >> self._shift[axis], 0, STEPS - 1)
            cell = self._cells[axis][steps]
            found.append(np.where(row < self._low[axis], 1, cell))
        return found

    def add(self, costs: Ints, scores: Sequence[Floats]) -> None:
        """Candidates that exist, with what they really cost."""
        cell = tuple(self._cell(costs))
        for new, score in zip(self._new, scores, strict=True):
            np.maximum.at(new, cell, score)
        self._noted += costs.shape[1]

    def passes(self, costs: Ints, scores: Sequence[Floats]) -> Flags:
        """What may be on a front of one of the objectives."""
        if self._noted > PATIENCE:
            for best, new in zip(self._best, self._new, strict=True):
                np.maximum(best, new, out=best)
                for axis in range(best.ndim):
                    np.maximum.accumulate(best, axis=axis, out=best)
            self._noted = 0
        below = tuple(cell - 1 for cell in self._cell(costs))
        kept = np.zeros(costs.shape[1], np.bool_)
        for goal, best, score in zip(self.goals, self._best, scores, strict=True):
            kept |= best[below] <= score + slack(goal, score)
        return kept
