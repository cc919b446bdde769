"""Published width x resolution grids: ImageNet top-1 of MobileNets, priced by hwscale.

benchmarks/data/mobilenet_accuracy.csv holds the published part, a source per row; costs are those of the runtime
`tensors` with 1000 classes.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

import hwscale

DATA = Path(__file__).parent / "data" / "mobilenet_accuracy.csv"
GRIDS = {
    "MobileNetV1, float": ("mobilenet_v1", "slim"),
    "MobileNetV1, int8": ("mobilenet_v1", "slim-QAT"),
    "MobileNetV2, float": ("mobilenet_v2", "slim"),
}
"""Family and training recipe of each grid."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """The networks of one published grid: their costs [B, MAC, 1], input sides [px] and ImageNet top-1 [%]."""

    name: str
    costs: dict[str, Floats]
    sides: Floats
    top1: Floats

    def __len__(self) -> int:
        return len(self.top1)


@cache
def load(name: str) -> Grid:
    """A grid of `GRIDS`, priced by hwscale."""
    with DATA.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if (row["net"], row["recipe"]) == GRIDS[name]]
    priced = [
        hwscale.cost(
            row["net"], {"alpha": row["alpha"], "resolution": row["resolution"]}, classes=1000, runtime="tensors"
        ).cost
        for row in rows
    ]
    costs = {
        "ram": [cost.ram_bytes for cost in priced],
        "flash": [cost.flash_bytes for cost in priced],
        "macs": [cost.macs for cost in priced],
        "params": [cost.params for cost in priced],
    }
    sides = [float(row["resolution"]) for row in rows]
    return Grid(
        name, {key: np.array(values, np.float64) for key, values in costs.items()}, np.array(sides),
        np.array([float(row["top1_percent"]) for row in rows]),
    )  # fmt: skip
