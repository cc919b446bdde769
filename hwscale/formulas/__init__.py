"""Predicted structure and cost of each network family; `FAMILIES` is the registry."""

from __future__ import annotations

from hwscale.errors import ConfigError, nearest
from hwscale.formulas.family import Family
from hwscale.formulas.phinet import PHINET
from hwscale.formulas.xinet import XINET

FAMILIES: dict[str, Family] = {
    "phinet": PHINET,
    "xinet": XINET,
}


def find_family(name: str) -> Family:
    """The family called ``name``, in any case; ConfigError offers the nearest name."""
    known = str(name).lower()
    if known not in FAMILIES:
        raise ConfigError(f"unknown network family {name!r}; {nearest(str(name), FAMILIES)}")
    return FAMILIES[known]
