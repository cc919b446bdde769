"""Which platforms a comparison is of: all, names, globs, files; the smallest first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from hwscale.budget import usable_bytes
from hwscale.errors import ConfigError, PlatformError, nearest
from hwscale.platform import Platform, load_platform, platforms
from hwscale.runtimes.runtime import Runtime

ALL = "all"
ORDER = "by usable RAM, then usable Flash, then clock"
"""What "the smallest platform first" means."""

Named = str | Path | Platform


@dataclass(frozen=True, slots=True)
class Place:
    """A platform of a comparison; one whose file cannot be used has a ``fault`` instead."""

    name: str
    platform: Platform | None
    fault: str = ""

    def size(self, runtime: Runtime) -> tuple[float, float, float, str]:
        """Sort key: usable RAM and Flash [B], clock [Hz], name; what is not known comes last."""
        if self.platform is None:
            return math.inf, math.inf, math.inf, self.name
        usable = (usable_bytes(self.platform, runtime, name) for name in ("ram", "flash"))
        ram, flash = (math.inf if found is None else float(found) for found in usable)
        return ram, flash, float(self.platform.clock_hz), self.name


def find_places(given: Named | Sequence[Named], runtime: Runtime) -> tuple[Place, ...]:
    """The platforms that ``given`` names, once each, the smallest first.

    Text is "all", names, globs such as "stm32*" or paths of TOML files, separated by commas. ConfigError for a glob that matches
    nothing, PlatformError for an unknown name. A file that cannot be used is kept, with its fault.
    """
    items: Iterable[Named] = [given] if isinstance(given, str | Path | Platform) else given
    found: dict[str, Place] = {}
    for item in items:
        for target in _split(item) if isinstance(item, str) else [item]:
            place = _place(target)
            found.setdefault(place.name if place.platform is None else str(place.platform.origin), place)
    if not found:
        raise ConfigError("no platform is named; give all, a glob such as stm32*, or names separated by commas")
    return tuple(sorted(found.values(), key=lambda place: place.size(runtime)))


def _split(text: str) -> list[str]:
    names: list[str] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        if part.lower() == ALL:
            names += platforms()
        elif any(sign in part for sign in "*?[") and not part.endswith(".toml"):
            matching = [name for name in platforms() if fnmatchcase(name, part.lower())]
            if not matching:
                raise ConfigError(f"platforms {part!r} match nothing; {nearest(part.strip('*?[]'), platforms())}")
            names += matching
        else:
            names.append(part)
    return names


def _place(target: Named) -> Place:
    try:
        platform = load_platform(target)
    except PlatformError as error:
        file = isinstance(target, Path) or str(target).endswith(".toml") or str(target).lower() in platforms()
        if not file:
            raise
        return Place(str(target), None, str(error))
    return Place(platform.name, platform)
