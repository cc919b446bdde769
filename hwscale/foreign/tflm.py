"""What TensorFlow Lite Micro needs for a .tflite file: its own graph runs, so nothing is lowered and every tensor is known.

Arena = head + tail. The head is the greedy planner's, for the file's tensors and the scratch of its kernels. The tail grows down from
the arena's end: 24 B per tensor (constants too) and 64 B per operator, the operators' parsed options one after the other, then
the data that kernels keep, each on a multiple of 16 B, two int32 per output channel, 8 B per scratch buffer, and for every input
and output 72 B and, if it is quantised, 32 B.

Measured with tflite-micro 0.dev20261023182759 (x86-64, reference kernels): `KERNELS` from files of one or two operators, each alone
and behind a HARD_SWISH, in int8 and float32, with up to three operators and one constant more, so that sizes are known to 4 B. Head
and tail are then those of 90 of 90 converted networks (docs/tflm.md), and of 27 of 27 others (ResNet, MobileNetV3, SqueezeNet,
DenseNet, U-Net and the like, int8 and float32). A Cortex-M has pointers of 4 B and so a smaller tail.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hwscale.foreign.runtimes import RuntimeCost, listed
from hwscale.foreign.stripped import Stripped
from hwscale.measure.arena import arena_head, lifetimes
from hwscale.measure.tflite_model import FileModel, FileOperator
from hwscale.runtimes.planner import ALIGNMENT_BYTES, Buffer, aligned, plan_arena
from hwscale.runtimes.tflm import FIXED_BYTES, NODE_BYTES, TENSOR_BYTES, Tflm

START_BYTES, END_BYTES = 8, 8
"""Where the tail's parts begin relative to a multiple of 16 B."""
HANDLE_BYTES = 8
"""Per scratch buffer."""
END_TENSOR_BYTES, QUANTISATION_BYTES = 72, 32
"""Per input and output of the network, and more if it is quantised; `FIXED_BYTES` holds those of two quantised ones."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """``options`` bytes of the parsed options, on a multiple of ``align``; ``data`` bytes that the kernel keeps, 0 for none."""

    options: int = 0
    data: int = 0
    align: int = 4


KERNELS: dict[str, Kernel] = {
    "ADD": Kernel(8, 60),
    "ARG_MAX": Kernel(4),
    "AVERAGE_POOL_2D": Kernel(40, 32),
    "BROADCAST_TO": Kernel(),
    "CONCATENATION": Kernel(8, 80),
    "CONV_2D": Kernel(28, 80),
    "DEPTHWISE_CONV_2D": Kernel(28, 80),
    "DEPTH_TO_SPACE": Kernel(4, 20),
    "DEQUANTIZE": Kernel(0, 32),
    "DIV": Kernel(4, 28),
    "ELU": Kernel(0, 256),
    "EXPAND_DIMS": Kernel(),
    "FULLY_CONNECTED": Kernel(16, 88, align=8),
    "GATHER": Kernel(8, 20),
    "HARD_SWISH": Kernel(0, 20),
    "L2_NORMALIZATION": Kernel(4, 4),
    "LEAKY_RELU": Kernel(4, 24),
    "LOGISTIC": Kernel(0, 16),
    "MAXIMUM": Kernel(),
    "MAX_POOL_2D": Kernel(40, 32),
    "MEAN": Kernel(1, 44, align=1),
    "MINIMUM": Kernel(),
    "MUL": Kernel(4, 36),
    "PACK": Kernel(8),
    "PAD": Kernel(0, 56),
    "PADV2": Kernel(0, 56),
    "PRELU": Kernel(0, 28),
    "QUANTIZE": Kernel(0, 32),
    "RELU": Kernel(0, 28),
    "RELU6": Kernel(0, 8),
    "RESHAPE": Kernel(36),
    "RESIZE_BILINEAR": Kernel(2, align=1),
    "RESIZE_NEAREST_NEIGHBOR": Kernel(2, align=1),
    "SHAPE": Kernel(4),
    "SLICE": Kernel(),
    "SOFTMAX": Kernel(4, 80),
    "SPACE_TO_DEPTH": Kernel(4, 20),
    "SPLIT": Kernel(4),
    "SQUEEZE": Kernel(36),
    "STRIDED_SLICE": Kernel(24, 84),
    "SUB": Kernel(8, 52),
    "SUM": Kernel(1, 44, align=1),
    "TANH": Kernel(0, 16),
    "TRANSPOSE": Kernel(),
    "TRANSPOSE_CONV": Kernel(20, 88),
}
"""By builtin; what is not here has no known number, and the arena is then a lower bound."""
PER_CHANNEL = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
MEASURED_TYPES = ("BOOL", "FLOAT32", "INT32", "INT64", "INT8")


@dataclass(frozen=True, slots=True)
class FileArena:
    """Bytes of the arena, and what of the file has no measured number, so that they are a lower bound."""

    head_bytes: int
    tail_bytes: int
    unmeasured: tuple[str, ...]

    @property
    def total_bytes(self) -> int:
        return self.head_bytes + self.tail_bytes


def file_arena(model: FileModel) -> FileArena:
    """The arena of a file.

    Raises
    ------
    ConfigError : an activation whose elements have no fixed size.
    """
    return FileArena(_head(model), _tail(model), tuple(_unmeasured(model)))


def file_row(runtime: Tflm, model: FileModel, stripped: Stripped) -> RuntimeCost:
    """The row of TensorFlow Lite Micro for a file, without a platform: its arena, and the file as it is in Flash."""
    arena = file_arena(model)
    known = "at least" if arena.unmeasured else "exact for the x86-64 build, reference kernels"
    evidence = {
        "ram": f"{known}: planned from the file's own tensors; a Cortex-M needs less tail, CMSIS-NN scratch besides",
        "flash": f"exact: the file as it is; {stripped.size_bytes} B without names and metadata, {stripped.evidence}; without "
        "interpreter and kernels",
    }
    reason = f"no measured memory for {listed(arena.unmeasured)}" if arena.unmeasured else ""
    return RuntimeCost(
        runtime.name, arena.total_bytes, model.file_bytes, evidence, at_least=bool(arena.unmeasured), reason=reason
    )


def _head(model: FileModel) -> int:
    planned = lifetimes(model)
    if model.offline_offsets is not None:
        return arena_head(model, planned)
    buffers = [Buffer(life.size, life.start, life.end) for life in planned]
    for time, operator in enumerate(model.operators, 1):
        buffers += [Buffer(size, time, time) for size in _scratch(model, operator)]
    return plan_arena(buffers).head_bytes


def _tail(model: FileModel) -> int:
    at = START_BYTES + TENSOR_BYTES * len(model.tensors) + NODE_BYTES * len(model.operators)
    kernels = [KERNELS.get(operator.builtin, Kernel()) for operator in model.operators]
    for kernel in kernels:
        at = -(-(at + kernel.options) // kernel.align) * kernel.align
    for kernel in kernels:
        at = aligned(at + kernel.data) if kernel.data else at
    for operator in model.operators:
        channels = _quantised_channels(model, operator)
        at = aligned(aligned(at + 4 * channels) + 4 * channels) if channels else at
    at += HANDLE_BYTES * sum(len(_scratch(model, operator)) for operator in model.operators) + END_BYTES
    ends = [model.tensors[index] for index in (*model.inputs, *model.outputs)]
    at += END_TENSOR_BYTES * (len(ends) - 2)
    at += QUANTISATION_BYTES * (sum(tensor.quantisation is not None for tensor in ends) - 2)
    return FIXED_BYTES + aligned(at)


def _quantised_channels(model: FileModel, operator: FileOperator) -> int:
    """Output channels with a multiplier and a shift of their own."""
    if operator.builtin not in PER_CHANNEL or not operator.outputs:
        return 0
    if operator.builtin == "FULLY_CONNECTED":
        weight = model.tensors[operator.inputs[1]]
        if weight.dtype == "FLOAT32" or weight.quantisation is None or len(weight.quantisation.scales) < 2:
            return 0
    shape = model.tensors[operator.outputs[0]].shape
    return shape[-1] if shape else 0


def _scratch(model: FileModel, operator: FileOperator) -> tuple[int, ...]:
    """Bytes of the buffers that the kernel asks for, alive while it runs."""
    if not operator.inputs or not operator.outputs:
        return ()
    y = model.tensors[operator.outputs[0]]
    if operator.builtin in ("MEAN", "SUM"):
        sums = () if y.dtype == "FLOAT32" else (4 * y.elements,)
        return (*sums, ALIGNMENT_BYTES, ALIGNMENT_BYTES)
    return (4 * y.elements,) if operator.builtin == "TRANSPOSE_CONV" and y.dtype == "INT8" else ()


def _unmeasured(model: FileModel) -> Iterator[str]:
    for operator in model.operators:
        if operator.builtin not in KERNELS:
            yield operator.name
            continue
        touched = [model.tensors[index] for index in (*operator.inputs, *operator.outputs) if index >= 0]
        types = {tensor.dtype for tensor in touched} - set(MEASURED_TYPES)
        if types:
            yield f"{operator.name} in {min(types)}"
