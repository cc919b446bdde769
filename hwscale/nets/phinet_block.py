"""PhiNet's block: expand, filter, gate, project.

Written from the facts of micromind-toolkit/micromind@b4b45c0:micromind/networks/phinet.py, restated, as `hwscale.nets.phinet`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import nn

from hwscale.nets.padding import Size, same_conv

Activation = Callable[[], nn.Module]


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """That of every PhiNet layer but the full convolution of its input."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.999)


class SqueezeExcite(nn.Module):
    """Scale each of E channels by a gate computed from the channel means: (B, E, h, w) -> (B, E, h, w)."""

    def __init__(self, channels: int, squeezed: int, act: Activation) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, squeezed, 1, bias=False)
        self.act = act()
        self.restore = nn.Conv2d(squeezed, channels, 1, bias=False)
        self.gate = nn.Sigmoid()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale: torch.Tensor = self.gate(self.restore(self.act(self.reduce(self.pool(x)))))
        return x * scale


class Block(nn.Module):
    """Expand (1x1), filter (k x k depthwise), gate, project (1x1), add the input: (B, c_in, h, w) -> (B, c_out, h', w').

    ``expanded`` None leaves out the expansion and the gate (block 0); ``squeezed`` None leaves out the gate. With ``same``, the
    (h, w) that comes in, a strided filter pads as TensorFlow's SAME does.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        *,
        expanded: int | None,
        squeezed: int | None,
        kernel: int,
        stride: int,
        residual: bool,
        act: Activation,
        same: Size | None = None,
    ) -> None:
        super().__init__()
        self.residual = residual
        middle = c_in if expanded is None else expanded
        self.expand = None if expanded is None else nn.Conv2d(c_in, middle, 1, bias=False)
        self.expand_bn = None if expanded is None else batch_norm(middle)
        self.expand_act = None if expanded is None else act()
        self.dropout = nn.Dropout2d(0.05)
        layers: OrderedDict[str, nn.Module]
        if same is not None and stride > 1:
            layers = same_conv("dw", middle, middle, kernel, stride, same, groups=middle)
        else:
            # The reference computes an asymmetric pad for strided kernels and then reads the wrong entries of it: always 1.
            padding = kernel // 2 if stride == 1 else 1
            layers = OrderedDict(dw=nn.Conv2d(middle, middle, kernel, stride, padding, groups=middle, bias=False))
        self.pad = layers.get("pad")
        self.dw = layers["dw"]
        self.dw_bn = batch_norm(middle)
        self.dw_act = act()
        self.se = None if squeezed is None else SqueezeExcite(middle, squeezed, act)
        self.project = nn.Conv2d(middle, c_out, 1, bias=False)
        self.project_bn = batch_norm(c_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = x
        if self.expand is not None and self.expand_bn is not None and self.expand_act is not None:
            z = self.expand_act(self.expand_bn(self.expand(x)))
        z = self.dropout(z)
        if self.pad is not None:
            z = self.pad(z)
        z = self.dw_act(self.dw_bn(self.dw(z)))
        if self.se is not None:
            z = self.se(z)
        y: torch.Tensor = self.project_bn(self.project(z))
        return y + x if self.residual else y
