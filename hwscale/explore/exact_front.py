"""The public question for a front, readable as a list of steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hwscale.budget import make_budget
from hwscale.chain_space import ChainSpace
from hwscale.domain import make_domain
from hwscale.errors import ConfigError, PlatformError, nearest
from hwscale.explore.chain_front import MOST_PATHS, Chains
from hwscale.explore.front import Front
from hwscale.explore.hyperparameters import named
from hwscale.explore.lattice_front import Lattice
from hwscale.explore.pool import Pool
from hwscale.explore.ranking import scalar_scores
from hwscale.explore.rows import Ints, Rows
from hwscale.latency_model import FEMTO
from hwscale.objectives import BAND, Objective, find_objective
from hwscale.platform import Platform, load_platform
from hwscale.problem import Problem
from hwscale.runtimes import DEFAULT as DEFAULT_RUNTIME
from hwscale.runtimes import find_runtime
from hwscale.runtimes.runtime import Runtime
from hwscale.space import make_space
from hwscale.timing import Timing, make_timing
from hwscale.units import format_bytes, parse_bytes, parse_share

COSTS = (("ram", "flash"), ("ram", "flash", "latency"))
MINUTES = 100_000_000
"""Candidates from which a front takes minutes."""
EXACT = "exact: every network of the domain was evaluated, or is dominated by one that was"


def pareto(
    net: str,
    platform: str | Path | Platform | None = None,
    *,
    objective: str | Objective = "balanced",
    over: Sequence[str] | None = None,
    fix: Mapping[str, Any] | None = None,
    domain: Mapping[str, Any] | None = None,
    classes: int | None = None,
    in_channels: int = 3,
    input_shape: Sequence[int] | None = None,
    runtime: str = DEFAULT_RUNTIME,
    input_buffer: str = "counted",
    reserve_ram: float | str = 0,
    reserve_flash: float | str = 0,
    margin: float | str = 0.0,
    rates: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> Front:
    """Every network of a family that is the best answer to some budget of RAM and Flash, and of latency if asked.

    >>> front = hwscale.pareto("xinet", "stm32h743", objective="macs")
    >>> front.best({"ram": "256 KiB", "flash": "1 MiB"}).hyperparameters

    Parameters
    ----------
    net, platform, objective, fix, domain, classes, in_channels, input_shape, runtime, input_buffer, rates : as in `hwscale.fit`.
        The platform restricts nothing: it says what is known of latency, and what budget `Front.best` takes by default.
    over : the costs that compete, ("ram", "flash") by default, or ("ram", "flash", "latency").
    reserve_ram, reserve_flash, margin : what that budget leaves to the application, as in `hwscale.fit`.
    progress : called with a line before work that takes minutes.

    Raises
    ------
    ConfigError, PlatformError : a setting that cannot be used, or a domain too large to be looked at whole, in one sentence.
    """
    started = time.perf_counter()
    if input_buffer not in ("counted", "external"):
        raise ConfigError(
            f"unknown input_buffer {input_buffer!r}; {nearest(str(input_buffer), ('counted', 'external'))}"
        )
    for name, given in (("fix", fix), ("domain", domain)):
        if given is not None and not isinstance(given, Mapping):
            raise ConfigError(f"{name}: got {given!r}, but it must be a dict such as {{'resolution': 96}}")
    costs = _costs(over)
    goal, wanted = find_objective(objective), find_runtime(runtime)
    where = None if platform is None else load_platform(platform)
    declared = make_domain(net, fix, domain, classes=classes, in_channels=in_channels, input_shape=input_shape)
    timing = make_timing(where, wanted, rates)
    asked_of = declared, runtime, input_buffer == "external"
    bare = make_space(*asked_of)
    timing = timing.covering(bare.kinds)
    if "latency" in costs and timing.model is None:
        raise PlatformError(f"cost latency cannot be used: {timing.no_latency}")
    usable = _usable(where, wanted, timing, reserve_ram, reserve_flash, margin)
    # who leaves the resolution to us gets one that published networks use, as in `fit`
    free = input_shape is None and "resolution" not in {**(fix or {}), **(domain or {})} and declared.preset is None
    goals = {"free": goal}
    if free and goal.name == "balanced" and goal.c:
        goals = {"banded": replace(goal, band=BAND), **goals}
    problem = Problem(make_space(*asked_of, tuple(timing.fs_per_unit)), goal, {}, timing.fs_per_unit)
    if progress is not None and problem.space.size > MINUTES:
        progress(f"looking at {float(problem.space.size):.3g} candidates; fix resolution to look at some of them")
    if isinstance(problem.space, ChainSpace):
        rows, found, method, front = _of_chains(problem, list(goals.values()), costs)
    else:
        rows, found, method, front = _of_lattice(problem, bare, list(goals.values()), costs)
    scores = scalar_scores(goal, rows)
    order = np.lexsort((np.arange(len(rows)), -scores, rows.flash, rows.ram))
    ranks = dict(zip(goals, (_ranks(best, len(rows))[order] for best in found), strict=True))
    rows, scores = rows[order], scores[order]
    columns: dict[str, Any] = {"ram": rows.ram, "flash": rows.flash, "macs": rows.macs, "params": rows.params}
    if timing.model is not None:
        columns["latency"] = rows.latency / FEMTO
    columns |= {"resolution": rows.resolution, "score": scores}
    if "banded" in goals:
        banded = goals["banded"]
        pairs = zip(rows.macs.tolist(), rows.resolution.tolist(), strict=True)
        columns["in_band"] = np.array([banded.within_band(macs, side) for macs, side in pairs], np.bool_)
    shape = None if declared.input_size is None else (declared.in_channels, *declared.input_size)
    return Front(
        family=declared.family,
        platform=where.name if where else None,
        runtime=runtime,
        objective=objective if isinstance(objective, str) else goal.name,
        costs=costs,
        columns=columns,
        budget=usable,
        candidates=problem.space.size,
        method=method,
        seconds=time.perf_counter() - started,
        evidence={**wanted.evidence, "latency": str(timing.evidence()), "front": front},
        digest=problem.digest,
        choices=named(problem.space, rows),
        ranks=ranks,
        latency_fs=rows.latency,
        power_w=timing.power_w,
        input_shape=shape,
        in_channels=declared.in_channels,
        classes=declared.classes,
        external_input=problem.space.external_input,
    )


def _costs(over: Sequence[str] | None) -> tuple[str, ...]:
    if over is None:
        return COSTS[0]
    given = set(over.split(",")) if isinstance(over, str) else set(over)
    found = next((costs for costs in COSTS if set(costs) == given), None)
    if found is None:
        raise ConfigError(f"over: got {over!r}; allowed: {' or '.join(', '.join(costs) for costs in COSTS)}")
    return found


def _usable(
    where: Platform | None,
    wanted: Runtime,
    timing: Timing,
    reserve_ram: float | str,
    reserve_flash: float | str,
    margin: float | str,
) -> dict[str, int]:
    """The platform's RAM and Flash less runtime, reserve and margin [B]."""
    share = parse_share(margin)
    ram = 0 if reserve_ram in (0, "0") else parse_bytes(reserve_ram, "reserve_ram")
    flash = 0 if reserve_flash in (0, "0") else parse_bytes(reserve_flash, "reserve_flash")
    if where is None:
        if ram or flash or share:
            raise ConfigError(
                "reserve_ram, reserve_flash and margin are taken from a platform, and here there is none; drop them"
            )
        return {}
    return make_budget(where, wanted, timing, {}, ram, flash, share).metrics()


