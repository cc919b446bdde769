"""What a network costs, whatever its family: one graph under a runtime's rules, in ints, arrays or symbols."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwscale.formulas.family import Settings, Structure
from hwscale.formulas.graph import Graph, total
from hwscale.ledger import NetworkRecord, OpRecord
from hwscale.runtimes.runtime import Plan, Runtime

Ints = npt.NDArray[np.int64]


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


class NetworkModel(ABC):
    """Prices graphs of one family under one setting of its options, in one runtime."""

    def __init__(self, settings: Settings, runtime: Runtime, external_input: bool) -> None:
        self.settings = settings
        self.runtime = runtime
        self.external_input = external_input
        self._plans: dict[Any, Plan] = {}

    @abstractmethod
    def graph(self, knobs: Mapping[str, Any], height: int, width: int) -> tuple[Graph, Structure]:
        """The graph of one configuration in Python ints; ConfigError if the reference network cannot be built."""

    def terms(self, graph: Graph, structure: Structure) -> CostTerms:
        """Apply the runtime's memory and Flash rules to a graph, whatever its reading."""
        sizes = [tensor.size for tensor in graph.tensors]
        plan = self.plan(graph, structure)
        ram_terms = tuple((name, total([sizes[t] for t in live])) for name, live in plan.steps)
        return CostTerms(ram_terms, *self.sums(graph))

    def plan(self, graph: Graph, structure: Structure) -> Plan:
        """What the runtime executes, and the tensors that live in its arena at each op."""
        if structure not in self._plans:
            plan = self.runtime.plan(graph.ops)
            self._plans[structure] = plan.without(0) if self.external_input else plan
        return self._plans[structure]

    def sums(self, graph: Graph) -> tuple[Any, Any, Any, dict[str, Any]]:
        """flash_bytes, macs, params, macs_by_kind of a graph."""
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

    def one(self, knobs: Mapping[str, float], height: int, width: int) -> CostTerms:
        """Exact cost of one configuration; ConfigError if the reference network cannot be built."""
        return self.terms(*self.graph(knobs, height, width))

    def record(self, knobs: Mapping[str, float], height: int, width: int) -> NetworkRecord:
        """The prediction as verification reads it: totals, and each executed op with its live bytes."""
        graph, structure = self.graph(knobs, height, width)
        terms = self.terms(graph, structure)
        live = dict(terms.ram_terms)
        nothing = self.runtime.flash_bytes(0, 0)
        ops = tuple(
            OpRecord(
                op.name,
                op.kind,
                int(op.macs),
                int(op.weights),
                int(live[op.name]),
                int(op.bias),
                int(self.runtime.flash_bytes(op.weights, op.bias) - nothing),
            )
            for op in graph.ops
            if op.name in live
        )
        peak = max(size for _, size in terms.ram_terms)
        return NetworkRecord(terms.params, terms.macs, peak, terms.flash_bytes, ops)
