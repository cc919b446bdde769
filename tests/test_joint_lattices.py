"""Global multipliers and schedule chosen together: the proven best against every pair of them, priced one by one."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Any

import pytest

import hwscale
from hwscale.configuration import Configuration, configure
from hwscale.errors import ConfigError, InfeasibleError
from hwscale.result import CostReport
from hwscale.schedules.windows import steps

PLATFORM = "stm32f746"
NAMES = ("patch", "patch+", "stream1d", "stream2d")
LIMITED = ("ram", "flash", "macs", "latency")
SPACES: dict[str, tuple[str, str, dict[str, list[Any]]]] = {
    "mobilenet_v1 in tinyengine": ("mobilenet_v1", "tinyengine", {"alpha": [0.1, 0.25, 0.4], "resolution": [48, 56]}),
    "mobilenet_v2 in tinyengine": ("mobilenet_v2", "tinyengine", {"alpha": [0.1, 0.3], "resolution": [52, 64]}),
    "phinet in tensors": (
        "phinet",
        "tensors",
        {"alpha": [0.2, 0.4], "beta": [0.7, 1.0], "t_zero": [2, 4], "num_layers": [5], "resolution": [48, 64],
         "squeeze_excite": [False]},
    ),
    "xinet in tensors": (
        "xinet", "tensors", {"alpha": [0.3, 0.5], "gamma": [2, 4], "num_layers": [5], "resolution": [64, 96], "skip": [False]}
    ),
}  # fmt: skip


def cuts(found: Configuration) -> Iterator[tuple[str, int, int]]:
    """Every schedule of the declared domain: behind each block, every common divisor of the sides of the map there."""
    graph = found.model("tensors", False).graph(found.knobs, *found.input_shape[1:])[0]
    ops = [step.op for step in steps(graph)]
    yield "layer", 1, 0
    for split_idx, op in enumerate(ops, start=1):
        if ops[split_idx:] and ops[split_idx].name.split(".")[0] == op.name.split(".")[0]:
            continue
        x = graph.tensors[op.output]
        for n_patch in range(2, x.height + 1):
            if x.height % n_patch == x.width % n_patch == 0:
                yield from ((name, n_patch, split_idx) for name in NAMES)


@cache
def rows(name: str) -> tuple[CostReport, ...]:
    """Every network of a space under every schedule that does not refuse it."""
    net, runtime, domain = SPACES[name]
    found = []
    for combination in product(*domain.values()):
        chosen = configure(net, dict(zip(domain, combination, strict=True)))
        for schedule, n_patch, split_idx in cuts(chosen):
            numbers = {} if schedule == "layer" else {"n_patch": n_patch, "split_idx": split_idx}
            try:
                found.append(
                    hwscale.cost(net, chosen.values, runtime=runtime, platform=PLATFORM, schedule=schedule, **numbers)
                )
            except ConfigError:
                continue
    return tuple(found)


@pytest.fixture(params=list(SPACES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def budgets(name: str, seed: int, count: int) -> Iterator[dict[str, Any]]:
    """Limits at the cost of some network under some schedule, exactly or a little less."""
    rng, (_, runtime, _) = random.Random(seed), SPACES[name]
    for number in range(count):
        row = rng.choice([row for row in rows(name) if rng.random() < 0.2 or row.schedule.name != "layer"])
        limits: dict[str, Any] = {"ram": row.cost.ram_bytes - rng.choice((0, 0, 1)), "flash": "none"}
        if number % 2:
            limits["flash"] = row.cost.flash_bytes + rng.choice((0, 1000))
        if number % 3 == 1:
            limits["macs"] = row.cost.macs
        if number % 3 == 2 and runtime == "tinyengine":
            limits["latency"] = float(row.cost.latency_s or 0) * 1.0001
        yield limits


def keeps(row: CostReport, limits: dict[str, Any]) -> bool:
    return all(float(row.cost.quantity(key) or 0) <= limit for key, limit in limits.items() if limit != "none")


def asked(name: str, limits: dict[str, Any], schedule: str = "any", **more: Any) -> Any:
    net, runtime, domain = SPACES[name]
    fix = {key: values[0] for key, values in domain.items() if len(values) == 1} | more.pop("fix", {})
    open_ = {key: values for key, values in domain.items() if len(values) > 1}
    return hwscale.fit(
        net, PLATFORM, limits=limits, domain=open_, fix=fix, runtime=runtime, schedule=schedule, verify="none",
        objective="macs", **more,
    )  # fmt: skip


def check(name: str, limits: dict[str, Any], allowed: list[CostReport], schedule: str, **more: Any) -> bool:
    """Is the answer the best of what is allowed, and does it cost what it says? False where nothing fits."""
    fits = [row for row in allowed if keeps(row, limits)]
    if not fits:
        with pytest.raises(InfeasibleError):
            asked(name, limits, schedule, **more)
        return False
    found = asked(name, limits, schedule, **more)
    assert found.layer_macs == max(row.layer_macs for row in fits), limits
    assert (found.certificate.status, found.certificate.gap) == ("optimal", 0.0)
    same = [
        row
        for row in fits
        if row.layer_macs == found.layer_macs and row.schedule == found.plan and row.cost.params == found.cost.params
    ]
    assert [row.cost for row in same][:1] == [found.cost]
    assert found.cost.macs == min(
        row.cost.macs for row in fits if row.configuration.hyperparameters == found.configuration.hyperparameters
    )
    return True


def test_any_is_the_best_of_all_networks_under_all_schedules(name: str) -> None:
    allowed = [row for row in rows(name) if row.schedule.name != "patch"]
    answered = [check(name, limits, allowed, "any") for limits in budgets(name, 1, 12)]
    assert sum(answered) > 6


@pytest.mark.parametrize("schedule", NAMES)
def test_a_pinned_schedule_is_the_best_of_its_own(name: str, schedule: str) -> None:
    allowed = [row for row in rows(name) if row.schedule.name == schedule]
    answered = [check(name, limits, allowed, schedule) for limits in budgets(name, 2, 3)]
    assert any(answered)


def test_pinned_numbers_narrow_it(name: str) -> None:
    rng, answered = random.Random(3), 0
    for limits in budgets(name, 3, 6):
        row = rng.choice([row for row in rows(name) if row.schedule.name != "layer"])
        pins = {"split_idx": row.schedule.split_idx, "n_patch": row.schedule.n_patch}
        for key in rng.choice(([], ["n_patch"], ["split_idx"])):
            del pins[key]
        allowed = [
            other
            for other in rows(name)
            if other.schedule.name == row.schedule.name
            and all(getattr(other.schedule, key) == value for key, value in pins.items())
        ]
        answered += check(name, limits, allowed, row.schedule.name, fix=pins)
    assert answered > 0


def test_the_space_counts_every_pair_once(name: str) -> None:
    every = {row.cost.ram_bytes for row in rows(name)}
    found = asked(name, {"ram": max(every), "flash": "none"})
    assert found.certificate.domain_size == sum(row.schedule.name != "patch" for row in rows(name))


def test_any_is_never_worse_than_layer_and_fits_where_layer_does_not(name: str) -> None:
    for limits in budgets(name, 4, 8):
        try:
            plain = asked(name, limits, "layer")
        except InfeasibleError:
            continue
        assert asked(name, limits).certificate.objective >= plain.certificate.objective
    least = min(rows(name), key=lambda row: row.cost.ram_bytes)
    limits = {"ram": least.cost.ram_bytes, "flash": "none"}
    assert least.schedule.name != "layer"
    assert asked(name, limits).cost.ram_bytes == least.cost.ram_bytes
    with pytest.raises(InfeasibleError) as caught:
        asked(name, {**limits, "ram": least.cost.ram_bytes - 1})
    assert caught.value.smallest_budget["ram"] == least.cost.ram_bytes


def test_the_smallest_budget_of_all_limits_together_inflates_them_least(name: str) -> None:
    allowed = [row for row in rows(name) if row.schedule.name != "patch"]
    limits = {"ram": 2000, "macs": 500_000, "flash": "none"}
    with pytest.raises(InfeasibleError) as caught:
        asked(name, limits)
    inflation = min(max(row.cost.ram_bytes / 2000, row.cost.macs / 500_000) for row in allowed)
    needs = caught.value.smallest_budget
    assert max(needs["ram"] / 2000, needs["macs"] / 500_000) == pytest.approx(inflation)


def test_a_split_inside_a_block_is_refused_and_the_ends_of_blocks_are_named() -> None:
    with pytest.raises(ConfigError, match="blocks end behind 1, 3, 6, ") as caught:
        asked("mobilenet_v2 in tinyengine", {"ram": "64 KiB"}, "patch", fix={"split_idx": 2})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("net", ["mobilenet_v2", "xinet", "phinet"])
def test_the_answer_is_executed_by_its_schedule(net: str) -> None:
    """Of xinet the stage holds a pool, which the executor takes for a part of the op before it."""
    fix: dict[str, Any] = {
        "mobilenet_v2": {"alpha": 0.1, "resolution": 64},
        "xinet": {"alpha": 0.3, "num_layers": 5, "resolution": 64, "skip": False, "split_idx": 7},
        "phinet": {"alpha": 0.2, "num_layers": 5, "resolution": 64},
    }[net]
    found = hwscale.fit(
        net,
        limits={"ram": "1 MiB"},
        fix={**fix, "n_patch": 2},
        runtime="tensors",
        schedule="stream1d",
        objective="macs",
    )
    assert found.verification.ok
    measured = {row.quantity: row.measured for row in found.verification.rows}
    assert (measured["macs"], measured["layer_macs"]) == (found.cost.macs, found.layer_macs)
    assert found.cost.macs >= found.layer_macs


@pytest.mark.parametrize("net", ["atomnet", "mobilenet_v1", "mobilenet_v2", "phinet", "xinet"])
def test_whole_default_domains_are_proven_and_no_worse_than_layer(net: str) -> None:
    """Squeeze-and-excitation, which most AtomNets and PhiNets have, cannot be cut, nor can XiNet's skips."""
    asked: dict[str, Any] = {"limits": {"ram": "96 KiB", "macs": "60M"}, "runtime": "tensors", "verify": "none"}
    found = hwscale.fit(net, "stm32f412", schedule="any", **asked)
    plain = hwscale.fit(net, "stm32f412", **asked)
    assert (found.certificate.status, found.certificate.gap) == ("optimal", 0.0)
    assert found.certificate.objective >= plain.certificate.objective
    assert found.certificate.domain_size > plain.certificate.domain_size
