"""Solvers, one textbook method a file; `SOLVERS` is the registry, `solve` chooses by the declared structure."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from hwscale.errors import ConfigError, nearest
from hwscale.problem import Problem
from hwscale.solve.solution import Solution

SOLVERS: dict[str, str] = {
    "quadtree": "hwscale.solve.quadtree",
    "table": "hwscale.solve.table",
    "exhaustive": "hwscale.solve.exhaustive",
    "nlp": "hwscale.solve.relaxed",
}
TABLE_ROWS = 1_000_000
"""Up to here a complete table costs a fraction of a second and answers every later query in milliseconds."""


def solve(problem: Problem, solver: str = "auto") -> Solution | None:
    """The best candidate with its certificate, or None if nothing is feasible.

    ``auto``: the complete table for small spaces, the quadtree for the rest. ConfigError on an unknown solver.
    """
    if solver == "auto":
        solver = "table" if problem.space.size <= TABLE_ROWS else "quadtree"
    if solver not in SOLVERS:
        raise ConfigError(f"unknown solver {solver!r}; {nearest(solver, ['auto', *SOLVERS])}")
    method: Callable[[Problem], Solution | None] = import_module(SOLVERS[solver]).solve
    return method(problem)
