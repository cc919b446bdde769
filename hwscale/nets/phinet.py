"""PhiNet: inverted residual blocks whose expansion factor changes linearly with depth.

Written from the facts of micromind-toolkit/micromind@b4b45c0:micromind/networks/phinet.py (Paissan et al., "PhiNets: a
scalable backbone for low-power AI at the edge", arXiv 2110.00337), restated; the quirks of that code are kept, because
they decide the cost: truncation before rounding to the divisor, symmetric padding of strided kernels, a stem pad chosen
by the longer side, at least four blocks whatever ``num_layers``. ``padding="same"`` replaces the two in the middle.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection

import torch
from torch import nn

from hwscale.errors import ConfigError
from hwscale.nets.arguments import check_choice, check_finite, check_input_shape, check_positive_integers
from hwscale.nets.padding import Size, is_same, same_conv, strided
from hwscale.nets.phinet_block import Activation, Block, batch_norm

STEM_FILTERS = 48
EARLY_FILTERS = 24
LATE_FILTERS = 48
SQUEEZE = 6
SHALLOWEST = 3

ACTIVATIONS: dict[str, Activation] = {"hswish": nn.Hardswish, "relu6": nn.ReLU6}


def make_divisible(value: int, divisor: int) -> int:
    """The multiple of ``divisor`` closest to ``value`` channels, at least ``divisor`` and at least 0.9 ``value``."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


