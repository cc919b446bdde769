"""The accuracy that published latencies are held to, and what the operator models reach of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.latency_networks import ATOMNET, README
from benchmarks.latency_predicted import Predicted, Statistics, predictions, statistics
from benchmarks.latency_record import Row

SPEARMAN_BAR, COVERAGE_BAR = 0.97, 0.85
INTERVAL = "nominal 90 % interval"


@dataclass(frozen=True)
class Bar:
    """``mape`` is the largest mean error allowed to the rows that ``holds`` chooses, library by library."""

    name: str
    mape: float
    holds: Callable[[Row], bool]


BARS = (
    Bar("STM32H743, TinyEngine README", 0.10, lambda row: row.bar == README),
    Bar("STM32H747, ST model zoo, MobileNets", 0.12, lambda row: row.bar == "ST MobileNet" and bool(row.platform)),
    Bar("STM32F746, AtomNet Table 3", 0.05, lambda row: row.group == ATOMNET and row.platform == "stm32f746"),
)


@dataclass(frozen=True)
class Judged:
    """The rows of one library under one bar."""

    bar: Bar
    library: str
    ground: str
    found: Statistics

    @property
    def missed(self) -> tuple[str, ...]:
        """Names of the figures that miss their bar; a rank is not asked of fewer than three rows."""
        figures = self.found
        rank = figures.spearman is not None and figures.spearman < SPEARMAN_BAR
        said = {
            "MAPE": figures.mape > self.bar.mape,
            "Spearman": rank,
            "coverage": figures.coverage < COVERAGE_BAR,
        }
        return tuple(name for name, short in said.items() if short)


def judged() -> list[Judged]:
    """Every library under every bar, in the order of the data."""
    lines = []
    for bar in BARS:
        groups: dict[tuple[str, str], list[Predicted]] = {}
        for one in predictions():
            if bar.holds(one.row) and one.found is not None:
                groups.setdefault((one.row.library, one.ground), []).append(one)
        for (library, ground), rows in groups.items():
            found = [one.found for one in rows if one.found is not None]
            lines.append(Judged(bar, library, ground, statistics(found)))
    return lines
