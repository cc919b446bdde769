"""XiNet: bottlenecked 3x3 convolutions, each fed a resized copy of one early map, with a pointwise-reduced attention.

Written from the facts of micromind-toolkit/micromind@b4b45c0:micromind/networks/xinet.py (Ancilotto, Paissan, Farella,
"XiNet: Efficient Neural Networks for tinyML", ICCV 2023), restated; the quirks of that code are kept, because they decide
the cost: max pooling instead of strides, a tail that ignores gamma, a skip that starts at layer 0. The paper's knob
``beta``, which that code lacks, is added on top; beta = 1 is that code.
"""

from __future__ import annotations

from collections import OrderedDict
from math import sqrt

import torch
from torch import nn

from hwscale.errors import ConfigError
from hwscale.nets.arguments import check_choice, check_finite, check_input_shape, check_positive_integers
from hwscale.nets.padding import PADDINGS, Size, is_same, same_conv, strided

TAIL_GAMMA = 4
ACTIVATIONS: dict[str, type[nn.Module]] = {"silu": nn.SiLU, "relu6": nn.ReLU6, "hswish": nn.Hardswish}


class XiConv(nn.Module):
    """Compress (1x1), add the skip, filter (3x3), attend: (B, c_in, h, w) -> (B, c_out, h, w), halved if ``pool``.

    ``gamma`` divides the width of the bottleneck; 1 leaves out the compression. ``skip_channels`` None leaves out the
    skip, else the skip (B, skip_channels, any, any) is resized to ``skip_size``, the map before pooling.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        *,
        gamma: int,
        pool: bool,
        attention: bool,
        skip_channels: int | None,
        skip_size: Size,
        act: type[nn.Module] = nn.SiLU,
    ) -> None:
        super().__init__()
        narrow = c_out // gamma
        self.skip_pool = None if skip_channels is None else nn.AdaptiveAvgPool2d(skip_size)
        self.skip_conv = None if skip_channels is None else nn.Conv2d(skip_channels, narrow, 1, bias=False)
        self.compression = nn.Conv2d(c_in, narrow, 1, bias=False) if gamma > 1 else None
        self.pool = nn.MaxPool2d(2) if pool else None
        self.main = nn.Conv2d(narrow if gamma > 1 else c_in, c_out, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(c_out)
        self.act = act()
        self.attention = Attention(c_out, narrow // 2) if attention else None

    def forward(self, x: torch.Tensor, skip: torch.Tensor | None = None) -> torch.Tensor:
        resized = None
        if skip is not None and self.skip_pool is not None and self.skip_conv is not None:
            resized = self.skip_conv(self.skip_pool(skip))
        if self.compression is not None:
            x = self.compression(x)
        if resized is not None:
            x = x + resized
        if self.pool is not None:
            x = self.pool(x)
        x = self.act(self.bn(self.main(x)))
        return x if self.attention is None else self.attention(x)


class Attention(nn.Module):
    """Scale x (B, c, h, w) by a gate computed from it, through ``narrow`` channels."""

    def __init__(self, channels: int, narrow: int) -> None:
        super().__init__()
        self.pw = nn.Conv2d(channels, narrow, 1, bias=False)
        self.conv = nn.Conv2d(narrow, channels, 3, padding=1, bias=False)
        self.gate = nn.Sigmoid()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale: torch.Tensor = self.gate(self.conv(self.pw(x)))
        return x * scale


class XiNet(nn.Module):
    """XiNet, a classifier unless ``include_top`` is false: (B, C, H, W) -> (B, num_classes) or (B, c_out, h, w).

    Parameters
    ----------
    input_shape : (C, H, W) in pixels; the skip sizes are frozen to it.
    alpha : width multiplier.
    gamma : compression of the bottleneck; only its integer part matters, and the last two layers (all, if L = 2) take 4.
    num_layers : L; there are 2 L - 2 XiConvs, and L - 1 halvings in all.
    include_top, num_classes : the classifier: global average pool and one fully connected layer.
    base_filters : filters of the stem; stage i has int(2 ** (sqrt(base_filters) + i)) before scaling.
    beta : width of deep stages against early ones; stage i is scaled by alpha (1 + (beta - 1) i / (L - 1)).
    attention : gate the output of all layers but the last two.
    skip : add the resized output of layer 0 in every later layer.
    padding : "reference" pads the stem by 3 on all sides, "same" as TensorFlow's SAME.
    activation : "silu", "relu6" or "hswish", behind the stem and in every layer.

    Raises
    ------
    ConfigError : an argument out of its domain, or a network whose forward pass the reference cannot run.

    Source: micromind-toolkit/micromind@b4b45c0:micromind/networks/xinet.py, facts restated; ``beta`` (after the paper's
    width formula), ``attention``, ``skip``, ``padding`` and ``activation`` are additions, neutral by default.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        alpha: float = 1.0,
        gamma: float = 4.0,
        num_layers: int = 5,
        num_classes: int = 10,
        include_top: bool = True,
        base_filters: int = 16,
        beta: float = 1.0,
        attention: bool = True,
        skip: bool = True,
        padding: str = "reference",
        activation: str = "silu",
    ) -> None:
        super().__init__()
        check_input_shape(input_shape)
        check_finite(alpha=alpha, gamma=gamma, beta=beta)
        check_positive_integers(num_layers=num_layers, num_classes=num_classes, base_filters=base_filters)
        check_choice(PADDINGS, padding=padding)
        check_choice(ACTIVATIONS, activation=activation)
        act = ACTIVATIONS[activation]
        if num_layers < 2:
            raise ConfigError("XiNet has no layers with num_layers=1: set num_layers to at least 2.")
        if int(gamma) < 1 and num_layers > 2:
            raise ConfigError(f"XiNet divides widths by int(gamma), and gamma is {gamma!r}: set gamma to at least 1.")
        C, H, W = input_shape
        N = num_layers - 1
        if (min(H, W) + 1) // 2 < 2 ** (num_layers - 2):
            raise ConfigError(
                f"XiNet with num_layers={num_layers} halves its map {N} times and runs out of pixels on {H}x{W}: "
                f"raise the resolution to at least {2**N} or lower num_layers."
            )
        stem_width = int(base_filters * alpha * (1 + (beta - 1) * 0 / N))
        skip_width = int(2 * base_filters * alpha * (1 + (beta - 1) * 1 / N))
        widths = [int(int(2 ** (sqrt(base_filters) + i)) * alpha * (1 + (beta - 1) * i / N)) for i in range(num_layers)]
        if min(stem_width, *widths) < 1:
            raise ConfigError(
                f"XiNet would have a stage without channels (widths {widths}): raise alpha, beta or base_filters."
            )
        if stem_width != widths[0] or (skip and skip_width != widths[1]):
            raise ConfigError(
                f"base_filters={base_filters} gives widths that do not meet (stem {stem_width} and {widths[0]}, "
                f"skip {skip_width} and {widths[1]}): use 4 or 16."
            )

        stem: OrderedDict[str, nn.Module]
        if is_same(padding):
            stem = same_conv("conv", C, stem_width, 7, 2, (H, W))
        else:
            stem = OrderedDict(conv=nn.Conv2d(C, stem_width, 7, 2, 3, bias=False))
        self.stem = nn.Sequential(OrderedDict(**stem, bn=nn.BatchNorm2d(stem_width), act=act()))
        size = strided((H, W), 2)
        halvings = 1
        self.layers = nn.ModuleList()
        c_in = stem_width
        body = [(widths[i], pool, int(gamma), attention) for i in range(1, num_layers - 1) for pool in (True, False)]
        tail = [(widths[-1], False, TAIL_GAMMA, False)] * 2
        for index, (c_out, pool, g, attends) in enumerate(body + tail):
            adds_skip = skip and index > 0
            # The reference gives the first layer of an L=2 network a skip convolution that its forward never reaches.
            owns_skip = skip and (index > 0 or num_layers == 2)
            skip_size = (H // 2**halvings, W // 2**halvings)
            _check_widths(index, c_in, c_out, g, attends=attends, adds_skip=adds_skip)
            if adds_skip:
                _check_skip_size(index, size, skip_size, multiple=2**N)
            if pool:
                size = (size[0] // 2, size[1] // 2)
                halvings += 1
            self.layers.append(
                XiConv(
                    c_in,
                    c_out,
                    gamma=g,
                    pool=pool,
                    attention=attends,
                    skip_channels=skip_width if owns_skip else None,
                    skip_size=skip_size,
                    act=act,
                )
            )
            c_in = c_out

        self.head: nn.Module = nn.Identity()
        if include_top:
            self.head = nn.Sequential(
                OrderedDict(pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(c_in, num_classes))
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, *rest = self.layers
        y = skip = first(self.stem(x))
        for layer in rest:
            y = layer(y, skip)
        logits: torch.Tensor = self.head(y)
        return logits


def _check_widths(index: int, c_in: int, c_out: int, gamma: int, *, attends: bool, adds_skip: bool) -> None:
    narrow = c_out // gamma
    if narrow < 1:
        raise ConfigError(
            f"XiNet layer {index} compresses {c_out} channels by {gamma} to none: raise alpha"
            + (" or beta." if gamma == TAIL_GAMMA else " or lower gamma.")
        )
    if attends and narrow // 2 < 1:
        raise ConfigError(
            f"XiNet layer {index} leaves no channel to its attention ({c_out} // {gamma} // 2): "
            "raise alpha or lower gamma."
        )
    if adds_skip and gamma == 1 and narrow not in (c_in, 1):
        raise ConfigError(
            f"XiNet layer {index} adds a skip of {narrow} channels to its {c_in} uncompressed ones: "
            "set gamma to at least 2, num_layers to at most 3, or skip=False."
        )


def _check_skip_size(index: int, size: Size, skip_size: Size, *, multiple: int) -> None:
    # A skip of a single row or column broadcasts: the reference runs that, so it stays legal.
    if not all(target in (actual, 1) for actual, target in zip(size, skip_size, strict=True)):
        raise ConfigError(
            f"XiNet layer {index} adds a {skip_size[0]}x{skip_size[1]} skip to a {size[0]}x{size[1]} map: "
            f"use a height and width that are multiples of {multiple}."
        )
