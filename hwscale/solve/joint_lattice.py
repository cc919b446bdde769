"""Global multipliers and schedule together: the quadtree, op by op first, then on the lattices of the schedules that can win.

Every schedule is a lattice like any other (`hwscale.scheduled_space`), whose costs are nondecreasing too. An input size is bounded by
its best network where RAM has no limit; where work is limited a split is bounded by the schedule that needs the least RAM, with no more
executed than op by op. It is always the highest bound that is looked into. For the network that wins, the schedule is chosen again:
`hwscale.solve.schedule_choice`.
"""

from __future__ import annotations

import heapq
import itertools
import math
import time
from dataclasses import dataclass, field, replace

from hwscale.candidate import Candidate
from hwscale.errors import ConfigError
from hwscale.problem import Problem
from hwscale.scheduled_space import OneSize, ScheduledSpace
from hwscale.schedules import LAYER, Schedule
from hwscale.solve.quadtree import searched
from hwscale.solve.schedule_choice import least_executed
from hwscale.solve.solution import Incumbent, Solution, proven
from hwscale.space import Group


@dataclass(frozen=True, slots=True)
class _Open:
    """An input size, one split of it where ``split_idx``, one ``schedule`` of that; no candidate in it scores more than ``bound``."""

    bound: float
    alike: OneSize
    split_idx: int = 0
    schedule: Schedule | None = None


def solve(problem: Problem) -> Solution | None:
    """The best network and schedule; None if nothing is feasible."""
    if problem.floors or not problem.keeps_ties:
        raise ConfigError("targets are met by schedule layer only; give limits, or drop the schedule")
    started = time.perf_counter()
    search = _Search(problem)
    search.run()
    best = search.incumbent.best()
    if best is None:
        return None
    best = least_executed(problem, best) or best
    return proven(problem, best, "quadtree, schedule by schedule", search.evaluations, search.nodes, started)


@dataclass
class _Search:
    problem: Problem
    evaluations: int = 0
    nodes: int = 0
    queue: list[tuple[float, int, _Open]] = field(default_factory=list)

    def __post_init__(self) -> None:
        assert isinstance(self.problem.space, ScheduledSpace)
        self.space = self.problem.space
        self.incumbent = Incumbent(self.problem)
        self._number = itertools.count()

    def run(self) -> None:
        space, incumbent = self.space, self.incumbent
        if space.groups:
            self._searched(self.problem, space.groups, incumbent)
        # what is only as good does not replace a network that was found op by op
        incumbent.keeps_ties = False
        free = {name: limit for name, limit in self.problem.limits.items() if name != "ram"}
        for alike in space.alike if len(space.execution.names) > 1 or not space.groups else ():
            best = self._best(replace(self.problem, limits=free), alike.under(LAYER))
            if best is not None and alike.splits:
                self._push(_Open(self.problem.score(best), alike))
        while self.queue and -self.queue[0][0] >= incumbent.threshold:
            item = heapq.heappop(self.queue)[2]
            if item.schedule is not None:
                incumbent.keeps_ties = incumbent.score == -math.inf
                self._searched(self.problem, (item.alike.under(item.schedule),), incumbent, item.schedule.name)
                incumbent.keeps_ties = False
            elif not item.split_idx:
                self._split(item)
            else:
                for schedule in self._schedules(item.alike, item.split_idx):
                    self._push(replace(item, schedule=schedule))

    def _split(self, item: _Open) -> None:
        """Each split with its bound; where work is not limited one schedule will do."""
        for split_idx, counts in item.alike.splits.items():
            if not self.problem.work_limited:
                for schedule in self._schedules(item.alike, split_idx):
                    self._push(replace(item, split_idx=split_idx, schedule=schedule))
                continue
            least = item.alike.under(Schedule("patch+", counts[-1], split_idx), relaxed=True)
            best = self._best(self.problem, least)
            if best is None:
                continue
            # the network itself may keep the limits under some schedule
            if self.problem.score(best) >= self.incumbent.threshold and (found := least_executed(self.problem, best)):
                self.incumbent.offer(self.problem.score(found), found)
            self._push(replace(item, bound=self.problem.score(best), split_idx=split_idx))

    def _schedules(self, alike: OneSize, split_idx: int) -> list[Schedule]:
        numbers = self.space.numbers(alike.splits[split_idx], work_limited=self.problem.work_limited)
        return [Schedule(name, n_patch, split_idx) for name, n_patch in numbers]

    def _push(self, item: _Open) -> None:
        heapq.heappush(self.queue, (-item.bound, next(self._number), item))

    def _best(self, problem: Problem, group: Group) -> Candidate | None:
        """The best of one lattice priced op by op, as a bound: what its runtime would plan is not asked."""
        found = Incumbent(problem, plan=False)
        found.keeps_ties = False
        self._searched(problem, (group,), found)
        return found.best()

    def _searched(
        self, problem: Problem, groups: tuple[Group, ...], incumbent: Incumbent, schedule: str = "layer"
    ) -> None:
        rates = self.space.fs_per_unit(problem.fs_per_unit, schedule)
        mine = replace(problem, space=self.space.over(groups), fs_per_unit=rates)
        incumbent.problem = mine
        evaluations, nodes = searched(mine, incumbent)
        self.evaluations, self.nodes = self.evaluations + evaluations, self.nodes + nodes
