"""Stage-wise solvers against a brute force that shares nothing with them but the price of one whole graph."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from problems import RATES_FS, WORKS
from toy_families import Toy, registered

from hwscale.chain_space import ChainSpace
from hwscale.configuration import configure
from hwscale.domain import make_domain
from hwscale.formulas import find_family
from hwscale.formulas.family import Settings
from hwscale.formulas.stagewise import stagewise
from hwscale.objectives import Objective, balanced, find_objective
from hwscale.problem import Problem
from hwscale.solve import labels, solve
from hwscale.solve.chain import stacks
from hwscale.solve.dominance import undominated
from hwscale.solve.duals import Duals
from hwscale.solve.needs import chain_needs
from hwscale.solve.solution import Status
from hwscale.solve.targets import RESOLUTION, solve_targets
from hwscale.space import make_space
from hwscale.work import latency_fs

METRICS = ("ram", "flash", "macs", "latency")
PINNED = {"block2": "sep", "expand2": 1, "block5": "convnext", "width5": 32, "depth2": 1, "depth5": 1}


@dataclass(frozen=True)
class Row:
    """One network priced as a whole: costs, side, values by name, and the places of its hyperparameters and options."""

    cost: dict[str, int]
    side: float
    values: dict[str, Any]
    order: tuple[Any, ...]


def rows(space: ChainSpace) -> list[Row]:
    """Every distinct network of the domain, from all combinations of values."""
    domain, family = space.domain, find_family(space.domain.family)
    assert stagewise(family)
    axes: dict[str, Any] = dict(domain.axes)
    options = [option.name for option in family.options]
    names = [name for name in axes if name not in options]
    found: dict[tuple[Any, ...], Row] = {}
    for combination in product(*axes.values()):
        values = dict(zip(axes, combination, strict=True))
        settings = Settings(tuple((name, values[name]) for name in options), domain.in_channels, domain.classes)
        if len({values[name] for name in family.linked(settings)}) > 1:
            continue
        links = family.links(settings)
        idle = {name for link in links if link.absent(values) for name in link.choices}
        rounded = {l.width: family.channels(settings, at, values[l.width]) for at, l in enumerate(links) if l.width}
        network = tuple(rounded.get(name, values[name]) for name in axes if name not in idle)
        if network in found:  # of multipliers that round to the same channels the first is the one named
            continue
        shape = None if domain.input_size is None else (domain.in_channels, *domain.input_size)
        chosen = configure(
            family.name, values, input_shape=shape, in_channels=domain.in_channels, classes=domain.classes
        )
        record = chosen.record(space.runtime, space.external_input)
        latency = latency_fs(record.ops, RATES_FS)
        cost = {"ram": record.ram_bytes, "flash": record.flash_bytes, "macs": record.macs, "params": record.params}
        found[network] = Row(
            {**cost, "latency": latency},
            math.sqrt(chosen.input_shape[1] * chosen.input_shape[2]),
            {name: value for name, value in values.items() if name not in idle},
            tuple(axes[name].index(values[name]) for name in names if name not in {*idle, "resolution"})
            + tuple(repr(values[name]) for name in options),
        )
    return list(found.values())


def truth(problem: Problem, networks: list[Row]) -> Row | None:
    """The winner as the rule in words says: score, latency, RAM, Flash, side, hyperparameters in order."""
    fitting = [row for row in networks if all(row.cost[name] <= limit for name, limit in problem.limits.items())]
    goal = problem.objective
    ties = ("latency", "ram", "flash")
    return min(
        fitting,
        key=lambda r: (-goal.score(r.cost[goal.metric], r.side), *(r.cost[n] for n in ties), r.side, r.order),
        default=None,
    )


def space_of(net: str, fix: dict[str, Any], domain: dict[str, Any], external: bool = False, **ends: Any) -> ChainSpace:
    space = make_space(make_domain(net, fix, domain, **ends), "tensors", external, WORKS)
    assert isinstance(space, ChainSpace)
    return space


MCUNET = {
    **{f"kernel{s}": 3 for s in range(2, 8)},
    **{f"expand{s}": 3 for s in range(2, 8)},
    **{f"depth{s}": 2 for s in (4, 5, 6)},
}
SPACES: dict[str, tuple[Any, ...]] = {
    "stages of every block, residual everywhere": (
        "atomnet",
        {**PINNED, "residual": "all", "kernel": 5, "se_stages": (1, 3)},
        {"width0": [16, 24], "width1": [16, 24], "block3": ["sep", "convnext", "mbconv"], "expand3": [1, 3],
         "depth3": [1, 2], "width3": [16], "width2": [16], "width4": [16, 32], "depth4": 1, "resolution": [16, 33]},
    ),
    "widths of one": (
        "atomnet",
        {**PINNED, "width5": 1, "se_stages": (1, 2, 3, 4, 5), "include_top": False},
        {"width0": [1, 3], "width1": [1, 3], "width2": [1, 3], "width3": [1, 3], "width4": [1, 2], "depth4": [1, 2],
         "block3": ["sep", "convnext"], "expand3": [1], "depth3": [1], "resolution": [1, 5]},
    ),
    "options vary, image outside": (
        "atomnet",
        {**PINNED, "se_placement": "expanded", "expansion_base": "out", "se_stages": (4, 5), "depth4": 1, "width4": 24},
        {"width0": [16, 24], "width1": [16, 24], "width2": [16, 32], "width3": [16, 24], "residual": ["none", "all"],
         "kernel": [3, 11], "block3": "convnext", "expand3": [1, 3], "depth3": 1, "resolution": [24]},
        True,
    ),
    "depths and multipliers that round alike": (
        "mcunet",
        {k: v for k, v in MCUNET.items() if k not in ("depth4", "depth6")}
        | {f"width{s}": 0.5 for s in (0, 1, 4, 5, 6, 7)},
        {"depth2": [1, 2, 3], "depth3": [2], "depth4": [1, 2], "depth6": [1, 4], "width2_1": [0.5, 1.0],
         "width2_2": [0.25, 0.3, 0.5], "width2_3": [0.5, 1.0], "width3": [0.5], "width2_4": [0.5],
         "resolution": [32, 48]},
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=SPACES)
def case(request: pytest.FixtureRequest) -> tuple[ChainSpace, list[Row]]:
    space = space_of(*SPACES[request.param])
    return space, rows(space)


def random_limits(rng: random.Random, networks: list[Row]) -> dict[str, int]:
    """Limits from none to four: exactly at a network's cost or one below, near the cheapest, or anywhere."""
    names = [name for name in METRICS if rng.random() < 0.6]
    kind = rng.random()
    if kind < 0.2:  # the cheapest of everything, or less
        return {name: min(row.cost[name] for row in networks) - rng.choice((0, 0, 1)) for name in METRICS}
    if kind < 0.6:
        row = rng.choice(networks)
        return {name: row.cost[name] - rng.choice((0, 0, 0, 1)) for name in names}
    return {name: rng.choice(networks).cost[name] for name in names}


