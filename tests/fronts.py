"""The truth about fronts for tests: every candidate of a small space, priced and planned one by one, compared pair by pair."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from hwscale.api import fit
from hwscale.candidate import Candidate
from hwscale.chain_space import ChainSpace
from hwscale.domain import make_domain
from hwscale.errors import InfeasibleError
from hwscale.explore.front import Front, Point
from hwscale.objectives import Objective
from hwscale.platform import load_platform
from hwscale.problem import Problem, candidates, path
from hwscale.runtimes import find_runtime
from hwscale.space import make_space
from hwscale.timing import make_timing

PLATFORM = "stm32h743"
KIB = 1024


@dataclass(frozen=True)
class Known:
    """A candidate, what it really costs, and its rank under an objective: smaller is preferred."""

    candidate: Candidate
    costs: tuple[int, ...]
    rank: tuple[Any, ...]


def every(problem: Problem) -> list[Candidate]:
    """All candidates of a problem, in no order."""
    if isinstance(problem.space, ChainSpace):
        found: list[Candidate] = []
        for group in problem.space.groups:
            for root, ways in product(
                range(len(group.roots)), product(*(range(layer.heads.shape[1]) for layer in group.layers))
            ):
                state = 0
                for layer, way in zip(group.layers, ways, strict=True):
                    state = int(layer.heads[state, way])
                    if state < 0:
                        break
                if state >= 0:
                    found.append(path(problem, group, root, ways))
        return found
    points: list[Candidate] = []
    for group in problem.lattice.groups:
        for root in range(len(group.roots)):
            shape = (int(group.counts[root]), *group.box_shape)
            alpha, *box = (axis.ravel() for axis in np.indices(shape))
            where = np.full(len(alpha), root)
            points += candidates(problem, group, where, alpha, tuple(box), group.costs(where, alpha, tuple(box)))
    return points


def problem_of(net: str, domain: dict[str, Any], runtime: str, goal: Objective) -> Problem:
    """The problem of a domain on `PLATFORM`, without limits."""
    timing = make_timing(load_platform(PLATFORM), find_runtime(runtime))
    space = make_space(make_domain(net, domain=domain), runtime, works=tuple(timing.fs_per_unit))
    return Problem(space, goal, {}, timing.fs_per_unit)


def answers(problem: Problem, goal: Objective, over: Sequence[str]) -> list[Candidate]:
    """The candidates that no other precedes which costs at most as much: the best answers to all budgets."""
    known = []
    for candidate in every(problem):
        planned = candidate.planned()
        real = {**planned, "latency": candidate.latency_fs}
        score = goal.score(candidate.metric(goal.metric), candidate.resolution)
        known.append(Known(candidate, tuple(real[name] for name in over), (-score, *candidate.tie_order())))
    known.sort(key=lambda one: one.rank)
    kept: list[Known] = []
    for one in known:
        if not any(all(a <= b for a, b in zip(other.costs, one.costs, strict=True)) for other in kept):
            kept.append(one)
    return [one.candidate for one in kept]


def budgets(front: Front, count: int, seed: int) -> list[dict[str, Any]]:
    """Random budgets in the range of a front's costs, a little below it too."""
    source = random.Random(seed)
    found = []
    for _ in range(count):
        limits: dict[str, Any] = {}
        for name in front.costs:
            low, high = float(front.columns[name].min()), float(front.columns[name].max())
            value = low * 0.8 * (1.3 * high / low) ** source.random()
            limits[name] = value if name == "latency" else max(1, int(value))
        found.append(limits)
    return found


def same_answer(point: Point | None, net: str, limits: dict[str, Any], **options: Any) -> bool:
    """Is a point what `fit` answers?"""
    try:
        answer = fit(net, PLATFORM, limits=limits, verify="none", **options)
    except InfeasibleError:
        return point is None
    if point is None or answer.hyperparameters != point.hyperparameters:
        return False
    ours, theirs = point.cost, answer.cost
    return (ours.ram_bytes, ours.flash_bytes, ours.macs, ours.params, ours.latency_s) == (
        theirs.ram_bytes,
        theirs.flash_bytes,
        theirs.macs,
        theirs.params,
        theirs.latency_s,
    )
