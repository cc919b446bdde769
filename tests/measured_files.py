"""Files of measurements made from known coefficients, and a board to calibrate."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from hwscale.ledger import OpRecord, OpShape
from hwscale.measured_networks import read_network
from hwscale.work import DENSE, KERNELS, Work, shape_record

HEADER = "operator,in_channels,in_height,in_width,out_channels,out_height,out_width,kernel,stride"
COLUMNS = "name,operator,in_channels,in_height,in_width,out_channels,out_height,out_width,kernel,stride,latency_ms"
MADE = {
    "conv2d": (2.6e-9, 8e-9, 40e-6),
    "pointwise": (2.2e-9, 6e-9, 30e-6),
    "depthwise": (9e-9, 5e-9, 50e-6),
    "fully_connected": (3e-9, 7e-9, 20e-6),
    "add": (0.0, 4e-9, 10e-6),
}
"""Seconds per MAC, per element and per call."""
WINDOWED = {
    "conv2d": [(2, 2, 2, 3, 1), (3, 3, 2, 3, 1), (4, 96, 1, 3, 3), (6, 60, 1, 3, 3), (8, 48, 1, 3, 3), (64, 8, 64, 5, 1), (32, 12, 96, 5, 1), (48, 16, 48, 3, 1)],
    "pointwise": [(2, 2, 2, 1, 1), (4, 2, 3, 1, 1), (2, 96, 2, 1, 1), (1, 128, 3, 1, 1), (3, 64, 1, 1, 1), (256, 8, 256, 1, 1), (128, 16, 200, 1, 1), (320, 6, 640, 1, 1)],
    "depthwise": [(2, 2, 2, 3, 1), (4, 3, 4, 3, 1), (24, 48, 24, 3, 3), (8, 96, 8, 3, 3), (60, 30, 60, 3, 3), (96, 16, 96, 7, 1), (48, 24, 48, 7, 1), (192, 12, 192, 7, 1)],
    "add": [(2, 2, 2, 1, 1), (4, 2, 4, 1, 1), (8, 4, 8, 1, 1), (16, 8, 16, 1, 1), (16, 48, 16, 1, 1), (24, 32, 24, 1, 1), (96, 24, 96, 1, 1), (8, 96, 8, 1, 1)],
}  # fmt: skip
"""Channels, side, channels out, kernel, stride: calls, map elements and MACs each decide some."""
VECTORS = ((4, 2), (10, 8), (16, 1), (20000, 1), (30000, 1), (1280, 1000), (576, 400), (1024, 800))
NETWORKS = tuple(
    f"{family} alpha={alpha} resolution={side} classes={classes}"
    for family, alpha, side, classes in (
        ("phinet", 0.5, 64, 10),
        ("phinet", 1.5, 96, 2),
        ("phinet", 0.9, 160, 100),
        ("mobilenet_v1", 0.25, 96, 2),
        ("mobilenet_v1", 0.5, 128, 1000),
        ("mobilenet_v2", 0.35, 96, 10),
        ("mobilenet_v2", 1.0, 64, 1000),
        ("xinet", 1.0, 64, 10),
        ("xinet", 0.7, 128, 10),
    )
)
NETWORK_MADE = {
    Work("macs", DENSE): 2.6e-9,
    Work("macs", ("depthwise",)): 9e-9,
    Work("elements", KERNELS): 8e-9,
    Work("ops", KERNELS): 40e-6,
}


def shapes(kinds: Sequence[str] = tuple(MADE)) -> list[OpShape]:
    """Eight of each kind."""
    found = []
    for kind in kinds:
        if kind == "fully_connected":
            found += [OpShape(kind, c, 1, 1, k, 1, 1) for c, k in VECTORS]
        else:
            found += [OpShape(kind, c, n, n, k, n // s, n // s, w, s) for c, n, k, w, s in WINDOWED[kind]]
    return found


def seconds(shape: OpShape) -> float:
    """What an op takes by `MADE` [s]."""
    op = shape_record(shape)
    per_mac, per_element, per_call = MADE[shape.kind]
    return op.macs * per_mac + op.elements * per_element + per_call


def network_seconds(ops: Sequence[OpRecord], made: Mapping[Work, float] = NETWORK_MADE) -> float:
    """What a network takes [s]."""
    return sum(work.of(ops) * each for work, each in made.items())


def cells(shape: OpShape) -> str:
    """The columns of `HEADER`."""
    read = f"{shape.in_channels},{shape.in_height},{shape.in_width}"
    return (
        f"{shape.kind},{read},{shape.out_channels},{shape.out_height},{shape.out_width},{shape.kernel},{shape.stride}"
    )


def operator_rows(kinds: Sequence[str] = tuple(MADE), noise: float = 0.0, unit_s: float = 1e-3) -> list[str]:
    """A row of `HEADER` and a latency for each of `shapes`."""
    source = random.Random(7)
    every = shapes(kinds)
    return [f"{cells(s)},{seconds(s) * (1 + source.gauss(0, noise)) / unit_s:.15g}" for s in every]


def network_rows(runtime: str = "tflm", noise: float = 0.0) -> list[str]:
    """A row for each of `NETWORKS`: its name and its latency [ms]."""
    source = random.Random(7)
    made = [(text, network_seconds(read_network(text, Path(), runtime)[1])) for text in NETWORKS]
    return [f"{text},{1e3 * s * (1 + source.gauss(0, noise)):.15g}" for text, s in made]


def write(path: Path, header: str, rows: Sequence[str]) -> Path:
    """A CSV."""
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


BOARD = """schema = "hwscale-platform/1"
name = "my"
part = "STM32F746NGH6"
vendor = "STMicroelectronics"
core = "Cortex-M7"

[clock]
hz = 216_000_000
source = "its data sheet"
status = "primary"

[[ram]]
name = "sram"
size_bytes = "320 KiB"
arena = true
source = "its data sheet"
status = "primary"
"""
