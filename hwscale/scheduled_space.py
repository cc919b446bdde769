"""The candidates of global multipliers and schedule together: the lattices of a domain, op by op and under every schedule.

A split is at the end of a block (the ops whose names share their first part), and n_patch any divisor above 1 of the split map's side,
of a rectangle's sides in common. One lattice per input size and schedule, priced when a search asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from hwscale.domain import Domain
from hwscale.execution import Execution, Scheduled
from hwscale.formulas.graph import Graph
from hwscale.scheduled_model import ScheduledModel
from hwscale.schedules import LAYER, Schedule, refuse
from hwscale.schedules.windows import steps
from hwscale.space import Group, Root, Space, lattice_space
from hwscale.stage_plan import divisors
from hwscale.work import Work


@dataclass(frozen=True, eq=False)
class ScheduledSpace(Scheduled, Space):
    """``groups`` run op by op; those of `scheduled` run a stage on patches. ``lattices``: what both are made of."""

    execution: Execution = field(default=Execution("layer"))
    lattices: tuple[Group, ...] = ()

    @cached_property
    def size(self) -> int:
        """Pairs of a network and a schedule."""
        kinds = len([name for name in self.execution.names if name != "layer"])
        found = sum(group.size for group in self.groups)
        for alike in self.alike if kinds else ():
            found += kinds * alike.size * sum(len(counts) for counts in alike.splits.values())
        return found

    @cached_property
    def kinds(self) -> frozenset[str]:
        return self.over(self.lattices).kinds

    def over(self, groups: tuple[Group, ...]) -> Space:
        """Some lattices alone."""
        return Space(self.domain, self.runtime, self.external_input, groups, ())

    def splits(self, graph: Graph) -> dict[int, list[int]]:
        """What n_patch may be behind each op that ends a block of a graph in Python ints."""
        every, found = steps(graph), {}
        for split_idx in block_ends(graph):
            if self.execution.split_idx not in (None, split_idx):
                continue
            x = graph.tensors[every[split_idx - 1].op.output]
            counts = [n for n in divisors((int(x.height), int(x.width))) if self.execution.n_patch in (None, n)]
            if counts and refuse(graph, Schedule("patch", counts[0], split_idx)) is None:
                found[split_idx] = counts
        return found

    @cached_property
    def alike(self) -> tuple[OneSize, ...]:
        """The lattices, size by size."""
        return tuple(OneSize(self, group, roots) for group in self.lattices for roots in _by_size(group))


class OneSize:
    """The roots of a lattice with one input size: all are cut alike. ``splits``: what n_patch may be behind each split_idx; ``ends`` of
    all blocks; ``size`` networks."""

    def __init__(self, space: ScheduledSpace, group: Group, roots: list[Root]) -> None:
        self._group = group
        self._roots = roots
        self._made: dict[tuple[Schedule, bool], Group] = {}
        first, knobs = roots[0], {name: float(values[0]) for name, values in group.boxes.items()}
        knobs |= {h.name: float(first.branch[h.name]) for h in group.branch_knobs} | {"alpha": float(first.alphas[0])}
        graph, _ = group.model.graph(knobs, first.height, first.width)
        self.splits = space.splits(graph)
        self.ends = block_ends(graph)
        self.size = self.under(LAYER).size

    def under(self, schedule: Schedule, *, relaxed: bool = False) -> Group:
        """The lattice under a schedule, or relaxed to bound all with this split, of which it needs the least RAM."""
        key = schedule, relaxed
        if key not in self._made:
            group = self._group
            model = group.model if schedule.plain else ScheduledModel(group.model, schedule, relaxed=relaxed)
            self._made[key] = Group(
                model, group.map_structure, group.width_structure, self._roots, group.boxes, group.facts
            )
        return self._made[key]


def make_scheduled_space(
    domain: Domain, runtime: str, external_input: bool, works: tuple[Work, ...], execution: Execution
) -> ScheduledSpace:
    """Lay out a ``domain`` of global multipliers with what of the schedule is open; ConfigError if nothing in it can be built."""
    base = lattice_space(domain, runtime, external_input, works)
    groups = base.groups if "layer" in execution.names else ()
    return ScheduledSpace(domain, runtime, external_input, groups, base.refused, execution, base.groups)


def _by_size(group: Group) -> Iterator[list[Root]]:
    sizes: dict[tuple[int, int], list[Root]] = {}
    for root in group.roots:
        sizes.setdefault((root.height, root.width), []).append(root)
    yield from sizes.values()


def block_ends(graph: Graph) -> list[int]:
    """Behind how many ops a block ends."""
    names = [_block(step.op.name) for step in steps(graph)]
    return [at for at, name in enumerate(names, start=1) if names[at:][:1] != [name]]


def _block(name: str) -> str:
    return name.partition(".")[0]
