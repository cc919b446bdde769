"""The random budgets that every benchmark answers, and the problem that `hwscale.fit` makes of one.

RAM, Flash and latency are drawn log-uniformly: microcontrollers come in powers of two. Every second budget limits latency.
"""

from __future__ import annotations

import math
import random

from hwscale.budget import make_budget, parse_limits
from hwscale.objectives import find_objective
from hwscale.platform import load_platform
from hwscale.problem import Problem
from hwscale.runtimes import find_runtime
from hwscale.space import Space, make_space
from hwscale.timing import make_timing

KIB = 1024
PLATFORM = "stm32h743"
COUNT = 20
SEED = 1
RAM_BYTES = (64 * KIB, 512 * KIB)
FLASH_BYTES = (64 * KIB, 2 * KIB * KIB)
LATENCY_S = (0.05, 1.0)

Limits = dict[str, float]
"""What ``hwscale.fit(limits=...)`` takes: bytes and seconds."""


def random_limits(count: int = COUNT, seed: int = SEED) -> list[Limits]:
    """``count`` budgets, the same for the same seed on every machine and with every version of numpy."""
    # Python promises that random() of a seed never changes; numpy promises no such thing of its distributions
    source = random.Random(seed)
    drawn: list[Limits] = []
    for at in range(count):
        limits: Limits = {
            "ram": round(_log_uniform(source, RAM_BYTES)),
            "flash": round(_log_uniform(source, FLASH_BYTES)),
        }
        # drawn for every budget, so that the memory limits do not depend on which budgets have one
        latency_s = round(_log_uniform(source, LATENCY_S), 6)
        if at % 2:
            limits["latency"] = latency_s
        drawn.append(limits)
    return drawn


def make_problem(space: Space, objective: str, limits: Limits, platform: str = PLATFORM) -> Problem:
    """The question that `hwscale.fit` asks its solver for these limits on this platform."""
    runtime, where = find_runtime(space.runtime), load_platform(platform)
    timing = make_timing(where, runtime)
    budget = make_budget(where, runtime, timing, parse_limits(limits))
    counted = make_space(space.domain, space.runtime, space.external_input, tuple(timing.fs_per_unit))
    return Problem(counted, find_objective(objective), budget.metrics(), timing.fs_per_unit)


def _log_uniform(source: random.Random, ends: tuple[float, float]) -> float:
    low, high = math.log(ends[0]), math.log(ends[1])
    return math.exp(low + (high - low) * source.random())
