"""Searches along alpha: with everything else fixed, costs are nondecreasing, so feasible alphas form a prefix."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from hwscale.cost_model import CostArrays
from hwscale.problem import Problem
from hwscale.space import Group

Ints = npt.NDArray[np.int64]
_POWER = {"ram": 1.0, "flash": 2.0, "macs": 2.0, "params": 2.0, "latency": 2.0}
"""How the costs grow with alpha, roughly: only steers where the search probes next."""


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

        Feasible alphas form a prefix because costs are nondecreasing. Probes are guessed from how far the last cost is
        from the limits, every third one halves the bracket.
        """
        low = np.full(len(root), -1)
        high = ceiling + 1
        probe = ceiling.copy()
        best = self.costs(group, root, probe, box)
        now, active, step = best, np.arange(len(root)), 0
        while True:
            fits = self.problem.within_limits(now)
            if step:
                _store(best, active[fits], now[fits])
            low[active] = np.where(fits, probe[active], low[active])
            high[active] = np.where(fits, high[active], probe[active])
            wide = high[active] - low[active] > 1
            active, now = active[wide], now[wide]
            if len(active) == 0:
                return low, best
            step += 1
            guess = (low[active] + high[active]) // 2
            if step % 3:
                guess = self._guess(group, root[active], probe[active], now)
            probe[active] = np.clip(guess, low[active] + 1, high[active] - 1)
            now = self.costs(group, root[active], probe[active], box[active])

    def _guess(self, group: Group, root: Ints, alpha: Ints, costs: CostArrays) -> Ints:
        """Where the tightest limit would be met if costs were powers of alpha."""
        start = group.starts[root]
        factor = np.full(len(root), np.inf)
        for name, limit in self.problem.limits.items():
            ratio = limit / np.maximum(self.problem.metric(name, costs), 1)
            factor = np.minimum(factor, ratio ** (1.0 / _POWER[name]))
        value = group.alphas[start + alpha] * factor
        first, last = group.alphas[start], group.alphas[start + group.counts[root] - 1]
        # alphas are nearly evenly spaced: interpolate instead of searching each root's list
        share = np.clip((value - first) / np.maximum(last - first, 1e-12), 0.0, 1.0)
        guess: Ints = (share * (group.counts[root] - 1)).astype(np.int64)
        return guess


def _store(costs: CostArrays, rows: Ints, new: CostArrays) -> None:
    costs.ram_bytes[rows] = new.ram_bytes
    costs.flash_bytes[rows] = new.flash_bytes
    costs.macs[rows] = new.macs
    costs.params[rows] = new.params
    for kind, array in costs.macs_by_kind.items():
        array[rows] = new.macs_by_kind[kind]
