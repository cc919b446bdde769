"""One op on its own as an int8 .tflite, to be flashed and timed.

Every file holds that op and no other: a network in front of which the converter would put a TRANSPOSE or a RESHAPE is
written with the channels last, as the file stores them. Weights are random, ranges those of random maps: neither
decides the latency.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hwscale.errors import UnsupportedOpError
from hwscale.ledger import OpShape
from hwscale.measure.convert import convert, convert_channels_last
from hwscale.nets.padding import same_padding

CONVOLUTIONS = ("conv2d", "pointwise", "depthwise")
BINARY: dict[str, Callable[[Any, Any], Any]] = {"add": operator.add, "mul": operator.mul, "sub": operator.sub}
REDUCTIONS: dict[str, Callable[..., torch.Tensor]] = {"mean": torch.mean, "sum": torch.sum}
UNARY: dict[str, type[nn.Module]] = {
    "hard_swish": nn.Hardswish,
    "logistic": nn.Sigmoid,
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
}
KINDS = (*CONVOLUTIONS, "fully_connected", "pad", "max_pool", "average_pool", *BINARY, *REDUCTIONS, *UNARY)
"""Kinds of op that can be written as a file."""
WEIGHTS_SEED = 0


def write_op(shape: OpShape, path: Path | str) -> Path:
    """Write the op of ``shape`` to ``path`` as an int8 .tflite and return the path; an add or mul takes two maps.

    Raises
    ------
    ConfigError : a package of ``hwscale[convert]`` is missing.
    UnsupportedOpError : no single operator of TensorFlow Lite has this kind or shape.
    """
    read, made = _maps(shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(WEIGHTS_SEED)
        if shape.kind in BINARY:
            return convert_channels_last(_Call(BINARY[shape.kind]), (made, read), path)
        if shape.kind in REDUCTIONS and made[1:] == (1, 1):
            reduce = REDUCTIONS[shape.kind]
            return convert_channels_last(_Call(lambda maps: reduce(maps, (1, 2))), (read,), path)
        if shape.kind in UNARY:
            return convert_channels_last(UNARY[shape.kind](), (read,), path)
        return convert(_windowed(shape), read, path)


class _Call(nn.Module):
    """A function as a module."""

    def __init__(self, call: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.call = call

    def forward(self, *maps: torch.Tensor) -> torch.Tensor:
        """Apply the function."""
        return self.call(*maps)


def _maps(shape: OpShape) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Shapes (C, H, W) of what it reads and of what it makes."""
    read = (shape.in_channels, shape.in_height, shape.in_width)
    return read, (shape.out_channels, shape.out_height, shape.out_width)


def _windowed(shape: OpShape) -> nn.Module:
    """The module, channels first, whose transpositions the converter takes back."""
    kind, kernel, stride = shape.kind, shape.kernel, shape.stride
    if kind in CONVOLUTIONS:
        groups = shape.in_channels if kind == "depthwise" else 1
        return _padded(shape, nn.Conv2d(shape.in_channels, shape.out_channels, kernel, stride, groups=groups))
    if kind == "max_pool":
        return _padded(shape, nn.MaxPool2d(kernel, stride))
    if kind == "average_pool":
        rows, rest_rows = divmod(shape.in_height, shape.out_height)
        columns, rest_columns = divmod(shape.in_width, shape.out_width)
        if rest_rows or rest_columns:
            raise UnsupportedOpError(f"TensorFlow Lite has no single operator for {shape}: the pool does not divide.")
        return nn.AvgPool2d((rows, columns), (rows, columns))
    if kind == "fully_connected":
        return nn.Sequential(nn.Flatten(1), nn.Linear(shape.in_channels, shape.out_channels))
    if kind == "pad":
        rows, columns = shape.out_height - shape.in_height, shape.out_width - shape.in_width
        return nn.ZeroPad2d((columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
    raise UnsupportedOpError(f"{kind!r} is not written as a .tflite of one op; allowed: {', '.join(KINDS)}.")


def _padded(shape: OpShape, window: nn.Module) -> nn.Module:
    """The window on zeros of TensorFlow's SAME, or on none: the converter folds them into it."""
    sides = ((shape.in_height, shape.out_height), (shape.in_width, shape.out_width))
    if all((side - shape.kernel) // shape.stride + 1 == left for side, left in sides):
        return window
    if any(-(-side // shape.stride) != left for side, left in sides):
        raise UnsupportedOpError(f"TensorFlow Lite has no single operator for {shape}: its zeros are those of no SAME.")
    (top, bottom), (left, right) = (same_padding(side, shape.kernel, shape.stride) for side, _ in sides)
    return nn.Sequential(nn.ZeroPad2d((left, right, top, bottom)), window)
