"""What global multipliers and schedules need at least: the cheapest network of each input size, cut in every way.

The cheapest corner of a root is cheapest in every metric under any one schedule. Of the schedules with one split none needs less RAM
than the most patches of `patch+`, and none executes less than op by op: that bounds them until they are priced one by one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from hwscale.candidate import Candidate, LatticePoint
from hwscale.cost_terms import NetworkModel
from hwscale.formulas.graph import Graph
from hwscale.problem import Problem, lowest
from hwscale.scheduled_space import ScheduledSpace
from hwscale.schedules import LAYER, Schedule, executed_macs, refuse, scheduled
from hwscale.solve.schedule_choice import latency_fs

Corner = tuple[LatticePoint, int, list[int]]
"""A bound on a corner split behind so many ops (0: op by op, exact), and what n_patch may be."""


def scheduled_needs(problem: Problem) -> tuple[dict[str, Candidate], Candidate]:
    """Per limit the cheapest candidate, and the one that inflates all limits least."""
    space = problem.space
    assert isinstance(space, ScheduledSpace)
    corners = _corners(problem, space)
    alone = {name: _least(problem, space, corners, [name]) for name in problem.limits}
    return alone, _least(problem, space, corners, problem.limits)


def _corners(problem: Problem, space: ScheduledSpace) -> list[Corner]:
    found: list[Corner] = []
    for alike in space.alike:
        for point in lowest(problem, alike.under(LAYER)):
            if space.groups:
                found.append((point, 0, []))
            model, graph = _graph(point)
            for split_idx, counts in alike.splits.items() if len(space.execution.names) > len(space.groups[:1]) else ():
                least = Schedule("patch+", counts[-1], split_idx)
                if refuse(graph, least) is None:
                    ram_bytes = int(model.terms(scheduled(graph, least)).ram_bytes)
                    found.append((replace(point, ram_bytes=ram_bytes), split_idx, counts))
    return found


def _least(problem: Problem, space: ScheduledSpace, corners: list[Corner], names: Iterable[str]) -> Candidate:
    names, best, least = list(names), corners[0][0], math.inf

    def bound(corner: Corner) -> float:
        return max(corner[0].metric(name) / problem.limits[name] for name in names)

    for corner in sorted(corners, key=bound):
        if bound(corner) >= least:
            break
        for candidate in _exactly(problem, space, corner):
            needed = max(problem.needed(candidate, name) / problem.limits[name] for name in names)
            if needed < least:
                best, least = candidate, needed
    return best


def _exactly(problem: Problem, space: ScheduledSpace, corner: Corner) -> list[LatticePoint]:
    point, split_idx, counts = corner
    if not split_idx:
        return [point]
    model, graph = _graph(point)
    found = []
    for name, n_patch in space.numbers(counts, work_limited=problem.work_limited):
        schedule = Schedule(name, n_patch, split_idx)
        if refuse(graph, schedule) is None:
            ram_bytes = int(model.terms(scheduled(graph, schedule)).ram_bytes)
            cut = point.under(
                schedule, int(executed_macs(graph, schedule)), latency_fs(problem, space, graph, schedule)
            )
            found.append(replace(cut, ram_bytes=ram_bytes))
    return found


def _graph(point: LatticePoint) -> tuple[NetworkModel, Graph]:
    model, knobs, height, width = point.priced()
    return model, model.graph(knobs, height, width)[0]
