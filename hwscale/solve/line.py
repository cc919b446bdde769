"""Searches along alpha: with everything else fixed, costs are nondecreasing, so feasible alphas form a prefix."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from hwscale.cost_terms import CostArrays
from hwscale.problem import Problem
from hwscale.space import Group

Ints = npt.NDArray[np.int64]
_POWER = {"ram": 1.0, "flash": 2.0, "macs": 2.0, "params": 2.0, "latency": 2.0}
"""How the costs grow with alpha, roughly: only steers where the search probes next."""
PROBES = 512
"""Rows below which an evaluation costs the same: numpy's call overhead, not its arithmetic."""


class Lines:
    """Line searches for one problem, many lines at once; ``evaluations`` counts exact costs computed."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.evaluations = 0

    def costs(self, group: Group, root: Ints, alpha: Ints, box: Ints) -> CostArrays:
        """Exact costs at (root, alpha index, box indices as rows x axes)."""
        self.evaluations += len(root)
        return group.costs(root, alpha, tuple(box.T))

    def first(
        self,
        group: Group,
        root: Ints,
        box: Ints,
        high: Ints,
        condition: Callable[[CostArrays], npt.NDArray[np.bool_]],
    ) -> Ints:
        """Smallest alpha index whose costs meet a condition that holds at ``high`` and stays met above."""
        low, top = np.full(len(root), -1), high
        while (top - low > 1).any():
            middle = np.maximum((low + top) // 2, 0)
            met = condition(self.costs(group, root, middle, box))
            low, top = np.where(met, low, middle), np.where(met, middle, top)
        return top

    def before_peak(self, group: Group, root: Ints, box: Ints, high: Ints) -> Ints:
        """Largest alpha index not past the score's turning point, which ``high`` is past; 0 if every one is."""
        resolutions = group.resolutions[root]
        after = self.first(group, root, box, high, lambda costs: self.problem.past_peak(costs, resolutions))
        return np.maximum(after - 1, 0)

    def largest(self, group: Group, root: Ints, box: Ints, ceiling: Ints) -> tuple[Ints, CostArrays]:
        """Per row the largest feasible alpha index up to ``ceiling`` (-1: none) and the cost there.

        Feasible alphas form a prefix because costs are nondecreasing. The first probe is the ceiling, the second is guessed
        from how far the cost there is from the limits; then each bracket is cut into equal parts, the more the fewer rows
        are left: evaluating one row takes as long as evaluating `PROBES`.
        """
        best = self.costs(group, root, ceiling, box)
        fits = self.problem.within_limits(best)
        low, high = np.where(fits, ceiling, -1), np.where(fits, ceiling + 1, ceiling)
        active = np.flatnonzero(high - low > 1)
        guess = self._guess(group, root[active], ceiling[active], best[active])[:, None]
        while len(active):
            below, above = low[active][:, None], high[active][:, None]
            parts = max(1, PROBES // len(active))
            cuts = below + (above - below) * np.arange(1, parts + 1) // (parts + 1)
            if guess.size:
                cuts[:, :1], guess = guess, guess[:0]
            probes = np.sort(np.clip(cuts, below + 1, above - 1), axis=1)
            rows = np.repeat(active, parts)
            costs = self.costs(group, root[rows], probes.ravel(), box[rows])
            fitting = self.problem.within_limits(costs).reshape(-1, parts).sum(axis=1)
            some = np.flatnonzero(fitting)
            best.store(active[some], costs[some * parts + fitting[some] - 1])
            low[active[some]] = probes[some, fitting[some] - 1]
            not_all = np.flatnonzero(fitting < parts)
            high[active[not_all]] = probes[not_all, fitting[not_all]]
            active = active[high[active] - low[active] > 1]
        return low, best

    def _guess(self, group: Group, root: Ints, alpha: Ints, costs: CostArrays) -> Ints:
        """Where the tightest limit would be met if costs were powers of alpha."""
        start = group.starts[root]
        factor = np.full(len(root), np.inf)
        for name, limit in self.problem.limits.items():
            ratio = limit / np.maximum(self.problem.limited(name, costs), 1)
            factor = np.minimum(factor, ratio ** (1.0 / _POWER[name]))
        value = group.alphas[start + alpha] * factor
        first, last = group.alphas[start], group.alphas[start + group.counts[root] - 1]
        # alphas are nearly evenly spaced: interpolate instead of searching each root's list
        share = np.clip((value - first) / np.maximum(last - first, 1e-12), 0.0, 1.0)
        guess: Ints = (share * (group.counts[root] - 1)).astype(np.int64)
        return guess
