"""Solvers, one textbook method a file; `SOLVERS` is the registry, `solve` chooses by the declared structure."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from hwscale.chain_space import ChainSpace
from hwscale.errors import ConfigError, nearest
from hwscale.execution import Scheduled
from hwscale.problem import Problem
from hwscale.solve.solution import Solution

SOLVERS: dict[str, str] = {
    "quadtree": "hwscale.solve.quadtree",
    "table": "hwscale.solve.table",
    "exhaustive": "hwscale.solve.exhaustive",
    "nlp": "hwscale.solve.relaxed",
    "labels": "hwscale.solve.labels",
    "paths": "hwscale.solve.paths",
    "milp": "hwscale.solve.milp",
}
JOINT = {"labels": "hwscale.solve.joint", "quadtree": "hwscale.solve.joint_lattice"}
"""The same where network and schedule are chosen together."""
LATTICE = ("quadtree", "table", "exhaustive", "nlp")
CHAIN = ("labels", "paths", "milp", "exhaustive")
"""Solvers for families of global multipliers, and for stage-wise ones."""
TABLE_ROWS = 1_000_000
"""Up to here a complete table costs a fraction of a second and answers every later query in milliseconds."""
LARGEST = {"table": 10_000_000, "exhaustive": 100_000_000}
"""Candidates that a solver takes on: a table of more fills the memory, an enumeration of more lasts minutes."""


def solve(problem: Problem, solver: str = "auto") -> Solution | None:
    """The best candidate with its certificate, or None if nothing is feasible.

    ``auto``: for stage-wise families label setting, or a look at every path where there are floors or targets; for the others the
    complete table for small spaces, the quadtree for the rest. ConfigError on a solver that is unknown or of the other kind.
    """
    chains = isinstance(problem.space, ChainSpace)
    if isinstance(problem.space, Scheduled):
        own = "labels" if chains else "quadtree"
        if solver not in ("auto", own):
            raise ConfigError(f"solver {solver} knows schedule layer only; use auto or {own} for a schedule of patches")
        jointly: Callable[[Problem], Solution | None] = import_module(JOINT[own]).solve
        return jointly(problem)
    if solver == "auto" and chains:
        solver = "paths" if problem.floors or not problem.keeps_ties else "labels"
    elif solver == "auto":
        solver = "table" if problem.space.size <= TABLE_ROWS else "quadtree"
    if str(solver) not in SOLVERS:
        raise ConfigError(f"unknown solver {solver!r}; {nearest(str(solver), ['auto', *SOLVERS])}")
    usable = CHAIN if chains else LATTICE
    if solver not in usable:
        family = problem.space.domain.family
        raise ConfigError(f"solver {solver} cannot search {family}; use auto, {', '.join(usable)}")
    if problem.space.size > LARGEST.get(solver, problem.space.size):
        raise ConfigError(
            f"solver {solver} takes at most {LARGEST[solver]:,} candidates, but the domain has {problem.space.size:,}; "
            "narrow it with fix or domain, or use solver auto"
        )
    method: Callable[[Problem], Solution | None] = import_module(SOLVERS[solver]).solve
    return method(problem)