class PhiNet(nn.Module):
    """PhiNet, a classifier unless ``include_top`` is false: (B, C, H, W) -> (B, num_classes) or (B, c_out, h, w).

    Parameters
    ----------
    input_shape : (C, H, W) in pixels; paddings depend on it, so the network is built for this shape.
    num_layers : N, the last block; a float is rounded half to even. Blocks 0 to 3 exist whatever N.
    alpha : width multiplier of every block.
    beta, t_zero : block i expands its input t_i = (t_zero beta) i / N + t_zero (N - i) / N times.
    include_top, num_classes : the classifier: global average pool and one fully connected layer.
    downsampling_layers : blocks from 4 to N that halve the map and double the width; other entries do nothing.
    conv5_percent : blocks i >= 4 with i / N > 1 - conv5_percent have 5x5 depthwise kernels.
    first_conv_stride : stride of the stem.
    residuals : add the input where shapes allow.
    conv2d_input : replace stem and block 0 by one unpadded 3x3 convolution with int(24 alpha) filters.
    pool : halve maps by max pooling instead of strides.
    squeeze_excite : gate the expanded channels of blocks 1 to N.
    divisor : widths are rounded to its multiples.
    padding : "reference" pads the stem by 0 before and 1 after if its longer side is even, else by 1 on all sides, and strided
        blocks by 1 on all sides; "same" pads all that is strided as TensorFlow's SAME.
    activation : "hswish" or "relu6", everywhere but in the gates.
    compatibility : the same as ``activation="relu6", squeeze_excite=False``.

    Raises
    ------
    ConfigError : an argument out of its domain, or a network whose forward pass the reference cannot run.

    Source: micromind-toolkit/micromind@b4b45c0:micromind/networks/phinet.py, facts restated; ``padding`` is an addition, neutral by
    default.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        num_layers: float = 7,
        alpha: float = 0.2,
        beta: float = 1.0,
        t_zero: float = 6,
        include_top: bool = True,
        num_classes: int = 10,
        downsampling_layers: Collection[int] = (5, 7),
        conv5_percent: float = 0.0,
        first_conv_stride: int = 2,
        residuals: bool = True,
        conv2d_input: bool = False,
        pool: bool = False,
        squeeze_excite: bool = True,
        divisor: int = 1,
        padding: str = "reference",
        activation: str = "hswish",
        compatibility: bool = False,
    ) -> None:
        super().__init__()
        check_input_shape(input_shape)
        check_finite(num_layers=num_layers, alpha=alpha, beta=beta, t_zero=t_zero, conv5_percent=conv5_percent)
        check_positive_integers(first_conv_stride=first_conv_stride, divisor=divisor, num_classes=num_classes)
        if not isinstance(downsampling_layers, Collection) or isinstance(downsampling_layers, str):
            raise ConfigError(f"downsampling_layers must be a list of block numbers, got {downsampling_layers!r}.")
        N = round(num_layers)
        if N < 1:
            raise ConfigError(f"num_layers must round to at least 1, got {num_layers!r}: the expansion divides by it.")
        check_choice(ACTIVATIONS, activation=activation)
        self._same = is_same(padding)
        self._act = ACTIVATIONS["relu6" if compatibility else activation]
        self._squeeze_excite = squeeze_excite and not compatibility
        self._residuals = residuals
        self._divisor = divisor

        def width(filters: int) -> int:
            return make_divisible(int(filters * alpha), divisor)

        c_out = width(EARLY_FILTERS)
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        if conv2d_input:
            self.stem, size = self._full_convolution_stem(input_shape, int(EARLY_FILTERS * alpha), c_out)
        else:
            self.stem, size = self._separable_stem(input_shape, width(STEM_FILTERS), first_conv_stride)
            blocks["0"], size = self._block(0, size, width(STEM_FILTERS), c_out, t=None, kernel=3, stride=1)

        filters = LATE_FILTERS
        for i in range(1, max(SHALLOWEST, N) + 1):
            early = i <= SHALLOWEST
            halves = i in (1, 3) if early else i in downsampling_layers
            if halves and not early:
                filters *= 2
            if halves and pool and not early:
                blocks[f"pool_{i}"], size = self._max_pool(f"before block {i}", size)
            c_in, c_out = c_out, width(EARLY_FILTERS if i < SHALLOWEST else filters)
            t = (t_zero * beta) * i / N + t_zero * (N - i) / N
            kernel = 5 if not early and i / N > 1 - conv5_percent else 3
            stride = 2 if halves and not pool else 1
            blocks[str(i)], size = self._block(i, size, c_in, c_out, t=t, kernel=kernel, stride=stride)
            if halves and pool and early:
                blocks[f"pool_{i}"], size = self._max_pool(f"after block {i}", size)
        self.blocks = nn.Sequential(blocks)

        self.head: nn.Module = nn.Identity()
        if include_top:
            self.head = nn.Sequential(
                OrderedDict(pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(c_out, num_classes))
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.blocks(self.stem(x)))
        return logits

    def _separable_stem(self, input_shape: tuple[int, int, int], c_out: int, stride: int) -> tuple[nn.Sequential, Size]:
        C, H, W = input_shape
        if self._same and stride > 1:
            layers = same_conv("dw", C, C, 3, stride, (H, W), groups=C)
            return self._pointwise_stem(layers, C, c_out), strided((H, W), stride)
        before, after = (0, 1) if max(H, W) % 2 == 0 else (1, 1)
        padded = (H + before + after, W + before + after)
        if min(padded) < 3:
            raise ConfigError(
                f"PhiNet's 3x3 stem does not fit the {H}x{W} input, padded to {padded[0]}x{padded[1]}: "
                "raise the resolution."
            )
        layers = OrderedDict(
            pad=nn.ZeroPad2d((before, after, before, after)), dw=nn.Conv2d(C, C, 3, stride, groups=C, bias=False)
        )
        size = ((padded[0] - 3) // stride + 1, (padded[1] - 3) // stride + 1)
        return self._pointwise_stem(layers, C, c_out), size

    def _pointwise_stem(self, depthwise: OrderedDict[str, nn.Module], c_in: int, c_out: int) -> nn.Sequential:
        pointwise = nn.Conv2d(c_in, c_out, 1, bias=False)
        return nn.Sequential(OrderedDict(**depthwise, pw=pointwise, bn=batch_norm(c_out), act=self._act()))

    def _full_convolution_stem(
        self, input_shape: tuple[int, int, int], filters: int, c_out: int
    ) -> tuple[nn.Sequential, Size]:
        C, H, W = input_shape
        if filters != c_out:
            raise ConfigError(
                f"conv2d_input makes int(24 alpha) = {filters} channels but block 1 takes {c_out}: "
                f"choose alpha so that int(24 alpha) is a positive multiple of divisor={self._divisor}."
            )
        if min(H, W) < 3:
            raise ConfigError(
                f"conv2d_input's unpadded 3x3 kernel does not fit the {H}x{W} input: raise the resolution."
            )
        # Normalised after the activation, as in the reference: this BN cannot be folded into the convolution.
        stem = nn.Sequential(
            OrderedDict(conv=nn.Conv2d(C, filters, 3, bias=False), act=self._act(), bn=nn.BatchNorm2d(filters))
        )
        return stem, (H - 2, W - 2)

    def _block(
        self, i: int, size: Size, c_in: int, c_out: int, *, t: float | None, kernel: int, stride: int
    ) -> tuple[Block, Size]:
        h, w = incoming = size
        if stride == 2 and self._same:
            size = strided(size, stride)
        elif stride == 2:
            if min(h, w) + 2 < kernel:
                raise ConfigError(
                    f"PhiNet block {i} strides a 5x5 kernel over a {h}x{w} map, which must be at least 3x3: "
                    "raise the resolution or lower conv5_percent."
                )
            size = ((h + 2 - kernel) // 2 + 1, (w + 2 - kernel) // 2 + 1)
        expanded = squeezed = None
        if t is not None:
            expanded = make_divisible(int(t * c_in), self._divisor)
            if self._squeeze_excite:
                squeezed = make_divisible(max(1, int(expanded / SQUEEZE)), self._divisor)
        block = Block(
            c_in,
            c_out,
            expanded=expanded,
            squeezed=squeezed,
            kernel=kernel,
            stride=stride,
            residual=self._residuals and c_in == c_out and stride == 1,
            act=self._act,
            same=incoming if self._same else None,
        )
        return block, size

    def _max_pool(self, where: str, size: Size) -> tuple[nn.MaxPool2d, Size]:
        h, w = size
        if min(h, w) < 2:
            raise ConfigError(
                f"PhiNet max-pools a {h}x{w} map {where}, which must be at least 2x2: "
                "raise the resolution or set pool=False."
            )
        return nn.MaxPool2d(2), (h // 2, w // 2)
