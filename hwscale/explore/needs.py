"""What an application needs: floors on the size of the network, ceilings on its costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwscale.budget import parse_limits, show, usable_bytes
from hwscale.errors import ConfigError, nearest
from hwscale.platform import Platform
from hwscale.runtimes import find_runtime
from hwscale.units import format_count, parse_bytes, parse_count, parse_share

FLOORS = ("macs", "params")
"""At least so many."""
CEILINGS = ("ram", "flash", "latency", "energy")
"""At most so much, besides what the platform has."""
LABELS = {
    "ram": "RAM",
    "flash": "Flash",
    "macs": "MACs",
    "params": "params",
    "latency": "latency",
    "energy": "energy",
}


@dataclass(frozen=True)
class Needs:
    """``floors`` by metric (counts), ``ceilings`` by limit (B, s, J)."""

    floors: Mapping[str, int]
    ceilings: Mapping[str, float]

    def __bool__(self) -> bool:
        return bool(self.floors or self.ceilings)

    def to_dict(self) -> dict[str, float]:
        """By name, in the units of limits."""
        return {**self.floors, **self.ceilings}

    def __str__(self) -> str:
        floors = [f"at least {format_count(floor)} {LABELS[name]}" for name, floor in self.floors.items()]
        return ", ".join(
            floors + [f"at most {show(name, value)} {LABELS[name]}" for name, value in self.ceilings.items()]
        )

    def asked(self, platform: Platform, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options of a fit on ``platform`` with the ceilings as limits, where they are lower than what it has."""
        limits: dict[str, Any] = dict(options.get("limits") or {})
        found = dict(options)
        runtime, share = find_runtime(options["runtime"]), parse_share(options["margin"])
        for name, ceiling in self.ceilings.items():
            if name in ("ram", "flash"):
                usable = usable_bytes(platform, runtime, name)
                kept = options[f"reserve_{name}"]
                reserve = 0 if kept in (0, "0") else parse_bytes(kept, f"reserve_{name}")
                if usable is not None and math.floor((usable - reserve) * (1 - share)) <= ceiling:
                    continue
                found[f"reserve_{name}"] = 0
            limits[name] = ceiling
        if all(name in limits or usable_bytes(platform, runtime, name) is None for name in ("ram", "flash")):
            found["margin"] = 0  # of limits that replace the platform's there is none
        return {**found, "limits": limits}


def parse_needs(given: Mapping[str, Any] | None, limits: Mapping[str, Any] | None) -> Needs:
    """Needs by name: macs, params as counts ("40M"), the others as limits ("100 ms"). ConfigError on a name or value that cannot be
    used, or one that is limited besides."""
    if given is not None and not isinstance(given, Mapping):
        raise ConfigError(f"needs: got {given!r}, but it must be a dict such as {{'macs': '40M'}}")
    floors: dict[str, int] = {}
    ceilings: dict[str, float] = {}
    for name, value in (given or {}).items():
        if name in (limits or {}):
            raise ConfigError(f"{name} is both a limit and a need; drop one of the two")
        if name in FLOORS:
            floors[name] = parse_count(value, f"need {name}")
        elif name in CEILINGS:
            if (parsed := parse_limits({name: value}, "need")[name]) is not None:
                ceilings[name] = parsed
        else:
            raise ConfigError(f"unknown need {name!r}; {nearest(str(name), (*FLOORS, *CEILINGS))}")
    return Needs(floors, ceilings)
