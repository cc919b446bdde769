"""Our proven optimum and other optimizers on the same budgets, domain and costs: time, and how near they come.

One seed and a modest number of evaluations each: a fair comparison, not a tuned contest.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from statistics import median
from typing import Any

import numpy as np

from benchmarks.budgets import COUNT, SEED, make_problem, random_limits
from benchmarks.optimizers import BASELINES, POPULATION, Baseline, Search
from benchmarks.report import table
from hwscale.domain import make_domain
from hwscale.problem import Problem
from hwscale.solve import solve
from hwscale.space import make_space

SECTION = "side by side"


@dataclass(frozen=True, slots=True)
class Row:
    """One method over all budgets: seconds, share of the proven optimum (1 is equal), evaluations; or why it did not run."""

    method: str
    seconds: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    evaluations: list[int] = field(default_factory=list)
    proven: bool = False
    missing: str = ""

    def add(self, seconds: float, share: float, evaluations: int) -> None:
        """One more budget."""
        self.seconds.append(seconds)
        self.shares.append(share)
        self.evaluations.append(evaluations)

    def cells(self) -> tuple[str, ...]:
        """The row as printed."""
        if self.missing:
            return (self.method, *[""] * 7, self.missing)
        total = len(self.shares)
        return (
            self.method,
            f"{median(self.seconds):.3f} s",
            f"{max(self.seconds):.3f} s",
            f"{median(self.shares):.2%}",
            f"{min(self.shares):.2%}",
            f"{sum(share >= 0.99 for share in self.shares)}/{total}",
            f"{sum(share >= 1 - 1e-12 for share in self.shares)}/{total}",
            f"{median(self.evaluations):.0f}",
            "proven" if self.proven else "",
        )

    def to_dict(self) -> dict[str, Any]:
        """Its JSON form."""
        return asdict(self)


HEADS = ("", "median", "max", "median share", "worst", ">= 99 %", "equal", "evaluations", "")


def share(problem: Problem, score: float, best: float) -> float:
    """MACs (or params) over those of the optimum; for an objective in logarithms the factor that the two differ by."""
    if score == -np.inf:
        return 0.0
    return score / best if problem.objective.plain else float(np.exp(score - best))


def measure(objective: str = "macs", count: int = COUNT, seed: int = SEED) -> list[Row]:
    """Every method on the same budgets over PhiNet's default domain; budgets that nothing fits are left out."""
    space = make_space(make_domain("phinet"), "tensors")
    problems = [make_problem(space, objective, limits) for limits in random_limits(count, seed)]
    # unmeasured: compiles the kernels, which all methods share
    solve(problems[0], "quadtree")
    quadtree, nlp = Row("hwscale quadtree", proven=True), Row("hwscale nlp")
    asked: list[tuple[Problem, float]] = []
    for problem in problems:
        taken, score, evaluations = _answer(problem, "quadtree")
        if score > -np.inf:
            quadtree.add(taken, 1.0, evaluations)
            asked.append((problem, score))
    for problem, best in asked:
        taken, score, evaluations = _answer(problem, "nlp")
        nlp.add(taken, share(problem, score, best), evaluations)
    return [quadtree, nlp, *(_row(baseline, asked, seed) for baseline in BASELINES)]


def _answer(problem: Problem, solver: str) -> tuple[float, float, int]:
    """Seconds, score (-inf if nothing was found) and evaluations of one of our own solvers."""
    started = time.perf_counter()
    solution = solve(problem, solver)
    taken = time.perf_counter() - started
    if solution is None:
        return taken, -np.inf, 0
    return taken, problem.score(solution.best), solution.certificate.evaluations


def _row(baseline: Baseline, asked: Sequence[tuple[Problem, float]], seed: int) -> Row:
    """A baseline on problems with their proven best scores."""
    if baseline.package and find_spec(baseline.package) is None:
        return Row(baseline.name, missing=f"not installed: pip install {baseline.package}")
    # unmeasured: imports the package
    baseline.run(Search(asked[0][0]), min(baseline.evaluations, POPULATION), seed)
    row = Row(baseline.name)
    for problem, best in asked[: baseline.budgets]:
        search = Search(problem)
        started = time.perf_counter()
        baseline.run(search, baseline.evaluations, seed)
        row.add(time.perf_counter() - started, share(problem, search.best, best), search.evaluations)
    return row


def rows_table(rows: list[Row]) -> str:
    """The comparison as a table."""
    return table([row.cells() for row in rows], HEADS)
