"""MCUNet: the once-for-all space of mobile inverted bottlenecks that MCUNet and MCUNetV2 search.

Backbone: mit-han-lab/mcunet@9c164f8 (ofa_proxyless.py). Search space: supplement of "MCUNetV2: Memory-Efficient Patch-based
Inference for Tiny Deep Learning" (NeurIPS 2021), section on the search: kernel 3, 5, 7 and expansion 3, 4, 6 per block, depth 2 to
4 per stage, width multiplier 0.5, 0.75, 1.0 per block or one for all (``uniform_width``), resolution 96 to 256.

Stem, first block (no expansion), stages 2 to 7 with strides 2, 2, 2, 1, 2, 1 and base widths 24, 40, 80, 96, 192, 320; stage 7
has one block. Block b of stage s has kernel{s}_{b}, expand{s}_{b} and width{s}_{b}; its channels are the base width times
width{s}_{b}, rounded to a multiple of 8. Published networks are presets: they set ``base_widths`` and leave the multipliers at 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwscale.formulas.family import PADDINGS, Hyperparameter, Option, Settings, pads_same
from hwscale.formulas.graph import Graph, Tensor
from hwscale.formulas.mcunet_zoo import ZOO
from hwscale.formulas.rounding import EXACT, Rounding
from hwscale.formulas.stagewise import Link, Values

RESOLUTIONS = tuple(range(96, 257, 32))
MULTIPLIERS = (0.5, 0.75, 1.0)
_STRIDES = {2: 2, 3: 2, 4: 2, 5: 1, 6: 2, 7: 1}
_BLOCKS = {2: 4, 3: 4, 4: 4, 5: 4, 6: 4, 7: 1}


def _width(name: str, what: str) -> Hyperparameter:
    return Hyperparameter(name, "stage", 1.0, MULTIPLIERS, (0.5, 1.0), f"width multiplier of {what}", largest=16)


def _stage(s: int) -> list[Hyperparameter]:
    found = []
    if _BLOCKS[s] > 1:
        found.append(
            Hyperparameter(
                f"depth{s}", "stage", 3, (2, 3, 4), (2, 4), f"blocks of stage {s}", whole=True, choices=(1, 2, 3, 4)
            )
        )
    for b in range(1, _BLOCKS[s] + 1):
        where = f"block {b} of stage {s}"
        found += [
            Hyperparameter(
                f"kernel{s}_{b}", "stage", 3, (3, 5, 7), (3, 7), f"depthwise kernel of {where}", whole=True,
                choices=(1, 3, 5, 7, 9, 11),
            ),
            Hyperparameter(
                f"expand{s}_{b}", "stage", 4, (3, 4, 6), (3, 6), f"expansion of {where}", whole=True, largest=32
            ),
            _width(f"width{s}_{b}", where),
        ]  # fmt: skip
    return found


class MCUNet:
    """Formula of MCUNet; see the module docstring."""

    name = "mcunet"
    hyperparameters: tuple[Hyperparameter, ...] = (
        Hyperparameter("resolution", "branch", 160, RESOLUTIONS, (48, 256), "input side [px]", whole=True, knob=False, largest=8192),
        _width("width0", "the stem"),
        _width("width1", "the first block"),
        *(hyper for s in _BLOCKS for hyper in _stage(s)),
    )  # fmt: skip
    options: tuple[Option, ...] = (
        Option(
            "base_widths",
            (32, 16, 24, 40, 80, 96, 192, 320),
            "channels of stem, first block and stages 2 to 7",
            least=1,
        ),
        Option("mix_channels", 0, "channels of a 1x1 convolution before the pool; 0: none", largest=4096),
        Option("uniform_width", False, "search: one width multiplier for the whole network", built=False),
        Option(
            "padding",
            "reference",
            "zeros of strided convolutions: as in the reference, or TensorFlow's SAME",
            choices=PADDINGS,
        ),
        Option("include_top", True, "average pool and classifier"),
    )
    sources: tuple[str, ...] = (
        "mit-han-lab/mcunet@9c164f8 (ofa_proxyless.py)",
        "MCUNetV2: Memory-Efficient Patch-based Inference for Tiny Deep Learning, NeurIPS 2021, supplement",
    )
    presets: Mapping[str, Mapping[str, Any]] = ZOO

    def links(self, settings: Settings) -> tuple[Link, ...]:
        found = [Link("stem", (), "width0", 2), Link("first", (), "width1", 1)]
        for s, blocks in _BLOCKS.items():
            for b in range(1, blocks + 1):
                stride = _STRIDES[s] if b == 1 else 1
                structural = (f"kernel{s}_{b}", f"expand{s}_{b}")
                depth = f"depth{s}" if blocks > 1 else ""
                found.append(Link(f"s{s}.b{b}", structural, f"width{s}_{b}", stride, depth, b))
        if settings["include_top"] or settings["mix_channels"]:
            found.append(Link("top", (), "", 1))
        return tuple(found)

    def channels(self, settings: Settings, at: int, value: Any, rounding: Rounding = EXACT) -> Any:
        """``base * multiplier`` to the nearest multiple of 8, at least 8 and at most 10 % below."""
        stage = at if at < 2 else 2 + (at - 2) // 4
        return rounding.multiple(settings["base_widths"][stage] * value, 8)

    def refuse(self, settings: Settings) -> str | None:
        widths = settings["base_widths"]
        if len(widths) != 8:
            return f"base_widths has {len(widths)} entries; it needs 8: stem, first block, stages 2 to 7"
        return None

    def linked(self, settings: Settings) -> tuple[str, ...]:
        """Hyperparameters that must all have one value."""
        widths = tuple(h.name for h in self.hyperparameters if h.name.startswith("width"))
        return widths if settings["uniform_width"] else ()

    def may_add(self, settings: Settings, at: int, values: Values) -> bool:
        link = self.links(settings)[at]
        return at > 0 and bool(link.width) and link.stride == 1

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
        link = self.links(settings)[at]
        if link.name == "stem":
            zeros: dict[str, Any] = {"padding": 1, "same": pads_same(settings, 2)}
            return g.conv("stem.conv", x, channels, kernel=3, stride=2, activation="relu6", **zeros)
        if link.name == "top":
            if settings["mix_channels"]:
                x = g.conv("top.mix", x, settings["mix_channels"], activation="relu6")
            if settings["include_top"]:
                x = g.linear("top.fc", g.average_pool("top.pool", x, 1, 1, identity=pixel), settings.classes)
            return x
        kernel, expand = (values[name] for name in link.structural) if link.structural else (3, 1)
        shortcut = x
        if expand > 1:
            x = g.conv(f"{link.name}.expand", x, expand * x.channels, activation="relu6")
        zeros = {"padding": kernel // 2, "same": pads_same(settings, link.stride)}
        x = g.depthwise(f"{link.name}.dw", x, kernel=kernel, stride=link.stride, activation="relu6", **zeros)
        x = g.conv(f"{link.name}.project", x, channels)
        return g.add(f"{link.name}.add", x, shortcut) if same and link.stride == 1 else x


MCUNET = MCUNet()
