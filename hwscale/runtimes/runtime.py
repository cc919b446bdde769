"""The contract of a runtime: how it lowers a graph, what its arena holds at each op, what it stores in Flash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hwscale.formulas.graph import Op


@dataclass(frozen=True, slots=True)
class Plan:
    """The ops that a runtime executes and, per op, the tensors (by index) that are alive while it runs.

    Depends on the graph's ops and edges only, never on sizes, so it is planned once and reused for a million widths.
    """

    steps: tuple[tuple[str, tuple[int, ...]], ...]

    def without(self, tensor: int) -> Plan:
        """The plan with one tensor kept elsewhere."""
        return Plan(tuple((name, tuple(t for t in live if t != tensor)) for name, live in self.steps))

    def peak_steps(self) -> tuple[tuple[int, ...], ...]:
        """The live sets that can hold the peak: those inside another one cannot, whatever the sizes."""
        sets = [frozenset(live) for _, live in self.steps]
        kept = [s for i, s in enumerate(sets) if not any(s < o or (s == o and j < i) for j, o in enumerate(sets))]
        return tuple(tuple(sorted(s)) for s in kept)


class Runtime(Protocol):
    """Readings: ints, arrays and symbols alike, since rules only add and multiply tensor sizes."""

    name: str
    meaning: str
    evidence: Mapping[str, str]
    """Per quantity ("ram", "flash"): exact, bounded or estimated."""
    ram_overhead_bytes: int
    flash_overhead_bytes: int
    rate_set: str | None
    """Throughput rows to read on a platform; None: the platform's default set."""
    strict_measure: bool
    """Whether verification holds paddings and identity pools as buffers too."""

    def lower(self, ops: Sequence[Op]) -> Sequence[Op]:
        """The ops it really executes."""

    def plan(self, ops: Sequence[Op]) -> Plan:
        """Memory rule: live tensors per lowered op."""

    def flash_bytes(self, weights: Any, biases: Any) -> Any:
        """Flash rule [B] on weight elements and int32 biases of the deployed network."""
