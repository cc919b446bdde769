"""Cost of a configuration or of a million: family x runtime -> RAM, Flash, MACs, params.

A `CostModel` is one graph with open widths: settings fixed, width knobs free. `one` reads it on Python ints, `many` on numpy
int64 arrays; both are exact. int64 holds every cost of a network below 2^63 MACs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from hwscale.errors import ConfigError
from hwscale.formulas import find_family
from hwscale.formulas.family import Family, Settings, Structure
from hwscale.formulas.graph import Graph, total
from hwscale.formulas.tape import Kernel, Tape
from hwscale.ledger import NetworkRecord, OpRecord
from hwscale.runtimes import find_runtime
from hwscale.runtimes.runtime import Plan, Runtime

Ints = npt.NDArray[np.int64]
CHUNK = 8192
"""Candidates per pass: their ~100 live arrays stay in the L2 cache."""


@dataclass(frozen=True, slots=True)
class CostTerms:
    """Closed forms of one graph in whatever reading its widths had.

    ``ram_terms`` has one (op, bytes) per executed op; their largest is the peak. ``macs_by_kind`` splits ``macs`` by
    operator kind. Bytes and counts are integers, batch 1, int8.
    """

    ram_terms: tuple[tuple[str, Any], ...]
    flash_bytes: Any
    macs: Any
    params: Any
    macs_by_kind: dict[str, Any]


@dataclass(slots=True)
class CostArrays:
    """Costs of many configurations, one int64 array each."""

    ram_bytes: Ints
    flash_bytes: Ints
    macs: Ints
    params: Ints
    macs_by_kind: dict[str, Ints]

    def __getitem__(self, rows: Any) -> CostArrays:
        kinds = {kind: array[rows] for kind, array in self.macs_by_kind.items()}
        return CostArrays(self.ram_bytes[rows], self.flash_bytes[rows], self.macs[rows], self.params[rows], kinds)

    @staticmethod
    def joined(parts: list[CostArrays]) -> CostArrays:
        """One after the other; kinds that a part lacks count zero there."""
        kinds = dict.fromkeys(kind for part in parts for kind in part.macs_by_kind)
        none = [np.zeros(len(part.macs), np.int64) for part in parts]
        return CostArrays(
            np.concatenate([part.ram_bytes for part in parts]),
            np.concatenate([part.flash_bytes for part in parts]),
            np.concatenate([part.macs for part in parts]),
            np.concatenate([part.params for part in parts]),
            {
                kind: np.concatenate([p.macs_by_kind.get(kind, zero) for p, zero in zip(parts, none, strict=True)])
                for kind in kinds
            },
        )


class CostModel:
    """One family, one setting of everything but width knobs, one runtime; get it from `cost_model`."""

    def __init__(self, family: Family, settings: Settings, runtime: Runtime, external_input: bool) -> None:
        self.family = family
        self.settings = settings
        self.runtime = runtime
        self.external_input = external_input
        self._plans: dict[Structure, Plan] = {}
        self._kernels: dict[tuple[Any, ...], tuple[Kernel, tuple[str, ...]]] = {}

    def terms(self, graph: Graph, structure: Structure) -> CostTerms:
        """Apply the runtime's memory and Flash rules to a graph, whatever its reading."""
        sizes = [tensor.size for tensor in graph.tensors]
        plan = self.plan(graph, structure)
        ram_terms = tuple((name, total([sizes[t] for t in live])) for name, live in plan.steps)
        return CostTerms(ram_terms, *self._sums(graph))

    def plan(self, graph: Graph, structure: Structure) -> Plan:
        """What the runtime executes, and the tensors that live in its arena at each op."""
        if structure not in self._plans:
            plan = self.runtime.plan(graph.ops)
            self._plans[structure] = plan.without(0) if self.external_input else plan
        return self._plans[structure]

    def _sums(self, graph: Graph) -> tuple[Any, Any, Any, dict[str, Any]]:
        """flash_bytes, macs, params, macs_by_kind."""
        kinds: dict[str, list[Any]] = {}
        for op in graph.ops:
            if not (isinstance(op.macs, int) and op.macs == 0):
                kinds.setdefault(op.kind, []).append(op.macs)
        by_kind = {kind: total(macs) for kind, macs in kinds.items()}
        weights, normed, plain = graph.weights(), graph.biases(trained=2), graph.biases(trained=0)
        classifier = graph.biases(trained=1)
        params = total([weights, 2 * normed, classifier, graph.idle_params])
        flash_bytes = self.runtime.flash_bytes(weights, total([normed, plain, classifier]))
        return flash_bytes, total(list(by_kind.values())), params, by_kind

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

    def one(self, knobs: Mapping[str, float], height: int, width: int) -> CostTerms:
        """Exact cost of one configuration; ConfigError if the reference network cannot be built."""
        return self.terms(*self.graph(knobs, height, width))

    def record(self, knobs: Mapping[str, float], height: int, width: int) -> NetworkRecord:
        """The prediction as verification reads it: totals, and each executed op with its live bytes."""
        graph, structure = self.graph(knobs, height, width)
        terms = self.terms(graph, structure)
        live = dict(terms.ram_terms)
        ops = tuple(
            OpRecord(op.name, op.kind, int(op.macs), int(op.weights), int(live[op.name]))
            for op in graph.ops
            if op.name in live
        )
        peak = max(size for _, size in terms.ram_terms)
        return NetworkRecord(terms.params, terms.macs, peak, terms.flash_bytes, ops)

    def many(
        self,
        knobs: Mapping[str, npt.NDArray[np.float64]],
        height: Any,
        width: Any,
        map_structure: Structure,
        width_structure: Structure | None = None,
    ) -> CostArrays:
        """Exact costs of configurations that are valid and share ``map_structure``; knob arrays of one length.

        ``height`` and ``width`` are ints, or one and the same int64 array for square inputs of many sizes.
        ``width_structure`` is what most rows have, where the caller knows: rows that differ are computed once more.
        """
        if width_structure is None:
            width_structure = tuple(False for _ in self._flags(tuple(knobs)))
        costs, flags = self._replay(width_structure, knobs, height, width, map_structure)
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
            parts.append(self._replay(pattern, some, h, w, map_structure)[0])
            places.append(rows)
        return CostArrays.joined(parts)[np.argsort(np.concatenate(places), kind="stable")]

    def _flags(self, knobs: tuple[str, ...]) -> tuple[Any, ...]:
        tape = Tape()
        widths = self.family.widths(self.settings, {name: tape.input(name, "f") for name in knobs}, tape)
        return self.family.width_structure(self.settings, widths)

    def _replay(
        self, pattern: Structure, knobs: Mapping[str, Any], height: Any, width: Any, map_structure: Structure
    ) -> tuple[CostArrays, npt.NDArray[np.bool_]]:
        """Costs if every row has the width structure ``pattern``, and the structure that each row really has."""
        per_row = isinstance(height, np.ndarray)
        kernel, kinds = self._kernel(pattern, tuple(knobs), map_structure, height, width)
        rows_in_all = len(knobs["alpha"])
        integers = np.empty((4 + len(kinds), rows_in_all), np.int64)
        flags = np.empty((len(pattern), rows_in_all), np.bool_)
        workspace = kernel.workspace(min(rows_in_all, CHUNK))
        for start in range(0, rows_in_all, CHUNK):
            rows = slice(start, start + CHUNK)
            inputs = {name: values[rows] for name, values in knobs.items()}
            inputs["height"] = height[rows] if per_row else height
            kernel.run(inputs, workspace, [*integers[:, rows], *flags[:, rows]])
        by_kind = dict(zip(kinds, integers[4:], strict=True))
        return CostArrays(integers[0], integers[1], integers[2], integers[3], by_kind), flags

    def _kernel(
        self, pattern: Structure, knobs: tuple[str, ...], map_structure: Structure, height: Any, width: Any
    ) -> tuple[Kernel, tuple[str, ...]]:
        """The formula as straight-line numpy code, and the operator kinds in the order of its outputs."""
        per_row = isinstance(height, np.ndarray)
        square = per_row or height == width
        key = (pattern, knobs, map_structure, None if square else (height, width), per_row)
        if key not in self._kernels:
            tape = Tape()
            if square:  # a rectangle is one input shape: its sides stay the ints they are
                height = width = tape.input("height", "i", array=per_row)
            widths = self.family.widths(self.settings, {name: tape.input(name, "f") for name in knobs}, tape)
            structure = map_structure + pattern
            graph = self.family.graph(self.settings, widths, height, width, structure)
            sizes = [tensor.size for tensor in graph.tensors]
            live_sets = self.plan(graph, structure).peak_steps()
            ram, *others = (total([sizes[t] for t in live]) for live in live_sets)
            for other in others:
                ram = tape.record("maximum", ram, other)
            flash_bytes, macs, params, by_kind = self._sums(graph)
            flags = self.family.width_structure(self.settings, widths)
            kernel = tape.compile([ram, flash_bytes, macs, params, *by_kind.values(), *flags])
            self._kernels[key] = kernel, tuple(by_kind)
        return self._kernels[key]


@lru_cache(maxsize=1024)
def cost_model(family: str, settings: Settings, runtime: str, external_input: bool = False) -> CostModel:
    """The cost model of a family under settings in a runtime; ConfigError on unknown names.

    ``external_input``: the image lies outside the arena and is not counted.
    """
    return CostModel(find_family(family), settings, find_runtime(runtime), external_input)
