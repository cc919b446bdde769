"""The constants of `hwscale.timing`, computed from the data that they stand for: by what factor predictions were off.

A factor is the larger of predicted / published and its inverse, so 1 where both are equal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from benchmarks.latency_fit import fits, used
from benchmarks.latency_networks import README
from benchmarks.latency_predicted import Predicted, by_timing
from benchmarks.latency_published import samples
from benchmarks.latency_record import Row, lines
from hwscale.timing import TRANSFER, Timing

HOME = "stm32h743"
"""The part whose models are moved: it has most networks of each library."""
MOVED = {
    "x-cube-ai 7.3": "x-cube-ai 7.3",
    "x-cube-ai (AtomNet)": "x-cube-ai 7.3",
    "tinyengine (AtomNet)": "tinyengine",
}
"""Library on another part: the model of `HOME` that stands for it."""
CORTEX_M7 = ("", "stm32f746", "stm32h747", "stm32h7a3")
OPTIMISED = ("tflm + cmsis-nn", "x-cube-ai 7.3", "tinyengine")
CONV2D = "ResNet v1 8 32x32x3"
"""The only published network whose MACs are nearly all of dense convolutions."""


@dataclass(frozen=True)
class Compared:
    """One comparison and the factor between its two numbers."""

    name: str
    first: float
    second: float
    flagged: bool = False

    @property
    def error(self) -> float:
        """first / second - 1."""
        return self.first / self.second - 1

    @property
    def factor(self) -> float:
        """The larger over the smaller."""
        return max(self.first / self.second, self.second / self.first)


def worst(found: Sequence[Compared]) -> Compared:
    """The comparison with the largest factor."""
    return max(found, key=lambda one: one.factor)


def share_within(found: Sequence[Compared], share: float) -> float:
    """The factor that this share of the comparisons keeps to."""
    return sorted(one.factor for one in found)[math.ceil(share * len(found)) - 1]


@lru_cache(maxsize=1)
def moved() -> tuple[Predicted, ...]:
    """Rows of other Cortex-M7 parts by the models of `HOME`, scaled by the clock, with widened intervals."""
    models = {fit.library: fit.model for fit in fits() if fit.platform == HOME}
    found = []
    for row in samples():
        if row.platform in CORTEX_M7 and row.library in MOVED and used(row):
            model = models[MOVED[row.library]].scaled(row.clock_hz)
            found.append(by_timing(row, Timing(model.widened(TRANSFER, f"widened x {TRANSFER:g}")), unseen=False))
    return tuple(found)


def transfer() -> list[Compared]:
    """The same as factors."""
    return [_compared(one) for one in moved()]


def _compared(one: Predicted) -> Compared:
    assert one.found is not None
    name = f"{one.part} {one.row.library} {one.row.sample.name}"
    return Compared(name, one.found.predicted_s, one.found.sample.latency_s)


def literature() -> list[Compared]:
    """Rates of single operators from papers, on networks of MLPerf Tiny."""
    return [
        Compared(
            f"{row['rate_set']}: {row['benchmark']} of {row['target']}",
            float(row["predicted_ms"]),
            float(row["measured_scaled_ms"]),
        )
        for _, row in lines("operator_model_validation.csv")
    ]


def another_runtime() -> list[Compared]:
    """Every pair of optimised libraries on every network of TinyEngine's README whose architecture is published."""
    flags = {number: row["flag"] for number, row in lines("latency_tinyengine_readme.csv")}
    rows: dict[str, dict[str, Row]] = {}
    for row in samples():
        if row.group == README:
            rows.setdefault(row.sample.network, {})[row.library] = row
    return [
        Compared(
            f"{network}: {a} over {b}",
            of[a].sample.latency_s,
            of[b].sample.latency_s,
            bool(flags[of[a].sample.row]),
        )
        for network, of in rows.items()
        for a, b in combinations(OPTIMISED, 2)
        if a in of and b in of
    ]


def unseen() -> list[Compared]:
    """`CONV2D` as fits to the other networks predict it, for each part and library that has it."""
    return [
        Compared(f"{fit.platform} {fit.library}", one.predicted_s, one.sample.latency_s)
        for fit in fits()
        for one in fit.calibration.left_out
        if one.sample.network == CONV2D
    ]
