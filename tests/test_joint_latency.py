"""Architecture and schedule chosen together under a limit on latency: against every pair of them, priced one by one."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from test_joint_schedules import schedules

import hwscale
from hwscale.configuration import configure
from hwscale.domain import make_domain
from hwscale.errors import ConfigError, InfeasibleError
from hwscale.joint_space import Execution, make_joint_space
from hwscale.objectives import find_objective
from hwscale.platform import load_platform
from hwscale.problem import Problem, path
from hwscale.result import CostReport
from hwscale.runtimes import find_runtime
from hwscale.schedule_timing import stage_rates
from hwscale.stage_plan import StagePlan
from hwscale.timing import make_timing

PLATFORM = "stm32f746"
SPACES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "mcunet": (
        "mcunet",
        {"depth": 1, "kernel": 3, "expand": 3, "width": 0.5, "resolution": 48},
        {"kernel2_1": [3, 7], "width3_1": [0.5, 1.0], "width5_1": [0.5, 1.0]},
    ),
    "atomnet": (
        "atomnet",
        {"block": "sep", "expand": 1, "depth": 1, "depth2": 2, "se_stages": "none", "width1": 16, "width2": 32,
         "width3": 48, "width4": 48, "width5": 64},
        {"width0": [16, 24], "resolution": [32, 48], "expand3": [1, 3]},
    ),
}  # fmt: skip
ASKED: dict[str, Any] = {"runtime": "tinyengine"}


def spaces(name: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Family, what is fixed and what is open."""
    net, fix, domain = SPACES[name]
    return net, {key: value for key, value in fix.items() if key not in domain}, domain


def reports(name: str) -> list[CostReport]:
    """Every network of a space under every schedule that does not refuse it."""
    net, fix, domain = spaces(name)
    axes = {key: value for key, value in make_domain(net, fix, domain).axes if key != "preset"}
    found: dict[Any, CostReport] = {}
    for combination in product(*axes.values()):
        chosen = configure(net, dict(zip(axes, combination, strict=True)))
        for schedule, n_patch, split_idx in schedules(chosen):
            key = (tuple(chosen.hyperparameters.items()), schedule, n_patch, split_idx)
            numbers = {} if schedule == "layer" else {"n_patch": n_patch, "split_idx": split_idx}
            if key not in found:
                try:
                    found[key] = hwscale.cost(
                        net, chosen.values, platform=PLATFORM, schedule=schedule, **ASKED, **numbers
                    )
                except ConfigError:
                    continue
    return list(found.values())


@pytest.fixture(scope="module", params=list(SPACES))
def case(request: pytest.FixtureRequest) -> tuple[str, list[CostReport]]:
    return request.param, reports(request.param)


def quantities(report: CostReport, latency_limit: str) -> dict[str, float]:
    cost = report.cost
    return {
        name: float(cost.quantity(name, latency_limit) or 0) for name in ("ram", "flash", "macs", "latency", "energy")
    }


def budgets(every: list[CostReport], seed: int, count: int, latency_limit: str) -> Iterator[dict[str, float]]:
    """Limits on RAM and latency at the cost of two random pairs, one in three on MACs or Flash too."""
    rng = random.Random(seed)
    for number in range(count):
        slow = rng.choice([row for row in every if row.schedule.name != "layer"])
        small = rng.choice(every)
        wanted = quantities(slow, latency_limit)
        found = {"latency": wanted["latency"] * rng.choice((1.001, 0.999)), "ram": wanted["ram"]}
        if number % 3 == 1:
            found["ram"] = quantities(small, latency_limit)["ram"]
        if number % 3 == 2:
            other = rng.choice(("macs", "flash"))
            found[other] = wanted[other] * 1.001 + 1
        yield {name: int(value) if name in ("ram", "flash", "macs") else value for name, value in found.items()}


@pytest.mark.parametrize("latency_limit", ["expected", "worst"])
def test_the_answer_is_the_best_of_all_pairs_that_keep_the_limits(
    case: tuple[str, list[CostReport]], latency_limit: str
) -> None:
    name, every = case
    net, fix, domain = spaces(name)
    patched = 0
    for limits in budgets(every, 11, 12 if latency_limit == "expected" else 6, latency_limit):
        fits = [
            row
            for row in every
            if row.schedule.name != "patch"
            and all(quantities(row, latency_limit)[key] <= limit for key, limit in limits.items())
        ]
        asked: dict[str, Any] = {
            **ASKED, "limits": {"flash": "none", **limits}, "fix": fix, "domain": domain, "objective": "macs",
            "schedule": "any", "verify": "none", "latency_limit": latency_limit,
        }  # fmt: skip
        if not fits:
            with pytest.raises(InfeasibleError):
                hwscale.fit(net, PLATFORM, **asked)
            continue
        found = hwscale.fit(net, PLATFORM, **asked)
        assert found.layer_macs == max(row.layer_macs for row in fits), limits
        assert found.certificate.status == "optimal"
        for key, limit in limits.items():
            assert float(found.cost.quantity(key, latency_limit) or 0) <= limit
        patched += found.schedule != "layer"
    assert patched >= 2


def test_a_path_through_a_stage_takes_as_long_as_its_network_under_the_schedule() -> None:
    """What arrays of works sum up to, way by way, against the operator model on the ops that are executed."""
    rng = random.Random(5)
    platform, runtime = load_platform(PLATFORM), find_runtime("tinyengine")
    timing = make_timing(platform, runtime)
    rates = stage_rates(timing, "tinyengine", "expected")
    domain = make_domain("mcunet", {"expand": 3}, {"resolution": [48, 54], "depth": [1, 2], "kernel": [3, 7]})
    works = tuple(timing.fs_per_unit)
    space = make_joint_space(domain, "tinyengine", False, works, Execution("any", rates=rates))
    for name, at, n_patch in product(("patch", "patch+", "stream1d", "stream2d"), (0, 2, 5, 7), (None, 3)):
        problem = Problem(space, find_objective("macs"), {}, space.fs_per_unit(timing.fs_per_unit, name))
        for group in space.scheduled(space.chains[0], StagePlan(name, at, n_patch)):
            root, state, ways = rng.randrange(len(group.roots)), 0, []
            for layer in group.layers:
                ways.append(rng.choice([way for way, head in enumerate(layer.heads[state]) if head >= 0]))
                state = int(layer.heads[state, ways[-1]])
            found = path(problem, group, root, tuple(ways))
            numbers = {"n_patch": found.schedule.n_patch, "split_idx": found.schedule.split_idx}
            report = hwscale.cost("mcunet", found.values, platform=PLATFORM, schedule=name, **ASKED, **numbers)
            assert found.latency_fs / 1e15 == pytest.approx(report.cost.latency_s, rel=1e-6), (name, at)


def test_latency_binds_under_a_schedule_too() -> None:
    fix = {"depth": 1, "kernel": 3, "expand": 3, "resolution": 48}
    asked: dict[str, Any] = {**ASKED, "fix": fix, "schedule": "patch+", "verify": "none", "objective": "macs"}
    free = hwscale.fit("mcunet", PLATFORM, limits={"ram": "40 KiB"}, **asked)
    tight = hwscale.fit(
        "mcunet", PLATFORM, limits={"ram": "40 KiB", "latency": (free.cost.latency_s or 0) / 2}, **asked
    )
    assert tight.layer_macs < free.layer_macs
    assert "latency" in tight.binding
    assert tight.evidence["latency"].known  # type: ignore[union-attr]
