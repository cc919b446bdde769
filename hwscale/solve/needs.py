"""What a stage-wise family needs at least: the cheapest path in each metric, and the least inflation of all limits together."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np

from hwscale.candidate import Candidate
from hwscale.chain_space import ChainGroup
from hwscale.errors import ConfigError
from hwscale.objectives import find_objective
from hwscale.problem import Problem, path
from hwscale.solve.chain import Ints, costs
from hwscale.solve.labels import solve

HALVINGS = 12


def chain_needs(problem: Problem) -> tuple[dict[str, Candidate], Candidate]:
    """Per limit the cheapest path, and the path that inflates all limits least (exact).

    No path is cheapest in everything, so the least inflation is closed in by bisection, and then by asking for strictly
    less than the best found until there is nothing.
    """
    alone = {name: _cheapest(problem, name) for name in problem.limits}
    closest = min(alone.values(), key=lambda c: _inflation(problem, c))
    low, high = 1.0, float(_inflation(problem, closest))
    for _ in range(HALVINGS):
        middle = math.sqrt(low * high)
        found = _within(problem, {name: math.floor(limit * middle) for name, limit in problem.limits.items()})
        if found is None:
            low = middle
        else:
            closest, high = found, min(middle, float(_inflation(problem, found)))
    while True:
        least = _inflation(problem, closest)
        found = _within(problem, {name: math.ceil(limit * least) - 1 for name, limit in problem.limits.items()})
        if found is None:
            return alone, closest
        closest = found


def _inflation(problem: Problem, candidate: Candidate) -> Fraction:
    return max(Fraction(candidate.metric(name), limit) for name, limit in problem.limits.items())


def _within(problem: Problem, limits: dict[str, int]) -> Candidate | None:
    if min(limits.values()) < 1:
        return None
    try:
        found = solve(replace(problem, objective=find_objective("macs"), limits=limits))
    except ConfigError:  # too many to tell: then the budget that is named is sufficient, and may not be the smallest
        return None
    return None if found is None else found.best


def _cheapest(problem: Problem, name: str) -> Candidate:
    """The path of least ``name``, whatever it costs otherwise."""
    found = [
        path(problem, group, root, ways)
        for group in problem.chains.groups
        for root, ways in _shortest(problem, group, name)
    ]
    return min(found, key=lambda candidate: (candidate.metric(name), candidate.tie_order()))


def _shortest(problem: Problem, group: ChainGroup, name: str) -> list[tuple[int, tuple[int, ...]]]:
    """Per root the ways of the path of least ``name``: RAM is the largest on it, the rest add up."""
    rest: Ints = np.zeros((len(group.roots), len(group.layers[-1].states)), np.int64)
    choices: list[Ints] = []
    for layer in reversed(group.layers):
        cost = costs(problem, layer)[name]
        onward = rest[:, np.maximum(layer.heads, 0)]
        total = np.maximum(cost, onward) if name == "ram" else cost + onward
        total = np.where(layer.heads >= 0, total, np.iinfo(np.int64).max)
        choices.insert(0, total.argmin(axis=2))
        rest = total.min(axis=2)
    found = []
    for root in range(len(group.roots)):
        state, ways = 0, []
        for layer, choice in zip(group.layers, choices, strict=True):
            ways.append(int(choice[root, state]))
            state = int(layer.heads[state, ways[-1]])
        found.append((root, tuple(ways)))
    return found
