"""One number that was predicted and measured, and one that could not be compared."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

COLUMNS = (
    "runtime", "quantity", "group", "network", "unit", "predicted_low", "predicted_high", "measured", "verdict", "fitted", "source",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """``low`` to ``high`` was predicted, one number where they are equal; ``measured`` is what the runtime or its
    authors report.

    All in ``unit``: B, MAC or 1 (parameters). ``digit`` is one unit of the last digit that the source prints,
    ``allowed`` the error that the runtime states of itself. ``fitted``: the row had a part in the making of the rule.
    """

    runtime: str
    quantity: str
    group: str
    network: str
    low: float
    high: float
    measured: float
    source: str
    unit: str = "B"
    digit: float = 1.0
    allowed: float = 0.0
    fitted: bool = False

    @property
    def interval(self) -> bool:
        return self.low != self.high

    @property
    def excess(self) -> float:
        """How far the prediction lies off, positive where it is too large: 0 where it is equal or contains the measured
        number."""
        if self.low <= self.measured <= self.high or (
            not self.interval and abs(self.high - self.measured) < self.digit
        ):
            return 0.0
        return self.high - self.measured if self.measured > self.high else self.low - self.measured

    @property
    def error(self) -> float:
        """`excess` over the measured number."""
        return self.excess / self.measured

    @property
    def width(self) -> float:
        """high - low over the measured number."""
        return (self.high - self.low) / self.measured

    @property
    def miss(self) -> bool:
        """Is it off by more than the runtime says of itself?"""
        return abs(self.excess) > self.allowed

    @property
    def verdict(self) -> str:
        if self.excess:
            return f"{'miss ' if self.miss else ''}{100 * self.error:+.2f} %"
        return "inside" if self.interval else "equal"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A published or measured row that nothing is compared with, and why."""

    runtime: str
    network: str
    reason: str
    source: str


def as_csv(records: Sequence[Record]) -> str:
    """Every record, one a line; counts of bytes and the like rounded to whole ones."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for r in records:
        numbers = [round(r.low), round(r.high), round(r.measured)]
        made = "yes" if r.fitted else "no"
        writer.writerow([r.runtime, r.quantity, r.group, r.network, r.unit, *numbers, r.verdict, made, r.source])
    return out.getvalue()
