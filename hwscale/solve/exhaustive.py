"""Plain enumeration of every candidate: slow, obviously right, the oracle of all other solvers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from hwscale.chain_space import ChainSpace
from hwscale.cost_terms import CostArrays
from hwscale.problem import Problem
from hwscale.solve.paths import enumerate_all
from hwscale.solve.solution import Incumbent, Solution, proven
from hwscale.space import Group, Space

Ints = npt.NDArray[np.int64]
BLOCK = 1 << 19


def solve(problem: Problem) -> Solution | None:
    """The best candidate of the whole space; None if nothing is feasible."""
    if isinstance(problem.space, ChainSpace):
        return enumerate_all(problem)
    return solve_many([problem])[0]


def solve_many(problems: Sequence[Problem]) -> list[Solution | None]:
    """One pass over a space shared by several problems."""
    started = time.perf_counter()
    incumbents = [Incumbent(problem) for problem in problems]
    evaluations = 0
    for group, root, alpha, box, costs in blocks(problems[0].lattice):
        evaluations += len(root)
        for problem, incumbent in zip(problems, incumbents, strict=True):
            feasible = np.flatnonzero(problem.within_limits(costs) & problem.above_floors(costs))
            if len(feasible):
                incumbent.offer_rows(group, root, alpha, box, costs, feasible)
    return [
        None if best is None else proven(problem, best, "exhaustive", evaluations, 0, started)
        for problem, best in zip(problems, (incumbent.best() for incumbent in incumbents), strict=True)
    ]


def blocks(space: Space) -> Iterator[tuple[Group, Ints, Ints, tuple[Ints, ...], CostArrays]]:
    """Every candidate with its cost, in blocks of about half a million."""
    for group in space.groups:
        per_alpha = int(np.prod(group.box_shape, dtype=np.int64))
        for root in range(len(group.roots)):
            total = int(group.counts[root]) * per_alpha
            for start in range(0, total, BLOCK):
                flat = np.arange(start, min(start + BLOCK, total))
                alpha, *box = np.unravel_index(flat, (int(group.counts[root]), *group.box_shape))
                where = np.full(len(flat), root)
                yield group, where, alpha, tuple(box), group.costs(where, alpha, box)
