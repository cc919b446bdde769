"""What a stage-wise family needs at least: the cheapest path in each metric, and the least inflation of all limits together."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np

from hwscale.candidate import Candidate, Path
from hwscale.chain_space import ChainGroup
from hwscale.errors import ConfigError
from hwscale.joint_space import JointSpace
from hwscale.objectives import find_objective
from hwscale.problem import Problem, path
from hwscale.solve.chain import Ints, costs
from hwscale.solve.joint import any_path as any_path_jointly
from hwscale.solve.labels import any_path
from hwscale.solve.rooms import UNLIMITED, persistent_range

HALVINGS = 12


def chain_needs(problem: Problem) -> tuple[dict[str, Candidate], Candidate]:
    """Per limit the cheapest path, and the path that inflates all limits least (exact).

    No path is cheapest in everything, so the least inflation is closed in by bisection, and then by asking for strictly
    less than the best found until there is nothing.
    """
    if isinstance(problem.space, JointSpace):
        return _joint_needs(problem, problem.space)
    alone = {name: _cheapest(problem, name) for name in problem.limits}
    return alone, _closest(problem, min(alone.values(), key=lambda c: _inflation(problem, c)))


def _joint_needs(problem: Problem, space: JointSpace) -> tuple[dict[str, Candidate], Candidate]:
    """The same of networks and schedules together. What adds up is least op by op, where no schedule executes more."""
    start = any_path_jointly(replace(problem, objective=find_objective("macs"), limits={}))
    assert start is not None
    by_ops = replace(problem, space=space.over(space.chains))
    alone = {name: _cheapest(by_ops, name) for name in problem.limits if name != "ram"}
    if "ram" in problem.limits:
        alone["ram"] = _closest(replace(problem, limits={"ram": problem.limits["ram"]}), start)
    legal = [start, alone.get("ram", start), *(alone.values() if space.groups else ())]
    return alone, _closest(problem, min(legal, key=lambda c: _inflation(problem, c)))


def _closest(problem: Problem, closest: Candidate) -> Candidate:
    """The path that inflates all limits least, starting from one that is not far."""
    low, high = 1.0, float(_inflation(problem, closest))
    for _ in range(HALVINGS):
        middle = math.sqrt(low * high)
        found = _within(problem, {name: math.floor(limit * middle) for name, limit in problem.limits.items()})
        if found is None:
            low = middle
        else:
            closest, high = found, min(middle, float(_inflation(problem, found)))
    return _still_less(problem, closest)


def _still_less(problem: Problem, closest: Candidate) -> Candidate:
    """The path that inflates all limits least, asking again and again for one that inflates them less."""
    while True:
        least = _inflation(problem, closest)
        found = _within(problem, {name: math.ceil(limit * least) - 1 for name, limit in problem.limits.items()})
        if found is None:
            return closest
        closest = found


def _inflation(problem: Problem, candidate: Candidate) -> Fraction:
    return max(Fraction(problem.needed(candidate, name), limit) for name, limit in problem.limits.items())


def _within(problem: Problem, limits: dict[str, int]) -> Candidate | None:
    if min(limits.values()) < 1:
        return None
    try:
        find = any_path_jointly if isinstance(problem.space, JointSpace) else any_path
        return find(replace(problem, objective=find_objective("macs"), limits=limits))
    except ConfigError:  # too many to tell: then the budget that is named is sufficient, and may not be the smallest
        return None


def _cheapest(problem: Problem, name: str) -> Candidate:
    """The path of least ``name``, whatever it costs otherwise."""
    if name == "ram":
        return _least_ram(problem)
    found = [
        path(problem, group, root, ways)
        for group in problem.chains.groups
        for root, ways in _shortest(problem, group, name)
    ]
    return min(found, key=lambda candidate: (candidate.metric(name), candidate.tie_order()))


def _least_ram(problem: Problem) -> Candidate:
    """The path of least RAM. Size by size that the first region may have, the path that keeps least for good is a shortest path; what
    other regions need, or gaps in a plan, is left to searches for less."""
    best: Path | None = None
    for group in problem.chains.groups:
        least = group.model.base_persistent + persistent_range(group)[0]
        for root in range(len(group.roots)):
            sizes = np.unique(np.concatenate([layer.regions[0, root][layer.heads >= 0] for layer in group.layers]))
            for size in sizes:
                if best is not None and best.ram_bytes <= size + least:
                    break
                ways = _least_persistent(group, root, int(size))
                if ways is not None:
                    found = path(problem, group, root, ways)
                    best = found if best is None else min(best, found, key=lambda candidate: candidate.ram_bytes)
    assert best is not None
    if len(best.group.model.regions) == 1 and not problem.space.runtime_plans:
        return best
    return _still_less(replace(problem, limits={"ram": problem.limits["ram"]}), best)


def _least_persistent(group: ChainGroup, root: int, size: int) -> tuple[int, ...] | None:
    """The ways of the path that keeps least for good, where the first region may have ``size`` [B]; None if there is no path."""
    rest: Ints = np.zeros(len(group.layers[-1].states), np.int64)
    choices: list[Ints] = []
    for layer in reversed(group.layers):
        possible = (layer.heads >= 0) & (layer.regions[0, root] <= size)
        total = np.where(possible, layer.persistent + rest[np.maximum(layer.heads, 0)], UNLIMITED)
        choices.insert(0, total.argmin(axis=1))
        rest = np.minimum(total.min(axis=1), UNLIMITED)
    if rest[0] >= UNLIMITED:
        return None
    state, ways = 0, []
    for layer, choice in zip(group.layers, choices, strict=True):
        ways.append(int(choice[state]))
        state = int(layer.heads[state, ways[-1]])
    return tuple(ways)


def _shortest(problem: Problem, group: ChainGroup, name: str) -> list[tuple[int, tuple[int, ...]]]:
    """Per root the ways of the path of least ``name``, which adds up along it."""
    rest: Ints = np.zeros((len(group.roots), len(group.layers[-1].states)), np.int64)
    choices: list[Ints] = []
    for layer in reversed(group.layers):
        cost = costs(problem, layer)[name]
        onward = rest[:, np.maximum(layer.heads, 0)]
        total = np.where(layer.heads >= 0, cost + onward, np.iinfo(np.int64).max)
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
