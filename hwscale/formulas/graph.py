"""The graph of one configuration: ordered ops and the tensors between them, level 2.

Everything here is plain +, * and //, so a channel count or a map size may be a Python int, a numpy int64 array (a
million configurations at once) or a sympy symbol (the closed form).

MACs: one multiply-accumulate counts once, batch 1; padding positions count in full; bias, BN, activation, pooling, add and
mul count nothing. Sizes are elements; int8 makes them bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Integer = Any
"""int, numpy int64 array, or sympy expression."""

HOLD = "hold"
"""Kind of a reader without work or output, which keeps a map alive in a part of a network."""


def _times(value: Integer, factor: Integer) -> Integer:
    """value * factor, without the pass over a million rows that a factor of 1 would cost."""
    return value if isinstance(factor, int) and factor == 1 else value * factor


def aligned(size: Integer, to: int = 16) -> Integer:
    """``size`` rounded up to a multiple of ``to``, a power of 2; real sizes, those of the relaxed reading, are left as they are."""
    if isinstance(size, float):
        return size
    if hasattr(size, "free_symbols"):
        import sympy

        return to * sympy.ceiling(size / to)
    return (size + (to - 1)) & -to


def total(values: list[Integer]) -> Integer:
    """Sum that skips the zeros of ops without the quantity."""
    kept = [value for value in values if not (isinstance(value, int) and value == 0)]
    result: Integer = kept[0] if kept else 0
    for value in kept[1:]:
        result = result + value
    return result


@dataclass(slots=True)
class Tensor:
    """Activation of shape (channels, height, width); ``index`` is its place in `Graph.tensors`."""

    index: int
    channels: Integer
    height: Integer
    width: Integer
    area: Integer
    size: Integer


@dataclass(slots=True)
class Op:
    """One op; tensors by index.

    ``kind`` as in `hwscale.ledger.OpRecord`. ``bias`` counts the int32 biases it carries once deployed; ``trained`` how
    many trainable parameters stand behind each in training: 2 for a BN, 1 for a bias, 0 for neither. ``in_place`` lists the inputs, by place, whose buffer has the output's size and may
    become it. ``identity`` marks a pool whose output equals its input. ``activation`` is the one behind it, "" for none.
    A window moves by ``stride`` over zeros of width ``padding`` on all sides, or over those of TensorFlow's SAME (``same``):
    as few as give ceil(side / stride) outputs, the odd one below and on the right. Only a runtime's lowering sets ``pads``, zeros
    (top, bottom, left, right) of a padding, and ``scratch``, tensors that are memory of this op alone.
    """

    name: str
    kind: str
    inputs: tuple[int, ...]
    output: int
    macs: Integer = 0
    weights: Integer = 0
    bias: Integer = 0
    trained: int = 0
    kernel: int = 1
    activation: str = ""
    in_place: tuple[int, ...] = ()
    identity: bool = False
    stride: int = 1
    padding: int = 0
    same: bool = False
    pads: tuple[int, ...] = ()
    scratch: tuple[int, ...] = ()


@dataclass(slots=True)
class Graph:
    """Built op by op; the first tensor is the input image."""

    tensors: list[Tensor] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)
    idle_params: Integer = 0
    """Parameters of modules that the network owns but never runs."""

    def weights(self) -> Integer:
        """Weight elements of all ops [after BN folding; biases not counted]."""
        return total([op.weights for op in self.ops])

    def biases(self, trained: int | None = None) -> Integer:
        """int32 biases of all ops once deployed, or of those with ``trained`` parameters behind each."""
        return total([op.bias for op in self.ops if trained is None or op.trained == trained])

    def tensor(self, channels: Integer, height: Integer, width: Integer, area: Integer = None) -> Tensor:
        """A new tensor; pass ``area`` if height * width is known already."""
        area = height * width if area is None else area
        made = Tensor(len(self.tensors), channels, height, width, area, _times(channels, area))
        self.tensors.append(made)
        return made

    def pad(self, name: str, x: Tensor, height: Integer, width: Integer) -> Tensor:
        """Zero padding to ``height`` x ``width``, an op of its own that a runtime may fold into the next conv."""
        out = self.tensor(x.channels, height, width)
        self.ops.append(Op(name, "pad", (x.index,), out.index))
        return out

    def conv(
        self,
        name: str,
        x: Tensor,
        channels: Integer,
        *,
        kernel: int = 1,
        stride: int = 1,
        padding: int = 0,
        same: bool = False,
        batch_norm: bool = True,
        bias: bool = False,
        activation: str = "",
    ) -> Tensor:
        """Dense convolution: k*k*Cin*Cout weights, k*k*Cin*Cout*H'*W' MACs.

        With ``batch_norm`` the 2*Cout BN parameters fold into weights and bias; ``bias`` is one of training, instead of a BN.
        """
        out = self._slide(x, channels, kernel, stride, padding, same)
        weights = _times(x.channels, kernel * kernel) * channels
        kind = "pointwise" if kernel == 1 else "conv2d"
        self.ops.append(
            Op(
                name,
                kind,
                (x.index,),
                out.index,
                macs=_times(weights, out.area),
                weights=weights,
                bias=channels,
                trained=1 if bias else 2 if batch_norm else 0,
                kernel=kernel,
                activation=activation,
                stride=stride,
                padding=padding,
                same=same,
            )
        )
        return out

    def depthwise(
        self,
        name: str,
        x: Tensor,
        *,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        same: bool = False,
        batch_norm: bool = True,
        activation: str = "",
    ) -> Tensor:
        """Depthwise convolution: k*k*C weights, k*k*C*H'*W' MACs."""
        out = self._slide(x, x.channels, kernel, stride, padding, same)
        weights = kernel * kernel * x.channels
        self.ops.append(
            Op(
                name,
                "depthwise",
                (x.index,),
                out.index,
                macs=kernel * kernel * out.size,
                weights=weights,
                bias=x.channels,
                trained=2 if batch_norm else 0,
                kernel=kernel,
                activation=activation,
                stride=stride,
                padding=padding,
                same=same,
            )
        )
        return out

    def _slide(self, x: Tensor, channels: Integer, kernel: int, stride: int, padding: int, same: bool) -> Tensor:
        if stride == 1 and (same or 2 * padding == kernel - 1):
            return self.tensor(channels, x.height, x.width, x.area)
        if same:
            padding, kernel = 0, 1  # which leaves as many outputs
        height = (x.height + (2 * padding - kernel)) // stride + 1
        width = height if x.width is x.height else (x.width + (2 * padding - kernel)) // stride + 1
        return self.tensor(channels, height, width)

    def linear(self, name: str, x: Tensor, features: Integer) -> Tensor:
        """Fully connected layer with bias on a flattened tensor: size(x)*features weights and MACs."""
        out = self.tensor(features, 1, 1, 1)
        weights = x.size * features
        self.ops.append(
            Op(
                name,
                "fully_connected",
                (x.index,),
                out.index,
                macs=weights,
                weights=weights,
                bias=features,
                trained=1,
            )
        )
        return out

    def max_pool(self, name: str, x: Tensor) -> Tensor:
        """2x2 maximum, stride 2: floor(H/2) x floor(W/2)."""
        height = x.height // 2
        width = height if x.width is x.height else x.width // 2
        out = self.tensor(x.channels, height, width)
        self.ops.append(Op(name, "max_pool", (x.index,), out.index, kernel=2, stride=2))
        return out

    def average_pool(self, name: str, x: Tensor, height: Integer, width: Integer, *, identity: bool = False) -> Tensor:
        """Adaptive average pool to ``height`` x ``width``; ``identity`` when that is the input's size."""
        out = self.tensor(x.channels, height, width)
        self.ops.append(Op(name, "average_pool", (x.index,), out.index, identity=identity))
        return out

    def add(self, name: str, x: Tensor, y: Tensor, *, broadcast: bool = False) -> Tensor:
        """x + y of equal shapes, or with ``broadcast`` y smaller."""
        return self._elementwise(name, "add", x, y, broadcast)

    def mul(self, name: str, x: Tensor, y: Tensor, *, broadcast: bool = False) -> Tensor:
        """x * y of equal shapes, or with ``broadcast`` y smaller."""
        return self._elementwise(name, "mul", x, y, broadcast)

    def batch_norm(self, name: str, x: Tensor) -> Tensor:
        """A BN that cannot fold because an activation stands before it: per-channel int8 scale and int32 offset."""
        out = self.tensor(x.channels, x.height, x.width, x.area)
        self.ops.append(
            Op(
                name,
                "batch_norm",
                (x.index,),
                out.index,
                weights=x.channels,
                bias=x.channels,
                trained=1,  # the offset; the scale is the weight
                in_place=(0,),
            )
        )
        return out

    def _elementwise(self, name: str, kind: str, x: Tensor, y: Tensor, broadcast: bool) -> Tensor:
        out = self.tensor(x.channels, x.height, x.width, x.area)
        in_place = (0,) if broadcast else (0, 1)
        self.ops.append(Op(name, kind, (x.index, y.index), out.index, in_place=in_place))
        return out