def turning(row: Row, shift: float, c: float, band: float = 0.0) -> Objective:
    """`balanced` whose turning point lies at ``shift`` times a network's MACs."""
    r0 = row.side * math.exp(2 / c) * (1e8 / (shift * row.cost["macs"])) ** 0.25
    return replace(balanced(min(10_000.0, max(1.0, r0)), c), band=band)


def random_objective(rng: random.Random, networks: list[Row]) -> Objective:
    row, shift = rng.choice(networks), math.exp(rng.uniform(-0.3, 0.3))
    kind = rng.choice(("macs", "params", "balanced", "turning", "turning", "band"))
    if kind == "turning":
        return turning(row, shift, rng.choice((1.5, 3.0, 100.0)))
    return turning(row, shift, 3.0, 0.6) if kind == "band" else find_objective(kind)


def questions(rng: random.Random, case: tuple[ChainSpace, list[Row]], count: int) -> Iterator[Problem]:
    space, networks = case
    for _ in range(count):
        yield Problem(space, random_objective(rng, networks), random_limits(rng, networks), RATES_FS)


def test_the_domain_holds_each_distinct_network_once(case: tuple[ChainSpace, list[Row]]) -> None:
    space, networks = case
    assert space.size == len(networks)


def test_every_solver_returns_the_brute_force_winner_and_its_certificate(case: tuple[ChainSpace, list[Row]]) -> None:
    networks = case[1]
    answered = infeasible = 0
    for problem in questions(random.Random(20261121), case, 50):
        expected = truth(problem, networks)
        infeasible += expected is None
        for solver in ("auto", "paths", "exhaustive"):
            found = solve(problem, solver)
            if expected is None or found is None:
                assert expected is None, (solver, problem.objective, problem.limits)
                assert found is None, (solver, problem.objective, problem.limits)
                continue
            answered += 1
            assert {n: expected.values[n] for n in found.best.values} == found.best.values, (solver, problem.limits)
            score = problem.objective.score(expected.cost[problem.objective.metric], expected.side)
            proof = found.certificate
            assert (proof.objective, proof.bound, proof.gap) == (score, score, 0.0)
            assert (proof.status, proof.domain_size) == (Status.OPTIMAL, len(networks))
    assert answered > 60
    assert infeasible > 3


