"""Limits and targets: from a platform and the user's words to exact integers, and back to the user's units."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from hwscale.errors import ConfigError, PlatformError, nearest
from hwscale.latency_model import FEMTO
from hwscale.platform import Platform
from hwscale.problem import LONGEST_FS
from hwscale.runtimes.runtime import Runtime
from hwscale.timing import Timing
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
LATENCY_LIMITS = ("expected", "worst")
"""What a limit on latency or energy holds for: the prediction, or the upper end of its interval."""
ROUNDING = 1 + 2.0**-50
"""So that a limit printed to its last digit admits what it was printed for: floats are off by a few 2^-53."""
_PARSERS: dict[str, Any] = {
    "ram": parse_bytes,
    "flash": parse_bytes,
    "macs": parse_count,
    "latency": parse_seconds,
    "energy": parse_joules,
}


@dataclass(frozen=True, slots=True)
class Budget:
    """``limits`` in the user's units by name (bytes, MACs, s, J); `metrics` are the integers that decide feasibility.

    Limits on latency and energy hold for ``stretch`` x what is expected: 1, or the upper end of the interval.
    """

    limits: Mapping[str, float]
    power_w: float | None
    stretch: float = 1.0

    def metrics(self) -> dict[str, int]:
        """Integers by `Problem` metric: energy becomes a limit on latency, since energy = power x latency."""
        found: dict[str, int] = {}
        for name, value in self.limits.items():
            if name in ("latency", "energy"):
                seconds = (value if name == "latency" else value / float(self.power_w or math.nan)) / self.stretch
                # at least 1 fs and below saturation, where every sum is still exact
                limit = max(1, math.floor(min(seconds * FEMTO * ROUNDING, LONGEST_FS - 1)))
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
        power_w = float(self.power_w or math.nan) if self.limiting(metric) == "energy" else 1.0
        return value / FEMTO * self.stretch * power_w

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


def make_budget(
    platform: Platform | None,
    runtime: Runtime,
    timing: Timing,
    given: Mapping[str, float | None],
    reserve_ram: int = 0,
    reserve_flash: int = 0,
    margin: float = 0.0,
    aims: Collection[str] = (),
    latency_limit: str = "expected",
) -> Budget:
    """The platform's RAM and Flash less runtime, reserve and margin, overridden and completed by ``given``.

    ``aims`` names what in ``given`` is a target; ``latency_limit`` what limits on latency and energy hold for. Raises
    PlatformError if latency or energy is limited but unknown; ConfigError if nothing is limited, or a reserve leaves nothing or
    meets an explicit limit.
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
    if "latency" in limits and timing.model is None:
        raise PlatformError(f"{'target' if 'latency' in aims else 'limit'} latency cannot be used: {timing.no_latency}")
    if "energy" in limits and timing.power_w is None:
        raise PlatformError(f"{'target' if 'energy' in aims else 'limit'} energy cannot be used: {timing.no_energy}")
    if not limits:
        raise ConfigError("nothing is limited; name a platform or give limits, for example ram=256KiB")
    stretch = timing.interval[1] if latency_limit == "worst" else 1.0
    return Budget({name: limits[name] for name in LIMITS if name in limits}, timing.power_w, stretch)


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
