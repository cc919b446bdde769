"""XiNet: compressed 3x3 convolutions with a broadcast skip and pointwise-reduced attention.

Structure and costs: micromind-toolkit/micromind@b4b45c0:micromind/networks/xinet.py. Paper: "XiNet: Efficient Neural
Networks for tinyML" (ICCV 2023). Hyperparameters alpha (width), gamma (compression) and num_layers as there; `beta`, the
paper's third knob, scales stage i of N by ``1 + (beta - 1) * i / N`` and is 1 in the reference code.

Stage 0 is the stem, stage i >= 1 has two XiConvs of width w_i at 1/2^(i+1) of the input side; N = num_layers - 1 is the last.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwscale.formulas.family import PADDINGS, Hyperparameter, Option, Settings, Structure, Widths, pads_same
from hwscale.formulas.graph import Graph
from hwscale.formulas.rounding import EXACT, Rounding

_TAIL_GAMMA = 4
"""The last two layers compress by 4 whatever gamma is: the reference does not forward it."""


_ACTIVATIONS = {"silu": "silu", "relu6": "relu6", "hswish": "hard_swish"}


class XiNet:
    """Formula of XiNet; see the module docstring."""

    name = "xinet"
    hyperparameters: tuple[Hyperparameter, ...] = (
        Hyperparameter("alpha", "line", 1.0, (0.2, 4.0), None, "width multiplier of every layer"),
        Hyperparameter("beta", "branch", 1.0, (1.0,), None, "shape: width of the last stage over its reference"),
        Hyperparameter(
            "gamma", "branch", 4, (3, 4, 5, 6), (3.0, 6.0), "compression of every XiConv, int(gamma) counts"
        ),
        Hyperparameter(
            "num_layers", "branch", 5, (5, 6, 7), (5, 7), "stages, stem included", whole=True, knob=False, largest=32
        ),
        Hyperparameter(
            "resolution",
            "branch",
            96,
            tuple(range(48, 257, 16)),
            (96, 224),
            "input side [px]",
            whole=True,
            knob=False,
            largest=8192,
        ),
    )
    options: tuple[Option, ...] = (
        Option("base_filters", 16, "stem width at alpha = 1", largest=64),
        Option("attention", True, "sigmoid gate of width c_out/(2 gamma) after every XiConv but the last two"),
        Option("skip", True, "broadcast of the first layer's output to every later layer"),
        Option("activation", "silu", "behind every convolution that has one", choices=("silu", "relu6", "hswish")),
        Option(
            "padding",
            "reference",
            "zeros of strided convolutions: as in the reference, or TensorFlow's SAME",
            choices=PADDINGS,
        ),
        Option("include_top", True, "average pool and classifier"),
    )
    sources: tuple[str, ...] = (
        "micromind-toolkit/micromind@b4b45c0:micromind/networks/xinet.py",
        "A. Ancilotto et al., XiNet: Efficient Neural Networks for tinyML, ICCV 2023, and its supplementary material",
    )

    def _filters(self, settings: Settings, stage: int) -> int:
        return int(2 ** (math.sqrt(settings["base_filters"]) + stage))

    def _shape(self, settings: Settings, beta: Any, stage: int) -> Any:
        """1 + (beta - 1) * i / N, exactly 1 at beta = 1."""
        last = settings["num_layers"] - 1
        return 1 + (beta - 1) * stage / last if stage else 1.0

    def alpha_factors(self, settings: Settings, knobs: Mapping[str, float]) -> list[tuple[float, float]]:
        base, beta = settings["base_filters"], knobs["beta"]
        factors = {(float(base), 1.0), (float(2 * base), self._shape(settings, beta, 1))}
        for stage in range(settings["num_layers"]):
            factors.add((float(self._filters(settings, stage)), self._shape(settings, beta, stage)))
        return sorted(factors)

    def widths(self, settings: Settings, knobs: Mapping[str, Any], rounding: Rounding = EXACT) -> Widths:
        """w{i} = int(nf_i * alpha * shape_i), compression m{i} = w{i} // gamma, attention a{i} = m{i} // 2.

        ``stem`` and ``skip`` are computed from base_filters as the reference does; they equal w0 and w1 in every network
        that runs, hence share their symbols.
        """
        alpha, beta, base = knobs["alpha"], knobs["beta"], settings["base_filters"]
        gamma = rounding.truncate(knobs["gamma"])
        widths: Widths = {"gamma": gamma}
        for stage in range(settings["num_layers"]):
            width = rounding.truncate(self._filters(settings, stage) * alpha * self._shape(settings, beta, stage))
            widths[f"w{stage}"] = rounding.named(f"w{stage}", width)
        widths["stem"] = rounding.named("w0", rounding.truncate(base * alpha))
        widths["skip"] = rounding.named("w1", rounding.truncate(2 * base * alpha * self._shape(settings, beta, 1)))
        last = settings["num_layers"] - 1
        for stage in range(1, last + 1):
            divisor = gamma if stage < last else _TAIL_GAMMA
            m = rounding.named(f"m{stage}", rounding.quotient(widths[f"w{stage}"], divisor))
            widths[f"m{stage}"] = m
            if settings["attention"] and stage < last:
                widths[f"a{stage}"] = rounding.named(f"a{stage}", rounding.quotient(m, 2))
        return widths

    def refuse_branch(self, settings: Settings, knobs: Mapping[str, Any], height: int, width: int) -> str | None:
        layers, gamma = settings["num_layers"], int(knobs["gamma"])
        if layers < 2:
            return f"num_layers = {layers}: XiNet needs at least 2"
        if gamma < 1 and layers >= 3:
            return f"gamma = {knobs['gamma']:g}: int(gamma) must be at least 1"
        if gamma == 1 and layers >= 4 and settings["skip"]:
            return (
                "gamma = 1: without compression the skip has the output's width and cannot be added to the input "
                "when num_layers is 4 or more; use gamma >= 2"
            )
        multiple = self.map_multiple(settings)
        if (min(height, width) + 1) // 2 < multiple // 2:
            return (
                f"a {height}x{width} input is halved {layers - 1} times by num_layers = {layers}; "
                f"each side must be at least {multiple}"
            )
        for place in self._skips(settings, height, width):
            for have, target in zip(place.map, place.target, strict=True):
                if target not in (have, 1):  # a single pixel broadcasts silently, as it does in torch
                    return (
                        f"layer {place.layer}: the skip is pooled to {_by(place.target)} but the map is {_by(place.map)}; "
                        f"use an even height and width, best multiples of {multiple}"
                    )
        return None

    def refuse_widths(self, settings: Settings, widths: Widths) -> list[tuple[Any, str]]:
        last, base = settings["num_layers"] - 1, settings["base_filters"]
        rules: list[tuple[Any, str]] = [
            (widths["stem"] < 1, f"the stem has int({base}*alpha) = 0 channels; raise alpha"),
            (
                widths["stem"] != widths["w0"],
                f"base_filters = {base}: the stem and the first layer, int(2**sqrt(base_filters)*alpha), differ; use 16 or 4",
            ),
        ]
        if settings["skip"]:
            rules.append(
                (
                    widths["skip"] != widths["w1"],
                    f"base_filters = {base}: the broadcast skip expects another width than the first layer makes; use 16 or 4",
                )
            )
        for stage in range(1, last):
            empty = f"stage {stage}: width / gamma leaves {{}} of no channels; raise alpha or lower gamma"
            rules.append((widths[f"m{stage}"] < 1, empty.format("a compression")))
            if settings["attention"]:
                rules.append((widths[f"a{stage}"] < 1, empty.format("an attention")))
        rules.append((widths[f"m{last}"] < 1, "the last stage has fewer than 4 channels; raise alpha"))
        return rules

    def _layers(self, settings: Settings) -> list[_Layer]:
        """The 2N XiConvs: two per stage, the first of each but the last stage pooling."""
        last, layers = settings["num_layers"] - 1, []
        for stage in range(1, last):
            layers.append(_Layer(2 * stage - 2, stage - 1, stage, True, stage))
            layers.append(_Layer(2 * stage - 1, stage, stage, False, stage + 1))
        halvings = max(last, 1)
        layers.append(_Layer(2 * last - 2, last - 1, last, False, halvings))
        layers.append(_Layer(2 * last - 1, last, last, False, halvings))
        return layers

    def _skips(self, settings: Settings, height: int, width: int) -> list[_Place]:
        """Where the broadcast skip joins: every layer but the first."""
        if not settings["skip"]:
            return []
        side = ((height - 1) // 2 + 1, (width - 1) // 2 + 1)
        skip, places = side, []
        for layer in self._layers(settings):
            if layer.index > 0:
                target = (height // 2**layer.halvings, width // 2**layer.halvings)
                places.append(_Place(layer.index, target, side, skip))
            if layer.pool:
                side = (side[0] // 2, side[1] // 2)
            if layer.index == 0:
                skip = side
        return places

    def width_structure(self, settings: Settings, widths: Widths) -> tuple[Any, ...]:
        """Is there no compression: gamma = 1."""
        return (widths["gamma"] == 1,)

    def map_structure(self, settings: Settings, height: int, width: int) -> Structure:
        """Per skip: is its pool an identity, is the pooled skip broadcast."""
        flags = []
        for place in self._skips(settings, height, width):
            flags += [place.target == place.skip, place.target != place.map]
        return tuple(flags)

    def map_multiple(self, settings: Settings) -> int:
        return int(2 ** (settings["num_layers"] - 1))

    def graph(self, settings: Settings, widths: Widths, height: Any, width: Any, structure: Structure) -> Graph:
        g = Graph()
        x = g.tensor(settings.in_channels, height, width)
        act, same = _ACTIVATIONS[settings["activation"]], pads_same(settings, 2)
        x = g.conv("conv1", x, widths["stem"], kernel=7, stride=2, padding=3, same=same, activation=act)
        skip = x
        for layer in self._layers(settings):
            out, m = widths[f"w{layer.stage}"], widths[f"m{layer.stage}"]
            joins = settings["skip"] and layer.index > 0
            name = f"l{layer.index}"
            if joins:
                identity, broadcast = structure[2 * layer.index - 2], structure[2 * layer.index - 1]
                pooled_height = height // 2**layer.halvings
                pooled_width = pooled_height if width is height else width // 2**layer.halvings
                s = g.average_pool(f"{name}.skip_pool", skip, pooled_height, pooled_width, identity=identity)
                s = g.conv(f"{name}.skip", s, m, batch_norm=False)
            elif settings["skip"] and settings["num_layers"] == 2:
                g.idle_params += widths["skip"] * m  # the first of only two layers owns a skip conv and never runs it
            if layer.stage == settings["num_layers"] - 1 or not structure[-1]:
                x = g.conv(f"{name}.compression", x, m, batch_norm=False)
            if joins:
                x = g.add(f"{name}.add", x, s, broadcast=broadcast)
            if layer.pool:
                x = g.max_pool(f"{name}.pool", x)
            x = g.conv(f"{name}.main", x, out, kernel=3, padding=1, activation=act)
            if f"a{layer.stage}" in widths:
                gate = g.conv(f"{name}.attention_pw", x, widths[f"a{layer.stage}"], batch_norm=False)
                gate = g.conv(
                    f"{name}.attention", gate, out, kernel=3, padding=1, batch_norm=False, activation="sigmoid"
                )
                x = g.mul(f"{name}.scale", x, gate)
            if layer.index == 0:
                skip = x
        if settings["include_top"]:
            x = g.average_pool("top.pool", x, 1, 1)
            g.linear("top.fc", x, settings.classes)
        return g


@dataclass(frozen=True, slots=True)
class _Layer:
    """XiConv ``index`` from stage ``source`` to ``stage``; ``halvings`` of the input before its pool."""

    index: int
    source: int
    stage: int
    pool: bool
    halvings: int


@dataclass(frozen=True, slots=True)
class _Place:
    """Layer, size the skip is pooled to, map that it meets, size of the skip itself (height, width)."""

    layer: int
    target: tuple[int, int]
    map: tuple[int, int]
    skip: tuple[int, int]


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


XINET = XiNet()
