"""Runtime `tflm`: the arena and the file of TensorFlow Lite Micro, from shapes alone.

RAM = head (tensors and scratch, as the greedy planner packs them) + tail (what persists: 24 B per tensor, 64 B per op, 8 B per output
channel and so on). Flash = the int8 .tflite without names and metadata; interpreter and kernels come on top and are unknown.

Measured with tflite-micro 0.dev20261023182759, x86-64, reference kernels, on 90 networks of all six families (docs/tflm.md): head
equal on 90, tail equal on 90, file within 0.34 %. On a Cortex-M pointers take 4 B, so the tail is smaller; CMSIS-NN asks for
scratch that is not in these numbers. The terms of the head are sums of live tensors, each rounded up to 16 B, which no plan can
go below; on 5 of the 90 the planner left gaps, so `Tflm.plan` plans.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hwscale.errors import ConfigError
from hwscale.formulas.graph import HOLD, Graph, Integer, Op, aligned, total
from hwscale.runtimes import tflm_lowering as lowering
from hwscale.runtimes.live_range import live_steps
from hwscale.runtimes.planner import ALIGNMENT_BYTES, Buffer, plan_arena
from hwscale.runtimes.runtime import Facts, Lifetimes, Memory, Parts, Region

VERSION = "0.dev20261023182759"
WEIGHTED = frozenset({"conv2d", "pointwise", "depthwise", "fully_connected"})
OP_DATA = {
    **dict.fromkeys(("conv2d", "pointwise", "depthwise"), 80), "fully_connected": 96, "pad": 56, "mean": 44, "sum": 44,
    "add": 60, "sub": 60, "mul": 36, "logistic": 16, "hard_swish": 20, "max_pool": 32, "average_pool": 32,
}  # fmt: skip
"""Bytes that the kernel of each op keeps [measured, up to the 16 B they fill]; an op that is not here has no known number."""
OP_EXTRA = {
    **dict.fromkeys(("conv2d", "pointwise", "depthwise"), 28), "fully_connected": 16, "max_pool": 40, "average_pool": 40,
    "add": 8, "sub": 8, "mul": 4, "mean": 4, "sum": 4,
}  # fmt: skip
TENSOR_BYTES, NODE_BYTES = 24, 64
"""TfLiteEvalTensor and NodeAndRegistration on a 64-bit machine."""
FIXED_BYTES = 688
FILE_TENSOR_BYTES, FILE_OP_BYTES, FILE_FIXED_BYTES, FILE_CHANNEL_BYTES = 98, 17, 470, 24
"""Fit on 80 of the 90 stripped files: largest error 308 B, 0.34 %; 24 B per channel are scale and zero point of weight and bias."""
PADDING_BYTES, AXIS_BYTES = 32, 8
"""int32 constants of the file: one array per distinct padding, one for all reductions."""


class Tflm:
    """See the module docstring."""

    name = "tflm"
    meaning = f"arena of TensorFlow Lite Micro {VERSION} (x86-64, reference kernels) and stripped .tflite"
    evidence: Mapping[str, str] = {
        "ram": "exact for the x86-64 build, reference kernels (90 of 90 measured); a Cortex-M needs less tail, CMSIS-NN scratch besides",
        "flash": "estimated: stripped .tflite within 0.35 %, without interpreter and kernels",
    }
    sources: tuple[str, ...] = (
        "tensorflow/tflite-micro: micro/memory_planner/greedy_memory_planner.cc, micro/micro_allocation_info.cc",
        "docs/tflm.md and benchmarks/data/tflm_measured.csv: 90 networks measured",
    )
    exact_plan = True
    rate_set: str | None = "tflm"
    strict_measure = False
    maps_decide = True

    def facts(self, graph: Graph) -> Facts:
        return lowering.facts(graph)

    def refuse(self, graph: Graph) -> str | None:
        return lowering.refuse(graph)

    def lower(self, graph: Graph, facts: Facts) -> Graph:
        return lowering.lower(graph, facts)

    def memory(self, lowered: Graph) -> Memory:
        return Memory((Region("head", live_steps(lowered.ops), _aligned_total),), _tail(lowered))

    def lifetimes(self, lowered: Graph) -> Lifetimes:
        return lifetimes(lowered)

    def plan(self, lowered: Graph, external_input: bool) -> Parts:
        return ("head", head_bytes(lowered, external_input)), ("tail", int(_tail(lowered)))

    def flash_bytes(self, lowered: Graph) -> Integer:
        ops = lowered.ops
        shared = PADDING_BYTES * len(_paddings(ops)) + AXIS_BYTES * any(op.kind in lowering.REDUCTIONS for op in ops)
        shared += _sixth(ops)
        return total([FILE_FIXED_BYTES + FILE_TENSOR_BYTES + shared, _file(lowered, ops, _constants(ops))])

    def shares(self, lowered: Graph) -> tuple[Integer, Integer]:
        ops = [op for op in lowered.ops if op.kind != HOLD]
        own = sum(map(_own_constants, ops))
        counted = TENSOR_BYTES * (len(ops) + own) + NODE_BYTES * len(ops) + sum(OP_EXTRA.get(op.kind, 0) for op in ops)
        reduced = 24 * sum(op.kind in lowering.REDUCTIONS for op in ops)
        kept = sum(aligned(_data(op)) for op in ops)
        return total([counted + reduced + kept, _channel_bytes(lowered)]), _file(lowered, ops, own)

    def base(self) -> tuple[int, int]:
        # at least: constants that ops share and roundings of sums come on top; the first op's data is not rounded up by 8 B or less
        return FIXED_BYTES + 8 + TENSOR_BYTES + 8 - 8, FILE_FIXED_BYTES + FILE_TENSOR_BYTES


def lifetimes(lowered: Graph) -> Lifetimes:
    """When each tensor of a lowered graph lives, on the planner's clock: op j runs at j, the input is there at 0."""
    born = {op.output: at for at, op in enumerate(lowered.ops, start=1)}
    dies = {tensor: at for at, op in enumerate(lowered.ops, start=1) for tensor in op.inputs}
    at_once = {tensor: at for at, op in enumerate(lowered.ops, start=1) for tensor in op.scratch}
    if lowered.ops:
        dies[lowered.ops[-1].output] = len(lowered.ops)
    found = []
    for tensor in lowered.tensors:
        index = tensor.index
        first = at_once.get(index, born.get(index, 0))
        found.append((first, max(first, first if index in at_once else dies.get(index, first))))
    return tuple(found)


