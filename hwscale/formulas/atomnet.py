"""AtomNet: separable blocks where RAM is scarce, ConvNext blocks where Flash is, stage by stage.

Search space: Table 2 of "AtomNet: Designing Tiny Models from Operators Under Extreme MCU Constraints" (AAAI 2025, vol
39(15), doi 10.1609/AAAI.V39I15.33796). Stages 0..5, the first block of each with the stage's stride (2, 1, 2, 2, 2, 2), the
rest with 1; widths are channels. No code was published, so what Table 2 leaves open is an option:

* ``se_placement``: "depthwise", on the depthwise output. The paper finds ConvNext with SE the smallest in Flash; on the
  expanded tensor the SE alone would hold 18 c^2 weights, more than both pointwise convolutions together (12 c^2).
* ``residual``: "convnext", in ConvNext (and MBConv) blocks only. Guideline G2 advises against Add behind large maps, which is
  where the separable blocks stand.
* ``expansion_base``: "in", expand x channels that enter, as in MobileNetV2. "out" differs in the first block of a stage.
* ``activation``: "relu", as in the paper's atom Conv+BN+ReLU; costs nothing either way.
* ``se_reduction``: 4, as in MobileNetV3; ``kernel``: 3, the only one in Table 2.

Stage 3 of Table 2 is read literally, {SEP, ConvNext} x expand {1, 3, 6}: a separable block with expand > 1 expands first.
Both 92 and 96 px are accepted for the sixth resolution, printed 92; the default domain has 96, since 92 breaks the
table's pattern of multiples of 16.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from hwscale.formulas.family import PADDINGS, Hyperparameter, Option, Settings, pads_same
from hwscale.formulas.graph import Graph, Tensor
from hwscale.formulas.rounding import EXACT, Rounding
from hwscale.formulas.stagewise import Link, Values

RESOLUTIONS = (48, 64, 80, 96, 128, 160, 192, 224, 256)
BLOCKS = ("sep", "convnext", "mbconv")
_STRIDES = (2, 1, 2, 2, 2, 2)
_WIDTHS = (
    (16, 24, 32, 48, 64),
    (16, 24, 32, 48, 64),
    (32, 48, 64, 80, 96, 112),
    (48, 64, 80, 96, 112, 128),
    (48, 64, 80, 96, 112, 128, 144),
    (64, 80, 96, 112, 128, 144, 160),
)
_DEPTHS = ((1,), (1,), (1, 2), (1, 2), (2, 4, 6), (1, 2))
_EXPANDS = ((1,), (1,), (1,), (1, 3, 6), (6,), (6,))
_KINDS = (("conv",), ("sep",), ("sep",), ("sep", "convnext"), ("convnext",), ("convnext",))
_DEFAULTS = (
    (32, "conv", 1, 1),
    (32, "sep", 1, 1),
    (64, "sep", 1, 2),
    (96, "convnext", 3, 2),
    (112, "convnext", 6, 4),
    (128, "convnext", 6, 2),
)


def _stage(s: int) -> tuple[Hyperparameter, ...]:
    """block, expand, depth and width of stage ``s``, in the order that breaks ties."""
    width, block, expand, depth = _DEFAULTS[s]
    channels = Hyperparameter(
        f"width{s}", "stage", width, _WIDTHS[s], (_WIDTHS[s][0], _WIDTHS[s][-1]), f"channels of stage {s}",
        whole=True, largest=4096,
    )  # fmt: skip
    if s == 0:
        return (channels,)
    return (
        Hyperparameter(f"block{s}", "stage", block, _KINDS[s], None, f"block of stage {s}", choices=BLOCKS),
        Hyperparameter(
            f"expand{s}", "stage", expand, _EXPANDS[s], (1, 6), f"expansion in stage {s}", whole=True, largest=32
        ),
        Hyperparameter(
            f"depth{s}", "stage", depth, _DEPTHS[s], (1, _DEPTHS[s][-1]), f"blocks of stage {s}", whole=True, largest=32
        ),
        channels,
    )


class AtomNet:
    """Formula of AtomNet; see the module docstring."""

    name = "atomnet"
    hyperparameters: tuple[Hyperparameter, ...] = (
        Hyperparameter("resolution", "branch", 128, RESOLUTIONS, (48, 256), "input side [px]", whole=True, knob=False, largest=8192),
        *(hyper for s in range(6) for hyper in _stage(s)),
    )  # fmt: skip
    options: tuple[Option, ...] = (
        Option("kernel", 3, "side of every depthwise kernel", choices=(1, 3, 5, 7, 9, 11)),
        Option("se_stages", (4, 5), "stages whose blocks carry squeeze and excitation; none for no SE"),
        Option("se_reduction", 4, "channels of the SE bottleneck: a quarter"),
        Option("se_placement", "depthwise", "SE on the depthwise or on the expanded output of ConvNext", choices=("depthwise", "expanded")),
        Option("residual", "convnext", "blocks that add their input: convnext (and mbconv), all, none", choices=("convnext", "all", "none")),
        Option("expansion_base", "in", "expand multiplies the channels that enter or leave", choices=("in", "out")),
        Option("activation", "relu", "after the convolutions (same cost)", choices=("relu", "relu6", "hard_swish")),
        Option("padding", "reference", "zeros of strided convolutions: as in the reference, or TensorFlow's SAME", choices=PADDINGS),
        Option("include_top", True, "average pool and classifier"),
    )  # fmt: skip
    sources: tuple[str, ...] = (
        "AtomNet: Designing Tiny Models from Operators Under Extreme MCU Constraints, AAAI 2025, Table 2",
    )
    presets: Mapping[str, Mapping[str, Any]] = MappingProxyType({})

    def links(self, settings: Settings) -> tuple[Link, ...]:
        stages = [Link("s0", (), "width0", 2)]
        stages += [
            Link(f"s{s}", (f"block{s}", f"expand{s}", f"depth{s}"), f"width{s}", _STRIDES[s]) for s in range(1, 6)
        ]
        return (*stages, *((Link("top", (), "", 1),) if settings["include_top"] else ()))

    def channels(self, settings: Settings, at: int, value: Any, rounding: Rounding = EXACT) -> Any:
        return value

    def refuse(self, settings: Settings) -> str | None:
        wrong = [s for s in settings["se_stages"] if not 1 <= s <= 5]
        return f"se_stages: there is no stage {wrong[0]} with blocks; use 1 to 5" if wrong else None

    def linked(self, settings: Settings) -> tuple[str, ...]:
        return ()

    def may_add(self, settings: Settings, at: int, values: Values) -> bool:
        # later blocks of a stage always agree; its first can only where it keeps the map
        return 1 <= at <= 5 and _STRIDES[at] == 1 and self._adds(settings, values[f"block{at}"])

    def append(
        self,
        g: Graph,
        settings: Settings,
        at: int,
        x: Tensor,
        values: Values,
        channels: Any,
        *,
        same: bool,
        pixel: bool,
        held: Tensor | None,
    ) -> Tensor:
        act = settings["activation"]
        if at == 0:
            return g.conv(
                "s0.conv", x, channels, kernel=3, stride=2, padding=1, same=pads_same(settings, 2), activation=act
            )
        if at > 5:
            return g.linear("top.fc", g.average_pool("top.pool", x, 1, 1, identity=pixel), settings.classes)
        block, expand = values[f"block{at}"], values[f"expand{at}"]
        append = {"sep": _separable, "convnext": _convnext, "mbconv": _mbconv}[block]
        attends = at in settings["se_stages"]
        for b in range(1, values[f"depth{at}"] + 1):
            stride = _STRIDES[at] if b == 1 else 1
            shortcut = x
            hidden = expand * (x.channels if settings["expansion_base"] == "in" else channels)
            x = append(g, settings, f"s{at}.b{b}", x, channels, expand, hidden, stride, attends, pixel)
            if self._adds(settings, block) and stride == 1 and (b > 1 or same):
                x = g.add(f"s{at}.b{b}.add", x, shortcut)
        return x

    @staticmethod
    def _adds(settings: Settings, block: str) -> bool:
        return settings["residual"] == "all" or (settings["residual"] == "convnext" and block != "sep")


def _separable(
    g: Graph, settings: Settings, name: str, x: Tensor, channels: Any, expand: int, hidden: Any, stride: int,
    attends: bool, pixel: bool,
) -> Tensor:  # fmt: skip
    act = settings["activation"]
    if expand > 1:
        x = g.conv(f"{name}.expand", x, hidden, activation=act)
    x = _depthwise(g, settings, name, x, stride, act)
    x = _attention(g, settings, name, x, pixel) if attends else x
    return g.conv(f"{name}.pw", x, channels, activation=act)


def _convnext(
    g: Graph, settings: Settings, name: str, x: Tensor, channels: Any, expand: int, hidden: Any, stride: int,
    attends: bool, pixel: bool,
) -> Tensor:  # fmt: skip
    early = settings["se_placement"] == "depthwise"
    x = _depthwise(g, settings, name, x, stride)
    x = _attention(g, settings, name, x, pixel) if attends and early else x
    x = g.conv(f"{name}.expand", x, hidden, activation=settings["activation"])
    x = _attention(g, settings, name, x, pixel) if attends and not early else x
    return g.conv(f"{name}.project", x, channels)


def _mbconv(
    g: Graph, settings: Settings, name: str, x: Tensor, channels: Any, expand: int, hidden: Any, stride: int,
    attends: bool, pixel: bool,
) -> Tensor:  # fmt: skip
    act = settings["activation"]
    if expand > 1:
        x = g.conv(f"{name}.expand", x, hidden, activation=act)
    x = _depthwise(g, settings, name, x, stride, act)
    x = _attention(g, settings, name, x, pixel) if attends else x
    return g.conv(f"{name}.project", x, channels)


def _depthwise(g: Graph, settings: Settings, name: str, x: Tensor, stride: int, activation: str = "") -> Tensor:
    k, same = settings["kernel"], pads_same(settings, stride)
    return g.depthwise(f"{name}.dw", x, kernel=k, stride=stride, padding=k // 2, same=same, activation=activation)


def _attention(g: Graph, settings: Settings, name: str, x: Tensor, pixel: bool) -> Tensor:
    """SE: global pool, two fully connected layers run as 1x1 convolutions, scale."""
    quarter = x.channels // settings["se_reduction"]
    if isinstance(quarter, int | np.integer | np.ndarray):  # a symbol stands for a width of at least ``se_reduction``
        quarter = EXACT.at_least_one(quarter)
    gate = g.average_pool(f"{name}.se.pool", x, 1, 1, identity=pixel)
    gate = g.conv(f"{name}.se.reduce", gate, quarter, bias=True, activation="relu")
    gate = g.conv(f"{name}.se.expand", gate, x.channels, bias=True, activation="hard_sigmoid")
    return g.mul(f"{name}.se.scale", x, gate, broadcast=True)


ATOMNET = AtomNet()
