"""One exact point of a space: its costs as integers, its place, and what decides between it and an equal one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from hwscale.chain_space import ChainGroup
from hwscale.cost_terms import CostArrays, NetworkModel
from hwscale.space import Group

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
        box = tuple(np.array([step[1][axis] for step in steps]) for axis in range(len(self.box)))
        return group.costs(np.full(len(steps), self.root), np.array([step[0] for step in steps]), box)


@dataclass(frozen=True, slots=True)
class Path(Candidate):
    """A path of a `ChainGroup`: root, and the way through each layer."""

    group: ChainGroup
    root: int
    ways: tuple[int, ...]

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
        return (self.latency_fs, self.ram_bytes, self.flash_bytes, 0, self.resolution, *linked, *self.ways, *options)

    def wider(self) -> CostArrays | None:
        values, found = self.values, []
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


@lru_cache(maxsize=4096)
def _planned(candidate: Candidate) -> Mapping[str, int]:
    model, knobs, height, width = candidate.priced()
    graph, _ = model.graph(knobs, height, width)
    lowered = model.lowered(graph)
    parts = model.runtime.plan(lowered, model.external_input)
    return {"ram": sum(size for _, size in parts), "flash": int(model.runtime.flash_bytes(lowered))}