def head_bytes(lowered: Graph, external_input: bool = False) -> int:
    """What the greedy planner needs for the tensors and scratch of a lowered graph in Python ints."""
    sizes = [int(tensor.size) for tensor in lowered.tensors]
    if external_input:
        sizes[0] = 0
    buffers = [Buffer(size, *life) for size, life in zip(sizes, lifetimes(lowered), strict=True)]
    return plan_arena(buffers).head_bytes


def _tail(lowered: Graph) -> Integer:
    ops = lowered.ops
    data = [_data(op) for op in ops]
    first = next((at for at, size in enumerate(data) if size), 0)
    start = 8 + TENSOR_BYTES * (1 + len(ops) + _constants(ops)) + NODE_BYTES * len(ops)
    start += sum(OP_EXTRA.get(op.kind, 0) for op in ops) + sum(data[first : first + 1])
    kept = aligned(start) + sum(aligned(size) for at, size in enumerate(data) if at != first)
    reductions = aligned(24 * sum(op.kind in lowering.REDUCTIONS for op in ops) + 8)
    return total([FIXED_BYTES + kept + reductions, _channel_bytes(lowered)])


def _channel_bytes(lowered: Graph) -> Integer:
    """Two arrays of int32 per op with output channels: multiplier and shift."""
    outputs = [lowered.tensors[op.output].channels for op in lowered.ops if op.kind in WEIGHTED]
    alike: dict[int, list[Integer]] = {}
    for channels in outputs:
        alike.setdefault(channels if isinstance(channels, int) else -1 - id(channels), []).append(channels)
    # 2 a16(4 C) = 8 a4(C), once per width that ops share
    return 8 * total([len(same) * aligned(same[0], 4) for same in alike.values()])


def _file(lowered: Graph, ops: Sequence[Op], constants: int) -> Integer:
    """Bytes of the stripped file that grow with the network, from the number of constant tensors."""
    counted = FILE_TENSOR_BYTES * (len(ops) + constants) + FILE_OP_BYTES * len(ops)
    # in parts, as parameters are counted: a recorded sum is then shared
    channels = total([lowered.biases(trained) for trained in (2, 0, 1)])
    return total([counted, lowered.weights(), (4 + FILE_CHANNEL_BYTES) * channels])


def _constants(ops: Sequence[Op]) -> int:
    """Constant tensors of a whole network, shared ones once."""
    reduced = any(op.kind in lowering.REDUCTIONS for op in ops)
    return sum(map(_own_constants, ops)) + len(_paddings(ops)) + reduced + _sixth(ops)


def _sixth(ops: Sequence[Op]) -> bool:
    """Is there a hard sigmoid: all share a constant of 1 B."""
    return any(op.kind == "mul" and len(op.inputs) == 1 and not _own_constants(op) for op in ops)


def _own_constants(op: Op) -> int:
    """Constant tensors that only this op reads: weights and bias, or one operand of a batch norm that stands alone."""
    if op.kind in WEIGHTED:
        return 2
    return int(len(op.inputs) == 1 and op.kind in ("add", "sub", "mul") and not _free(op.weights))


def _free(weights: Integer) -> bool:
    return isinstance(weights, int) and weights == 0


def _paddings(ops: Sequence[Op]) -> set[tuple[int, ...]]:
    return {op.pads for op in ops if op.kind == "pad"}


def _data(op: Op) -> int:
    if op.kind == HOLD:
        return 0
    if op.kind not in OP_DATA:
        raise ConfigError(f"{op.name}: runtime tflm has no measured memory for the op {op.kind}; use runtime tensors")
    return OP_DATA[op.kind]


def _aligned_total(sizes: Sequence[Integer]) -> Integer:
    return total([aligned(size, ALIGNMENT_BYTES) for size in sizes])
