"""Complete table: every candidate's cost once, then each query is a masked argmax.

For spaces of at most a few million candidates (XiNet: alpha is an integer in disguise, so *all* real alpha are in it).
Needs no monotonicity. The costs do not depend on limits, so the table outlives the query.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from hwscale.cost_model import CostArrays
from hwscale.problem import Problem
from hwscale.solve.exhaustive import offer
from hwscale.solve.solution import TOLERANCE, Incumbent, Solution, proven
from hwscale.space import Group, Space

Ints = npt.NDArray[np.int64]


class Table:
    """All candidates of one group with their costs and, per objective asked for, their scores."""

    def __init__(self, group: Group) -> None:
        per_alpha = int(np.prod(group.box_shape, dtype=np.int64))
        flat = np.arange(group.size, dtype=np.int64)
        at_alpha, *box = np.unravel_index(flat, (int(group.counts.sum()), *group.box_shape))
        self.group = group
        self.root = np.repeat(np.arange(len(group.roots)), group.counts * per_alpha)
        self.alpha = at_alpha - group.starts[self.root]
        self.box: tuple[Ints, ...] = tuple(box)
        self.costs: CostArrays = group.costs(self.root, self.alpha, self.box)
        self._scores: dict[Any, npt.NDArray[np.float64]] = {}
        self._latency: dict[Any, Ints] = {}

    def metric(self, name: str, problem: Problem) -> Ints:
        """One metric of every row; latency is kept for the next query with the same rates."""
        if name != "latency":
            return problem.metric(name, self.costs)
        key = tuple(problem.fs_per_mac.items())
        if key not in self._latency:
            self._latency = {key: problem.latency_fs(self.costs)}
        return self._latency[key]

    def feasible(self, problem: Problem) -> npt.NDArray[np.bool_]:
        """Which rows meet every limit and floor."""
        fits = np.ones(len(self.root), np.bool_)
        for name, limit in problem.limits.items():
            fits &= self.metric(name, problem) <= limit
        for name, floor in problem.floors.items():
            fits &= self.metric(name, problem) >= floor
        return fits

    def scores(self, problem: Problem) -> npt.NDArray[np.float64]:
        """What is maximised, for every row; kept for the next query of the same kind."""
        key = problem.score_key
        if key not in self._scores:
            self._scores = {key: problem.scores(self.costs, self.group.resolutions[self.root])}
        return self._scores[key]


@lru_cache(maxsize=8)
def tables(space: Space) -> tuple[Table, ...]:
    """The tables of a space, computed on first use."""
    return tuple(Table(group) for group in space.groups)


def solve(problem: Problem) -> Solution | None:
    """The best row of the complete table; None if nothing is feasible."""
    started = time.perf_counter()
    incumbent = Incumbent(problem)
    for table in tables(problem.space):
        scores = np.where(table.feasible(problem), table.scores(problem), -np.inf)
        top = float(scores.max())
        if top > -np.inf and top >= incumbent.threshold:
            rows = np.flatnonzero(scores >= top - TOLERANCE * max(1.0, abs(top)))
            offer(problem, incumbent, table.group, table.root, table.alpha, table.box, table.costs, rows)
    best = incumbent.best()
    return None if best is None else proven(problem, best, "table", problem.space.size, 0, started)