def test_the_least_inflation_is_the_brute_force_minimum_and_suffices(case: tuple[ChainSpace, list[Row]]) -> None:
    space, networks = case
    rng = random.Random(3)
    for _ in range(12):
        row = rng.choice(networks)
        names = rng.sample(METRICS, 2)
        limits = {name: max(1, int(row.cost[name] * rng.uniform(0.1, 0.8))) for name in names}
        problem = Problem(space, find_objective("balanced"), limits, RATES_FS)
        if truth(problem, networks) is not None:
            continue
        alone, closest = chain_needs(problem)
        assert {n: alone[n].metric(n) for n in names} == {n: min(r.cost[n] for r in networks) for n in names}
        inflation = max(Fraction(closest.metric(n), limits[n]) for n in names)
        assert inflation == min(max(Fraction(r.cost[n], limits[n]) for n in names) for r in networks)
        budget = {n: max(limits[n], closest.metric(n)) for n in names}
        assert solve(replace(problem, limits=budget)) is not None


@pytest.mark.parametrize("two_sided", [False, True])
def test_targets_are_met_as_closely_as_any_network_can(case: tuple[ChainSpace, list[Row]], two_sided: bool) -> None:
    space, networks = case
    rng = random.Random(8)
    goal = find_objective("macs")

    def distance(cost: dict[str, int], targets: dict[str, int]) -> float:
        return max(abs(cost[name] / target - 1) for name, target in targets.items())

    for _ in range(6):
        row, names = rng.choice(networks), rng.sample(METRICS, rng.choice((1, 2)))
        targets = {name: int(row.cost[name] * rng.choice((1.0, 1.07, 1.6))) for name in names}
        legal = [r for r in networks if two_sided or all(r.cost[name] <= targets[name] for name in names)]
        tolerance = rng.choice((0.0, 0.2))
        problem = Problem(space, goal, {}, RATES_FS)
        found = solve_targets(problem, targets, "auto", tolerance=tolerance, two_sided=two_sided)
        assert found is not None
        best = {name: found.best.metric(name) for name in (*METRICS, "params")}
        allowed = max(tolerance, min(distance(r.cost, targets) for r in legal))
        assert distance(best, targets) <= allowed + (1.1 * RESOLUTION if two_sided else 1e-8)
        within = [r for r in legal if distance(r.cost, targets) <= allowed * (1 - 1e-12)]
        assert best["macs"] >= max((r.cost["macs"] for r in within), default=0)


LARGER = (
    "atomnet",
    {"resolution": 128, "block3": "convnext", "depth5": 1},
    {"width0": [16, 32, 64], "width1": [16, 32], "width2": [32, 64, 96], "expand3": [1, 3], "depth3": [1, 2],
     "width3": [48, 96], "depth4": [1, 2], "width4": [48, 96], "width5": [64, 128]},
)  # fmt: skip


def scattered(space: ChainSpace, count: int, rng: random.Random) -> list[Row]:
    """Random paths as rows, priced by the tables: a source of limits, not of truth."""
    group, found = space.groups[0], []
    for _ in range(count):
        ways, state = [], 0
        for layer in group.layers:
            ways.append(int(rng.choice(np.flatnonzero(layer.heads[state] >= 0))))
            state = int(layer.heads[state, ways[-1]])
        cost, works = group.price(0, ways)
        latency = sum(works[work] * fs for work, fs in RATES_FS.items())
        found.append(Row({**cost, "latency": latency}, group.resolutions[0], {}, ()))
    return found


def test_just_above_the_turning_point_a_network_may_win() -> None:
    """With several resources the relaxation may promise a network below the turning point, where the score is lower."""
    space, rng = space_of(*LARGER), random.Random(10)
    for row in scattered(space, 12, rng):
        limits = {name: int(row.cost[name] * rng.uniform(1, 1.5)) for name in ("flash", "macs", "latency")}
        problem = Problem(space, turning(row, 1 - 1e-6, 100.0), limits, RATES_FS)
        expected, found = solve(problem, "paths"), solve(problem, "labels")
        assert expected is not None
        assert found is not None
        assert expected.best.macs > problem.objective.turning_points(128.0)
        assert found.best.hyperparameters == expected.best.hyperparameters
        assert found.certificate.objective == expected.certificate.objective


def test_dropped_labels_stay_in_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    space, rng = space_of(*LARGER), random.Random(4)
    networks = scattered(space, 300, rng)
    questions_ = [
        Problem(space, find_objective(goal), random_limits(rng, networks), RATES_FS)
        for goal in ("macs", "params", "balanced") * 20
    ]
    truths = [solve(problem, "paths") for problem in questions_]
    monkeypatch.setattr(labels, "LABELS", (5,))
    monkeypatch.setattr(labels, "BEAM", 5)
    monkeypatch.setattr("hwscale.solve.completions.MOST", 8)
    open_ones = 0
    for problem, best in zip(questions_, truths, strict=True):
        found = solve(problem, "labels")
        assert (found is None) == (best is None)
        if found is None or best is None:
            continue
        proof = found.certificate
        assert proof.objective <= best.certificate.objective
        assert proof.bound is not None
        assert proof.bound >= best.certificate.objective
        assert proof.gap == proof.bound - proof.objective
        if proof.status is Status.FEASIBLE:
            open_ones += 1
            assert proof.gap > 0
        else:
            assert proof.objective == best.certificate.objective
    assert open_ones > 10


