"""PhiNet: inverted residual blocks whose expansion falls or grows along the depth.

Structure and costs: micromind-toolkit/micromind@b4b45c0:micromind/networks/phinet.py. Paper: "PhiNets: a scalable backbone
for low-power AI at the edge" (arXiv 2110.00337). Hyperparameters alpha (width), beta (shape), t_zero (expansion) and
num_layers as there; base widths 48, 24, 48 are fixed.

Expansion of block i of N:  t_i = t_zero * beta * i/N + t_zero * (N - i)/N.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwscale.formulas.family import PADDINGS, Hyperparameter, Option, Settings, Structure, Widths, pads_same
from hwscale.formulas.graph import Graph, Tensor
from hwscale.formulas.rounding import EXACT, Rounding

_STEM = 48
_FIRST = 24
_RESOLUTIONS = tuple(range(48, 257, 16))


def _steps(low: float, high: float, per_unit: int) -> tuple[float, ...]:
    """Decimal lattice low, low + 1/per_unit, ..., high as the floats nearest to the decimals."""
    return tuple(n / per_unit for n in range(round(low * per_unit), round(high * per_unit) + 1))


_ACTIVATIONS = {"hswish": "hard_swish", "relu6": "relu6"}


class PhiNet:
    """Formula of PhiNet; see the module docstring."""

    name = "phinet"
    hyperparameters: tuple[Hyperparameter, ...] = (
        Hyperparameter("alpha", "line", 0.2, (0.1, 3.0), (0.1, 3.0), "width multiplier of every layer"),
        Hyperparameter("beta", "box", 1.0, _steps(0.4, 1.65, 100), (0.4, 1.656), "shape: t_N / t_0"),
        Hyperparameter("t_zero", "box", 6.0, _steps(2, 8, 20), (2.0, 8.0), "expansion factor at the first block"),
        Hyperparameter(
            "num_layers", "branch", 7, (7, 8, 9), (4, 15), "index of the last block", whole=True, knob=False, largest=32
        ),
        Hyperparameter(
            "resolution", "branch", 96, _RESOLUTIONS, (28, 224), "input side [px]", whole=True, knob=False, largest=8192
        ),
    )
    options: tuple[Option, ...] = (
        Option("first_conv_stride", 2, "stride of the stem"),
        Option(
            "downsampling_layers", (5, 7), "blocks that halve the map and double the width; entries outside 4..N inert"
        ),
        Option("conv5_percent", 0.0, "share of the last blocks with a 5x5 depthwise", largest=1),
        Option("residuals", True, "add input and output of a block where shapes agree"),
        Option("conv2d_input", False, "a plain 3x3 convolution instead of the separable stem and block 0"),
        Option("pool", False, "max pools instead of strides"),
        Option("activation", "hswish", "behind every convolution that has one", choices=("hswish", "relu6")),
        Option(
            "padding",
            "reference",
            "zeros of strided convolutions: as in the reference, or TensorFlow's SAME",
            choices=PADDINGS,
        ),
        Option("squeeze_excite", True, "channel attention in every block, reduction 6"),
        Option("divisor", 1, "widths are multiples of it"),
        Option("include_top", True, "average pool and classifier"),
    )
    sources: tuple[str, ...] = (
        "micromind-toolkit/micromind@b4b45c0:micromind/networks/phinet.py",
        "F. Paissan et al., PhiNets: a scalable backbone for low-power AI at the edge, arXiv 2110.00337",
    )

    def _filters(self, settings: Settings) -> list[int]:
        """Base width after block i, i = 0..N."""
        filters, base = [_FIRST, _FIRST, _FIRST, _STEM], _STEM
        for i in range(4, settings["num_layers"] + 1):
            base *= 2 if i in settings["downsampling_layers"] else 1
            filters.append(base)
        return filters

    def _blocks(self, settings: Settings) -> list[tuple[int, int, int, int, int, bool]]:
        """(i, base width in, base width out, kernel, stride, pool before) of blocks 1..N."""
        filters, N, blocks = self._filters(settings), settings["num_layers"], []
        for i in range(1, len(filters)):
            down = i in (1, 3) or (i > 3 and i in settings["downsampling_layers"])
            kernel = 5 if i > 3 and i / N > 1 - settings["conv5_percent"] else 3
            stride = 2 if down and not settings["pool"] else 1
            blocks.append((i, filters[i - 1], filters[i], kernel, stride, i > 3 and down and settings["pool"]))
        return blocks

    def alpha_factors(self, settings: Settings, knobs: Mapping[str, float]) -> list[tuple[float, float]]:
        return [(float(base), 1.0) for base in sorted({_STEM, *self._filters(settings)})]

    def widths(self, settings: Settings, knobs: Mapping[str, Any], rounding: Rounding = EXACT) -> Widths:
        """Channels c{base} = mdiv(int(base * alpha)), expansions E{i} = mdiv(int(t_i * c)), SE bottlenecks r{i}."""
        alpha, beta, t_zero = knobs["alpha"], knobs["beta"], knobs["t_zero"]
        N, divisor = settings["num_layers"], settings["divisor"]
        widths: Widths = {}
        for base in sorted({_STEM, *self._filters(settings)}):
            truncated = rounding.truncate(base * alpha)
            widths[f"c{base}"] = rounding.named(f"c{base}", rounding.divisible(truncated, divisor))
            if base == _FIRST and settings["conv2d_input"]:
                widths["stem"] = rounding.named("c_in", truncated)
        last = t_zero * beta
        for i, base, *_ in self._blocks(settings):
            t = last * i / N + t_zero * (N - i) / N
            expanded = rounding.divisible(rounding.truncate(t * widths[f"c{base}"]), divisor)
            E = widths[f"E{i}"] = rounding.named(f"E{i}", expanded)
            if settings["squeeze_excite"]:
                sixth = rounding.at_least_one(rounding.quotient(E, 6))
                widths[f"r{i}"] = rounding.named(f"r{i}", rounding.divisible(sixth, divisor))
        return widths

    def refuse_branch(self, settings: Settings, knobs: Mapping[str, Any], height: int, width: int) -> str | None:
        N = settings["num_layers"]
        if N < 1:
            return f"num_layers = {N}: the expansion factor divides by it; use 1 or more (3 or more to be meaningful)"
        height, width = _stem_map(settings, height, width)
        if min(height, width) < 1:
            if settings["conv2d_input"]:
                return (
                    "conv2d_input: its unpadded 3x3 convolution needs an input of at least 3x3; enlarge the resolution"
                )
            return "the stem leaves an empty map; enlarge the resolution"
        for i, _, _, kernel, stride, pool_before in self._blocks(settings):
            height, width = _pooled(settings, i, pool_before, height, width)
            if min(height, width) < 1:
                return f"pool: the map before block {i} is a single pixel and cannot be pooled; enlarge the resolution"
            if stride == 2:
                if min(height, width) + 2 < kernel and not pads_same(settings, stride):
                    return (
                        f"block {i}: a {height}x{width} map is too small for a {kernel}x{kernel} kernel with padding 1; "
                        "enlarge the resolution or lower conv5_percent"
                    )
                height, width = (_strided(settings, side, kernel) for side in (height, width))
        if settings["pool"] and N <= 3 and min(height, width) < 2:
            return "pool: the map after block 3 is a single pixel and cannot be pooled; enlarge the resolution"
        return None

    def refuse_widths(self, settings: Settings, widths: Widths) -> list[tuple[Any, str]]:
        if not settings["conv2d_input"]:
            return []
        return [
            (
                widths["stem"] != widths[f"c{_FIRST}"],
                (
                    "conv2d_input: the stem has int(24*alpha) channels but block 1 expects them rounded to the divisor; "
                    "choose alpha with 24*alpha a positive multiple of the divisor"
                ),
            )
        ]

    def map_structure(self, settings: Settings, height: int, width: int) -> Structure:
        """Is the map a single pixel after the depthwise of block 1..N: then its global pools change nothing."""
        maps = self._maps(settings, height, width)
        return tuple(size == (1, 1) for size in maps)

    def _maps(self, settings: Settings, height: int, width: int) -> list[tuple[int, int]]:
        """Map (height, width) after the depthwise of block 1..N."""
        height, width = _stem_map(settings, height, width)
        maps = []
        for i, _, _, kernel, stride, pool_before in self._blocks(settings):
            height, width = _pooled(settings, i, pool_before, height, width)
            if stride == 2:
                height, width = _strided(settings, height, kernel), _strided(settings, width, kernel)
            maps.append((height, width))
        return maps

    def width_structure(self, settings: Settings, widths: Widths) -> tuple[Any, ...]:
        """Which blocks 0..N carry a residual: stride 1 and equal widths in and out."""
        wanted = settings["residuals"]
        flags: list[Any] = [wanted and not settings["conv2d_input"] and widths[f"c{_STEM}"] == widths[f"c{_FIRST}"]]
        for _, base, out, _, stride, _ in self._blocks(settings):
            flags.append(wanted and stride == 1 and (base == out or widths[f"c{base}"] == widths[f"c{out}"]))
        return tuple(flags)

    def map_multiple(self, settings: Settings) -> int:
        strides = sum(stride == 2 or pool for *_, stride, pool in self._blocks(settings))
        return int(settings["first_conv_stride"] * 2 ** (strides + 2 * settings["pool"]))

    def graph(self, settings: Settings, widths: Widths, height: Any, width: Any, structure: Structure) -> Graph:
        act = _ACTIVATIONS[settings["activation"]]
        blocks = self._blocks(settings)
        pixels, residuals = structure[: len(blocks)], structure[len(blocks) :]
        g = Graph()
        x = g.tensor(settings.in_channels, height, width)
        if settings["conv2d_input"]:
            x = g.conv("stem", x, widths["stem"], kernel=3, batch_norm=False, activation=act)
            x = g.batch_norm("stem.bn", x)
        else:
            stride = settings["first_conv_stride"]
            if not _same_stem(settings):
                # one row and column if the larger side is even, else two: parity of max(H, W) alone, as in the reference
                extra = 1 + _larger(height, width) % 2
                padded = height + extra
                x = g.pad("stem.pad", x, padded, padded if width is height else width + extra)
            window: dict[str, Any] = {"kernel": 3, "stride": stride, "same": _same_stem(settings), "batch_norm": False}
            # a depthwise of one channel runs as a dense convolution
            dense = settings.in_channels == 1
            x = g.conv("stem.dw", x, 1, **window) if dense else g.depthwise("stem.dw", x, **window)
            x = g.conv("stem.pw", x, widths[f"c{_STEM}"], activation=act)
            shortcut = x
            x = g.depthwise("b0.dw", x, kernel=3, padding=1, activation=act)
            x = g.conv("b0.project", x, widths[f"c{_FIRST}"])
            if residuals[0]:
                x = g.add("b0.add", x, shortcut)
        for (i, _, out, kernel, stride, pool_before), pixel, residual in zip(
            blocks, pixels, residuals[1:], strict=True
        ):
            if pool_before:
                x = g.max_pool(f"b{i}.pool", x)
            x = self._block(g, settings, x, i, widths, widths[f"c{out}"], kernel, stride, pixel, residual, act)
            if settings["pool"] and i in (1, 3):
                x = g.max_pool(f"b{i}.pool_after", x)
        if settings["include_top"]:
            x = g.average_pool("top.pool", x, 1, 1, identity=pixels[-1])
            g.linear("top.fc", x, settings.classes)
        return g

    def _block(
        self,
        g: Graph,
        settings: Settings,
        x: Tensor,
        i: int,
        widths: Widths,
        out: Any,
        kernel: int,
        stride: int,
        pixel: bool,
        residual: bool,
        act: str,
    ) -> Tensor:
        shortcut = x
        x = g.conv(f"b{i}.expand", x, widths[f"E{i}"], activation=act)
        # the reference pads a strided depthwise by 1 whatever its kernel
        padding, same = kernel // 2 if stride == 1 else 1, pads_same(settings, stride)
        x = g.depthwise(f"b{i}.dw", x, kernel=kernel, stride=stride, padding=padding, same=same, activation=act)
        if settings["squeeze_excite"]:
            gate = g.average_pool(f"b{i}.se.pool", x, 1, 1, identity=pixel)
            gate = g.conv(f"b{i}.se.reduce", gate, widths[f"r{i}"], batch_norm=False, activation=act)
            gate = g.conv(f"b{i}.se.expand", gate, widths[f"E{i}"], batch_norm=False, activation="sigmoid")
            x = g.mul(f"b{i}.se.scale", x, gate, broadcast=True)
        x = g.conv(f"b{i}.project", x, out)
        return g.add(f"b{i}.add", x, shortcut) if residual else x


def _stem_map(settings: Settings, height: int, width: int) -> tuple[int, int]:
    if settings["conv2d_input"]:
        return height - 2, width - 2
    padding = 1 if max(height, width) % 2 == 0 else 2
    stride = settings["first_conv_stride"]
    if _same_stem(settings):
        return -(-height // stride), -(-width // stride)
    return (height + padding - 3) // stride + 1, (width + padding - 3) // stride + 1


def _same_stem(settings: Settings) -> bool:
    """Does the stem pad like SAME: where it strides, if asked to."""
    return pads_same(settings, settings["first_conv_stride"])


def _strided(settings: Settings, side: int, kernel: int) -> int:
    """Side of a map behind a strided depthwise."""
    return (side + 1) // 2 if pads_same(settings, 2) else (side + 2 - kernel) // 2 + 1


def _pooled(settings: Settings, i: int, pool_before: bool, height: int, width: int) -> tuple[int, int]:
    halvings = pool_before + (settings["pool"] and i in (2, 4))  # both in front of block 4, if it downsamples
    return height // 2**halvings, width // 2**halvings


def _larger(height: Any, width: Any) -> Any:
    # arrays and symbols come square: only fixed input shapes are rectangular, and those are ints
    return height if width is height else max(height, width)


PHINET = PhiNet()
