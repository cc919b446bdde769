"""Predicted structure and cost of each network family; `FAMILIES` is the registry."""

from __future__ import annotations

from typing import cast

from hwscale.errors import ConfigError, nearest
from hwscale.formulas.atomnet import ATOMNET
from hwscale.formulas.family import Family
from hwscale.formulas.mcunet import MCUNET
from hwscale.formulas.mobilenet_v1 import MOBILENET_V1
from hwscale.formulas.mobilenet_v2 import MOBILENET_V2
from hwscale.formulas.phinet import PHINET
from hwscale.formulas.stagewise import StagewiseFamily
from hwscale.formulas.xinet import XINET

FAMILIES: dict[str, Family | StagewiseFamily] = {
    "atomnet": ATOMNET,
    "mcunet": MCUNET,
    "mobilenet_v1": MOBILENET_V1,
    "mobilenet_v2": MOBILENET_V2,
    "phinet": PHINET,
    "xinet": XINET,
}


def find_family(name: str) -> Family | StagewiseFamily:
    """The family called ``name``, in any case; ConfigError offers the nearest name."""
    known = str(name).lower()
    if known not in FAMILIES:
        raise ConfigError(f"unknown network family {name!r}; {nearest(str(name), FAMILIES)}")
    return FAMILIES[known]


def find_lattice_family(name: str) -> Family:
    """The same where a family of global multipliers is meant."""
    return cast(Family, find_family(name))
