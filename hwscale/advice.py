"""Where an answer leaves published practice, in one sentence each."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hwscale.configuration import Configuration
from hwscale.formulas.family import Family
from hwscale.formulas.stagewise import StagewiseFamily
from hwscale.objectives import BAND, Objective

R_PATH_RANGE = (BAND, 1.5)
"""Published networks keep their resolution within these multiples of r_path(MACs)."""
SMALLEST_PUBLISHED = 96


RECOMPUTED = 2.0
"""Executed over layer MACs from which an answer says so."""


def recomputation_warning(executed: int, layer: int, limits: Mapping[str, float]) -> tuple[str, ...]:
    """Where a schedule computes much twice and no limit on MACs keeps it from that."""
    if "macs" in limits or executed < RECOMPUTED * layer:
        return ()
    return (
        f"the schedule executes {executed / layer:.1f} x the MACs of the network: a limit on MACs bounds what is executed",
    )


def warnings_for(
    family: Family | StagewiseFamily,
    objective: Objective,
    chosen: Configuration,
    macs: int,
    limits: Mapping[str, float],
    free_resolution: bool,
    candidates: int,
) -> tuple[str, ...]:
    """Warnings on resolution, on hyperparameters outside their published range, and on RAM as the only budget.

    ``free_resolution``: the user left it to hwscale. ``candidates`` of the domain: one cannot grow. Thresholds: published MobileNetV1/V2, TinyNet and MCUNet sizes (1.0, 0.94,
    0.90 of r_path on average), none of which use less than 96 px on ImageNet.
    """
    found = []
    _, height, width = chosen.input_shape
    side = math.sqrt(height * width)
    shown = f"resolution {height}" if height == width else f"input {height}x{width}"
    path = objective.r_path(macs)
    if not R_PATH_RANGE[0] <= side / path <= R_PATH_RANGE[1]:
        remedy = "; objective balanced weighs the two" if free_resolution and objective.name != "balanced" else ""
        found.append(
            f"{shown} is {'small' if side < path else 'large'} for {macs / 1e6:.1f} M MACs: published networks of this size "
            f"use about {path:.0f} px{remedy}"
        )
    if side < SMALLEST_PUBLISHED:
        found.append(f"{shown} is below {SMALLEST_PUBLISHED} px, where accuracy is hardly published")
    for hyper in family.hyperparameters:
        value = chosen.hyperparameters.get(hyper.name)
        if hyper.published is None or value is None or hyper.name == "resolution":
            continue
        low, high = hyper.published
        if not low <= value <= high:
            found.append(
                f"{hyper.name} = {value:g} lies outside published {family.name} networks ({low:g} to {high:g})"
            )
    if set(limits) == {"ram"} and candidates > 1:
        found.append(
            "RAM is the only budget: Flash and MACs are free to grow, so set a Flash, MACs or latency limit too"
        )
    return tuple(found)
