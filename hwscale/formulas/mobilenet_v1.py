"""MobileNetV1: thirteen depthwise separable blocks behind one convolution.

Paper: "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications" (arXiv 1704.04861),
Table 1. Its width multiplier is ``alpha`` here; its resolution multiplier rho is ``resolution`` / 224. Every convolution
pads by 1 where its kernel is 3, so that a stride of 2 leaves ceil(side / 2), and is followed by BN and ReLU6.

Widths of base b: the multiple of ``divisor`` nearest to the real number b * alpha, at most 10 % below it; int(b *
alpha) for divisor 1. At the published alphas .25, .5, .75, 1 both are b * alpha itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwscale.formulas.family import PADDINGS, Hyperparameter, Option, Settings, Structure, Widths, pads_same
from hwscale.formulas.graph import Graph
from hwscale.formulas.rounding import EXACT, Multiple, Rounding

_STEM = 32
_BLOCKS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip
"""(base width of the pointwise, stride of the depthwise)."""
_BASES = tuple(sorted({_STEM, *(base for base, _ in _BLOCKS)}))
_HALVINGS = 1 + sum(stride == 2 for _, stride in _BLOCKS)


class MobileNetV1:
    """Formula of MobileNetV1; see the module docstring."""

    name = "mobilenet_v1"
    hyperparameters: tuple[Hyperparameter, ...] = (
        Hyperparameter("alpha", "line", 1.0, (0.1, 1.4), (0.25, 1.0), "width multiplier of every layer"),
        # steps of 16 px as in the other families: published grids step by 32, published microcontroller networks by 16
        Hyperparameter(
            "resolution",
            "branch",
            224,
            tuple(range(48, 257, 16)),
            (96, 224),
            "input side [px]",
            whole=True,
            knob=False,
            largest=8192,
        ),
    )
    options: tuple[Option, ...] = (
        Option("divisor", 8, "widths are multiples of it; 1: widths are truncated"),
        Option(
            "padding",
            "reference",
            "zeros of strided convolutions: as in the reference, or TensorFlow's SAME",
            choices=PADDINGS,
        ),
        Option("include_top", True, "average pool and classifier"),
    )
    sources: tuple[str, ...] = (
        "A. Howard et al., MobileNets: Efficient CNNs for Mobile Vision Applications, arXiv 1704.04861",
        "tensorflow/models@02c04f4:research/slim/nets/mobilenet_v1.md (published MACs, parameters and accuracy)",
        "pytorch/vision:torchvision/models/_utils.py (_make_divisible)",
    )

    def alpha_factors(self, settings: Settings, knobs: Mapping[str, float]) -> list[Multiple]:
        return [Multiple(float(base), settings["divisor"]) for base in _BASES]

    def widths(self, settings: Settings, knobs: Mapping[str, Any], rounding: Rounding = EXACT) -> Widths:
        """Channels c{base} of every base width."""
        return {
            f"c{base}": rounding.named(f"c{base}", rounding.multiple(base * knobs["alpha"], settings["divisor"]))
            for base in _BASES
        }

    def refuse_branch(self, settings: Settings, knobs: Mapping[str, Any], height: int, width: int) -> str | None:
        return None  # rounding up, a halved map never empties

    def refuse_widths(self, settings: Settings, widths: Widths) -> list[tuple[Any, str]]:
        return [
            (widths[f"c{base}"] < 1, f"a layer has int({base}*alpha) = 0 channels; raise alpha or use a larger divisor")
            for base in _BASES
        ]

    def map_structure(self, settings: Settings, height: int, width: int) -> Structure:
        """Is the last map a single pixel: then the global pool changes nothing."""
        return (max(height, width) <= 2**_HALVINGS,)

    def width_structure(self, settings: Settings, widths: Widths) -> tuple[Any, ...]:
        return ()

    def map_multiple(self, settings: Settings) -> int:
        return int(2**_HALVINGS)

    def graph(self, settings: Settings, widths: Widths, height: Any, width: Any, structure: Structure) -> Graph:
        g = Graph()
        x = g.tensor(settings.in_channels, height, width)
        x = g.conv(
            "stem",
            x,
            widths[f"c{_STEM}"],
            kernel=3,
            stride=2,
            padding=1,
            same=pads_same(settings, 2),
            activation="relu6",
        )
        for i, (base, stride) in enumerate(_BLOCKS, start=1):
            x = g.depthwise(
                f"b{i}.dw", x, kernel=3, stride=stride, padding=1, same=pads_same(settings, stride), activation="relu6"
            )
            x = g.conv(f"b{i}.pw", x, widths[f"c{base}"], activation="relu6")
        if settings["include_top"]:
            x = g.average_pool("top.pool", x, 1, 1, identity=structure[0])
            g.linear("top.fc", x, settings.classes)
        return g


MOBILENET_V1 = MobileNetV1()
