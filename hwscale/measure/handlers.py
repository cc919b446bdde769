"""The price of every op that can be measured: one literal table per way torch spells an op.

Multiply-accumulates: a fused multiply and add counts once; positions of the padding count in full; bias, batch
normalisation, activations, pooling and element-wise arithmetic count nothing. What is in none of the tables has no
price, and the measurement says so. Shapes are those of torch with the batch in front, N = 1.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from math import prod
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from hwscale.measure.program import Shape, Step


class Output(Enum):
    """Where the result of an op goes."""

    NEW = auto()
    """Into a buffer of its own."""
    IN_PLACE = auto()
    """Over an operand of the same size that dies here, else into a buffer of its own."""
    UNLESS_IDENTITY = auto()
    """Into a buffer of its own, unless the op returns its operand's shape and so does nothing."""
    FOLDED_INTO_CONV = auto()
    """Nowhere if only convolutions read it: they pad as they go."""
    OPERAND = auto()
    """The operand itself: evaluation runs nothing."""


@dataclass(frozen=True, slots=True)
class Price:
    """What one execution of an op costs; ``kind`` None keeps the op out of the list of ops.

    ``weights`` and ``biases`` are elements in Flash: 1 B and 4 B each once deployed in int8.
    """

    output: Output
    kind: str | None = None
    macs: int = 0
    weights: int = 0
    biases: int = 0


def conv_macs(output_shape: Shape, weight_shape: Shape) -> int:
    """MACs of a convolution: every output element sums the weights of its channel.

    ``output_shape`` (N, C_out, h, w), ``weight_shape`` (C_out, C_in / groups, k_h, k_w):
    N C_out h w * (C_in / groups) k_h k_w.
    """
    return prod(output_shape) * prod(weight_shape[1:])


def linear_macs(output_shape: Shape, weight_shape: Shape) -> int:
    """MACs of a fully connected layer: ``output_shape`` (..., out), ``weight_shape`` (out, in): (... out) * in."""
    return prod(output_shape) * weight_shape[1]


def conv_kind(in_channels: int, groups: int, kernel: Shape) -> str:
    """The trade's name of a convolution: depthwise needs one group per channel and more than one channel."""
    if groups > 1:
        return "depthwise" if groups == in_channels else "grouped"
    return "pointwise" if prod(kernel) == 1 else "conv2d"


def _convolution(module: nn.Conv2d, output_shape: Shape) -> Price:
    weight_shape = tuple(module.weight.shape)
    return Price(
        Output.NEW,
        kind=conv_kind(module.in_channels, module.groups, weight_shape[2:]),
        macs=conv_macs(output_shape, weight_shape),
        weights=prod(weight_shape),
        biases=module.out_channels,
    )


def _fully_connected(module: nn.Linear, output_shape: Shape) -> Price:
    weight_shape = tuple(module.weight.shape)
    return Price(
        Output.NEW,
        kind="fully_connected",
        macs=linear_macs(output_shape, weight_shape),
        weights=prod(weight_shape),
        biases=module.out_features,
    )


def _batch_norm(module: nn.BatchNorm1d | nn.BatchNorm2d, output_shape: Shape) -> Price:
    """The price of one that stays: a scale and an offset per channel. The measurement drops it where it folds."""
    return Price(Output.IN_PLACE, weights=module.num_features, biases=module.num_features)


FREE = Price(Output.IN_PLACE)
ABSENT = Price(Output.OPERAND)
ADD = Price(Output.IN_PLACE, kind="add")
SUB = Price(Output.IN_PLACE, kind="sub")
MUL = Price(Output.IN_PLACE, kind="mul")
DIV = Price(Output.IN_PLACE, kind="div")
MEAN = Price(Output.NEW, kind="mean")
CONCATENATION = Price(Output.NEW, kind="concatenation")
RESIZE = Price(Output.NEW, kind="resize")
MAX_POOL = Price(Output.NEW, kind="max_pool")
AVERAGE_POOL = Price(Output.NEW, kind="average_pool")
ADAPTIVE_POOL = Price(Output.UNLESS_IDENTITY, kind="average_pool")
PAD = Price(Output.FOLDED_INTO_CONV, kind="pad")

LEARNT_MODULES: dict[type[nn.Module], Callable[[Any, Shape], Price]] = {
    nn.Conv2d: _convolution,
    nn.Linear: _fully_connected,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
}

PLAIN_MODULES: dict[type[nn.Module], Price] = {
    nn.MaxPool2d: MAX_POOL,
    nn.AvgPool2d: AVERAGE_POOL,
    nn.AdaptiveAvgPool2d: ADAPTIVE_POOL,
    nn.ZeroPad2d: PAD,
    nn.ReLU: FREE,
    nn.ReLU6: FREE,
    nn.SiLU: FREE,
    nn.Hardswish: FREE,
    nn.Sigmoid: FREE,
    nn.Hardsigmoid: FREE,
    nn.Softmax: FREE,
    nn.LogSoftmax: FREE,
    nn.Tanh: FREE,
    nn.LeakyReLU: FREE,
    nn.ELU: FREE,
    nn.GELU: FREE,
    nn.Hardtanh: FREE,
    nn.Upsample: RESIZE,
    nn.Dropout: ABSENT,
    nn.Dropout2d: ABSENT,
    nn.Flatten: FREE,
    nn.Identity: FREE,
}

FUNCTIONS: dict[Callable[..., Any], Price] = {
    operator.add: ADD,
    operator.iadd: ADD,
    torch.add: ADD,
    operator.mul: MUL,
    operator.imul: MUL,
    torch.mul: MUL,
    operator.sub: SUB,
    torch.sub: SUB,
    operator.truediv: DIV,
    torch.div: DIV,
    torch.mean: MEAN,
    torch.cat: CONCATENATION,
    torch.concat: CONCATENATION,
    functional.interpolate: RESIZE,
    functional.pad: PAD,
    functional.max_pool2d: MAX_POOL,
    functional.avg_pool2d: AVERAGE_POOL,
    functional.adaptive_avg_pool2d: ADAPTIVE_POOL,
    functional.relu: FREE,
    torch.relu: FREE,
    functional.relu6: FREE,
    functional.silu: FREE,
    functional.hardswish: FREE,
    functional.hardsigmoid: FREE,
    functional.leaky_relu: FREE,
    functional.elu: FREE,
    functional.gelu: FREE,
    functional.softmax: FREE,
    functional.log_softmax: FREE,
    functional.dropout: ABSENT,
    torch.sigmoid: FREE,
    torch.tanh: FREE,
    torch.softmax: FREE,
    torch.clamp: FREE,
    torch.flatten: FREE,
}

METHODS: dict[str, Price] = {
    "add": ADD,
    "add_": ADD,
    "mul": MUL,
    "mul_": MUL,
    "sub": SUB,
    "div": DIV,
    "mean": MEAN,
    "relu": FREE,
    "sigmoid": FREE,
    "tanh": FREE,
    "softmax": FREE,
    "clamp": FREE,
    "contiguous": FREE,
    "squeeze": FREE,
    "unsqueeze": FREE,
    "flatten": FREE,
    "view": FREE,
    "reshape": FREE,
}


def price_of(step: Step) -> Price | None:
    """The price of a step, None if no table has it."""
    if step.spelling == "call_module" and step.shape is not None:
        handler = LEARNT_MODULES.get(type(step.target))
        return PLAIN_MODULES.get(type(step.target)) if handler is None else handler(step.target, step.shape)
    if step.spelling == "call_function":
        return FUNCTIONS.get(step.target)
    if step.spelling == "call_method":
        return METHODS.get(step.target)
    return None
