"""Under which schedule one network runs: of those that keep the limits the one that executes the fewest MACs."""

from __future__ import annotations

from collections.abc import Iterator

from hwscale.candidate import Path
from hwscale.formulas.graph import Graph
from hwscale.formulas.stagewise import maps
from hwscale.joint_space import JointSpace
from hwscale.problem import Problem
from hwscale.schedules import LAYER, SCHEDULES, Schedule, executed, executed_macs, refuse, scheduled
from hwscale.schedules.windows import steps
from hwscale.stage_plan import divisors
from hwscale.stage_work import counted, units


def least_executed(problem: Problem, found: Path) -> Path | None:
    """``found``'s network under the schedule that executes the fewest MACs and keeps the limits; of equal ones the first in the order of
    schedules (layer, patch, patch+, stream1d, stream2d), then that of the fewest patches and ops. None if none keeps them."""
    space = problem.space
    assert isinstance(space, JointSpace)
    model, knobs, height, width = found.priced()
    graph, _ = model.graph(knobs, height, width)
    most = problem.limits.get("macs", found.macs << 20)
    order = list(SCHEDULES)
    ranked = sorted(
        (macs, order.index(schedule.name), schedule.n_patch, schedule.split_idx)
        for schedule in _schedules(space, found, graph, problem.limits.get("ram"))
        if refuse(graph, schedule) is None and (macs := int(executed_macs(graph, schedule))) <= most
    )
    for macs, name, n_patch, split_idx in ranked:
        schedule = Schedule(order[name], n_patch, split_idx)
        latency_fs = _latency_fs(problem, space, graph, schedule)
        if latency_fs > problem.limits.get("latency", latency_fs):
            continue
        candidate = found.under(schedule, macs, latency_fs)
        planned = candidate.planned()
        if all(planned[name] <= limit for name, limit in problem.limits.items() if name in planned):
            return candidate
    return None


def _latency_fs(problem: Problem, space: JointSpace, graph: Graph, schedule: Schedule) -> int:
    """Latency of the ops that it executes [fs]; 0 where it is unknown."""
    rates = space.fs_per_unit(problem.fs_per_unit, schedule.name)
    ops = executed(graph, schedule)
    if schedule.plain:
        return sum(int(counted(ops, work)) * fs for work, fs in rates.items())
    done = units(ops, problem.fs_per_unit, schedule.name)
    return sum(int(done[work]) * fs for work, fs in rates.items())


def _schedules(space: JointSpace, found: Path, graph: Graph, ram: int | None) -> Iterator[Schedule]:
    group, where, values = found.group, found.group.roots[found.root], found.values
    execution = space.execution
    links = group.model.links
    if "layer" in execution.names:
        yield LAYER
    for at, side in enumerate(maps(links, where.height, where.width)):
        if links[at].absent(values) or not links[at].width:
            continue
        split_idx = len(steps(group.model.stage(values, where.height, where.width, at)))
        patches = [n for n in divisors(side) if execution.n_patch in (None, n)]
        if execution.split_idx not in (None, split_idx) or not patches:
            continue
        # the most patches of `patch+` need the least RAM of all schedules with this split
        least = Schedule("patch+", patches[-1], split_idx)
        if refuse(graph, least) or (ram is not None and group.model.terms(scheduled(graph, least)).ram_bytes > ram):
            continue
        for name in execution.names:
            if name != "layer":
                yield from (Schedule(name, n_patch, split_idx) for n_patch in patches)
