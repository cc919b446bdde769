"""MCUNet's space: inverted residuals with a kernel, an expansion and a width of their own in every block.

Written from mit-han-lab/mcunet@9c164f8 (the ProxylessNAS search space of J. Lin et al., "MCUNet: Tiny Deep Learning on IoT
Devices", NeurIPS 2020, and of MCUNetV2's supplementary, whose width multipliers are per block), restated. The published
networks have no 1x1 convolution before the classifier; ``mix_channels`` adds one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from hwscale.errors import ConfigError
from hwscale.nets.arguments import (
    check_input_shape,
    check_odd,
    check_positive,
    check_positive_integers,
    check_whole_numbers,
)
from hwscale.nets.blocks import classifier, conv_bn, inverted_residual, make_divisible
from hwscale.nets.padding import is_same, strided

DIVISOR = 8
BASE_WIDTHS = (32, 16, 24, 40, 80, 96, 192, 320)
STRIDES = {2: 2, 3: 2, 4: 2, 5: 1, 6: 2, 7: 1}
LAST_STAGE = 7
DEEPEST = 4


def _default_hyperparameters() -> dict[str, float]:
    values: dict[str, float] = {"width0": 1.0, "width1": 1.0}
    for s in STRIDES:
        if s != LAST_STAGE:
            values[f"depth{s}"] = 3
        for b in range(1, 2 if s == LAST_STAGE else DEEPEST + 1):
            values |= {f"kernel{s}_{b}": 3, f"expand{s}_{b}": 4, f"width{s}_{b}": 1.0}
    return values


HYPERPARAMETERS = _default_hyperparameters()
"""Every hyperparameter by name, with its default."""


class MCUNet(nn.Module):
    """MCUNet, a classifier unless ``include_top`` is false: (B, C, H, W) -> (B, num_classes) or (B, c_out, h, w).

    Parameters
    ----------
    input_shape : (C, H, W) in pixels; H and W enter the network only by its "same" padding.
    base_widths : channels before scaling of the stem, the first block and stages 2 to 7.
    mix_channels : channels of a last 1x1 convolution, never scaled; 0 leaves it out.
    padding : "reference" pads strided convolutions by k // 2 on all sides, "same" as TensorFlow's SAME.
    include_top, num_classes : the classifier: global average pool and one fully connected layer.
    **hyperparameters : the names of ``HYPERPARAMETERS``. ``width0``, ``width1``: multipliers of the stem and of the first
        block. ``depth{s}``: blocks of stage s = 2 to 6, from 1 to 4; stage 7 has one. ``kernel{s}_{b}`` (odd),
        ``expand{s}_{b}`` (1 leaves out the expansion) and ``width{s}_{b}`` (multiplier): block b of stage s; those of
        blocks beyond the depth change nothing. Scaled widths are rounded to multiples of 8.

    Raises
    ------
    ConfigError : an unknown hyperparameter, or an argument out of its domain.

    Source: mit-han-lab/mcunet@9c164f8, facts restated.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        base_widths: Sequence[int] = BASE_WIDTHS,
        mix_channels: int = 0,
        padding: str = "reference",
        num_classes: int = 10,
        include_top: bool = True,
        **hyperparameters: Any,
    ) -> None:
        super().__init__()
        check_input_shape(input_shape)
        check_positive_integers(num_classes=num_classes)
        check_whole_numbers(mix_channels=mix_channels)
        _check_base_widths(base_widths)
        _check_hyperparameters(hyperparameters)
        same = is_same(padding)
        value: dict[str, Any] = {**HYPERPARAMETERS, **hyperparameters}

        c_out = make_divisible(base_widths[0] * value["width0"], DIVISOR)
        C, H, W = input_shape
        self.stem = conv_bn(C, c_out, 3, stride=2, act=nn.ReLU6, same=(H, W) if same else None)
        size = strided((H, W), 2)
        c_in, c_out = c_out, make_divisible(base_widths[1] * value["width1"], DIVISOR)
        self.first = inverted_residual(c_in, c_out, hidden=None, kernel=3, stride=1)
        self.stages = nn.Sequential()
        for s, stride in STRIDES.items():
            stage = nn.Sequential()
            for b in range(1, value.get(f"depth{s}", 1) + 1):
                c_in, c_out = c_out, make_divisible(base_widths[s] * value[f"width{s}_{b}"], DIVISOR)
                expand = value[f"expand{s}_{b}"]
                block_stride = stride if b == 1 else 1
                block = inverted_residual(
                    c_in,
                    c_out,
                    hidden=None if expand == 1 else expand * c_in,
                    kernel=value[f"kernel{s}_{b}"],
                    stride=block_stride,
                    same=size if same else None,
                )
                stage.append(block)
                size = strided(size, block_stride)
            self.stages.add_module(str(s), stage)
        self.mix: nn.Module = nn.Identity()
        if mix_channels:
            c_in, c_out = c_out, mix_channels
            self.mix = conv_bn(c_in, c_out, 1, act=nn.ReLU6)
        self.head = classifier(c_out, num_classes, include_top)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.mix(self.stages(self.first(self.stem(x)))))
        return logits


def _check_base_widths(base_widths: object) -> None:
    if not isinstance(base_widths, tuple | list) or len(base_widths) != len(BASE_WIDTHS):
        raise ConfigError(
            f"base_widths must be {len(BASE_WIDTHS)} numbers (stem, first block, stages 2 to 7), got {base_widths!r}."
        )
    check_positive_integers(**{f"base_widths[{i}]": width for i, width in enumerate(base_widths)})


def _check_hyperparameters(hyperparameters: dict[str, Any]) -> None:
    for name, value in hyperparameters.items():
        if name not in HYPERPARAMETERS:
            raise ConfigError(
                f"mcunet has no hyperparameter or option {name!r}: allowed are base_widths, mix_channels, padding, include_top, "
                "width0, width1, depth2 to depth6, and kernel, expand and width of a block, as in kernel2_1 "
                "(stage 2 to 6, block 1 to 4) or kernel7_1."
            )
        if name.startswith("width"):
            check_positive(**{name: value})
        elif name.startswith("kernel"):
            check_odd(**{name: value})
        else:
            check_positive_integers(**{name: value})
        if name.startswith("depth") and value > DEEPEST:
            raise ConfigError(f"{name} must be an integer from 1 to {DEEPEST}, got {value!r}.")
