"""Cost of a configuration or of a million: family x runtime -> RAM, Flash, MACs, params.

A `CostModel` is one graph with open widths: settings fixed, width knobs free. `one` reads it on Python ints, `many` on numpy
int64 arrays; both are exact. int64 holds every cost of a network below 2^63 MACs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from hwscale.chain_model import ChainModel
from hwscale.cost_terms import CostArrays, Ints, NetworkModel, sums
from hwscale.errors import ConfigError
from hwscale.formulas import find_family, find_lattice_family
from hwscale.formulas.family import Family, Settings, Structure
from hwscale.formulas.graph import Graph, total
from hwscale.formulas.stagewise import stagewise
from hwscale.formulas.tape import Kernel, Tape
from hwscale.runtimes import find_runtime
from hwscale.runtimes.runtime import Facts, Greedy, Lifetimes, Runtime
from hwscale.schedules.schedule import LAYER, Schedule
from hwscale.work import Work, works_of

CHUNK = 8192
"""Candidates per pass: their ~100 live arrays stay in the L2 cache."""


class CostModel(NetworkModel):
    """One family, one setting of everything but width knobs, one runtime; get it from `cost_model`. Op by op, or by a ``schedule``, see
    `hwscale.scheduled_model`."""

    schedule: Schedule = LAYER

    def __init__(
        self,
        family: Family,
        settings: Settings,
        runtime: Runtime,
        external_input: bool,
        works: tuple[Work, ...] = (),
    ) -> None:
        super().__init__(settings, runtime, external_input, works)
        self.family = family
        self._kernels: dict[tuple[Any, ...], Kernel] = {}
        self._packed: dict[tuple[Any, ...], tuple[Kernel, Lifetimes]] = {}

    def graph(self, knobs: Mapping[str, float], height: int, width: int) -> tuple[Graph, Structure]:
        """The graph of one configuration in Python ints; ConfigError if the reference network cannot be built."""
        reason = self.family.refuse_branch(self.settings, knobs, height, width)
        if reason is None:
            widths = self.family.widths(self.settings, knobs)
            broken = (why for condition, why in self.family.refuse_widths(self.settings, widths) if condition)
            reason = next(broken, None)
        if reason is not None:
            raise ConfigError(f"{self.family.name} cannot be built: {reason}")
        structure = self.family.map_structure(self.settings, height, width)
        structure += tuple(self.family.width_structure(self.settings, widths))
        return self.family.graph(self.settings, widths, height, width, structure), structure

    def facts(self, knobs: Mapping[str, float], height: int, width: int) -> Facts:
        """What the runtime must know of the maps of an input of this size; ConfigError if it cannot run the network."""
        graph, _ = self.graph(knobs, height, width)
        self.check(graph)
        return self.runtime.facts(graph)

    def many(
        self,
        knobs: Mapping[str, npt.NDArray[np.float64]],
        height: Any,
        width: Any,
        map_structure: Structure,
        width_structure: Structure | None = None,
        facts: Facts | None = None,
    ) -> CostArrays:
        """Exact costs of configurations that are valid and share ``map_structure``; knob arrays of one length.

        ``height`` and ``width`` are ints, or one and the same int64 array for square inputs of many sizes.
        ``width_structure`` is what most rows have, where the caller knows: rows that differ are computed once more. ``facts`` of
        the runtime hold for all rows, None: as in the first one.
        """
        if facts is None:
            first = {name: float(values[0]) for name, values in knobs.items()}
            sides = (int(side[0]) if isinstance(side, np.ndarray) else side for side in (height, width))
            facts = self.facts(first, *sides)
        if width_structure is None:
            width_structure = tuple(False for _ in self._flags(tuple(knobs)))
        costs, flags = self._replay(width_structure, knobs, height, width, (map_structure, facts))
        if (flags == np.array(width_structure, np.bool_)[:, None]).all():
            return costs
        codes, first, which = np.unique((1 << np.arange(len(flags))) @ flags, return_index=True, return_inverse=True)
        parts, places = [], []
        for n in range(len(codes)):
            rows = np.flatnonzero(which == n)
            some = {name: values[rows] for name, values in knobs.items()}
            h = height[rows] if isinstance(height, np.ndarray) else height
            w = h if width is height else width
            pattern = tuple(bool(flag) for flag in flags[:, first[n]])
            parts.append(self._replay(pattern, some, h, w, (map_structure, facts))[0])
            places.append(rows)
        return CostArrays.joined(parts)[np.argsort(np.concatenate(places), kind="stable")]

    def _flags(self, knobs: tuple[str, ...]) -> tuple[Any, ...]:
        tape = Tape()
        widths = self.family.widths(self.settings, {name: tape.input(name, "f") for name in knobs}, tape)
        return self.family.width_structure(self.settings, widths)

    def _replay(
        self, pattern: Structure, knobs: Mapping[str, Any], height: Any, width: Any, maps: tuple[Structure, Facts]
    ) -> tuple[CostArrays, npt.NDArray[np.bool_]]:
        """Costs if every row has the width structure ``pattern``, and the structure that each row really has."""
        per_row = isinstance(height, np.ndarray)
        kernel = self._kernel(pattern, tuple(knobs), maps, height, width)
        rows_in_all = len(knobs["alpha"])
        integers = np.empty((4 + len(self.works) + (not self.schedule.plain), rows_in_all), np.int64)
        flags = np.empty((len(pattern), rows_in_all), np.bool_)
        workspace = kernel.workspace(min(rows_in_all, CHUNK))
        for start in range(0, rows_in_all, CHUNK):
            rows = slice(start, start + CHUNK)
            inputs = {name: values[rows] for name, values in knobs.items()}
            inputs["height"] = height[rows] if per_row else height
            kernel.run(inputs, workspace, [*integers[:, rows], *flags[:, rows]])
        works = dict(zip(self.works, integers[4:], strict=False))
        executed = None if self.schedule.plain else integers[-1]
        return CostArrays(integers[0], integers[1], integers[2], integers[3], works, executed), flags

    def _kernel(
        self, pattern: Structure, knobs: tuple[str, ...], maps: tuple[Structure, Facts], height: Any, width: Any
    ) -> Kernel:
        """The formula as straight-line numpy code."""
        per_row = isinstance(height, np.ndarray)
        square = self._any_size(height, width)
        key = (pattern, knobs, maps, None if square else (height, width), per_row)
        if key not in self._kernels:
            tape, graph, lowered, flags = self._recorded(pattern, knobs, maps, height, width)
            self._kernels[key] = tape.compile([*self._outputs(tape, graph, lowered), *flags])
        return self._kernels[key]

    def _outputs(self, tape: Tape, graph: Graph, lowered: Graph) -> list[Any]:
        """RAM, Flash, MACs, params and the works, recorded."""
        works = works_of(lowered, self.works).values()
        return [self._ram(lowered, tape), self.runtime.flash_bytes(lowered), *sums(graph), *works]

    def _any_size(self, height: Any, width: Any) -> bool:
        """Does one kernel do for inputs of every size? A rectangle is one input shape: its sides stay the ints they are."""
        return isinstance(height, np.ndarray) or bool(height == width)

    def _recorded(
        self, pattern: Structure, knobs: tuple[str, ...], maps: tuple[Structure, Facts], height: Any, width: Any
    ) -> tuple[Tape, Graph, Graph, tuple[Any, ...]]:
        """The formula on a tape: the graph, what the runtime makes of it, and the structure that the widths have."""
        tape, per_row = Tape(), isinstance(height, np.ndarray)
        if self._any_size(height, width):
            height = width = tape.input("height", "i", array=per_row)
        widths = self.family.widths(self.settings, {name: tape.input(name, "f") for name in knobs}, tape)
        map_structure, facts = maps
        graph = self.family.graph(self.settings, widths, height, width, map_structure + pattern)
        return tape, graph, self.lowered(self._cut(graph), facts), self.family.width_structure(self.settings, widths)

    def _cut(self, graph: Graph) -> Graph:
        """The graph as it is executed."""
        return graph

    def buffers(
        self, knobs: Mapping[str, Any], height: Any, width: Any, maps: tuple[Structure, Facts], pattern: Structure
    ) -> tuple[Ints, Ints, Lifetimes] | None:
        """Sizes [B] of the tensors that a greedy planner packs, (tensors, rows), what persists beside them [B], (rows,), and when they live.

        None for a runtime that packs otherwise, or if a row has another width structure than ``pattern``.
        """
        if not isinstance(self.runtime, Greedy):
            return None
        per_row = isinstance(height, np.ndarray)
        key = ("buffers", pattern, tuple(knobs), maps, None if per_row or height == width else (height, width), per_row)
        if key not in self._packed:
            tape, _, lowered, flags = self._recorded(pattern, tuple(knobs), maps, height, width)
            sizes = [tensor.size for tensor in lowered.tensors]
            if self.external_input:
                sizes[0] = 0
            kernel = tape.compile([*sizes, self.memory(lowered).persistent, *flags])
            self._packed[key] = kernel, self.runtime.lifetimes(lowered)
        kernel, lifetimes = self._packed[key]
        rows = len(knobs["alpha"])
        integers = np.empty((len(lifetimes) + 1, rows), np.int64)
        matched = np.empty((len(pattern), rows), np.bool_)
        kernel.run({**knobs, "height": height}, kernel.workspace(rows), [*integers, *matched])
        if not (matched == np.array(pattern, np.bool_)[:, None]).all():
            return None
        return integers[:-1], integers[-1], lifetimes

    def _ram(self, lowered: Graph, tape: Tape) -> Any:
        """The memory rule, recorded."""
        memory = self.memory(lowered)
        parts = [memory.persistent]
        for region in memory.regions:
            size, *others = region.peaks(lowered.tensors, plan=self.runtime.exact_plan)
            for other in others:
                size = tape.record("maximum", size, other)
            parts.append(size)
        return total(parts)


@lru_cache(maxsize=1024)
def network_model(
    family: str, settings: Settings, runtime: str, external_input: bool = False, works: tuple[Work, ...] = ()
) -> NetworkModel:
    """The model that prices one configuration of any family; ConfigError on unknown names.

    ``external_input``: the image lies outside the arena and is not counted. ``works``: what to count for latency.
    """
    member, rules = find_family(family), find_runtime(runtime)
    if stagewise(member):
        return ChainModel(member, settings, rules, external_input, works)
    return CostModel(find_lattice_family(family), settings, rules, external_input, works)


def cost_model(
    family: str, settings: Settings, runtime: str, external_input: bool = False, works: tuple[Work, ...] = ()
) -> CostModel:
    """The model of a family of global multipliers, which prices a million configurations at once."""
    model = network_model(family, settings, runtime, external_input, works)
    assert isinstance(model, CostModel)
    return model
