"""What the networks made of separable convolutions share: rounded widths, Conv+BN+activation, inverted residuals, head.

Written from A. Howard et al., "MobileNets", arXiv 1704.04861, M. Sandler et al., "MobileNetV2: Inverted Residuals and
Linear Bottlenecks", arXiv 1801.04381, and the rounding of tensorflow/models@02c04f4:research/slim/nets/mobilenet,
restated. Kernels are padded by k // 2 on all sides, or by TensorFlow's SAME; a stride of 2 turns h rows into ceil(h / 2)
either way.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import nn

from hwscale.errors import ConfigError
from hwscale.nets.padding import Size, same_conv

Activation = Callable[[], nn.Module]
Gate = Callable[[int], nn.Module]
"""Makes the layer that scales a number of channels."""


def make_divisible(value: float, divisor: int) -> int:
    """The multiple of ``divisor`` closest to ``value`` channels, at least ``divisor`` and at least 0.9 ``value``.

    ``value`` is the real product of width and multiplier, not truncated before it is rounded.
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def scaled_width(base: int, alpha: float, divisor: int) -> int:
    """``base`` channels times ``alpha``: rounded to a multiple of ``divisor``, truncated if that is 1.

    Raises
    ------
    ConfigError : no channel is left.
    """
    if divisor > 1:
        return make_divisible(base * alpha, divisor)
    width = int(base * alpha)
    if width < 1:
        raise ConfigError(f"alpha={alpha!r} leaves none of {base} channels: raise alpha or set divisor to at least 2.")
    return width


class Block(nn.Sequential):
    """Named layers in a row, and the input added to their result if ``residual``."""

    def __init__(self, layers: OrderedDict[str, nn.Module], *, residual: bool) -> None:
        super().__init__(layers)
        self.residual = residual

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        output = input
        for layer in self:
            output = layer(output)
        return output + input if self.residual else output


def conv_bn(
    c_in: int,
    c_out: int,
    kernel: int,
    *,
    stride: int = 1,
    groups: int = 1,
    act: Activation | None = None,
    same: Size | None = None,
) -> nn.Sequential:
    """Convolution, BN and activation (none: linear): (B, c_in, h, w) -> (B, c_out, ceil(h / stride), ...).

    With ``same``, the (h, w) that comes in, a strided convolution pads as TensorFlow's SAME does.
    """
    layers: OrderedDict[str, nn.Module]
    if same is None or stride == 1:
        layers = OrderedDict(conv=nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False))
    else:
        layers = same_conv("conv", c_in, c_out, kernel, stride, same, groups=groups)
    layers["bn"] = nn.BatchNorm2d(c_out)
    if act is not None:
        layers["act"] = act()
    return nn.Sequential(layers)


def depthwise(
    channels: int, kernel: int, stride: int, act: Activation | None, same: Size | None = None
) -> nn.Sequential:
    """One k x k filter per channel, BN and activation; ``same`` as in `conv_bn`."""
    return conv_bn(channels, channels, kernel, stride=stride, groups=channels, act=act, same=same)


def inverted_residual(
    c_in: int,
    c_out: int,
    *,
    hidden: int | None,
    kernel: int,
    stride: int,
    act: Activation = nn.ReLU6,
    project_act: Activation | None = None,
    gate: Gate | None = None,
    residual: bool = True,
    same: Size | None = None,
) -> Block:
    """Expand (1x1), filter (k x k depthwise), gate, project (1x1): (B, c_in, h, w) -> (B, c_out, h', w').

    ``hidden`` None leaves out the expansion: with ``project_act`` that is a depthwise separable convolution. The
    projection is linear without ``project_act``. The input is added where shapes allow, unless ``residual`` is false.
    ``same`` as in `conv_bn`.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    middle = c_in
    if hidden is not None:
        middle = hidden
        layers["expand"] = conv_bn(c_in, middle, 1, act=act)
    layers["dw"] = depthwise(middle, kernel, stride, act, same)
    if gate is not None:
        layers["se"] = gate(middle)
    layers["project"] = conv_bn(middle, c_out, 1, act=project_act)
    return Block(layers, residual=residual and stride == 1 and c_in == c_out)


def classifier(channels: int, classes: int, include_top: bool) -> nn.Module:
    """Global average pool and one fully connected layer: (B, channels, h, w) -> (B, classes); nothing without the top."""
    if not include_top:
        return nn.Identity()
    return nn.Sequential(
        OrderedDict(pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(channels, classes))
    )
