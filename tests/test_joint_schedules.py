"""Architecture and schedule chosen together: the proven best against every pair of them, priced one by one."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import hwscale
from hwscale.chain_space import ChainSpace
from hwscale.configuration import Configuration, configure
from hwscale.domain import make_domain
from hwscale.errors import ConfigError, InfeasibleError
from hwscale.formulas import find_family
from hwscale.formulas.stagewise import maps, stagewise
from hwscale.joint_space import Execution, make_joint_space
from hwscale.objectives import find_objective
from hwscale.problem import Problem, path
from hwscale.scheduled_groups import scheduled_groups
from hwscale.schedules.windows import steps
from hwscale.solve import solve
from hwscale.solve.solution import Status
from hwscale.space import make_settings, make_space
from hwscale.stage_plan import StagePlan

MCUNET = (
    "mcunet",
    {"depth": 1, "kernel": 3, "expand": 3, "width": 0.5, "width5": 0.5, "resolution": 48},
    {"kernel2_1": [3, 7], "kernel3_1": [3, 5], "width3_1": [0.5, 1.0], "width7_1": [0.5, 1.0]},
)
DEPTHS = (
    "mcunet",
    {"kernel": 3, "expand": 3, "width": 0.5, "depth4": 1, "depth5": 1, "depth6": 1},
    {"depth2": [1, 2], "depth3": [1, 2], "kernel2_2": [3, 5], "resolution": [32, 48]},
)
ATOMNET = (
    "atomnet",
    {"block": "sep", "expand": 1, "depth": 1, "depth2": 2, "se_stages": "none", "width1": 16, "width2": 32, "width5": 64},
    {"width0": [16, 24], "width3": [48, 64], "width4": [48, 96], "resolution": [32, 48],
     "depth3": [1, 2], "expand3": [1, 3]},
)  # fmt: skip
SPACES = {"mcunet, kernels and widths": MCUNET, "mcunet, depths": DEPTHS, "atomnet, separable": ATOMNET}


@dataclass(frozen=True)
class Row:
    """One network under one schedule, priced as a whole."""

    values: dict[str, Any]
    schedule: str
    n_patch: int
    split_idx: int
    cost: dict[str, int]
    layer_macs: int
    side: int


def spaces(name: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    net, fix, domain = SPACES[name]
    return net, {key: value for key, value in fix.items() if key not in domain}, domain


def schedules(found: Configuration) -> Iterator[tuple[str, int, int]]:
    """Every schedule of the declared domain: behind each link that is there, every divisor of the side."""
    family = find_family(found.family)
    assert stagewise(family)
    settings = make_settings(family, found.values, found.input_shape[0], found.classes)
    links, ops = (
        family.links(settings),
        steps(found.model("tensors", False).graph(found.knobs, *found.input_shape[1:])[0]),
    )
    yield "layer", 1, 0
    for link, (side, _) in zip(links, maps(links, *found.input_shape[1:]), strict=True):
        last = [n for n, step in enumerate(ops, start=1) if step.op.name.startswith(f"{link.name}.")]
        if link.width and last:
            for n_patch in range(2, side + 1):
                if side % n_patch == 0:
                    for name in ("patch", "patch+", "stream1d", "stream2d"):
                        yield name, n_patch, last[-1]


def rows(name: str, runtime: str) -> list[Row]:
    """Every network of a space under every schedule that does not refuse it."""
    net, fix, domain = spaces(name)
    axes = {key: value for key, value in make_domain(net, fix, domain).axes if key != "preset"}
    found: dict[Any, Row] = {}
    for combination in product(*axes.values()):
        chosen = configure(net, dict(zip(axes, combination, strict=True)))
        for schedule, n_patch, split_idx in schedules(chosen):
            key = (tuple(chosen.hyperparameters.items()), schedule, n_patch, split_idx)
            if key in found:
                continue
            numbers = {} if schedule == "layer" else {"n_patch": n_patch, "split_idx": split_idx}
            try:
                report = hwscale.cost(net, chosen.values, runtime=runtime, schedule=schedule, **numbers)
            except ConfigError:
                continue
            cost = {"ram": report.cost.ram_bytes, "flash": report.cost.flash_bytes, "macs": report.cost.macs}
            side = chosen.input_shape[1]
            found[key] = Row(chosen.hyperparameters, schedule, n_patch, split_idx, cost, report.layer_macs, side)
    return list(found.values())


@dataclass(frozen=True)
class Case:
    name: str
    runtime: str
    rows: list[Row]

    def problem(self, limits: dict[str, int], execution: Execution, goal: str = "macs") -> Problem:
        domain = make_domain(*spaces(self.name))
        if execution.name == "layer":
            return Problem(make_space(domain, self.runtime), find_objective(goal), limits)
        space = make_joint_space(domain, self.runtime, False, (), execution)
        return Problem(space, find_objective(goal), limits)

    def best(self, problem: Problem, execution: Execution) -> float | None:
        scores = [
            problem.objective.score(row.layer_macs, float(row.side))
            for row in self.rows
            if row.schedule in execution.names
            and execution.n_patch in (None, row.n_patch)
            and execution.split_idx in (None, row.split_idx)
            and all(row.cost[name] <= limit for name, limit in problem.limits.items())
        ]
        return max(scores, default=None)


@pytest.fixture(scope="module", params=list(product(SPACES, ("tensors", "tinyengine"))), ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    name, runtime = request.param
    return Case(name, runtime, rows(name, runtime))


def budgets(case: Case, seed: int, count: int) -> Iterator[dict[str, int]]:
    """Limits at the cost of some network under some schedule, exactly or one below, one in three on MACs too."""
    rng = random.Random(seed)
    for number in range(count):
        row = rng.choice([row for row in case.rows if rng.random() < 0.3 or row.schedule != "layer"])
        names = ["ram", *(["flash"] if rng.random() < 0.6 else []), *(["macs"] if number % 3 == 0 else [])]
        yield {name: row.cost[name] * rng.choice((1, 1, 2)) - rng.choice((0, 0, 1)) for name in names}


def check(case: Case, limits: dict[str, int], execution: Execution, goal: str) -> bool:
    """Is it the best of all pairs, and does it cost what it says? False where nothing fits."""
    problem = case.problem(limits, execution, goal)
    found, expected = solve(problem), case.best(problem, execution)
    if found is None or expected is None:
        assert found is None, (limits, execution)
        assert expected is None, (limits, execution)
        return False
    best, proof = found.best, found.certificate
    assert proof.objective == expected, (limits, execution, best.schedule)
    assert (proof.status, proof.bound, proof.gap) == (Status.OPTIMAL, expected, 0.0)
    assert best.schedule.name in execution.names
    numbers = (
        {}
        if best.schedule.name == "layer"
        else {"n_patch": best.schedule.n_patch, "split_idx": best.schedule.split_idx}
    )
    report = hwscale.cost(
        spaces(case.name)[0], best.values, runtime=case.runtime, schedule=best.schedule.name, **numbers
    )
    planned = best.planned()
    assert (planned["ram"], planned["flash"]) == (report.cost.ram_bytes, report.cost.flash_bytes)
    assert (best.executed, best.macs) == (report.cost.macs, report.layer_macs)
    costs = {"ram": report.cost.ram_bytes, "flash": report.cost.flash_bytes, "macs": report.cost.macs}
    assert all(costs[name] <= limit for name, limit in limits.items())
    return True


@pytest.mark.parametrize("goal", ["macs", "balanced"])
def test_any_is_the_best_of_all_networks_under_all_schedules(case: Case, goal: str) -> None:
    answered = [check(case, limits, Execution("any"), goal) for limits in budgets(case, 1, 20)]
    assert sum(answered) > 10


@pytest.mark.parametrize("name", ["patch", "patch+", "stream1d", "stream2d"])
def test_a_pinned_schedule_is_the_best_of_its_own(case: Case, name: str) -> None:
    answered = [check(case, limits, Execution(name), "macs") for limits in budgets(case, 2, 5)]
    assert sum(answered) > 1


def test_pinned_numbers_narrow_it(case: Case) -> None:
    rng, answered = random.Random(3), 0
    for limits in budgets(case, 3, 12):
        row = rng.choice([row for row in case.rows if row.schedule != "layer"])
        split_idx = rng.choice((None, row.split_idx))
        n_patch = row.n_patch if split_idx is None else rng.choice((None, row.n_patch))
        answered += check(case, limits, Execution(row.schedule, n_patch, split_idx), "macs")
    assert answered > 3


def test_the_space_counts_every_pair_once(case: Case) -> None:
    for execution in (Execution("any"), Execution("patch+"), Execution("stream2d", 2), Execution("patch", None, 6)):
        mine = [
            row for row in case.rows
            if row.schedule in execution.names
            and execution.n_patch in (None, row.n_patch)
            and execution.split_idx in (None, row.split_idx)
        ]  # fmt: skip
        if not mine:
            continue
        assert case.problem({}, execution).space.size == len(mine), execution


def test_any_is_never_worse_than_layer(case: Case) -> None:
    compared = 0
    for limits in budgets(case, 4, 20):
        plain = solve(case.problem(limits, Execution("layer")))
        joint = solve(case.problem(limits, Execution("any")))
        if plain is not None:
            assert joint is not None
            assert joint.certificate.objective >= plain.certificate.objective
            compared += 1
    assert compared > 4


def test_a_schedule_fits_where_layer_does_not(case: Case) -> None:
    least = min(case.rows, key=lambda row: row.cost["ram"])
    limits = {"ram": least.cost["ram"]}
    assert least.schedule != "layer"
    assert solve(case.problem(limits, Execution("layer"))) is None
    assert check(case, limits, Execution("any"), "macs")


SMALL = {
    "fix": {"depth": 1, "kernel": 3, "expand": 3, "width": 0.5, "resolution": 48},
    "domain": {"width7_1": [0.5, 1.0]},
}


def test_the_answer_says_how_it_is_executed_and_is_verified_by_execution() -> None:
    found = hwscale.fit("mcunet", limits={"ram": "15 KiB"}, runtime="tinyengine", schedule="any", **SMALL)
    report = hwscale.cost(
        "mcunet", found.hyperparameters, runtime="tinyengine", schedule=found.schedule, n_patch=found.n_patch,
        split_idx=found.split_idx,
    )  # fmt: skip
    assert found.schedule != "layer"
    assert found.cost == report.cost
    assert (found.layer_macs, found.ram_parts, found.live) == (report.layer_macs, report.ram_parts, report.live)
    assert found.verification.ok
    rows = {row.quantity: row for row in found.verification.rows}
    assert (rows["macs"].measured, rows["layer_macs"].measured) == (report.cost.macs, report.layer_macs)
    written = found.to_dict()
    assert [written[name] for name in ("schedule", "n_patch", "split_idx", "layer_macs")] == [
        found.schedule, found.n_patch, found.split_idx, found.layer_macs
    ]  # fmt: skip
    assert "splits at the end of a block" in found.restriction
    assert sum(p.numel() for p in found.build().parameters()) == report.cost.params


def test_a_limit_on_macs_holds_for_what_is_executed() -> None:
    asked = {"runtime": "tensors", "schedule": "patch+", "verify": "none", **SMALL}
    free = hwscale.fit("mcunet", limits={"ram": "15 KiB"}, **asked)
    assert free.cost.macs > free.layer_macs
    less = hwscale.fit("mcunet", limits={"ram": "15 KiB", "macs": free.cost.macs - 1}, **asked)
    assert less.cost.macs < free.cost.macs


def test_any_leaves_schedules_out_where_their_latency_is_unknown_and_says_so() -> None:
    asked = {"limits": {"latency": "10 s"}, "runtime": "tensors", "verify": "none", **SMALL}
    found = hwscale.fit("mcunet", "stm32f746", schedule="any", **asked)
    assert found.schedule == "layer"
    assert "others are left out" in found.restriction
    with pytest.raises(ConfigError, match="limit on latency"):
        hwscale.fit("mcunet", "stm32f746", schedule="patch+", **asked)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"schedule": "tiled"}, "unknown schedule"),
        ({"schedule": "any", "runtime": "tflm"}, "op by op only"),
        ({"net": "phinet", "schedule": "any", "solver": "table"}, "use auto or quadtree"),
        ({"schedule": "any", "fix": {"n_patch": 4}}, "has no n_patch"),
        ({"schedule": "patch", "fix": {"n_patch": 0}}, "at least 1"),
        ({"schedule": "patch", "fix": {"n_patch": 7, "resolution": 96}}, "can be cut"),
        ({"schedule": "patch", "solver": "milp"}, "knows schedule layer only"),
        ({"schedule": "patch", "targets": {"ram": "64 KiB"}}, "schedule layer only"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(arguments: dict[str, Any], says: str) -> None:
    asked = {"net": "mcunet", "runtime": "tensors", "verify": "none", **arguments}
    limits = None if "targets" in asked else {"ram": "64 KiB"}
    with pytest.raises(ConfigError, match=says) as caught:
        hwscale.fit(asked.pop("net"), limits=limits, **asked)
    assert "\n" not in str(caught.value)


def test_where_nothing_fits_the_smallest_budget_does() -> None:
    asked = {"runtime": "tensors", "schedule": "any", "verify": "none", **SMALL}
    with pytest.raises(InfeasibleError) as caught:
        hwscale.fit("mcunet", limits={"ram": 2000}, **asked)
    least = int(caught.value.smallest_budget["ram"])
    assert hwscale.fit("mcunet", limits={"ram": least}, **asked).cost.ram_bytes == least
    with pytest.raises(InfeasibleError):
        hwscale.fit("mcunet", limits={"ram": least - 1}, **asked)


def test_a_saved_answer_is_verified_under_its_schedule(tmp_path: Path) -> None:
    found = hwscale.fit("mcunet", limits={"ram": "15 KiB"}, runtime="tensors", schedule="any", verify="none", **SMALL)
    found.save(tmp_path / "saved")
    assert hwscale.verify(tmp_path / "saved").ok


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize("padding", ["reference", "same"])
def test_a_path_through_a_stage_costs_what_its_network_costs_under_the_schedule(padding: str, external: bool) -> None:
    """Halos, extents and line buffers in arrays against `hwscale.schedules`, way by way, at even and odd sides."""
    rng = random.Random(7)
    domain = make_domain(
        "mcunet", {"padding": padding, "expand": 3}, {"resolution": [48, 54], "depth": [1, 2], "kernel": [3, 7]}
    )
    space = make_space(domain, "tensors", external)
    assert isinstance(space, ChainSpace)
    for name, at, n_patch in product(("patch", "patch+", "stream1d", "stream2d"), (0, 2, 5, 7), (None, 2, 3)):
        for group in scheduled_groups(space.groups[0], StagePlan(name, at, n_patch)):
            root, state, ways = rng.randrange(len(group.roots)), 0, []
            for layer in group.layers:
                ways.append(rng.choice([way for way, head in enumerate(layer.heads[state]) if head >= 0]))
                state = int(layer.heads[state, ways[-1]])
            found = path(Problem(space, find_objective("macs"), {}), group, root, tuple(ways))
            report = hwscale.cost(
                "mcunet", found.values, runtime="tensors", input_buffer="external" if external else "counted",
                schedule=name, n_patch=found.schedule.n_patch, split_idx=found.schedule.split_idx,
            )  # fmt: skip
            counted = (found.ram_bytes, found.flash_bytes, found.executed, found.params, found.macs)
            cost = report.cost
            assert counted == (cost.ram_bytes, cost.flash_bytes, cost.macs, cost.params, report.layer_macs), (name, at)
