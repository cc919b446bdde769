"""Small .tflite files with the operators of foreign networks, and what the tests of their costs share."""

from __future__ import annotations

from typing import Any

from flatbuffer_writer import Number, Vector
from tflite_builder import Builder

from hwscale.foreign.report import ModelCost
from hwscale.foreign.runtimes import RuntimeCost

C, H, W = 6, 10, 8
MAP = C * H * W


class Net(Builder):
    """A network whose first tensor is a map of C x H x W; `Builder`'s biases get the scale that interpreters ask for."""

    def __init__(self, dtype: str = "INT8", shape: tuple[int, ...] = (1, H, W, C)) -> None:
        super().__init__(dtype)
        self.x = self.tensor(*shape)

    def _bias(self, channels: int) -> int:
        scale = {2: Vector("f", [0.25]), 3: Vector("q", [0]), 6: Number("i", 0)}
        dtype = "INT32" if self.dtype == "INT8" else self.dtype
        return self.tensor(channels, data=bytes(4 * channels), dtype=dtype, f4=scale)

    def map(self, builtin: str, inputs: list[int], union: int = 0, options: Any = None, shape: Any = None) -> int:
        return self.op(builtin, inputs, [self.tensor(*(shape or self.shapes[inputs[0]]))], union, options)

    def pad(self, x: int, height: int, width: int) -> int:
        n, h, w, c = self.shapes[x]
        return self.map("PAD", [x, self.constant(4, 2, dtype="INT32")], 22, {}, (n, h + height, w + width, c))

    def mul(self, x: int, y: int) -> int:
        return self.map("MUL", [x, y], 21, {0: Number("b", 0)})

    def bare(self, x: int, channels: int = C) -> int:
        """A pointwise convolution without the ReLU6 that `conv` fuses."""
        y = self.conv(x, channels)
        self.operators[-1][4][3] = Number("b", 0)
        return y


def row(report: ModelCost, name: str) -> RuntimeCost:
    """The row of a runtime."""
    return next(entry for entry in report.runtimes if entry.name == name)
