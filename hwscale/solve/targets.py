"""Hardware-aware scaling: hit targets instead of staying below limits.

Lexicographic: (1) come as close as possible, (2) among everything within the tolerance of the closest, maximise the
objective, (3) the tie order. The costs are not independently settable, so the closest point may be far: its distance is
part of the answer.

One-sided (default): targets are ceilings; distance = max over them of 1 - cost/target. It falls as any cost grows, so
the same branch and bound proves the minimum. Two-sided: distance = max of |cost/target - 1|; "is there a point within s" is
a problem with limits and floors, and bisection on s proves the minimum to `RESOLUTION`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from hwscale.problem import Problem, TargetProblem
from hwscale.solve import solve
from hwscale.solve.solution import Certificate, Solution

RESOLUTION = 1e-4


def solve_targets(
    problem: Problem, targets: Mapping[str, int], solver: str, *, tolerance: float = 0.01, two_sided: bool = False
) -> Solution | None:
    """The best candidate within ``tolerance`` of the targets, or of the closest point if that lies farther.

    ``targets`` by metric, as `Problem.limits`; ``problem.limits`` hold besides. None if nothing lies below the ceilings
    (one-sided) or meets the limits (two-sided).
    """
    closest = _closest_around(problem, targets, solver) if two_sided else _closest_below(problem, targets, solver)
    if closest is None:
        return None
    distance, first = closest
    best = solve(_within(problem, targets, max(distance, tolerance), two_sided), solver)
    if best is None:  # only where the closest point sits exactly on the rounded edge
        return first
    certificate = best.certificate
    return Solution(
        best.best,
        replace(
            certificate,
            method=f"{certificate.method}, targets within {max(distance, tolerance):.4g}",
            evaluations=certificate.evaluations + first.certificate.evaluations,
            nodes=certificate.nodes + first.certificate.nodes,
            seconds=certificate.seconds + first.certificate.seconds,
        ),
    )


def _closest_below(problem: Problem, targets: Mapping[str, int], solver: str) -> tuple[float, Solution] | None:
    limits = {**problem.limits, **{k: min(v, problem.limits.get(k, v)) for k, v in targets.items()}}
    nearest = TargetProblem(problem.space, problem.objective, limits, problem.fs_per_unit, targets=targets)
    found = solve(nearest, solver)
    return None if found is None else (1.0 - found.certificate.objective, found)


def _closest_around(problem: Problem, targets: Mapping[str, int], solver: str) -> tuple[float, Solution] | None:
    low, high, found = 0.0, RESOLUTION, None
    spent = 0
    while found is None and high < 1e6:
        found = solve(_within(problem, targets, high, True), solver)
        if found is None:
            low, high = high, 4 * high
    if found is None:
        return None
    while high - low > RESOLUTION:
        middle = (low + high) / 2
        trial = solve(_within(problem, targets, middle, True), solver)
        if trial is None:
            low = middle
        else:
            high, found = middle, trial
        spent += 0 if trial is None else trial.certificate.evaluations
    certificate: Certificate = replace(found.certificate, evaluations=found.certificate.evaluations + spent)
    return high, Solution(found.best, certificate)


def _within(problem: Problem, targets: Mapping[str, int], distance: float, two_sided: bool) -> Problem:
    """The problem restricted to points at most ``distance`` from every target."""
    over = 1.0 + distance if two_sided else 1.0
    ceilings = {name: math.floor(target * over) for name, target in targets.items()}
    limits = dict(problem.limits)
    for name, ceiling in ceilings.items():
        limits[name] = min(ceiling, limits.get(name, ceiling))
    floors = {name: math.ceil(target * (1.0 - distance) - 1e-9 * target) for name, target in targets.items()}
    return Problem(problem.space, problem.objective, limits, problem.fs_per_unit, floors)
