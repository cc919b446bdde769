"""What an executed op has to do, in the integers that its latency is made of.

An op's *macs* are its multiply-accumulates, its *elements* the map elements that it reads and writes (weights not counted), and
its *ops* are 1: what it costs to be called. A `Work` sums one of them over the ops of some kinds; latency is a sum of such
works, each times what one unit of it takes, so it adds up op by op and never falls where a network grows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwscale.formulas.graph import HOLD, Graph, Integer, total
from hwscale.ledger import OpRecord, OpShape

QUANTITIES = ("macs", "elements", "ops")
DENSE = ("conv2d", "pointwise", "fully_connected")
KERNELS = (*DENSE, "depthwise")
"""Kinds of op that multiply and accumulate."""


@dataclass(frozen=True, slots=True, order=True)
class Work:
    """One quantity, summed over the executed ops of some kinds; under a schedule of patches apart for those in the ``stage``, which is
    its name, and those behind it, see `hwscale.stage_work`."""

    quantity: str
    operators: tuple[str, ...]
    stage: str = ""

    def __str__(self) -> str:
        return f"{self.quantity} of {', '.join(self.operators)}"

    def of(self, ops: Iterable[OpRecord]) -> int:
        """The sum over recorded ops."""
        return sum(_recorded(op, self.quantity) for op in ops if op.kind in self.operators)


def _recorded(op: OpRecord, quantity: str) -> int:
    return {"macs": op.macs, "elements": op.elements, "ops": 1}[quantity]


def op_elements(graph: Graph, inputs: Sequence[int], output: int) -> Integer:
    """Map elements that an op reads and writes; a tensor that it reads twice counts twice."""
    return total([graph.tensors[t].size for t in (*inputs, output)])


def works_of(lowered: Graph, works: Sequence[Work]) -> dict[Work, Any]:
    """Each work of a lowered graph, in whatever reading its sizes have."""
    return {work: total(_parts(lowered, work)) for work in works}


def _parts(lowered: Graph, work: Work) -> list[Integer]:
    chosen = [op for op in lowered.ops if op.kind in work.operators and op.kind != HOLD]
    if work.quantity == "ops":
        return [len(chosen)]
    if work.quantity == "macs":
        return [op.macs for op in chosen]
    uses = Counter(tensor for op in chosen for tensor in (*op.inputs, op.output))
    alike: dict[int, list[Integer]] = {}
    for tensor, times in uses.items():
        alike.setdefault(times, []).append(lowered.tensors[tensor].size)
    # a map that two ops touch is added once and doubled: half the arithmetic of a million networks
    return [total(sizes) if times == 1 else times * total(sizes) for times, sizes in alike.items()]


def shape_record(shape: OpShape) -> OpRecord:
    """An op on its own, with its MACs, weights and map elements; an add, sub or mul reads a map like its result, and the one given."""
    area, window = shape.out_height * shape.out_width, shape.kernel**2
    inputs = shape.in_channels * shape.in_height * shape.in_width
    outputs = shape.out_channels * area
    if shape.kind == "depthwise":
        weights = window * shape.out_channels
    elif shape.kind in ("conv2d", "pointwise"):
        weights = window * shape.in_channels * shape.out_channels
    elif shape.kind == "fully_connected":
        weights = inputs * shape.out_channels
    else:
        other = outputs if shape.kind in ("add", "sub", "mul") else 0
        return OpRecord(shape.kind, shape.kind, 0, 0, 0, elements=inputs + other + outputs)
    return OpRecord(
        shape.kind, shape.kind, weights * area, weights, 0, biases=shape.out_channels, elements=inputs + outputs
    )


def latency_fs(ops: Iterable[OpRecord], fs_per_unit: Mapping[Work, int]) -> int:
    """Latency of recorded ops [fs]: the sum over works of units x fs per unit."""
    every = tuple(ops)
    return sum(work.of(every) * fs for work, fs in fs_per_unit.items())


def per_mac(fs_per_mac: Mapping[str, int]) -> dict[Work, int]:
    """Works of rates that are known per operator kind alone, with their fs per MAC."""
    return {Work("macs", (kind,)): fs for kind, fs in fs_per_mac.items()}
