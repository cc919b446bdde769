"""Runtime `tensors`: nothing but live int8 tensors, a lower bound for runtimes that hold a convolution's input and output apart.

RAM: largest sum of live tensors over the ops; activations, BN, add and mul in place; weights, scratch and code not counted.
`tensors` folds the stem's zero padding into the convolution and drops pools that change nothing; `tensors-strict` holds
both as buffers. Flash: 1 B per weight after BN folding + 4 B (int32 bias) per output channel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hwscale.formulas.graph import Op
from hwscale.runtimes.live_range import live_tensors
from hwscale.runtimes.runtime import Plan

BIAS_BYTES = 4


class Tensors:
    """See the module docstring; ``strict`` counts paddings and identity pools as buffers of their own."""

    def __init__(self, name: str, *, strict: bool) -> None:
        self.name = name
        self.strict_measure = strict
        self.meaning = "peak of live int8 tensors" + (", padding and identity pools held" if strict else "")
        self.evidence: Mapping[str, str] = {"ram": "exact", "flash": "exact"}
        self.ram_overhead_bytes = 0
        self.flash_overhead_bytes = 0
        self.rate_set: str | None = None

    def lower(self, ops: Sequence[Op]) -> Sequence[Op]:
        if self.strict_measure:
            return ops
        same: dict[int, int] = {}
        lowered = []
        for op in ops:
            inputs = tuple(same.get(tensor, tensor) for tensor in op.inputs)
            if op.kind == "pad" or op.identity:
                same[op.output] = inputs[0]
            else:
                lowered.append(replace(op, inputs=inputs))
        return lowered

    def plan(self, ops: Sequence[Op]) -> Plan:
        lowered = self.lower(ops)
        return Plan(tuple((op.name, live) for op, live in zip(lowered, live_tensors(lowered), strict=True)))

    def flash_bytes(self, weights: Any, biases: Any) -> Any:
        return weights + BIAS_BYTES * biases
