"""The price of one operator of a .tflite file: its kind, multiply-accumulates, weights and biases.

Maps are (N, H, W, C). Filters: CONV_2D and TRANSPOSE_CONV (C_out, k_h, k_w, C_in), DEPTHWISE_CONV_2D (1, k_h, k_w, C_out),
FULLY_CONNECTED (out, in).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from hwscale.errors import ConfigError
from hwscale.measure.tflite_model import FileModel, FileOperator

Shape = tuple[int, ...]

KINDS = {
    "ADD": "add",
    "AVERAGE_POOL_2D": "average_pool",
    "MAX_POOL_2D": "max_pool",
    "MUL": "mul",
    "PAD": "pad",
    "PADV2": "pad",
}
"""hwscale's word for an operator, where it is not the builtin's name."""

_FREE_NAMES = """
ABS ADD ADD_N ARG_MAX ARG_MIN AVERAGE_POOL_2D BATCH_TO_SPACE_ND BROADCAST_TO CAST CEIL CONCATENATION COS DEPTH_TO_SPACE
DEQUANTIZE DIV ELU EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD GATHER GATHER_ND GELU GREATER GREATER_EQUAL
HARD_SWISH L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC
LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2 POW PRELU QUANTIZE REDUCE_ALL
REDUCE_ANY REDUCE_MAX REDUCE_MIN REDUCE_PROD RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR
RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT SELECT_V2 SHAPE SIGN SIN SLICE SOFTMAX SPACE_TO_BATCH_ND
SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM TANH TILE TRANSPOSE UNPACK
ZEROS_LIKE
"""
FREE = frozenset(_FREE_NAMES.split())
"""Operators that move, compare, pool or map elements one by one: no MACs."""


@dataclass(frozen=True, slots=True)
class Price:
    """``weights`` and ``biases`` in elements; ``is_known`` False for an operator that no table here has."""

    kind: str
    macs: int = 0
    weights: int = 0
    biases: int = 0
    is_known: bool = True


def price_of(model: FileModel, operator: FileOperator) -> Price:
    """The price of ``operator``; 0 MACs, not known, if it is in no table.

    Raises
    ------
    ConfigError : its shapes contradict each other or its options, or a map's size is left open until run time.
    """
    handler = LEARNT.get(operator.builtin)
    if handler is not None:
        return handler(model, operator)
    kind = KINDS.get(operator.builtin, operator.builtin.lower())
    if operator.builtin == "MEAN" and _is_global_pool(model, operator):
        kind = "average_pool"
    return Price(kind, is_known=operator.builtin in FREE)


def _convolution(model: FileModel, operator: FileOperator) -> Price:
    x, filter_, y = _shapes(model, operator, (0, 1), (4, 4, 4))
    channels, height, width, depth = filter_
    groups = x[3] // depth if depth else 0
    fits = groups > 0 and x[3] == groups * depth and channels % groups == 0 and (y[0], y[3]) == (x[0], channels)
    if not fits or y[1:3] != _window(x, (height, width), operator):
        raise _mismatch(model, operator, x, filter_, y)
    if groups > 1:
        kind = "depthwise" if groups == x[3] else "grouped"
    else:
        kind = "pointwise" if height * width == 1 else "conv2d"
    return Price(kind, prod(y) * height * width * depth, prod(filter_), _biases(model, operator, 2))


def _depthwise(model: FileModel, operator: FileOperator) -> Price:
    x, filter_, y = _shapes(model, operator, (0, 1), (4, 4, 4))
    one, height, width, channels = filter_
    fits = one == 1 and x[3] > 0 and channels % x[3] == 0 and (y[0], y[3]) == (x[0], channels)
    if not fits or y[1:3] != _window(x, (height, width), operator):
        raise _mismatch(model, operator, x, filter_, y)
    # converters write a convolution of a one-channel map this way; hwscale calls it what it is
    dense = "pointwise" if height * width == 1 else "conv2d"
    kind = "depthwise" if x[3] > 1 else dense
    return Price(kind, prod(y) * height * width, prod(filter_), _biases(model, operator, 2))


def _transposed(model: FileModel, operator: FileOperator) -> Price:
    filter_, x, y = _shapes(model, operator, (1, 2), (4, 4, 4))
    channels, height, width, depth = filter_
    if x[3] != depth or (y[0], y[3]) != (x[0], channels):
        raise _mismatch(model, operator, x, filter_, y)
    # every input position is multiplied with the whole filter and added into the output
    return Price("transpose_conv", prod(x) * height * width * channels, prod(filter_), _biases(model, operator, 3))


def _fully_connected(model: FileModel, operator: FileOperator) -> Price:
    x, weight, y = _shapes(model, operator, (0, 1), (None, 2, None))
    features, depth = weight
    if prod(x) * features != prod(y) * depth:
        raise _mismatch(model, operator, x, weight, y)
    return Price("fully_connected", prod(y) * depth, prod(weight), _biases(model, operator, 2))


LEARNT: dict[str, Callable[[FileModel, FileOperator], Price]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transposed,
    "FULLY_CONNECTED": _fully_connected,
}


def _shapes(
    model: FileModel, operator: FileOperator, places: tuple[int, int], ranks: tuple[int | None, ...]
) -> tuple[Shape, Shape, Shape]:
    """Shapes of two inputs, by place, and of the output, each of the rank asked for (None: any)."""
    inputs = [operator.inputs[place] if place < len(operator.inputs) else -1 for place in places]
    if min(inputs) < 0 or len(operator.outputs) != 1:
        raise ConfigError(
            f"{model.title}, {operator.name}: it needs inputs {places[0]} and {places[1]} and one output, but has "
            f"{len(operator.inputs)} and {len(operator.outputs)}: export the file again."
        )
    tensors = [model.tensors[index] for index in (*inputs, *operator.outputs)]
    for tensor, rank in zip(tensors, ranks, strict=True):
        if rank is not None and len(tensor.shape) != rank:
            raise ConfigError(
                f"{model.title}, {operator.name}: tensor {tensor.index} has shape {tensor.shape}, but must have {rank} "
                "dimensions: export the file again."
            )
        if -1 in tensor.signature[1:]:
            raise ConfigError(
                f"{model.title}, {operator.name}: tensor {tensor.index} has the open shape {tensor.signature}, so nothing can "
                "be counted: convert with a fixed input shape."
            )
    first, second, output = tensors
    return first.shape, second.shape, output.shape


def _window(x: Shape, kernel: tuple[int, int], operator: FileOperator) -> tuple[int, ...]:
    """Height and width of what a window makes of map ``x``: SAME ceil(n / s), VALID ceil((n - (k - 1) d) / s)."""
    options = operator.options
    lost = [(k - 1) * d if options.padding == "VALID" else 0 for k, d in zip(kernel, options.dilation, strict=True)]
    return tuple(-(-(n - less) // s) for n, less, s in zip(x[1:3], lost, options.stride, strict=True))


def _biases(model: FileModel, operator: FileOperator, place: int) -> int:
    index = operator.inputs[place] if place < len(operator.inputs) else -1
    return model.tensors[index].elements if index >= 0 else 0


def _is_global_pool(model: FileModel, operator: FileOperator) -> bool:
    if not operator.inputs or operator.inputs[0] < 0 or len(operator.outputs) != 1:
        return False
    x, y = model.tensors[operator.inputs[0]].shape, model.tensors[operator.outputs[0]].shape
    return len(x) == 4 and prod(y) == x[0] * x[3] and y[-1] == x[3]


def _mismatch(model: FileModel, operator: FileOperator, x: Shape, filter_: Shape, y: Shape) -> ConfigError:
    options = operator.options
    return ConfigError(
        f"{model.title}, {operator.name}: input {x}, weights {filter_}, output {y}, padding {options.padding or 'none'}, "
        f"stride {options.stride} and dilation {options.dilation} contradict each other: export the file again."
    )
