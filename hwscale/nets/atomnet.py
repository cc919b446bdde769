"""AtomNet: separable convolutions in the early stages, ConvNext blocks with squeeze and excitation in the late ones.

Written from "AtomNet: Designing Tiny Models from Operators Under Extreme MCU Constraints", AAAI 2025, 39(15) pp. 16354-16362,
doi 10.1609/AAAI.V39I15.33796, table 2 and the text on blocks. The paper prints no code: where it leaves a choice open (the
residual, the place and reduction of the gate, the base of the expansion, the activation), an option holds the likeliest
reading by default.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from hwscale.errors import ConfigError
from hwscale.nets.arguments import check_choice, check_input_shape, check_odd, check_positive_integers
from hwscale.nets.blocks import Activation, Block, Gate, classifier, conv_bn, depthwise, inverted_residual
from hwscale.nets.padding import Size, is_same, strided

STRIDES = {1: 1, 2: 2, 3: 2, 4: 2, 5: 2}
KINDS = ("sep", "convnext", "mbconv")
RESIDUALS: dict[str, tuple[str, ...]] = {"convnext": ("convnext", "mbconv"), "all": KINDS, "none": ()}
ACTIVATIONS: dict[str, Activation] = {"relu": nn.ReLU, "relu6": nn.ReLU6, "hard_swish": nn.Hardswish}


class SqueezeExcite(nn.Module):
    """Scale each of C channels by a gate computed from the channel means: (B, C, h, w) -> (B, C, h, w)."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        squeezed = max(1, channels // reduction)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.act = nn.ReLU()
        self.restore = nn.Conv2d(squeezed, channels, 1)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale: torch.Tensor = self.gate(self.restore(self.act(self.reduce(self.pool(x)))))
        return x * scale


