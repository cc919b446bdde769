"""Limits and targets: from a platform and the user's words to exact integers, and back to the user's units."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from hwscale.errors import ConfigError, PlatformError, nearest
from hwscale.ledger import NetworkRecord
from hwscale.platform import Platform, RateSet
from hwscale.platform_check import STATUSES
from hwscale.problem import FEMTO, LONGEST_FS
from hwscale.runtimes.runtime import Runtime
from hwscale.units import (
    format_bytes,
    format_count,
    format_joules,
    format_seconds,
    parse_bytes,
    parse_count,
    parse_joules,
    parse_seconds,
)

LARGEST_COUNT = 2**62
LIMITS = ("ram", "flash", "macs", "latency", "energy")
_PARSERS: dict[str, Any] = {
    "ram": parse_bytes,
    "flash": parse_bytes,
    "macs": parse_count,
    "latency": parse_seconds,
    "energy": parse_joules,
}


@dataclass(frozen=True, slots=True)
class Timing:
    """Rates of one rate set on one platform [fs per MAC by operator kind] and power [W]; why a number is missing. ``stand_in``: the
    platform has none of the runtime asked for, and these are its default set."""

    rate_set: str = ""
    status: str = ""
    fs_per_mac: Mapping[str, int] = field(default_factory=dict)
    power_w: float | None = None
    no_latency: str = "no platform was named"
    no_energy: str = "no platform was named"
    stand_in: bool = False


@dataclass(frozen=True, slots=True)
class Budget:
    """``limits`` in the user's units by name (bytes, MACs, s, J); `metrics` are the integers that decide feasibility."""

    limits: Mapping[str, float]
    power_w: float | None

    def metrics(self) -> dict[str, int]:
        """Integers by `Problem` metric: energy becomes a limit on latency, since energy = power x latency."""
        found: dict[str, int] = {}
        for name, value in self.limits.items():
            if name in ("latency", "energy"):
                seconds = value if name == "latency" else value / float(self.power_w or math.nan)
                # at least 1 fs and below saturation, where every sum is still exact
                limit = max(1, math.floor(min(seconds * FEMTO, LONGEST_FS - 1)))
                found["latency"] = min(found.get("latency", limit), limit)
            else:
                found[name] = int(min(value, LARGEST_COUNT))
        return found

    def limiting(self, metric: str) -> str:
        """The user's name of what limits a metric: "latency" may come from the energy limit."""
        if metric != "latency" or "energy" not in self.limits:
            return metric
        seconds = self.limits["energy"] / float(self.power_w or math.nan)
        return "energy" if seconds < self.limits.get("latency", math.inf) else "latency"

    def quantity(self, metric: str, value: int) -> float:
        """A metric's integer in the unit of the limit that bounds it."""
        if metric != "latency":
            return value
        return value / FEMTO * (float(self.power_w or math.nan) if self.limiting(metric) == "energy" else 1.0)

    def show(self, metric: str, value: int) -> str:
        """The same as text."""
        return show(self.limiting(metric), self.quantity(metric, value))

    def written(self, metric: str, value: int) -> str:
        """The same as text that, typed back as a limit, admits the value: exact, or rounded up in the fourth digit."""
        if metric != "latency":
            return f"{value} B" if metric in ("ram", "flash") else str(value)
        exact = self.quantity(metric, value)
        digit = 10.0 ** (math.floor(math.log10(exact)) - 3)
        return show(self.limiting(metric), math.ceil(exact / digit) * digit)


def latency_fs(record: NetworkRecord, fs_per_mac: Mapping[str, int]) -> int:
    """Sum over the ops of MACs x fs per MAC of their kind [fs]."""
    return sum(op.macs * fs_per_mac[op.kind] for op in record.ops if op.macs)


def show(name: str, value: float) -> str:
    """A limit's value for people: KiB, counts, ms, mJ."""
    if name in ("ram", "flash"):
        return format_bytes(int(value))
    if name == "latency":
        return format_seconds(value)
    return format_joules(value) if name == "energy" else format_count(int(value))


def parse_limits(given: Mapping[str, Any] | None, word: str = "limit") -> dict[str, float | None]:
    """Limits or targets by name; None or "none" lifts a platform's limit. ConfigError on unknown names and bad values."""
    found: dict[str, float | None] = {}
    for name, value in (given or {}).items():
        if name not in LIMITS:
            raise ConfigError(f"unknown {word} {name!r}; {nearest(name, LIMITS)}")
        if word == "limit" and (value is None or str(value).strip().lower() == "none"):
            found[name] = None
        else:
            found[name] = _PARSERS[name](value, f"{word} {name}")
    return found


