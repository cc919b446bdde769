"""What a platform's operator rates say of each other: efficiency against conv2d, implied power, contradictions.

A printed figure stands for an interval, half a unit of its last digit to either side. Two figures contradict each other
only where no values from their intervals agree, so that rounding alone never raises a flag.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from statistics import median
from typing import Literal, NamedTuple, TypeAlias

from hwscale.platform import Platform
from hwscale.platform_records import Rate

REFERENCE = "conv2d"
"""The operator whose efficiency is 100 %."""
_FEWEST_POWERS = 3  # two may agree by chance
ContradictionKind: TypeAlias = Literal["implied_power", "printed_efficiency", "truncated_efficiency"]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Figures of one row that rounding does not reconcile, in a sentence."""

    kind: ContradictionKind
    message: str


@dataclass(frozen=True, slots=True)
class OperatorEfficiency:
    """One operator under one runtime; None where a figure is not known, or the runtime cannot run the operator.

    ``speed_pct`` and ``energy_pct`` are MAC/s and MAC/mJ in % of conv2d's, ``implied_power_mw`` is their ratio [mW].
    """

    operator: str
    mac_per_s: int | None
    speed_pct: float | None
    mac_per_mj: int | None
    energy_pct: float | None
    printed_pct: int | None
    implied_power_mw: float | None
    status: str
    source: str
    contradictions: tuple[Contradiction, ...]


@dataclass(frozen=True, slots=True)
class EfficiencyTable:
    """The operators of one rate set.

    ``constant_power_mw`` are the ends of the range of one power [mW] that turns MAC/s into MAC/mJ for most operators
    within rounding, None where there is no such power. Where there is, MAC/mJ is no measurement of its own.
    """

    runtime: str
    constant_power_mw: tuple[float, float] | None
    operators: tuple[OperatorEfficiency, ...]


class _Interval(NamedTuple):
    """What a rounded figure may have been before."""

    low: float
    high: float

    def over(self, other: _Interval) -> _Interval:
        """What the ratio of two positive figures may be."""
        return _Interval(self.low / other.high, self.high / other.low)

    def within(self, other: _Interval) -> _Interval:
        """What lies in both; the ends are swapped where nothing does."""
        return _Interval(max(self.low, other.low), min(self.high, other.high))

    def meets(self, other: _Interval) -> bool:
        """Whether some value lies in both."""
        both = self.within(other)
        return both.low <= both.high


def operator_efficiency(platform: Platform) -> tuple[EfficiencyTable, ...]:
    """One table for each rate set of a platform, in the order of its descriptor; empty where it has no rates."""
    runtimes = dict.fromkeys(rate.runtime for rate in platform.throughput)
    return tuple(_table(name, [rate for rate in platform.throughput if rate.runtime == name]) for name in runtimes)


def _table(runtime: str, rates: Sequence[Rate]) -> EfficiencyTable:
    speed = {rate.operator: rate.mac_per_s for rate in rates if rate.mac_per_s is not None}
    energy = {rate.operator: rate.mac_per_mj for rate in rates if rate.mac_per_mj is not None}
    # a source prints MAC/mJ with the same decimals down the column (1.40 beside 1.34), and MAC/s with varying ones
    speeds = {operator: _unrounded(figure, figure) for operator, figure in speed.items()}
    energies = {operator: _unrounded(figure, *energy.values()) for operator, figure in energy.items()}
    powers = {operator: speeds[operator].over(energies[operator]) for operator in energies}
    constant = _constant(powers)
    rows = []
    for rate in rates:
        row = OperatorEfficiency(
            operator=rate.operator,
            mac_per_s=rate.mac_per_s,
            speed_pct=_percent(speed, rate.operator),
            mac_per_mj=rate.mac_per_mj,
            energy_pct=_percent(energy, rate.operator),
            printed_pct=rate.efficiency_pct,
            implied_power_mw=speed[rate.operator] / energy[rate.operator] if rate.operator in energy else None,
            status=rate.source.status,
            source=rate.source.text,
            contradictions=(),
        )
        found = []
        if constant and rate.operator in powers and not powers[rate.operator].meets(constant):
            found.append(_off_power(row, constant))
        ratios = [*_ratio(speeds, rate.operator), *_ratio(energies, rate.operator)]
        if rate.efficiency_pct is not None and ratios:
            found += _off_print(row, rate.efficiency_pct, ratios)
        rows.append(replace(row, contradictions=tuple(found)))
    return EfficiencyTable(runtime, constant, tuple(rows))


def _unrounded(figure: int, *column: int) -> _Interval:
    """What a figure may have been before it was rounded to the last digit that its column shows."""
    common, unit = math.gcd(*column), 1
    while common % (10 * unit) == 0:
        unit *= 10
    return _Interval(figure - unit / 2, figure + unit / 2)


def _constant(powers: Mapping[str, _Interval]) -> _Interval | None:
    """The one power that most operators share within rounding [mW], or None."""
    if not powers:
        return None
    # the median of the powers before rounding lies between the medians of their ends
    usual = _Interval(median(power.low for power in powers.values()), median(power.high for power in powers.values()))
    near = [power for power in powers.values() if power.meets(usual)]
    shared = reduce(_Interval.within, near)
    most = len(near) >= _FEWEST_POWERS and 2 * len(near) > len(powers)
    return shared if most and shared.low <= shared.high else None


def _percent(column: Mapping[str, int], operator: str) -> float | None:
    return 100 * column[operator] / column[REFERENCE] if {operator, REFERENCE} <= column.keys() else None


def _ratio(column: Mapping[str, _Interval], operator: str) -> list[_Interval]:
    """What the efficiency by one column may be [% of conv2d], in a list that is empty where it is unknown."""
    if not {operator, REFERENCE} <= column.keys():
        return []
    ratio = column[operator].over(column[REFERENCE])
    return [_Interval(100 * ratio.low, 100 * ratio.high)]


def _off_power(row: OperatorEfficiency, usual_mw: _Interval) -> Contradiction:
    usual = f"{usual_mw.low:.4g} to {usual_mw.high:.4g} mW"
    message = f"implied power {row.implied_power_mw:.4g} mW, of the other operators {usual}"
    printed = [] if row.printed_pct is None else [f"printed {row.printed_pct} %"]
    told = ", ".join([*_told(row), *printed])
    return Contradiction("implied_power", f"{message}: {told}" if told else message)


def _off_print(row: OperatorEfficiency, printed: int, ratios: Sequence[_Interval]) -> list[Contradiction]:
    """The printed efficiency against every ratio that it may have been computed from."""
    rounded, truncated = _Interval(printed - 0.5, printed + 0.5), _Interval(printed, printed + 1)
    if any(ratio.meets(rounded) for ratio in ratios):
        return []
    told = ", ".join(_told(row))
    if all(ratio.meets(truncated) for ratio in ratios):
        return [Contradiction("truncated_efficiency", f"printed {printed} % looks truncated, not rounded: {told}")]
    return [Contradiction("printed_efficiency", f"printed {printed} % follows from no other figure: {told}")]


def _told(row: OperatorEfficiency) -> list[str]:
    columns = (("MAC/s", row.speed_pct), ("MAC/mJ", row.energy_pct))
    return [f"{name} says {percent:.4g} %" for name, percent in columns if percent is not None]
