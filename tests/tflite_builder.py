"""A writer of small .tflite files, so that tests know every byte; numbers of the schema are spelled here a second time.

Every vector of bytes starts at a multiple of 16, as interpreters ask of weights.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from flatbuffer_writer import Number, Table, Vector, flatbuffer

DTYPE = {
    "FLOAT32": (0, 4),
    "INT32": (2, 4),
    "UINT8": (3, 1),
    "STRING": (5, 0),
    "INT16": (7, 2),
    "INT8": (9, 1),
    "INT4": (17, 1),
}
BUILTIN = {
    "ADD": 0,
    "CONCATENATION": 2,
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 4,
    "FULLY_CONNECTED": 9,
    "LOGISTIC": 14,
    "MAX_POOL_2D": 17,
    "MUL": 18,
    "RELU6": 21,
    "RESHAPE": 22,
    "SOFTMAX": 25,
    "CUSTOM": 32,
    "PAD": 34,
    "MEAN": 40,
    "SUB": 41,
    "SPLIT": 49,
    "TRANSPOSE_CONV": 67,
    "SUM": 74,
    "HARD_SWISH": 117,
    "BATCH_MATMUL": 126,
    "STABLEHLO_SORT": 199,
}
ACTIVATION = {"NONE": 0, "RELU": 1, "RELU6": 3}
PADDING = {"SAME": 0, "VALID": 1}


@dataclass
class Builder:
    """One network; tensors and operators are numbered in the order in which they are added."""

    dtype: str = "INT8"
    tensors: list[Table] = field(default_factory=list)
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    buffers: list[Table] = field(default_factory=lambda: [{}])
    operators: list[Table] = field(default_factory=list)
    codes: list[Table] = field(default_factory=list)

    def tensor(self, *shape: int, data: bytes | None = None, **fields: Any) -> int:
        """A tensor, constant if it has ``data``; ``dtype``, ``name`` or a schema field as ``f7=...`` may be given."""
        buffer = 0
        if data is not None:
            buffer = len(self.buffers)
            self.buffers.append({0: data})
        code = DTYPE[fields.get("dtype", self.dtype)][0]
        table: Table = {
            0: Vector("i", shape),
            1: Number("b", code),
            2: Number("I", buffer),
            3: fields.get("name", f"t{len(self.tensors)}"),
            4: {2: Vector("f", [0.5]), 3: Vector("q", [3]), 6: Number("i", 0)},
        }
        table.update({int(name[1:]): value for name, value in fields.items() if name[0] == "f" and name[1:].isdigit()})
        self.tensors.append(table)
        self.shapes.append(shape)
        return len(self.tensors) - 1

    def constant(self, *shape: int, dtype: str | None = None) -> int:
        dtype = dtype or self.dtype
        return self.tensor(*shape, data=bytes(prod(shape) * DTYPE[dtype][1]), dtype=dtype)

    def op(
        self, builtin: str, inputs: Sequence[int], outputs: Sequence[int], union: int = 0, options: Any = None
    ) -> int:
        code = BUILTIN[builtin]
        self.codes.append({0: Number("b", min(code, 127)), 3: Number("i", code)})
        if builtin == "CUSTOM":
            self.codes[-1][1] = "Fancy"
        table: Table = {0: Number("I", len(self.codes) - 1), 1: Vector("i", inputs), 2: Vector("i", outputs)}
        if union:
            table.update({3: Number("B", union), 4: options or {}})
        self.operators.append(table)
        return outputs[0]

    def _bias(self, channels: int) -> int:
        return self.constant(channels, dtype="INT32" if self.dtype == "INT8" else self.dtype)

    def conv(
        self, x: int, channels: int, k: int = 1, s: int = 1, d: int = 1, pad: str = "SAME", groups: int = 1
    ) -> int:
        n, h, w, c = self.shapes[x]
        weights = self.constant(channels, k, k, c // groups)
        bias = self._bias(channels)
        y = self.tensor(n, *_window((h, w), k, s, d, pad), channels)
        options = {0: Number("b", PADDING[pad]), 1: Number("i", s), 2: Number("i", s), 3: Number("b", 3)}
        return self.op("CONV_2D", [x, weights, bias], [y], 1, {**options, 4: Number("i", d), 5: Number("i", d)})

    def depthwise(self, x: int, k: int = 3, s: int = 1, multiplier: int = 1, pad: str = "SAME") -> int:
        n, h, w, c = self.shapes[x]
        weights = self.constant(1, k, k, c * multiplier)
        bias = self._bias(c * multiplier)
        y = self.tensor(n, *_window((h, w), k, s, 1, pad), c * multiplier)
        options = {0: Number("b", PADDING[pad]), 1: Number("i", s), 2: Number("i", s), 3: Number("i", multiplier)}
        return self.op("DEPTHWISE_CONV_2D", [x, weights, bias], [y], 2, {**options, 4: Number("b", 1)})

    def transposed(self, x: int, channels: int, k: int, s: int) -> int:
        n, h, w, c = self.shapes[x]
        shape = self.tensor(4, data=struct.pack("<4i", n, h * s, w * s, channels), dtype="INT32")
        weights = self.constant(channels, k, k, c)
        y = self.tensor(n, h * s, w * s, channels)
        return self.op(
            "TRANSPOSE_CONV", [shape, weights, x], [y], 49, {0: Number("b", 0), 1: Number("i", s), 2: Number("i", s)}
        )

    def add(self, a: int, b: int) -> int:
        return self.op("ADD", [a, b], [self.tensor(*self.shapes[a])], 11, {0: Number("b", ACTIVATION["RELU"])})

    def unary(self, x: int, builtin: str = "HARD_SWISH") -> int:
        return self.op(builtin, [x], [self.tensor(*self.shapes[x])])

    def max_pool(self, x: int, k: int = 2) -> int:
        n, h, w, c = self.shapes[x]
        y = self.tensor(n, h // k, w // k, c)
        size = {1: Number("i", k), 2: Number("i", k), 3: Number("i", k), 4: Number("i", k)}
        return self.op("MAX_POOL_2D", [x], [y], 5, {0: Number("b", PADDING["VALID"]), **size})

    def mean(self, x: int, axes: Sequence[int] = (1, 2), keep_dims: bool = True) -> int:
        shape = tuple(1 if i in axes else n for i, n in enumerate(self.shapes[x]) if keep_dims or i not in axes)
        axis = self.tensor(len(axes), data=struct.pack(f"<{len(axes)}i", *axes), dtype="INT32")
        return self.op("MEAN", [x, axis], [self.tensor(*shape)], 27, {0: Number("B", int(keep_dims))})

    def linear(self, x: int, features: int) -> int:
        depth = prod(self.shapes[x][1:])
        weights = self.constant(features, depth)
        bias = self._bias(features)
        y = self.tensor(self.shapes[x][0], features)
        return self.op("FULLY_CONNECTED", [x, weights, bias], [y], 8, {0: Number("b", ACTIVATION["NONE"])})

    def model(self, inputs: Sequence[int], outputs: Sequence[int]) -> Table:
        """The root table, for tests that damage it."""
        graph: Table = {
            0: self.tensors,
            1: Vector("i", inputs),
            2: Vector("i", outputs),
            3: self.operators,
            4: "main",
        }
        return {0: Number("I", 3), 1: self.codes, 2: [graph], 3: "test", 4: self.buffers}

    def build(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        return flatbuffer(self.model(inputs, outputs))


def offline_plan(root: Table, offsets: Sequence[int]) -> Table:
    """``root`` with a memory plan in its metadata."""
    buffers = [*root[4], {0: struct.pack(f"<{3 + len(offsets)}i", 1, 0, len(offsets), *offsets)}]
    return {**root, 4: buffers, 6: [{0: "OfflineMemoryAllocation", 1: Number("I", len(buffers) - 1)}]}


def _window(size: tuple[int, int], k: int, s: int, d: int, pad: str) -> tuple[int, ...]:
    return tuple((n + s - 1) // s if pad == "SAME" else (n - (k - 1) * d - 1) // s + 1 for n in size)


def residual_net(dtype: str = "INT8") -> Builder:
    """Tensor 0 (1, 8, 8, 3) -> conv 3x3/2 -> depthwise -> pointwise -> add -> mean -> fully connected -> the last tensor."""
    b = Builder(dtype)
    x = b.tensor(1, 8, 8, 3)
    stem = b.conv(x, 8, k=3, s=2)
    y = b.add(stem, b.conv(b.depthwise(stem), 8))
    b.linear(b.mean(y), 10)
    return b


def built(dtype: str = "INT8") -> bytes:
    """The file of `residual_net`."""
    return flatbuffer(root_of(residual_net(dtype)))


def root_of(net: Builder | None = None) -> Table:
    """The root table of ``net``, `residual_net` if None, from its first tensor to its last."""
    net = net or residual_net()
    return net.model([0], [len(net.tensors) - 1])
