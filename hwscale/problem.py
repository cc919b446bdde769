"""The question a solver answers: a space, limits on exact integers, an objective."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from hwscale.candidate import Candidate, LatticePoint, Path
from hwscale.chain_space import ChainGroup, ChainSpace
from hwscale.cost_terms import CostArrays
from hwscale.objectives import Objective
from hwscale.space import Group, Space
from hwscale.work import Work

LONGEST_FS = 2**60
"""Latencies are exact up to here, 1152 s per work."""

PLANNED = ("ram", "flash")
"""Metrics that a search may only bound, see `hwscale.runtimes.runtime.Runtime.exact_plan`."""

Ints = npt.NDArray[np.int64]


def saturated_fs(units: Ints, fs_per_unit: int) -> Ints:
    """Latency of one work [fs], at most `LONGEST_FS`: no sum over the handful of works can wrap, and every limit, which
    lies below, is broken."""
    return np.where(
        units > LONGEST_FS // fs_per_unit, LONGEST_FS, np.minimum(units, LONGEST_FS // fs_per_unit) * fs_per_unit
    )


Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """Maximise ``objective`` over ``space`` subject to cost <= limits (and >= floors).

    ``limits`` and ``floors`` by metric: "ram" and "flash" [B], "macs" and "params" [1], "latency" [fs].
    ``fs_per_unit`` gives femtoseconds per unit of each work that the space counts; empty where no latency is known.
    """

    space: Space | ChainSpace
    objective: Objective
    limits: Mapping[str, int]
    fs_per_unit: Mapping[Work, int] = field(default_factory=dict)
    floors: Mapping[str, int] = field(default_factory=dict)

    @property
    def lattice(self) -> Space:
        """The space, of a family of global multipliers."""
        assert isinstance(self.space, Space)
        return self.space

    @property
    def chains(self) -> ChainSpace:
        """The space, of a stage-wise family."""
        assert isinstance(self.space, ChainSpace)
        return self.space

    @property
    def digest(self) -> str:
        """Short hash of what a proof quantifies over: the declared domain and what the objective leaves out of it."""
        declared = (self.space.digest, self.objective.band)
        return hashlib.sha256(repr(declared).encode()).hexdigest()[:12]

    def metric(self, name: str, costs: CostArrays) -> Ints:
        """One metric of many candidates."""
        if name == "latency":
            return self.latency_fs(costs)
        return {"ram": costs.ram_bytes, "flash": costs.flash_bytes, "macs": costs.macs, "params": costs.params}[name]

    @property
    def work_limited(self) -> bool:
        """Does a limit hold for what is executed, so that computing anything twice counts?"""
        return not {"macs", "latency"}.isdisjoint(self.limits)

    def limited(self, name: str, costs: CostArrays) -> Ints:
        """What a limit holds for: of MACs those that are executed."""
        if name == "macs" and costs.executed is not None:
            return costs.executed
        return self.metric(name, costs)

    def latency_fs(self, costs: CostArrays) -> Ints:
        """Sum over works of units x fs per unit [fs]; zeros without rates."""
        return self.works_fs(costs.works, costs.macs.shape)

    def works_fs(self, works: Mapping[Work, Ints], shape: tuple[int, ...]) -> Ints:
        """The same of works, arrays of any one ``shape``."""
        total = np.zeros(shape, np.int64)
        for work, fs in self.fs_per_unit.items():
            total += saturated_fs(works[work], fs)
        return total

    def within_limits(self, costs: CostArrays) -> npt.NDArray[np.bool_]:
        """Which candidates exceed no limit."""
        fits = np.ones(len(costs.macs), np.bool_)
        for name, limit in self.limits.items():
            fits &= self.limited(name, costs) <= limit
        return fits

    def fits(self, candidate: Candidate) -> bool:
        """Does what the runtime really plans keep every limit? To be asked of what `within_limits` let pass."""
        return all(self.needed(candidate, name) <= limit for name, limit in self.limits.items() if name in PLANNED)

    def needed(self, candidate: Candidate, name: str) -> int:
        """One metric of a candidate as the runtime really plans it."""
        if name == "macs":
            return candidate.executed
        return candidate.planned()[name] if name in PLANNED and self.space.runtime_plans else candidate.metric(name)

    def above_floors(self, costs: CostArrays) -> npt.NDArray[np.bool_]:
        """Which candidates reach every floor."""
        reached = np.ones(len(costs.macs), np.bool_)
        for name, floor in self.floors.items():
            reached &= self.metric(name, costs) >= floor
        return reached

    keeps_ties: ClassVar[bool] = True
    """Whether equal scores must all be found, so that the tie order decides; else one best will do."""

    @property
    def score_key(self) -> Any:
        """Equal for problems whose `scores` are equal."""
        return self.objective

    def scores(self, costs: CostArrays, resolutions: Any) -> Floats:
        """What is maximised, for many candidates; a few ulp around `score`."""
        return self.objective.scores(self.metric(self.objective.metric, costs), resolutions)

    def bounds(self, costs: CostArrays, resolutions: Any) -> Floats:
        """No candidate that costs at most this much in every metric scores more."""
        metric = self.metric(self.objective.metric, costs)
        cap = self.limits.get(self.objective.metric)
        return self.objective.bounds(metric if cap is None else np.minimum(metric, cap), resolutions)

    def past_peak(self, costs: CostArrays, resolutions: Any) -> npt.NDArray[np.bool_]:
        """Where the score falls as the costs grow."""
        past: npt.NDArray[np.bool_] = self.metric(self.objective.metric, costs) > self.objective.turning_points(
            resolutions
        )
        return past

    def score(self, candidate: Candidate) -> float:
        """What is maximised, from exact integers."""
        return self.objective.score(candidate.metric(self.objective.metric), candidate.resolution)

    def rank(self, candidate: Candidate) -> tuple[Any, ...]:
        """Ascending order of preference: score, then latency, RAM, Flash, then num_layers, resolution, alpha, the rest in
        the family's declared order. The same on every machine."""
        return (-self.score(candidate), *candidate.tie_order())


