"""Why nothing fits: the limits that even the smallest configurations break, and the smallest budget that would do.

The cheapest corner of a root (smallest alpha, lowest boxes) is cheapest in every metric at once, so the least inflation
of all limits that admits anything is min over roots of max over limits of cost / limit, exactly. Stage-wise families: see
`hwscale.solve.needs`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

from hwscale.candidate import Candidate
from hwscale.chain_space import ChainSpace
from hwscale.errors import ConfigError, InfeasibleError
from hwscale.problem import Problem, lowest
from hwscale.scheduled_space import ScheduledSpace
from hwscale.solve.joint_corners import scheduled_needs
from hwscale.solve.needs import chain_needs
from hwscale.stage_names import gathered


class Units(Protocol):
    """From the integers of a `Problem` to what the user wrote."""

    def limiting(self, metric: str) -> str:
        """The user's name of the limit on a metric."""

    def quantity(self, metric: str, value: int) -> float:
        """A metric's value in that limit's unit."""

    def show(self, metric: str, value: int) -> str:
        """The same as text."""

    def written(self, metric: str, value: int) -> str:
        """The same as text that, typed back as a limit, admits the value."""


def explain(problem: Problem, units: Units) -> InfeasibleError:
    """The error to raise where nothing meets ``problem.limits``."""
    limits = dict(problem.limits)
    alone, closest = chain_needs(problem) if isinstance(problem.space, ChainSpace) else _needs(problem)
    least = {name: problem.needed(alone[name], name) for name in limits}
    together = {name: problem.needed(closest, name) for name in limits}
    broken = [name for name in limits if least[name] > limits[name]]
    over = [name for name in limits if together[name] > limits[name]]
    budget = {units.limiting(name): units.quantity(name, max(together[name], limits[name])) for name in limits}
    if not over:  # where anything fits, the cheapest corner of its root does: the solver missed it
        raise ConfigError("this solver found nothing, which proves nothing; use solver auto")
    needs = least if broken else together
    worst = max(broken or over, key=lambda name: needs[name] / limits[name])
    smallest = alone[worst] if broken else closest
    needed, allowed = needs[worst], limits[worst]
    hyperparameters = smallest.hyperparameters
    knobs = ", ".join(f"{name}={value}" for name, value in gathered(hyperparameters, hyperparameters))
    family = problem.space.domain.family
    reason = "the smallest configuration" if broken else "no configuration meets all limits at once; the nearest one"
    preset = problem.space.domain.preset if problem.space.size == 1 else None
    smallest_budget = ", ".join(
        f"{units.limiting(name)} {units.written(name, need)}" for name, need in together.items()
    )
    return InfeasibleError(
        f"{preset} does not fit {units.limiting(worst)} {units.show(worst, allowed)}: it needs {units.show(worst, needed)}, "
        f"{units.show(worst, needed - allowed)} more; the smallest budget that fits: {smallest_budget}"
        if preset
        else f"no {family} in the domain fits {units.limiting(worst)} {units.show(worst, allowed)}: {reason} ({knobs}) needs "
        f"{units.show(worst, needed)}, {units.show(worst, needed - allowed)} more; the smallest budget that fits: {smallest_budget}",
        limit=units.limiting(worst),
        needed=units.quantity(worst, needed),
        allowed=units.quantity(worst, allowed),
        smallest_budget=budget,
    )


def _needs(problem: Problem) -> tuple[dict[str, Candidate], Candidate]:
    """Per limit the cheapest candidate, and the one that inflates all limits least."""
    if isinstance(problem.space, ScheduledSpace):
        return scheduled_needs(problem)
    corners = _corners(problem)
    return {name: _least(problem, corners, [name]) for name in problem.limits}, _least(problem, corners, problem.limits)


def _least(problem: Problem, corners: list[Candidate], names: Iterable[str]) -> Candidate:
    """The candidate that inflates the limits of ``names`` least, as planned: one that a search only bounds needs no less."""

    def bound(candidate: Candidate) -> float:
        return max(candidate.metric(name) / problem.limits[name] for name in names)

    def inflation(candidate: Candidate) -> float:
        return max(problem.needed(candidate, name) / problem.limits[name] for name in names)

    names, best, least = list(names), corners[0], math.inf
    for candidate in sorted(corners, key=bound):
        if bound(candidate) >= least:
            break
        if inflation(candidate) < least:
            best, least = candidate, inflation(candidate)
    return best


def _corners(problem: Problem) -> list[Candidate]:
    return [corner for group in problem.lattice.groups for corner in lowest(problem, group)]
