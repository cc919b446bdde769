"""Where an answer leaves published practice, in one sentence each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwscale.formulas.family import Family
from hwscale.objectives import BAND, Objective

R_PATH_RANGE = (BAND, 1.5)
"""Published networks keep their resolution within these multiples of r_path(MACs)."""
SMALLEST_PUBLISHED = 96


def warnings_for(
    family: Family,
    objective: Objective,
    hyperparameters: Mapping[str, Any],
    resolution: float,
    macs: int,
    limits: Mapping[str, float],
) -> tuple[str, ...]:
    """Warnings on resolution, on hyperparameters outside their published range, and on RAM as the only budget.

    ``resolution`` = sqrt(H W) [px]. Thresholds: published MobileNetV1/V2, TinyNet and MCUNet sizes (1.0, 0.94, 0.90 of r_path
    on average), none of which use less than 96 px on ImageNet.
    """
    found = []
    path = objective.r_path(macs)
    ratio = resolution / path
    if not R_PATH_RANGE[0] <= ratio <= R_PATH_RANGE[1]:
        side = "small" if ratio < 1 else "large"
        found.append(
            f"resolution {resolution:g} is {side} for {macs / 1e6:.1f} M MACs: published networks of this size use about "
            f"{path:.0f} px; try --fix resolution={_suggested(path)} or objective balanced"
        )
    if resolution < SMALLEST_PUBLISHED:
        found.append(f"resolution {resolution:g} is below {SMALLEST_PUBLISHED} px, where accuracy is hardly published")
    for hyper in family.hyperparameters:
        value = hyperparameters.get(hyper.name)
        if hyper.published is None or value is None or hyper.name == "resolution":
            continue
        low, high = hyper.published
        if not low <= value <= high:
            found.append(
                f"{hyper.name} = {value:g} lies outside published {family.name} networks ({low:g} to {high:g})"
            )
    if set(limits) == {"ram"}:
        found.append(
            "RAM is the only budget: Flash and MACs are free to grow, so set a Flash, MACs or latency limit too"
        )
    return tuple(found)


def _suggested(path: float) -> int:
    return max(SMALLEST_PUBLISHED, round(path / 16) * 16)
