"""Label setting beside general solvers on the AtomNet paper's budgets: PuLP with CBC, PuLP with HiGHS, OR-tools CP-SAT.

Each in a process of its own: the HiGHS inside OR-tools and the one of highspy do not get on.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from importlib.util import find_spec

from benchmarks.baselines import Row, share
from benchmarks.stagewise import paper_limits, problems
from hwscale.problem import Problem
from hwscale.solve import solve

SECTION = "stage-wise side by side: atomnet, objective macs"
BUDGETS = (0, 3, 5)
"""Of the paper's."""
RIVALS = {"PuLP + CBC": "pulp", "PuLP + HiGHS": "highspy", "OR-tools CP-SAT": "ortools"}
"""Each with the package that it needs."""
LIMIT_S = 120
"""A rival gets no more for all its budgets."""


def asked() -> list[Problem]:
    """The problems that all solve."""
    return problems("atomnet", [paper_limits()[at] for at in BUDGETS])


def measure() -> list[Row]:
    """Every method on the same budgets; the rows of what is not installed say so."""
    questions = asked()
    ours, best = Row("hwscale labels", proven=True), []
    solve(questions[0])  # unmeasured: fills the caches of the space
    for problem in questions:
        started = time.perf_counter()
        solution = solve(problem)
        assert solution is not None
        best.append(problem.score(solution.best))
        ours.add(time.perf_counter() - started, 1.0, solution.certificate.nodes)
    return [ours, *(_rival(name, package, questions, best) for name, package in RIVALS.items())]


def _rival(name: str, package: str, questions: list[Problem], best: list[float]) -> Row:
    if find_spec(package) is None:
        return Row(name, missing=f"absent: pip install {package}")
    command = [sys.executable, "-m", "benchmarks.rivals", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return Row(name, missing=f"not done in {LIMIT_S} s")
    if done.returncode:
        return Row(name, missing=(done.stderr.strip().splitlines() or ["failed"])[-1])
    row = Row(name, proven=True)
    for problem, score, (seconds, found, nodes) in zip(questions, best, json.loads(done.stdout), strict=True):
        row.add(seconds, share(problem, found, score), nodes)
    return row


def answers(name: str) -> list[tuple[float, float, int]]:
    """Seconds, score and nodes of one rival on each problem; its package imported before."""
    found = []
    if name == "OR-tools CP-SAT":
        from benchmarks.cp_sat import solve_cp_sat as answer
    else:
        from hwscale.solve.milp import solve_with

        def answer(problem: Problem) -> tuple[float, int]:
            solution = solve_with(problem, [name.removeprefix("PuLP + ")])
            assert solution is not None
            return problem.score(solution.best), solution.certificate.nodes

        import pulp  # noqa: F401
    for problem in asked():
        started = time.perf_counter()
        score, nodes = answer(problem)
        found.append((time.perf_counter() - started, score, nodes))
    return found


if __name__ == "__main__":
    print(json.dumps(answers(sys.argv[1])))