def make_timing(platform: Platform | None, runtime: Runtime, kinds: Collection[str]) -> Timing:
    """Rates for these operator kinds: the runtime's own where the platform has them, else its default set."""
    if platform is None:
        return Timing()
    try:
        rates, stand_in = _rates(platform, runtime)
        fs = {kind: round(FEMTO / rates.mac_per_s(kind)) for kind in sorted(kinds)}
        used = [rate.source.status for rate in rates.rates if rate.operator in kinds]
        weakest = max(used, key=STATUSES.index)
    except PlatformError as error:
        return Timing(no_latency=str(error), no_energy=str(error))
    try:
        power = platform.power_w()
    except PlatformError as error:
        return Timing(rates.runtime, weakest, fs, no_energy=str(error), stand_in=stand_in)
    return Timing(rates.runtime, weakest, fs, power, stand_in=stand_in)


def _rates(platform: Platform, runtime: Runtime) -> tuple[RateSet, bool]:
    """The rates of a runtime, or in their place the platform's default set (True)."""
    try:
        return platform.rates(runtime.rate_set), False
    except PlatformError:
        return platform.rates(), True


def make_budget(
    platform: Platform | None,
    runtime: Runtime,
    timing: Timing,
    given: Mapping[str, float | None],
    reserve_ram: int = 0,
    reserve_flash: int = 0,
    margin: float = 0.0,
    aims: Collection[str] = (),
) -> Budget:
    """The platform's RAM and Flash less runtime, reserve and margin, overridden and completed by ``given``.

    ``aims`` names what in ``given`` is a target. Raises PlatformError if latency or energy is limited but unknown; ConfigError if nothing is limited, or a reserve leaves
    nothing or meets an explicit limit.
    """
    limits: dict[str, float] = {}
    for name, reserve in (("ram", reserve_ram), ("flash", reserve_flash)):
        if name in given and reserve:
            raise ConfigError(
                f"reserve_{name} applies to the platform's {name}, but limit {name} replaces it; drop one"
            )
        usable = usable_bytes(platform, runtime, name)
        if usable is None and reserve:
            raise ConfigError(
                f"reserve_{name} is taken from a platform's {name}, and here there is none; lower limit {name}"
            )
        if usable is None or name in given:
            continue
        left = math.floor((usable - reserve) * (1 - margin))
        if left <= 0:
            raise ConfigError(
                f"reserve_{name} of {format_bytes(reserve)} leaves nothing of the {format_bytes(usable)} usable; lower it"
            )
        limits[name] = left
    if margin and not limits:
        raise ConfigError(
            "margin is taken from a platform's RAM and Flash, and explicit limits replace both; drop margin"
        )
    for name, value in given.items():
        if value is not None:
            limits[name] = value
    if {"latency", "energy"} <= set(aims):
        raise ConfigError("latency and energy are one quantity on a platform; give only one of them as a target")
    if limits.get("latency", 0) * FEMTO >= LONGEST_FS:
        raise ConfigError(
            f"limit latency of {limits['latency']:g} s is beyond the {LONGEST_FS / FEMTO:.0f} s that are exact"
        )
    if "latency" in limits and not timing.fs_per_mac:
        raise PlatformError(f"{'target' if 'latency' in aims else 'limit'} latency cannot be used: {timing.no_latency}")
    if "energy" in limits and timing.power_w is None:
        raise PlatformError(f"{'target' if 'energy' in aims else 'limit'} energy cannot be used: {timing.no_energy}")
    if not limits:
        raise ConfigError("nothing is limited; name a platform or give limits, for example ram=256KiB")
    return Budget({name: limits[name] for name in LIMITS if name in limits}, timing.power_w)


def usable_bytes(platform: Platform | None, runtime: Runtime, name: str) -> int | None:
    """RAM or Flash that the platform leaves to a network in this runtime [B], less what its descriptor says the runtime takes; None
    where nothing limits it."""
    if platform is None:
        return None
    beside = platform.overhead(runtime.name)
    if name == "ram":
        return platform.arena_bytes - ((beside.ram_overhead_bytes or 0) if beside else 0)
    if platform.flash_bytes is None:
        return None
    return platform.flash_bytes - ((beside.flash_overhead_bytes or 0) if beside else 0)
