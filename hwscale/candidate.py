"""One exact point of a space: its costs as integers, its place, and what decides between it and an equal one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Self

import numpy as np

from hwscale.chain_space import ChainGroup
from hwscale.cost_terms import CostArrays, NetworkModel
from hwscale.formulas.graph import Graph
from hwscale.formulas.stagewise import maps
from hwscale.schedules import LAYER, Schedule, executed, refuse, scheduled
from hwscale.space import Group
from hwscale.stage_work import units

_FIRST = ("num_layers", "resolution", "alpha")
"""Hyperparameters that break ties before the others."""


@dataclass(frozen=True, slots=True)
class Candidate(ABC):
    """Costs in bytes, counts and femtoseconds (``latency_fs`` 0 without rates), as a search counts them: where a runtime must plan,
    RAM and Flash may come out a little higher, see `planned`."""

    ram_bytes: int
    flash_bytes: int
    macs: int
    params: int
    latency_fs: int
    chosen: tuple[Schedule, int] | None = field(default=None, kw_only=True)
    """The schedule that it runs under, None for op by op, and the MACs executed then."""

    def metric(self, name: str) -> int:
        """One metric by its name in `hwscale.problem.Problem.limits`."""
        return {
            "ram": self.ram_bytes,
            "flash": self.flash_bytes,
            "macs": self.macs,
            "params": self.params,
            "latency": self.latency_fs,
        }[name]

    @abstractmethod
    def priced(self) -> tuple[NetworkModel, Mapping[str, Any], int, int]:
        """Its cost model, the hyperparameters that this takes, and the sides of the input."""

    @property
    def executed(self) -> int:
        """MACs that its schedule executes, which limits on MACs hold for."""
        return self.macs if self.chosen is None else self.chosen[1]

    @property
    def schedule(self) -> Schedule:
        """How it is executed."""
        return LAYER if self.chosen is None else self.chosen[0]

    def under(self, schedule: Schedule, executed: int, latency_fs: int) -> Self:
        """The same network under a schedule that executes so many MACs and takes so long."""
        return replace(self, chosen=(schedule, executed), latency_fs=latency_fs)

    def planned(self) -> Mapping[str, int]:
        """RAM and Flash [B] that the runtime really needs, by name."""
        return _planned(self)

    @property
    @abstractmethod
    def hyperparameters(self) -> dict[str, Any]:
        """By the paper's names, in declared order."""

    @property
    @abstractmethod
    def values(self) -> dict[str, Any]:
        """Hyperparameters and options by name."""

    @property
    @abstractmethod
    def resolution(self) -> float:
        """sqrt(H W) of the input [px]."""

    @abstractmethod
    def wider(self) -> CostArrays | None:
        """Costs of the networks one step larger along each axis; None at the upper corner of the domain."""

    @abstractmethod
    def tie_order(self) -> tuple[Any, ...]:
        """What decides between equal scores, see `hwscale.problem.Problem.rank`."""


@dataclass(frozen=True, slots=True)
class LatticePoint(Candidate):
    """A point of a `Group`: root, index of alpha, indices of the boxes; alpha prints as the shortest decimal of its interval."""

    group: Group
    root: int
    alpha: int
    box: tuple[int, ...]

    def priced(self) -> tuple[NetworkModel, Mapping[str, Any], int, int]:
        where, group = self.group.roots[self.root], self.group
        knobs = {
            h.name: where.branch[h.name] for h in group.model.family.hyperparameters if h.axis == "branch" and h.knob
        }
        knobs |= {name: float(lattice[at]) for (name, lattice), at in zip(group.boxes.items(), self.box, strict=True)}
        return group.model, knobs | {"alpha": float(where.alphas[self.alpha])}, where.height, where.width

    @property
    def hyperparameters(self) -> dict[str, Any]:
        return self.group.hyperparameters(self.root, self.alpha, self.box)

    @property
    def values(self) -> dict[str, Any]:
        return {**self.group.roots[self.root].branch, **self.hyperparameters}

    @property
    def resolution(self) -> float:
        return float(self.group.resolutions[self.root])

    def tie_order(self) -> tuple[Any, ...]:
        where = self.group.roots[self.root]
        family = self.group.model.family
        boxes = dict(zip(self.group.boxes, self.box, strict=True))
        rest = [boxes.get(h.name, where.branch.get(h.name)) for h in family.hyperparameters if h.name not in _FIRST]
        return (
            self.schedule.name != "layer",
            self.latency_fs,
            self.ram_bytes,
            self.flash_bytes,
            where.branch.get("num_layers", 0),
            self.resolution,
            float(where.alphas[self.alpha]),
            *rest,
            *(repr(where.branch[option.name]) for option in family.options),
        )

    def wider(self) -> CostArrays | None:
        group = self.group
        steps: list[tuple[int, tuple[int, ...]]] = []
        if self.alpha + 1 < group.counts[self.root]:
            steps.append((self.alpha + 1, self.box))
        for axis, at in enumerate(self.box):
            if at + 1 < group.box_shape[axis]:
                steps.append((self.alpha, (*self.box[:axis], at + 1, *self.box[axis + 1 :])))
        if not steps:
            return None
        if self.schedule.name != "layer":
            return _wider_scheduled(self, [replace(self, alpha=alpha, box=box).priced()[1] for alpha, box in steps])
        box = tuple(np.array([step[1][axis] for step in steps]) for axis in range(len(self.box)))
        return group.costs(np.full(len(steps), self.root), np.array([step[0] for step in steps]), box)


