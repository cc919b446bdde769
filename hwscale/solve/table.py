"""Complete table: every candidate's cost once, then each query goes down the ranking by score.

For spaces of at most a few million candidates (XiNet: alpha is an integer in disguise, so *all* real alpha are in it).
Needs no monotonicity. The costs do not depend on limits, so the table outlives the query.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from hwscale.cost_terms import CostArrays
from hwscale.problem import Problem
from hwscale.solve.solution import TOLERANCE, Incumbent, Solution, proven
from hwscale.space import Group, Space

Ints = npt.NDArray[np.int64]
BLOCK = 16_384
"""Ranks looked at in one go: a few arrays of this length stay in the cache."""


class Table:
    """All candidates of one group with their costs, and the ranking by the last score asked for."""

    def __init__(self, group: Group) -> None:
        per_alpha = int(np.prod(group.box_shape, dtype=np.int64))
        flat = np.arange(group.size, dtype=np.int64)
        at_alpha, *box = np.unravel_index(flat, (int(group.counts.sum()), *group.box_shape))
        self.group = group
        self.root = np.repeat(np.arange(len(group.roots)), group.counts * per_alpha)
        self.alpha = at_alpha - group.starts[self.root]
        self.box: tuple[Ints, ...] = tuple(box)
        self.costs: CostArrays = group.costs(self.root, self.alpha, self.box)
        self._ranking: tuple[Any, _Ranking] | None = None

    def ranking(self, problem: Problem) -> _Ranking:
        """The rows by falling score; kept for the next query that scores alike."""
        key = (problem.score_key, tuple(problem.fs_per_unit.items()))
        if self._ranking is None or self._ranking[0] != key:
            losses = -problem.scores(self.costs, self.group.resolutions[self.root])
            order = np.argsort(losses, kind="stable")
            self._ranking = key, _Ranking(order, losses[order], {})
        return self._ranking[1]

    def feasible(self, problem: Problem, ranking: _Ranking, rows: slice) -> npt.NDArray[np.intp]:
        """Which ranks in ``rows`` meet every limit and floor."""
        fits = np.ones(len(ranking.order[rows]), np.bool_)
        for name in {**problem.limits, **problem.floors}:
            if name not in ranking.metrics:
                ranking.metrics[name] = problem.metric(name, self.costs)[ranking.order]
            metric = ranking.metrics[name][rows]
            if name in problem.limits:
                fits &= metric <= problem.limits[name]
            if name in problem.floors:
                fits &= metric >= problem.floors[name]
        return np.flatnonzero(fits)


@dataclass(frozen=True, slots=True)
class _Ranking:
    """Row of each rank, minus the scores (rising), and the metrics in that order, by name."""

    order: npt.NDArray[np.intp]
    losses: npt.NDArray[np.float64]
    metrics: dict[str, Ints]


@lru_cache(maxsize=8)
def tables(space: Space) -> tuple[Table, ...]:
    """The tables of a space, computed on first use."""
    return tuple(Table(group) for group in space.groups)


def solve(problem: Problem) -> Solution | None:
    """The best row of the complete table; None if nothing is feasible."""
    started = time.perf_counter()
    incumbent = Incumbent(problem)
    for table in tables(problem.lattice):
        _search(problem, table, incumbent)
    best = incumbent.best()
    return None if best is None else proven(problem, best, "table", problem.space.size, 0, started)


def _search(problem: Problem, table: Table, incumbent: Incumbent) -> None:
    """Go down the ranking to the first feasible row that can be planned, and offer it with all that score the same."""
    ranking = table.ranking(problem)
    for start in range(0, len(ranking.order), BLOCK):
        if -ranking.losses[start] < incumbent.threshold:
            return
        found = table.feasible(problem, ranking, slice(start, start + BLOCK))
        if len(found):
            first = start + int(found[0])
            top = -float(ranking.losses[first])
            worst = top - TOLERANCE * max(1.0, abs(top))
            end = max(start + BLOCK, int(np.searchsorted(ranking.losses, -worst, side="right")))
            rows = ranking.order[first + table.feasible(problem, ranking, slice(first, end))]
            incumbent.offer_rows(table.group, table.root, table.alpha, table.box, table.costs, rows)
