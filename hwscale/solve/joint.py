"""Architecture and schedule together: label setting on the chains of every plan, the most promising first.

A plan is a chain like any other (`hwscale.scheduled_groups`), so that `hwscale.solve.labels` solves it exactly. What no plan can beat
is known before: the best network where RAM has no limit. A plan is made, priced and searched only while its bound is above the best
network known. For the network that wins, the schedule is chosen again: `hwscale.solve.schedule_choice`.
"""

from __future__ import annotations

import heapq
import itertools
import math
import time
from dataclasses import dataclass, replace
from enum import Enum, auto

from hwscale.candidate import Candidate, Path
from hwscale.chain_space import ChainGroup
from hwscale.errors import ConfigError
from hwscale.joint_space import JointSpace
from hwscale.problem import Problem
from hwscale.solve.chain_bounds import chains
from hwscale.solve.labels import searched
from hwscale.solve.schedule_choice import least_executed
from hwscale.solve.solution import STRICTLY, Incumbent, Solution, Status, proven
from hwscale.solve.watch import forget
from hwscale.stage_plan import StagePlan


def solve(problem: Problem) -> Solution | None:
    """The best network and schedule; None if nothing is feasible. "feasible", with a gap, as in `hwscale.solve.labels`."""
    space = problem.space
    assert isinstance(space, JointSpace)
    if problem.floors or not problem.keeps_ties:
        raise ConfigError("targets are met by schedule layer only; give limits, or drop the schedule")
    started = time.perf_counter()
    forget()
    incumbent = Incumbent(problem)
    nodes, left = _searched(problem, space, incumbent)
    best = incumbent.best()
    if best is None:
        if left > -math.inf:
            raise ConfigError(
                f"no network was found, but {space.size:.3g} candidates are too many to prove that there is none; narrow the domain"
            )
        return None
    assert isinstance(best, Path)
    best = least_executed(problem, best) or best
    solution = proven(problem, best, "labels, plan by plan", 0, nodes, started)
    score = solution.certificate.objective
    if left <= score + STRICTLY * max(1.0, abs(score)):
        return solution
    return replace(
        solution, certificate=replace(solution.certificate, status=Status.FEASIBLE, bound=left, gap=left - score)
    )


def any_path(problem: Problem) -> Candidate | None:
    """Some network and schedule that keep the limits; None if none do. ConfigError where they are too many to tell."""
    space = problem.space
    assert isinstance(space, JointSpace)
    incumbent = Incumbent(problem)
    _, left = _searched(problem, space, incumbent, any_will_do=True)
    found = incumbent.best()
    if found is None and left > -math.inf:
        raise ConfigError("too many candidates to tell; narrow the domain")
    return found


class _Level(Enum):
    """What a bound is of: all schedules with one split, or one plan, relaxed."""

    SPLIT = auto()
    RELAXED = auto()


@dataclass(frozen=True, slots=True)
class _Open:
    """Something to search on: chains with their ``problem``, op by op where ``plan`` is None; a ``level`` says that it is a bound only.

    ``bound`` holds for the score of all that it stands for."""

    bound: float
    problem: Problem
    of: ChainGroup | None = None
    plan: StagePlan | None = None
    level: _Level | None = None


def _searched(
    problem: Problem, space: JointSpace, incumbent: Incumbent, *, any_will_do: bool = False
) -> tuple[int, float]:
    """Offer the best path; how many labels were examined, and a bound on what may be left.

    It is always the highest bound that is searched on, op by op first of equal ones. All schedules with one split are bounded
    together, then each plan relaxed, then exactly; then it is searched.
    """
    nodes, most = (0, math.inf) if any_will_do else _unlimited(problem, space, incumbent)
    queue: list[tuple[float, int, _Open]] = []
    number = itertools.count()

    def push(found: _Open) -> None:
        bound = min(found.bound, most)
        if bound > -math.inf:
            heapq.heappush(queue, (-bound, next(number), replace(found, bound=bound)))

    if space.groups:
        push(_bounded(problem, space, space.groups))
    for group, plan in space.splits():
        made = tuple(_by_layers(one) for one in space.scheduled(group, plan, relaxed=True))
        push(replace(_bounded(problem, space, made), of=group, plan=plan, level=_Level.SPLIT))
    left = -math.inf
    while queue and not (any_will_do and incumbent.score > -math.inf):
        item = heapq.heappop(queue)[2]
        # what is only as good does not replace a network that was found under another schedule
        incumbent.keeps_ties = item.plan is None and incumbent.score == -math.inf
        if item.bound < incumbent.threshold:
            continue
        if item.of is not None and item.plan is not None and item.level is _Level.SPLIT:
            for plan in space.plans(item.of, item.plan.at, work_limited=problem.work_limited):
                if plan == item.plan and not problem.work_limited:
                    push(replace(item, level=_Level.RELAXED))
                    continue
                made = tuple(space.scheduled(item.of, plan, relaxed=True))
                mine = _bounded(problem, space, made, plan.name)
                push(replace(mine, of=item.of, plan=plan, level=_Level.RELAXED))
        elif item.of is not None and item.plan is not None and item.level is _Level.RELAXED:
            for exact in space.scheduled(item.of, item.plan):
                push(replace(_bounded(problem, space, (exact,), item.plan.name), plan=item.plan))
        else:
            more, open_bound = searched(item.problem, incumbent, any_will_do=any_will_do)
            nodes, left = nodes + more, max(left, min(open_bound, item.bound))
    return nodes, left


def _bounded(problem: Problem, space: JointSpace, groups: tuple[ChainGroup, ...], schedule: str = "layer") -> _Open:
    mine = replace(problem, space=space.over(groups), fs_per_unit=space.fs_per_unit(problem.fs_per_unit, schedule))
    return _Open(max((chain.bound for chain in chains(mine)), default=-math.inf), mine)


def _by_layers(group: ChainGroup) -> ChainGroup:
    """The chain with no more MACs executed than op by op; priced as op by op, its latency is too."""
    return replace(group, layers=tuple(replace(layer, executed=None) for layer in group.layers))


def _unlimited(problem: Problem, space: JointSpace, incumbent: Incumbent) -> tuple[int, float]:
    """What no schedule can beat: the best score where RAM has no limit, for the objective counts no recomputation. Where that network
    itself keeps the limits under some schedule, it is offered."""
    if "ram" not in problem.limits or len(problem.limits) == 1:
        return 0, math.inf
    limits = {name: limit for name, limit in problem.limits.items() if name != "ram"}
    alone = replace(problem, space=space.over(space.chains), limits=limits)
    best = Incumbent(alone)
    nodes, left = searched(alone, best)
    network = best.best()
    if isinstance(network, Path) and (fitting := least_executed(problem, network)) is not None:
        incumbent.offer(problem.score(fitting), fitting)
    return nodes, max(left, best.score)