class AtomNet(nn.Module):
    """AtomNet, a classifier unless ``include_top`` is false: (B, C, H, W) -> (B, num_classes) or (B, c_out, h, w).

    Parameters
    ----------
    input_shape : (C, H, W) in pixels; H and W enter the network only by its "same" padding.
    width0, ..., width5 : channels of the stem and of stages 1 to 5.
    block1, ..., block5 : what a stage is made of: "sep", "convnext" or "mbconv".
    depth1, ..., depth5 : blocks of a stage; the first of stages 2 to 5 halves the map.
    expand1, ..., expand5 : hidden width of the blocks over their base width; 1 means no expansion in "sep" and "mbconv".
    kernel : side of all depthwise kernels, odd.
    se_stages : stages whose blocks carry a gate (squeeze and excitation).
    se_reduction : the gate computes on its channels divided by this.
    se_placement : the gate of "convnext" follows the "depthwise" convolution or the "expanded" layer; elsewhere it always
        follows the depthwise one.
    residual : blocks that add their input where shapes allow: "convnext" (and "mbconv"), "all" or "none".
    expansion_base : hidden width is expand times the width that goes "in" or comes "out".
    activation : "relu", "relu6" or "hard_swish"; the gate has ReLU.
    padding : "reference" pads strided convolutions by k // 2 on all sides, "same" as TensorFlow's SAME.
    include_top, num_classes : the classifier: global average pool and one fully connected layer.

    Raises
    ------
    ConfigError : an argument out of its domain.

    Source: AAAI 2025, doi 10.1609/AAAI.V39I15.33796, table 2.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        width0: int = 32,
        width1: int = 32,
        width2: int = 64,
        width3: int = 96,
        width4: int = 112,
        width5: int = 128,
        block1: str = "sep",
        block2: str = "sep",
        block3: str = "convnext",
        block4: str = "convnext",
        block5: str = "convnext",
        depth1: int = 1,
        depth2: int = 2,
        depth3: int = 2,
        depth4: int = 4,
        depth5: int = 2,
        expand1: int = 1,
        expand2: int = 1,
        expand3: int = 3,
        expand4: int = 6,
        expand5: int = 6,
        kernel: int = 3,
        se_stages: Collection[int] = (4, 5),
        se_reduction: int = 4,
        se_placement: str = "depthwise",
        residual: str = "convnext",
        expansion_base: str = "in",
        activation: str = "relu",
        padding: str = "reference",
        num_classes: int = 10,
        include_top: bool = True,
    ) -> None:
        super().__init__()
        widths = (width0, width1, width2, width3, width4, width5)
        kinds = dict(zip(STRIDES, (block1, block2, block3, block4, block5), strict=True))
        depths = dict(zip(STRIDES, (depth1, depth2, depth3, depth4, depth5), strict=True))
        expands = dict(zip(STRIDES, (expand1, expand2, expand3, expand4, expand5), strict=True))
        check_input_shape(input_shape)
        check_positive_integers(**{f"width{s}": width for s, width in enumerate(widths)})
        check_choice(KINDS, **{f"block{s}": kind for s, kind in kinds.items()})
        check_positive_integers(**{f"depth{s}": depth for s, depth in depths.items()})
        check_positive_integers(**{f"expand{s}": expand for s, expand in expands.items()})
        check_odd(kernel=kernel)
        check_positive_integers(se_reduction=se_reduction, num_classes=num_classes)
        check_choice(("depthwise", "expanded"), se_placement=se_placement)
        check_choice(RESIDUALS, residual=residual)
        check_choice(("in", "out"), expansion_base=expansion_base)
        check_choice(ACTIVATIONS, activation=activation)
        _check_stages(se_stages)
        same = is_same(padding)
        C, H, W = input_shape

        act = ACTIVATIONS[activation]
        gate = partial(SqueezeExcite, reduction=se_reduction)
        self.stem = conv_bn(C, width0, 3, stride=2, act=act, same=(H, W) if same else None)
        size = strided((H, W), 2)
        self.stages = nn.Sequential()
        c_out = width0
        for s, stride in STRIDES.items():
            recipe = _Recipe(
                kinds[s],
                expands[s],
                expand_output=expansion_base == "out",
                kernel=kernel,
                act=act,
                gate=gate if s in se_stages else None,
                gate_expanded=se_placement == "expanded",
                residual=kinds[s] in RESIDUALS[residual],
            )
            stage = nn.Sequential()
            for i in range(depths[s]):
                c_in, c_out = c_out, widths[s]
                block_stride = stride if i == 0 else 1
                stage.append(recipe.block(c_in, c_out, block_stride, size if same else None))
                size = strided(size, block_stride)
            self.stages.add_module(str(s), stage)
        self.head = classifier(c_out, num_classes, include_top)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.stages(self.stem(x)))
        return logits


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What the blocks of a stage have in common; ``gate`` None leaves out squeeze and excitation."""

    kind: str
    expand: int
    expand_output: bool
    kernel: int
    act: Activation
    gate: Gate | None
    gate_expanded: bool
    residual: bool

    def block(self, c_in: int, c_out: int, stride: int, same: Size | None) -> Block:
        hidden = self.expand * (c_out if self.expand_output else c_in)
        if self.kind == "convnext":
            return self._convnext(c_in, hidden, c_out, stride, same)
        return inverted_residual(
            c_in,
            c_out,
            hidden=None if self.expand == 1 else hidden,
            kernel=self.kernel,
            stride=stride,
            act=self.act,
            project_act=self.act if self.kind == "sep" else None,
            gate=self.gate,
            residual=self.residual,
            same=same,
        )

    def _convnext(self, c_in: int, hidden: int, c_out: int, stride: int, same: Size | None) -> Block:
        """Filter (linear), expand, project (linear): the depthwise convolution is as narrow as the input."""
        layers: OrderedDict[str, nn.Module] = OrderedDict(dw=depthwise(c_in, self.kernel, stride, None, same))
        if self.gate is not None and not self.gate_expanded:
            layers["se"] = self.gate(c_in)
        layers["expand"] = conv_bn(c_in, hidden, 1, act=self.act)
        if self.gate is not None and self.gate_expanded:
            layers["se"] = self.gate(hidden)
        layers["project"] = conv_bn(hidden, c_out, 1)
        return Block(layers, residual=self.residual and stride == 1 and c_in == c_out)


def _check_stages(se_stages: object) -> None:
    if (
        not isinstance(se_stages, Collection)
        or isinstance(se_stages, str)
        or any(stage not in list(STRIDES) for stage in se_stages)
    ):
        raise ConfigError(f"se_stages must be a list of stages from 1 to 5, got {se_stages!r}.")
