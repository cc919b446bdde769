"""MobileNetV2: inverted residual blocks with linear bottlenecks.

Paper: "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (arXiv 1801.04381), Table 2. Its width multiplier is
``alpha`` here. Every 3x3 convolution pads by 1, so that a stride of 2 leaves ceil(side / 2); all are followed by BN
and all but a block's last by ReLU6. A block expands its input t-fold, t times the rounded width, and adds it to its
output where it has stride 1 and as many channels out as in. Rounding makes neighbours of different base width equal
at small alphas, so that blocks gain a residual there, as they do in the reference code.

Widths of base b: the multiple of ``divisor`` nearest to the real number b * alpha, at most 10 % below it; int(b *
alpha) for divisor 1. The last convolution has base 1280 and follows alpha upwards only: 1280 * max(1, alpha), unless
``scale_head``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hwscale.formulas.family import PADDINGS, Hyperparameter, Option, Settings, Structure, Widths, pads_same
from hwscale.formulas.graph import Graph, Tensor
from hwscale.formulas.rounding import EXACT, Multiple, Rounding

_STEM, _HEAD = 32, 1280
_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""(expansion t, base width, blocks, stride of the first block)."""
_BASES = tuple(sorted({_STEM, *(base for _, base, _, _ in _STAGES)}))
_HALVINGS = 1 + sum(stride == 2 for *_, stride in _STAGES)


def _blocks() -> Iterator[tuple[int, int, int, int]]:
    """(expansion t, base width in, base width out, stride) of every block."""
    base = _STEM
    for t, out, repeats, stride in _STAGES:
        for repeat in range(repeats):
            yield t, base, out, stride if repeat == 0 else 1
            base = out


_BLOCKS = tuple(_blocks())


class MobileNetV2:
    """Formula of MobileNetV2; see the module docstring."""

    name = "mobilenet_v2"
    hyperparameters: tuple[Hyperparameter, ...] = (
        Hyperparameter("alpha", "line", 1.0, (0.1, 1.4), (0.35, 1.4), "width multiplier of every layer"),
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
        Option("scale_head", False, "the last convolution shrinks with alpha < 1 too"),
        Option(
            "padding",
            "reference",
            "zeros of strided convolutions: as in the reference, or TensorFlow's SAME",
            choices=PADDINGS,
        ),
        Option("include_top", True, "average pool and classifier"),
    )
    sources: tuple[str, ...] = (
        "M. Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, arXiv 1801.04381",
        "tensorflow/models@0ba83cf:research/slim/nets/mobilenet/README.md (published MACs, parameters and accuracy)",
        "pytorch/vision:torchvision/models/mobilenetv2.py and _utils.py (_make_divisible)",
    )

    def alpha_factors(self, settings: Settings, knobs: Mapping[str, float]) -> list[Multiple]:
        return [Multiple(float(base), settings["divisor"]) for base in (*_BASES, _HEAD)]

    def widths(self, settings: Settings, knobs: Mapping[str, Any], rounding: Rounding = EXACT) -> Widths:
        """Channels c{base} of every base width, the last convolution's 1280 included; blocks expand to t * c{base}."""
        alpha, divisor = knobs["alpha"], settings["divisor"]
        scaled = {base: base * alpha for base in _BASES}
        scaled[_HEAD] = _HEAD * (alpha if settings["scale_head"] else rounding.at_least(alpha, 1))
        return {
            f"c{base}": rounding.named(f"c{base}", rounding.multiple(value, divisor)) for base, value in scaled.items()
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
        """Which blocks carry a residual: stride 1 and equal widths in and out."""
        return tuple(
            stride == 1 and (base == out or widths[f"c{base}"] == widths[f"c{out}"]) for _, base, out, stride in _BLOCKS
        )

    def map_multiple(self, settings: Settings) -> int:
        return int(2**_HALVINGS)

    def graph(self, settings: Settings, widths: Widths, height: Any, width: Any, structure: Structure) -> Graph:
        pixel, *residuals = structure
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
        for i, ((t, base, out, stride), residual) in enumerate(zip(_BLOCKS, residuals, strict=True), start=1):
            shortcut: Tensor = x
            if t > 1:
                x = g.conv(f"b{i}.expand", x, t * widths[f"c{base}"], activation="relu6")
            x = g.depthwise(
                f"b{i}.dw", x, kernel=3, stride=stride, padding=1, same=pads_same(settings, stride), activation="relu6"
            )
            x = g.conv(f"b{i}.project", x, widths[f"c{out}"])
            if residual:
                x = g.add(f"b{i}.add", x, shortcut)
        x = g.conv("head", x, widths[f"c{_HEAD}"], activation="relu6")
        if settings["include_top"]:
            x = g.average_pool("top.pool", x, 1, 1, identity=pixel)
            g.linear("top.fc", x, settings.classes)
        return g


MOBILENET_V2 = MobileNetV2()
