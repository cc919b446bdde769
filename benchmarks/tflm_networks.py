"""The networks that ``python -m benchmarks.tflm_sweep`` measures: every family and what changes its graph, kept small."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

Network = tuple[str, dict[str, Any], tuple[int, int, int], int]
"""Family, hyperparameters and options, input shape (C, H, W) [px], classes."""

PHINET = {"num_layers": 6, "t_zero": 4, "alpha": 0.25}
ATOMNET = {
    **{f"width{s}": width for s, width in enumerate((16, 16, 24, 32, 40, 48))},
    "depth4": 2,
    "depth5": 1,
    "expand4": 3,
    "expand5": 3,
}
MCUNET = {"base_widths": [16, 8, 16, 24, 32, 40, 48, 64]}
MCUNET_KERNELS = {**MCUNET, "kernel2_1": 5, "kernel3_1": 7, "kernel4_1": 5}


def _square(side: int, channels: int = 3) -> tuple[int, int, int]:
    return (channels, side, side)


def _phinet() -> Iterator[Network]:
    small = PHINET
    plain = {**small, "activation": "relu6", "squeeze_excite": False}
    for side in (64, 48, 70, 65, 33):
        yield "phinet", small, _square(side), 10
    yield "phinet", {"alpha": 0.2}, _square(96), 2
    yield "phinet", {"num_layers": 9, "t_zero": 5, "beta": 0.75, "alpha": 0.3}, _square(80), 23
    yield "phinet", plain, _square(64), 10
    yield "phinet", plain, _square(66), 100
    yield "phinet", {**small, "activation": "relu6"}, _square(64), 10
    yield "phinet", {**small, "squeeze_excite": False}, _square(64), 10
    yield "phinet", {**small, "pool": True}, _square(64), 10
    yield "phinet", {**plain, "pool": True}, _square(50), 10
    yield "phinet", {**small, "conv2d_input": True}, _square(32), 10
    yield "phinet", {**plain, "conv2d_input": True}, _square(32), 10
    yield "phinet", {**small, "conv5_percent": 0.5}, _square(64), 10
    yield "phinet", {**small, "residuals": False}, _square(64), 10
    yield "phinet", {**small, "first_conv_stride": 1}, _square(40), 10
    yield "phinet", {**small, "divisor": 8}, _square(64), 10
    yield "phinet", {**small, "include_top": False}, _square(64), 10
    yield "phinet", small, _square(64, 1), 10
    yield "phinet", small, (3, 64, 96), 10
    yield "phinet", {"num_layers": 7, "alpha": 0.2, "downsampling_layers": [4, 6]}, _square(64), 1000


def _xinet() -> Iterator[Network]:
    for alpha, side, classes in ((0.3, 64, 10), (0.5, 80, 2), (0.4, 96, 100), (0.25, 128, 10), (0.5, 64, 1000)):
        yield "xinet", {"alpha": alpha}, _square(side), classes
    small = {"alpha": 0.4}
    yield "xinet", small, _square(72), 10  # TensorFlow Lite Micro has no such adaptive pool
    yield "xinet", small, _square(48), 10
    yield "xinet", small, _square(112), 10
    yield "xinet", {**small, "skip": False}, _square(64), 10
    yield "xinet", {**small, "skip": False}, _square(72), 10
    yield "xinet", {**small, "attention": False}, _square(64), 10
    yield "xinet", {**small, "attention": False, "skip": False}, _square(63), 10
    yield "xinet", {**small, "gamma": 2, "num_layers": 6}, _square(80), 10
    yield "xinet", {**small, "num_layers": 6}, _square(96), 10
    yield "xinet", {**small, "num_layers": 3}, _square(32), 10
    yield "xinet", {**small, "num_layers": 7}, _square(64), 10
    yield "xinet", {**small, "num_layers": 5}, _square(32), 10
    yield "xinet", {**small, "beta": 1.25}, _square(64), 10
    yield "xinet", small, _square(64, 1), 10
    yield "xinet", {"alpha": 0.75}, _square(64), 10


def _mobilenets() -> Iterator[Network]:
    for alpha, side, classes in ((0.25, 96, 2), (0.25, 65, 10), (0.125, 48, 10), (0.25, 33, 1000), (0.5, 64, 10)):
        yield "mobilenet_v1", {"alpha": alpha}, _square(side), classes
    yield "mobilenet_v1", {"alpha": 0.1, "divisor": 1}, _square(50), 3
    yield "mobilenet_v1", {"alpha": 0.25}, _square(96, 1), 2
    yield "mobilenet_v1", {"alpha": 0.25}, _square(32), 10
    for alpha, side, classes in ((0.35, 96, 2), (0.25, 65, 10), (0.1, 48, 10), (0.35, 33, 1000)):
        yield "mobilenet_v2", {"alpha": alpha}, _square(side), classes
    yield "mobilenet_v2", {"alpha": 0.2, "scale_head": True}, _square(72), 10
    yield "mobilenet_v2", {"alpha": 0.2, "scale_head": True, "divisor": 1}, _square(64, 1), 10
    yield "mobilenet_v2", {"alpha": 0.2, "scale_head": True, "include_top": False}, _square(64), 10


def _atomnet() -> Iterator[Network]:
    small = ATOMNET
    for side, classes in ((64, 10), (96, 2), (70, 10), (33, 1000)):
        yield "atomnet", small, _square(side), classes
    for activation in ("relu6", "hard_swish"):
        yield "atomnet", {**small, "activation": activation}, _square(64), 10
    yield "atomnet", {**small, "activation": "hard_swish", "se_stages": []}, _square(64), 10
    yield "atomnet", {**small, "se_stages": []}, _square(64), 10
    yield "atomnet", {**small, "se_stages": [1, 2, 3, 4, 5]}, _square(64), 10
    yield "atomnet", {**small, "se_placement": "expanded"}, _square(64), 10
    yield "atomnet", {**small, "residual": "all", "width2": 16}, _square(64), 10
    yield "atomnet", {**small, "residual": "none"}, _square(64), 10
    for kernel, side in ((5, 64), (5, 65), (7, 64), (1, 64)):
        yield "atomnet", {**small, "kernel": kernel}, _square(side), 10
    yield "atomnet", {**small, "block3": "mbconv", "block4": "mbconv", "block5": "mbconv"}, _square(64), 10
    yield "atomnet", {**small, "expand4": 1, "expansion_base": "out"}, _square(64), 10
    yield "atomnet", small, _square(64, 1), 10
    yield "atomnet", small, (3, 48, 80), 10


def _mcunet() -> Iterator[Network]:
    for preset, side, classes in (("mcunet-vww0", 64, 2), ("mcunet-in0", 48, 1000), ("mcunet-vww1", 80, 2)):
        yield "mcunet", {"preset": preset}, _square(side), classes
    narrow = MCUNET
    yield "mcunet", narrow, _square(64), 10
    yield "mcunet", MCUNET_KERNELS, _square(64), 10
    yield "mcunet", MCUNET_KERNELS, _square(65), 10
    yield "mcunet", {**narrow, "mix_channels": 96, "depth2": 1, "depth6": 1}, _square(96), 100
    yield "mcunet", {**narrow, "expand2_1": 1, "kernel5_1": 1}, _square(72), 10
    yield "mcunet", narrow, _square(64, 1), 10
    yield "mcunet", {"preset": "mbv2-w0.35"}, _square(96), 1000
    yield "mcunet", {"preset": "proxyless-w0.3"}, _square(80), 1000
    yield "mcunet", {"preset": "mcunet-in1"}, _square(96), 1000
    yield "mcunet", {"preset": "mcunet-vww2"}, _square(144), 2


def _in_turn(sources: Iterable[Iterable[Network]]) -> list[Network]:
    """Families in turn, so that a part of the rows covers all."""
    queues = [list(source) for source in sources]
    longest = max(map(len, queues))
    return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]


def reference_networks() -> list[Network]:
    """The networks as they were published, whatever their options."""
    return _in_turn(source() for source in (_phinet, _xinet, _mobilenets, _atomnet, _mcunet))


def _phinet_variants() -> Iterator[Network]:
    for alpha, side in ((0.5, 96), (0.25, 65)):
        for padding in ("reference", "same"):
            for activation in ("hswish", "relu6"):
                variant = {"padding": padding, "activation": activation}
                yield "phinet", {**PHINET, "alpha": alpha, **variant}, _square(side), 10
    same = {**PHINET, "padding": "same", "activation": "relu6"}
    yield "phinet", {**same, "conv5_percent": 0.5}, _square(64), 10
    yield "phinet", {**same, "activation": "hswish", "conv5_percent": 0.5}, _square(65), 10
    yield "phinet", same, (3, 64, 97), 10  # one axis alone wants an even padding
    yield "phinet", {**same, "first_conv_stride": 1}, _square(40), 10
    yield "phinet", {**same, "first_conv_stride": 3}, _square(64), 10
    yield "phinet", {**same, "conv2d_input": True}, _square(32), 10


def _xinet_variants() -> Iterator[Network]:
    base = {"gamma": 4, "num_layers": 5}
    for padding in ("reference", "same"):
        for activation in ("silu", "relu6", "hswish"):
            variant = {"padding": padding, "activation": activation}
            yield "xinet", {**base, "alpha": 0.5, **variant}, _square(96), 10
            yield "xinet", {**base, "alpha": 0.4, "skip": False, **variant}, _square(63), 10
    yield "xinet", {**base, "alpha": 0.4, "padding": "same", "activation": "relu6"}, (3, 48, 80), 10


def _other_variants() -> Iterator[Network]:
    same = {"padding": "same"}
    for side in (96, 65):
        yield "mobilenet_v1", {"alpha": 0.25, **same}, _square(side), 10
    for side in (96, 70):
        yield "mobilenet_v2", {"alpha": 0.35, **same}, _square(side), 2
    yield "atomnet", {**ATOMNET, **same}, _square(64), 10
    yield "atomnet", {**ATOMNET, **same, "kernel": 7}, _square(70), 10
    yield "atomnet", {**ATOMNET, **same, "kernel": 5, "block3": "mbconv", "block4": "mbconv"}, (1, 48, 80), 10
    yield "mcunet", {**MCUNET, **same}, _square(64), 10
    yield "mcunet", {**MCUNET_KERNELS, **same}, _square(96), 10


def variant_networks() -> list[Network]:
    """Networks padded as TensorFlow's SAME or with another activation, beside their reference forms."""
    return _in_turn(source() for source in (_phinet_variants, _xinet_variants, _other_variants))
