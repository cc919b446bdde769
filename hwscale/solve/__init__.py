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
LARGEST = {"table": 10_000_000, "exhaustive": 100_000_000}
"""Candidates that a solver takes on: a table of more fills the memory, an enumeration of more lasts minutes."""


def solve(problem: Problem, solver: str = "auto") -> Solution | None:
    """The best candidate with its certificate, or None if nothing is feasible.

    ``auto``: the complete table for small spaces, the quadtree for the rest. ConfigError on an unknown solver.
    """
    if solver == "auto":
        solver = "table" if problem.space.size <= TABLE_ROWS else "quadtree"
    if str(solver) not in SOLVERS:
        raise ConfigError(f"unknown solver {solver!r}; {nearest(str(solver), ['auto', *SOLVERS])}")
    if problem.space.size > LARGEST.get(solver, problem.space.size):
        raise ConfigError(
            f"solver {solver} takes at most {LARGEST[solver]:,} candidates, but the domain has {problem.space.size:,}; "
            "narrow it with fix or domain, or use solver auto"
        )
    method: Callable[[Problem], Solution | None] = import_module(SOLVERS[solver]).solve
    return method(problem)