@pytest.mark.parametrize("names", [METRICS[1:][:n] for n in range(4)])
@pytest.mark.parametrize("turn", [False, True])
def test_no_feasible_network_is_worth_more_than_the_dual_bound(names: tuple[str, ...], turn: bool) -> None:
    space = space_of(*SPACES["stages of every block, residual everywhere"])
    networks, rng = rows(space), random.Random(6)
    compared = 0
    for _ in range(25):
        row = rng.choice(networks)
        limits = {name: int(row.cost[name] * rng.uniform(1.0, 1.3)) for name in names}
        goal = turning(rng.choice(networks), rng.uniform(0.8, 1.2), 3.0) if turn else find_objective("macs")
        for stack in stacks(Problem(space, goal, limits, RATES_FS)):
            duals = Duals(stack)
            bounds = duals.solve(duals.least()).bound
            for bound, root in zip(bounds, stack.roots, strict=True):
                side = stack.group.resolutions[root]
                peak = float(goal.turning_points(side)) if turn else math.inf
                worth = [
                    r.cost["macs"] if stack.rising else -r.cost["macs"]
                    for r in networks
                    if r.side == side
                    and all(r.cost[name] <= limit for name, limit in limits.items())
                    and (r.cost["macs"] <= peak) == stack.rising
                ]
                compared += len(worth)
                if worth:
                    assert max(worth) <= bound + 1e-6 * abs(bound)
    assert compared > 500


@pytest.mark.parametrize("kinds", [0, 1, 2, 3])
def test_dominance_keeps_what_could_win_or_break_a_tie(kinds: int) -> None:
    """Whatever follows a label, the best pair by value and tie order starts with one that is kept."""
    rng = np.random.default_rng(kinds)
    removed = 0
    for _ in range(60):
        count = int(rng.integers(1, 60))
        state, value = rng.integers(0, 2, count), rng.integers(0, 6, count)
        used, ties = rng.integers(-3, 4, (kinds, count)), rng.integers(0, 2, (3, count))
        kept = undominated(state, value, used, ties)
        removed += count - len(kept)
        room = rng.integers(-3, 4, (kinds, 20))  # what a completion leaves of each limit

        for where in (0, 1):
            for left in room.T:
                able = [n for n in range(count) if state[n] == where and (used[:, n] <= left).all()]
                if able:
                    assert min(able, key=lambda n: (-value[n], *ties[:, n], n)) in kept
    assert removed > 0


TOYS = {
    "held for the next link": Toy((1, 1, 2), ((2, 3), (2, 3), (1, 4)), {0: 1}),
    "held over several links": Toy((1, 2, 1, 1), ((4, 8), (1, 2), (1, 2), (2,)), {0: 3}),
    "held twice, one after the other": Toy((1, 1, 1, 2, 1), ((2, 8), (1, 2), (2,), (1, 3), (2,)), {0: 2, 2: 4}),
    "a stage of one to three links in the shadow of a held map": Toy(
        (1, 1, 1, 1, 1, 1), ((8,), (1, 2), (2, 4), (1,), (2,), (3,)), {0: 5}, (2, 3, 4), (1, 2, 3)
    ),
    "all links of one width": Toy((1, 2, 1, 1), ((1, 2, 5),) * 4, {0: 2}, tied=True),
}


@pytest.mark.parametrize("name", TOYS)
@pytest.mark.parametrize("external", [False, True])
def test_a_map_that_outlives_its_link_is_priced_and_searched_right(name: str, external: bool) -> None:
    with registered(TOYS[name]):
        space = space_of("toy", {}, {"resolution": [1, 6]}, external)
        networks = rows(space)
        assert space.size == len(networks)
        for row in networks:
            side = row.values["resolution"]
            walks = ((g, g.walk(row.values)) for g in space.groups if side in g.resolutions)
            owner, ways = next((g, w) for g, w in walks if w is not None)
            cost, _ = owner.price(owner.resolutions.index(side), ways)
            assert cost == {name: row.cost[name] for name in cost}
        held = [row.cost["ram"] for row in networks]
        rng = random.Random(1)
        for _ in range(12):
            problem = Problem(space, random_objective(rng, networks), {"ram": rng.choice(held)}, RATES_FS)
            expected = truth(problem, networks)
            assert expected is not None
            for solver in ("labels", "paths"):
                found = solve(problem, solver)
                assert found is not None
                assert {n: expected.values[n] for n in found.best.values} == found.best.values
