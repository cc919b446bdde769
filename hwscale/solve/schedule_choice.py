"""Under which schedule one network runs: of those that keep the limits the one that executes the fewest MACs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from hwscale.candidate import Candidate, Path
from hwscale.execution import Scheduled
from hwscale.formulas.graph import Graph
from hwscale.formulas.stagewise import maps
from hwscale.problem import Problem
from hwscale.scheduled_space import ScheduledSpace
from hwscale.schedules import LAYER, SCHEDULES, Schedule, executed, executed_macs, refuse, scheduled
from hwscale.schedules.windows import steps
from hwscale.solve.rooms import UNLIMITED
from hwscale.stage_plan import divisors
from hwscale.stage_work import counted, units

C = TypeVar("C", bound=Candidate)


def least_executed(problem: Problem, found: C) -> C | None:
    """``found``'s network under the schedule that executes the fewest MACs and keeps the limits; of equal ones the first in the order of
    schedules (layer, patch, patch+, stream1d, stream2d), then that of the fewest patches and ops. None if none keeps them."""
    space = problem.space
    assert isinstance(space, Scheduled)
    model, knobs, height, width = found.priced()
    graph, _ = model.graph(knobs, height, width)
    most = problem.limits.get("macs", found.macs << 20)
    order = list(SCHEDULES)
    ranked = sorted(
        (macs, order.index(schedule.name), schedule.n_patch, schedule.split_idx)
        for schedule in _schedules(space, found, graph, problem.limits.get("ram", UNLIMITED))
        if refuse(graph, schedule) is None and (macs := int(executed_macs(graph, schedule))) <= most
    )
    for macs, name, n_patch, split_idx in ranked:
        schedule = Schedule(order[name], n_patch, split_idx)
        taken = latency_fs(problem, space, graph, schedule)
        if taken > problem.limits.get("latency", taken):
            continue
        candidate = found.under(schedule, macs, taken)
        planned = candidate.planned()
        if all(planned[name] <= limit for name, limit in problem.limits.items() if name in planned):
            return candidate
    return None


def latency_fs(problem: Problem, space: Scheduled, graph: Graph, schedule: Schedule) -> int:
    """Latency of the ops that it executes [fs]; 0 where it is unknown."""
    rates = space.fs_per_unit(problem.fs_per_unit, schedule.name)
    ops = executed(graph, schedule)
    if schedule.plain:
        return sum(int(counted(ops, work)) * fs for work, fs in rates.items())
    done = units(ops, problem.fs_per_unit, schedule.name)
    return sum(int(done[work]) * fs for work, fs in rates.items())


def _schedules(space: Scheduled, found: Candidate, graph: Graph, ram: int) -> Iterator[Schedule]:
    model, _, _, _ = found.priced()
    if "layer" in space.execution.names:
        yield LAYER
    for split_idx, patches in _splits(space, found, graph).items():
        # the most patches of `patch+` need the least RAM of all schedules with this split
        least = Schedule("patch+", patches[-1], split_idx)
        if refuse(graph, least) is None and model.terms(scheduled(graph, least)).ram_bytes <= ram:
            for name in space.execution.names:
                if name != "layer":
                    yield from (Schedule(name, n_patch, split_idx) for n_patch in patches)


def _splits(space: Scheduled, found: Candidate, graph: Graph) -> dict[int, list[int]]:
    """What n_patch may be, by split_idx."""
    if isinstance(space, ScheduledSpace):
        return space.splits(graph)
    assert isinstance(found, Path)
    group, where, values = found.group, found.group.roots[found.root], found.values
    links, splits = group.model.links, {}
    for at, side in enumerate(maps(links, where.height, where.width)):
        if links[at].absent(values) or not links[at].width:
            continue
        split_idx = len(steps(group.model.stage(values, where.height, where.width, at)))
        patches = [n for n in divisors(side) if space.execution.n_patch in (None, n)]
        if patches and space.execution.split_idx in (None, split_idx):
            splits[split_idx] = patches
    return splits