@dataclass(frozen=True)
class TargetProblem(Problem):
    """Come as close as possible to ``targets`` from below: maximise min over them of cost / target."""

    targets: Mapping[str, int] = field(default_factory=dict)
    keeps_ties: ClassVar[bool] = False

    @property
    def score_key(self) -> Any:
        return tuple(sorted(self.targets.items()))

    def scores(self, costs: CostArrays, resolutions: Any) -> Floats:
        ratios = [self.metric(name, costs) / target for name, target in self.targets.items()]
        nearest: Floats = np.minimum.reduce(ratios)
        return nearest

    def bounds(self, costs: CostArrays, resolutions: Any) -> Floats:
        return self.scores(costs, resolutions)

    def past_peak(self, costs: CostArrays, resolutions: Any) -> npt.NDArray[np.bool_]:
        return np.zeros(len(costs.macs), np.bool_)

    def score(self, candidate: Candidate) -> float:
        return min(candidate.metric(name) / target for name, target in self.targets.items())


def candidates(
    problem: Problem, group: Group, root: Ints, alpha: Ints, box: tuple[Ints, ...], costs: CostArrays
) -> list[LatticePoint]:
    """The rows as candidates."""
    latency = problem.latency_fs(costs)
    found = [
        LatticePoint(
            int(costs.ram_bytes[n]),
            int(costs.flash_bytes[n]),
            int(costs.macs[n]),
            int(costs.params[n]),
            int(latency[n]),
            group,
            int(root[n]),
            int(alpha[n]),
            tuple(int(axis[n]) for axis in box),
        )
        for n in range(len(root))
    ]
    if costs.executed is None:
        return found
    schedule, executed = group.model.schedule, costs.executed
    return [point.under(schedule, int(executed[n]), point.latency_fs) for n, point in enumerate(found)]


def lowest(problem: Problem, group: Group) -> list[LatticePoint]:
    """The lowest corner of every root of a group, which is cheapest in every metric."""
    root = np.arange(len(group.roots))
    zero = np.zeros_like(root)
    box = tuple(zero for _ in group.box_shape)
    return candidates(problem, group, root, zero, box, group.costs(root, zero, box))


def path(problem: Problem, group: ChainGroup, root: int, ways: tuple[int, ...]) -> Path:
    """A path as a candidate, priced on Python ints."""
    cost, works = group.price(root, ways)
    latency = sum(works[work] * fs for work, fs in problem.fs_per_unit.items())
    found = Path(
        cost["ram"], cost["flash"], cost["macs"], cost["params"], min(latency, LONGEST_FS), group, root, tuple(ways)
    )
    return (
        found
        if group.plan is None
        else found.under(group.plan.schedule(*found.stage()), cost["executed"], found.latency_fs)
    )