def _ranks(best: Ints, count: int) -> Ints:
    found = np.full(count, -1, np.int64)
    found[best] = np.arange(len(best))
    return found


def _of_lattice(
    problem: Problem, bare: Any, goals: list[Objective], costs: tuple[str, ...]
) -> tuple[Rows, list[Ints], str, str]:
    rows, found = Lattice(problem, bare, costs).pool(goals).finish()
    return rows, found, "complete table", EXACT


def _of_chains(problem: Problem, goals: list[Objective], costs: tuple[str, ...]) -> tuple[Rows, list[Ints], str, str]:
    chains = Chains(problem, costs)
    rising, plans = all(map(chains.rising, goals)), problem.space.runtime_plans
    if not rising and problem.space.size > MOST_PATHS:
        raise ConfigError(
            f"a front of {problem.space.size:.3g} networks needs a score that rises with the {goals[0].metric} throughout; "
            "use objective macs, or fix resolution"
        )
    first = chains.by_labels(goals[0]) if chains.rising(goals[-1]) else chains.sample()
    pool = Pool(goals, costs, chains, first)
    if rising and not plans:
        return *pool.finish(), "labels", EXACT
    if problem.space.size <= MOST_PATHS:
        chains.every(pool)
        return *pool.finish(), "every path", EXACT
    rows, found = pool.finish()
    if not pool.exceeded:
        return rows, found, "labels", EXACT
    return rows, found, "labels", _bounded(pool)


def _bounded(pool: Pool) -> str:
    """Labels compare sums over links: what they left out costs at least as much by its sum, and less than a planned point by at most
    what planning added."""
    ram, flash = pool.excess
    return (
        f"bounded: a network may be missing that needs up to {format_bytes(ram)} less RAM and {format_bytes(flash)} less Flash than a "
        "point as good, as sums over layers were compared and plans exceed them by so much"
    )
