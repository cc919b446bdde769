"""Why nothing fits: the limits that even the smallest configurations break, and the smallest budget that would do.

The cheapest corner of a root (smallest alpha, lowest boxes) is cheapest in every metric at once, so the least inflation
of all limits that admits anything is min over roots of max over limits of cost / limit, exactly.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hwscale.errors import InfeasibleError
from hwscale.problem import Candidate, Problem, candidates

Show = Callable[[str, int], str]


def explain(problem: Problem, show: Show, quantity: Callable[[str, int], float]) -> InfeasibleError:
    """The error to raise; ``show`` formats a metric's value, ``quantity`` converts it to the limit's own unit."""
    corners = _corners(problem)
    limits = dict(problem.limits)
    alone = {name: min(corners, key=lambda c: c.metric(name)) for name in limits}
    broken = [name for name in limits if alone[name].metric(name) > limits[name]]
    closest = min(corners, key=lambda c: max(c.metric(name) / limits[name] for name in limits))
    over = [name for name in limits if closest.metric(name) > limits[name]]
    budget = {name: quantity(name, max(closest.metric(name), limits[name])) for name in limits}
    worst = max(broken or over, key=lambda name: (alone[name] if broken else closest).metric(name) / limits[name])
    smallest = alone[worst] if broken else closest
    needed, allowed = smallest.metric(worst), limits[worst]
    knobs = ", ".join(f"{name}={value:g}" for name, value in smallest.hyperparameters.items())
    family = problem.space.domain.family
    reason = "the smallest configuration" if broken else "no configuration meets all limits at once; the nearest one"
    together = ", ".join(f"{name} {show(name, closest.metric(name))}" for name in limits)
    return InfeasibleError(
        f"no {family} in the domain fits {worst} {show(worst, allowed)}: {reason} ({knobs}) needs "
        f"{show(worst, needed)}, {show(worst, needed - allowed)} more; the smallest budget that fits: {together}",
        limit=worst,
        needed=quantity(worst, needed),
        allowed=quantity(worst, allowed),
        smallest_budget=budget,
    )


def _corners(problem: Problem) -> list[Candidate]:
    found: list[Candidate] = []
    for group in problem.space.groups:
        root = np.arange(len(group.roots))
        zero = np.zeros_like(root)
        box = tuple(zero for _ in group.box_shape)
        found += candidates(problem, group, root, zero, box, group.costs(root, zero, box))
    return found