@dataclass(frozen=True, slots=True)
class Path(Candidate):
    """A path of a `ChainGroup`: root, and the way through each layer."""

    group: ChainGroup
    root: int
    ways: tuple[int, ...]

    def stage(self) -> tuple[Graph, tuple[int, int]]:
        """The ops up to the split of its group's plan, and the side of the split map."""
        where, plan = self.group.roots[self.root], self.group.plan
        assert plan is not None
        stage = self.group.model.stage(self.values, where.height, where.width, plan.at)
        return stage, maps(self.group.model.links, where.height, where.width)[plan.at]

    def priced(self) -> tuple[NetworkModel, Mapping[str, Any], int, int]:
        where = self.group.roots[self.root]
        return self.group.model, self.values, where.height, where.width

    @property
    def hyperparameters(self) -> dict[str, Any]:
        found = self.values
        names = [h.name for h in self.group.model.family.hyperparameters]
        return {name: found[name] for name in names if name in found}

    @property
    def values(self) -> dict[str, Any]:
        return self.group.values(self.root, self.ways)

    @property
    def resolution(self) -> float:
        return self.group.resolutions[self.root]

    def tie_order(self) -> tuple[Any, ...]:
        options = (repr(self.group.roots[self.root].branch[o.name]) for o in self.group.model.family.options)
        model = self.group.model
        linked = (self.group.axes[name][0] for name in model.family.linked(model.settings)[:1])
        # ways are numbered in the order of the hyperparameters they choose
        return (
            self.schedule.name != "layer",
            self.latency_fs,
            self.ram_bytes,
            self.flash_bytes,
            0,
            self.resolution,
            *linked,
            *self.ways,
            *options,
        )

    def wider(self) -> CostArrays | None:
        values, found = self.values, []
        if self.schedule.name != "layer":
            steps = [
                (name, value)
                for name, axis in self.group.axes.items()
                if name in values and not isinstance(values[name], str)
                for value in axis[axis.index(values[name]) + 1 :][:1]
            ]
            # a depth that grows names blocks that the network did not have: their first values
            first = {name: axis[0] for name, axis in self.group.axes.items()}
            return _wider_scheduled(self, [first | values | {name: value} for name, value in steps])
        for name, axis in self.group.axes.items():
            if name not in values or isinstance(values[name], str):
                continue
            for value in axis[axis.index(values[name]) + 1 :]:
                ways = self.group.walk({**values, name: value})
                if ways is not None:
                    found.append(self.group.price(self.root, ways))
                    break
        if not found:
            return None
        ram, flash, macs, params = (
            np.array([cost[n] for cost, _ in found]) for n in ("ram", "flash", "macs", "params")
        )
        return CostArrays(
            ram,
            flash,
            macs,
            params,
            {work: np.array([works[work] for _, works in found]) for work in self.group.model.works},
        )


def _wider_scheduled(candidate: Candidate, wider: Iterable[Mapping[str, Any]]) -> CostArrays | None:
    """Costs of networks under the schedule of a candidate, where that can cut them."""
    (model, _, height, width), schedule = candidate.priced(), candidate.schedule
    found, works = [], []
    for values in wider:
        graph, _ = model.graph(values, height, width)
        if model.runtime.refuse(graph) is None and refuse(graph, schedule) is None:
            found.append(model.terms(scheduled(graph, schedule)))
            works.append(units(executed(graph, schedule), model.works, schedule.name))
    if not found:
        return None
    ram, flash, params = (
        np.array([int(getattr(terms, name)) for terms in found]) for name in ("ram_bytes", "flash_bytes", "params")
    )
    ran = np.array([int(terms.macs) for terms in found])
    return CostArrays(
        ram, flash, ran, params, {work: np.array([int(one[work]) for one in works]) for work in works[0]}, ran
    )


@lru_cache(maxsize=4096)
def _planned(candidate: Candidate) -> Mapping[str, int]:
    model, knobs, height, width = candidate.priced()
    graph, _ = model.graph(knobs, height, width)
    lowered = model.lowered(scheduled(graph, candidate.schedule))
    parts = model.runtime.plan(lowered, model.external_input)
    return {"ram": sum(size for _, size in parts), "flash": int(model.runtime.flash_bytes(lowered))}
