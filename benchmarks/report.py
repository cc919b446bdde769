"""What a benchmark found, as text and as JSON: one measured line each, judged where it has a bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """One number; ``bar`` is its limit, an upper one unless ``at_least``; None where the number only informs."""

    section: str
    name: str
    value: float
    unit: str
    bar: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether the bar is met; None without one."""
        if self.bar is None:
            return None
        return self.value >= self.bar if self.at_least else self.value <= self.bar

    @property
    def verdict(self) -> str:
        """PASS, FAIL, or nothing to judge."""
        return {True: "PASS", False: "FAIL", None: ""}[self.passed]

    def cells(self) -> tuple[str, ...]:
        """Name, value, bar, verdict, note."""
        bar = "" if self.bar is None else f"{'>=' if self.at_least else '<='} {show(self.bar, self.unit)}"
        return self.name, show(self.value, self.unit), bar, self.verdict, self.note

    def to_dict(self) -> dict[str, Any]:
        """Its JSON form."""
        return {**asdict(self), "passed": self.passed}


def show(value: float, unit: str) -> str:
    """A number for people; ``unit`` "s" is shown in ms below one second."""
    if unit == "s" and value < 1:
        return f"{value * 1e3:.1f} ms"
    if abs(value) >= 1e5:
        return f"{value / 1e6:.2f} M{unit}"
    return f"{value:.3f} {unit}".rstrip()


def table(rows: Sequence[Sequence[str]], heads: Sequence[str], indent: str = "  ") -> str:
    """Aligned columns; the first is flush left, numbers flush right, the last one free text."""
    widths = [max(len(row[at]) for row in [heads, *rows]) for at in range(len(heads))]
    last = len(heads) - 1
    printed = []
    for row in [heads, *rows]:
        cells = [
            cell.ljust(width) if at in (0, last) else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        printed.append((indent + "  ".join(cells)).rstrip())
    return "\n".join(printed)


def lines_table(lines: Sequence[Line]) -> str:
    """Measured lines as a table."""
    return table([line.cells() for line in lines], ("", "measured", "bar", "", ""))
