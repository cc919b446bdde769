"""What a network costs, whatever its family: one graph under a runtime's rules, in ints, arrays or symbols."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwscale.errors import ConfigError
from hwscale.formulas.family import Settings, Structure
from hwscale.formulas.graph import Graph, total
from hwscale.ledger import NetworkRecord, OpRecord
from hwscale.runtimes.runtime import Facts, Memory, Runtime, least_ram
from hwscale.work import Work, op_elements, works_of

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CostTerms:
    """Closed forms of one graph in whatever reading its widths had.

    ``regions`` has per memory region its name and one (op, bytes) per executed op: RAM is the sum over regions of the largest
    of them and of ``persistent``; where a runtime must plan (`Runtime.exact_plan`) that is a lower bound. ``works`` are what its
    latency is made of. Bytes and counts are integers, batch 1, int8.
    """

    regions: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]
    persistent: Any
    flash_bytes: Any
    macs: Any
    params: Any
    works: dict[Work, Any]

    @property
    def ram_terms(self) -> tuple[tuple[str, Any], ...]:
        """The (op, bytes) of the first region, that of the activations."""
        return self.regions[0][1]

    @property
    def ram_bytes(self) -> Any:
        """RAM of a reading in numbers."""
        return sum(max(size for _, size in terms) for _, terms in self.regions) + self.persistent


@dataclass(slots=True)
class CostArrays:
    """Costs of many configurations, one int64 array each; ``executed``: MACs that a schedule executes, None: ``macs``."""

    ram_bytes: Ints
    flash_bytes: Ints
    macs: Ints
    params: Ints
    works: dict[Work, Ints]
    executed: Ints | None = None

    def __getitem__(self, rows: Any) -> CostArrays:
        works = {work: array[rows] for work, array in self.works.items()}
        done = None if self.executed is None else self.executed[rows]
        return CostArrays(self.ram_bytes[rows], self.flash_bytes[rows], self.macs[rows], self.params[rows], works, done)

    def store(self, rows: Any, new: CostArrays) -> None:
        """Put other costs in the place of these rows."""
        self.ram_bytes[rows] = new.ram_bytes
        self.flash_bytes[rows] = new.flash_bytes
        self.macs[rows] = new.macs
        self.params[rows] = new.params
        for work, array in self.works.items():
            array[rows] = new.works[work]
        if self.executed is not None:
            assert new.executed is not None
            self.executed[rows] = new.executed

    @staticmethod
    def joined(parts: list[CostArrays]) -> CostArrays:
        """One after the other, all with the same works and of one schedule."""
        done = [part.executed for part in parts if part.executed is not None]
        return CostArrays(
            np.concatenate([part.ram_bytes for part in parts]),
            np.concatenate([part.flash_bytes for part in parts]),
            np.concatenate([part.macs for part in parts]),
            np.concatenate([part.params for part in parts]),
            {work: np.concatenate([part.works[work] for part in parts]) for work in parts[0].works},
            np.concatenate(done) if done else None,
        )


class NetworkModel(ABC):
    """Prices graphs of one family under one setting of its options, in one runtime; ``works`` are what to count for latency."""

    def __init__(
        self, settings: Settings, runtime: Runtime, external_input: bool, works: tuple[Work, ...] = ()
    ) -> None:
        self.settings = settings
        self.runtime = runtime
        self.external_input = external_input
        self.works = works

    @abstractmethod
    def graph(self, knobs: Mapping[str, Any], height: int, width: int) -> tuple[Graph, Structure]:
        """The graph of one configuration in Python ints; ConfigError if the reference network cannot be built."""

    def lowered(self, graph: Graph, facts: Facts | None = None) -> Graph:
        """What the runtime executes; ``facts`` are those of a graph in Python ints, needed where ``graph`` has other readings."""
        return self.runtime.lower(graph, self.runtime.facts(graph) if facts is None else facts)

    def memory(self, lowered: Graph) -> Memory:
        """The runtime's memory rule, the image left out where it lies elsewhere."""
        memory = self.runtime.memory(lowered)
        if not self.external_input:
            return memory
        return Memory(tuple(region.without(0) for region in memory.regions), memory.persistent)

    def terms(self, graph: Graph, facts: Facts | None = None) -> CostTerms:
        """Apply the runtime's memory and Flash rules to a graph, whatever its reading; ``facts`` as in `lowered`."""
        return self._terms(graph, self.lowered(graph, facts))

    def _terms(self, graph: Graph, lowered: Graph) -> CostTerms:
        sizes = [tensor.size for tensor in lowered.tensors]
        memory = self.memory(lowered)
        regions = tuple((region.name, region.terms(sizes)) for region in memory.regions)
        flash_bytes = self.runtime.flash_bytes(lowered)
        return CostTerms(regions, memory.persistent, flash_bytes, *sums(graph), works_of(lowered, self.works))

    def one(self, knobs: Mapping[str, float], height: int, width: int) -> CostTerms:
        """Exact cost of one configuration; ConfigError if the reference network or the runtime cannot have it."""
        graph, _ = self.graph(knobs, height, width)
        self.check(graph)
        return self.terms(graph)

    def check(self, graph: Graph) -> None:
        """ConfigError if the runtime cannot run a graph in Python ints."""
        if reason := self.runtime.refuse(graph):
            raise ConfigError(f"runtime {self.runtime.name} cannot run this network: {reason}")

    def record(self, knobs: Mapping[str, float], height: int, width: int) -> NetworkRecord:
        """The prediction as verification reads it: totals, and each executed op with its live bytes."""
        graph, _ = self.graph(knobs, height, width)
        self.check(graph)
        return self.record_of(graph)

    def record_of(self, graph: Graph) -> NetworkRecord:
        """The record of a graph in Python ints that the runtime can run."""
        lowered = self.lowered(graph)
        terms = self._terms(graph, lowered)
        live = terms.ram_terms
        ops = tuple(
            OpRecord(
                op.name,
                op.kind,
                int(op.macs),
                int(op.weights),
                int(size),
                int(op.bias),
                int(self.runtime.shares(Graph(lowered.tensors, [op]))[1]),
                int(op_elements(lowered, op.inputs, op.output)),
            )
            for op, (_, size) in zip(lowered.ops, live, strict=True)
        )
        parts = self.runtime.plan(lowered, self.external_input)
        return NetworkRecord(
            terms.params,
            terms.macs,
            sum(size for _, size in parts),
            int(terms.flash_bytes),
            ops,
            ram_parts=parts,
            least_ram_bytes=least_ram(self.runtime, lowered, self.external_input),
        )


def sums(graph: Graph) -> tuple[Any, Any]:
    """macs and params of a graph, the same in every runtime."""
    params = total([graph.weights(), 2 * graph.biases(trained=2), graph.biases(trained=1), graph.idle_params])
    return total([op.macs for op in graph.ops]), params
