"""Stage-wise solvers where TensorFlow Lite Micro's planner leaves gaps, against all networks planned one by one."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from problems import RATES_FS
from toy_families import Toy, registered

from hwscale.candidate import Path
from hwscale.chain_space import ChainGroup, ChainSpace
from hwscale.configuration import configure
from hwscale.domain import make_domain
from hwscale.errors import ConfigError
from hwscale.objectives import balanced, find_objective
from hwscale.problem import Problem, path
from hwscale.runtimes.planner import Buffer, plan_arena
from hwscale.solve import labels, quest, solve
from hwscale.solve.arena import least_heads
from hwscale.solve.chain_bounds import chains
from hwscale.solve.extras import extras, joint
from hwscale.solve.shared import shared
from hwscale.solve.solution import Status
from hwscale.solve.windows import least_arena, least_arenas
from hwscale.space import make_space

SPACES: dict[str, tuple[Any, ...]] = {
    "atomnet, no residual": (
        "atomnet",
        {"residual": "none", "se_stages": (1, 3), "activation": "hard_swish", "depth2": 1, "depth3": 1, "depth4": 1,
         "expand4": 3, "expand5": 3, "width3": 48, "width5": 8},
        {"width0": [24, 48], "width1": [16, 32], "width2": [8, 32], "width4": [16, 32], "expand3": [3, 6],
         "block3": ["convnext", "sep"], "depth5": [1, 2], "resolution": [32]},
    ),
    "atomnet, residual everywhere, image outside": (
        "atomnet",
        {"residual": "all", "kernel": 5, "activation": "hard_swish", "depth2": 1, "depth3": 1, "depth5": 1,
         "expand4": 6, "expand5": 3, "width3": 32, "width4": 48, "width5": 48},
        {"width0": [8, 48], "width1": [8, 48], "width2": [8, 24], "expand3": [1, 3], "block3": ["mbconv", "sep"],
         "depth4": [1, 2], "resolution": [32, 80]},
        True,
    ),
    "mcunet": (
        "mcunet",
        {f"{name}{s}": 3 for name in ("kernel", "expand") for s in range(5, 8)} | {"expand4": 6}
        | {f"width{s}": 1.0 for s in range(4, 8)} | {f"depth{s}": 1 for s in (2, 4, 5, 6)}
        | {"kernel2_1": 3, "kernel3_2": 5, "kernel3_3": 7, "expand3_2": 3, "expand3_3": 6, "width3_1": 0.5, "width3_2": 1.0,
           "width3_3": 1.0},
        {"width0": [0.75, 1.0], "width1": [0.5, 0.75], "expand2_1": [4, 6], "width2_1": [0.5, 1.0],
         "kernel3_1": [3, 7], "expand3_1": [3, 4], "depth3": [2, 3], "kernel4_1": [3, 5], "resolution": [96]},
    ),
}  # fmt: skip


def space_of(net: str, fix: dict[str, Any], domain: dict[str, Any], external: bool = False) -> ChainSpace:
    space = make_space(make_domain(net, fix, domain), "tflm", external)
    assert isinstance(space, ChainSpace)
    return space


def every_path(space: ChainSpace) -> list[Path]:
    problem, found = Problem(space, find_objective("macs"), {}, RATES_FS), []
    for group in space.groups:
        for root in range(len(group.roots)):
            begun: list[tuple[tuple[int, ...], int]] = [((), 0)]
            while begun:
                ways, state = begun.pop()
                if len(ways) == len(group.layers):
                    found.append(path(problem, group, root, ways))
                    continue
                heads = group.layers[len(ways)].heads[state]
                begun += [((*ways, int(way)), int(heads[way])) for way in np.flatnonzero(heads >= 0)]
    assert len(found) == space.size
    return found


def random_path(space: ChainSpace, rng: random.Random) -> tuple[ChainGroup, int, tuple[int, ...], list[int]]:
    group = rng.choice(space.groups)
    ways: list[int] = []
    states, state = [], 0
    for layer in group.layers:
        states.append(state)
        ways.append(int(rng.choice(np.flatnonzero(layer.heads[state] >= 0))))
        state = int(layer.heads[state, ways[-1]])
    return group, rng.randrange(len(group.roots)), tuple(ways), states


@pytest.fixture(scope="module", params=SPACES)
def case(request: pytest.FixtureRequest) -> tuple[ChainSpace, list[Path]]:
    space = space_of(*SPACES[request.param])
    return space, every_path(space)


def random_limits(rng: random.Random, paths: list[Path]) -> dict[str, int]:
    """Limits at what some network needs as planned or as bounded, or a byte below, or in between."""
    one = rng.choice(paths)
    planned, bound = one.planned()["ram"], one.ram_bytes
    limits = {"ram": rng.choice((planned, planned - 1, bound, bound + rng.randrange(120), (planned + bound) // 2))}
    if rng.random() < 0.5:
        other = rng.choice(paths)
        limits["flash"] = rng.choice((other.planned()["flash"], other.planned()["flash"] - 1, other.flash_bytes + 200))
    for name in ("macs", "latency"):
        if rng.random() < 0.3:
            limits[name] = rng.choice(paths).metric(name)
    return limits


def questions(rng: random.Random, case: tuple[ChainSpace, list[Path]], count: int) -> list[Problem]:
    space, paths = case
    found = []
    for _ in range(count):
        goal = find_objective(rng.choice(("macs", "params", "balanced")))
        if rng.random() < 0.25:  # one whose turning point lies among the networks
            one = rng.choice(paths)
            goal = balanced(one.resolution * math.exp(2 / 3) * (1e8 / one.macs) ** 0.25, 3.0)
        found.append(Problem(space, goal, random_limits(rng, paths), RATES_FS))
    return found


def within(problem: Problem, paths: list[Path]) -> list[Path]:
    """Those whose bounds keep the limits."""
    return [one for one in paths if all(one.metric(name) <= limit for name, limit in problem.limits.items())]


def truth(problem: Problem, paths: list[Path]) -> Path | None:
    return min((one for one in within(problem, paths) if problem.fits(one)), key=problem.rank, default=None)


def best_score(problem: Problem, paths: list[Path]) -> float:
    return max((problem.score(one) for one in within(problem, paths) if problem.fits(one)), default=-math.inf)


def test_candidates_are_planned_as_configurations_are(case: tuple[ChainSpace, list[Path]]) -> None:
    space, paths = case
    for one in random.Random(1).sample(paths, 12):
        chosen = configure(space.domain.family, {**dict(one.group.roots[one.root].branch), **one.values})
        record = chosen.record("tflm", space.external_input)
        assert one.planned() == {"ram": record.ram_bytes, "flash": record.flash_bytes}
        assert (one.macs, one.params) == (record.macs, record.params)


def test_solvers_find_the_best_network_that_can_be_planned(case: tuple[ChainSpace, list[Path]]) -> None:
    paths = case[1]
    misled = infeasible = 0
    for number, problem in enumerate(questions(random.Random(4), case, 40)):
        expected, hoped = truth(problem, paths), min(within(problem, paths), key=problem.rank, default=None)
        misled += hoped is not expected
        infeasible += expected is None
        for solver in ("labels", "exhaustive", "milp") if number % 8 == 0 else ("labels", "exhaustive"):
            found = solve(problem, solver)
            assert (found is None) == (expected is None), (solver, problem.objective, problem.limits)
            if found is None or expected is None:
                continue
            score = problem.score(expected)
            assert found.certificate.status is Status.OPTIMAL
            if solver == "milp":  # ties in any order
                assert math.isclose(found.certificate.objective, score, rel_tol=1e-12)
                continue
            assert found.best.values == expected.values, (solver, problem.objective, problem.limits)
            assert (found.certificate.objective, found.certificate.bound) == (score, score)
    assert misled > 8, "the planner leaves no gaps here: nothing was tested"
    assert infeasible < 20


def test_no_network_that_can_be_planned_beats_the_bound_of_its_chain(case: tuple[ChainSpace, list[Path]]) -> None:
    """Also once windows are watched, which sharpen the bounds."""
    paths = case[1]
    for problem in questions(random.Random(9), case, 12):
        solve(problem, "labels")
        bounds: dict[tuple[int, int], float] = {}
        for chain in chains(problem):
            key = id(chain.stack.group), chain.root
            bounds[key] = max(bounds.get(key, -math.inf), chain.bound)
        for one in within(problem, paths):
            if problem.fits(one):
                assert problem.score(one) <= bounds[id(one.group), one.root] * (1 + 1e-12)


def test_a_byte_less_than_the_least_network_needs_is_too_little(case: tuple[ChainSpace, list[Path]]) -> None:
    space, paths = case
    for name in ("ram", "flash"):
        least = min(one.planned()[name] for one in paths)
        for limit, fits in ((least, True), (least - 1, False)):
            limits = {"ram": 10**9, name: limit}
            for solver in ("labels", "exhaustive"):
                assert (solve(Problem(space, find_objective("balanced"), limits), solver) is not None) == fits


@pytest.mark.parametrize("knows_windows", [True, False])
@pytest.mark.parametrize("passed_over", [1, 4])
def test_what_is_passed_over_too_often_stays_in_the_bound(
    case: tuple[ChainSpace, list[Path]], monkeypatch: pytest.MonkeyPatch, knows_windows: bool, passed_over: int
) -> None:
    space, paths = case
    monkeypatch.setattr(quest, "PASSED_OVER", passed_over)
    monkeypatch.setattr(labels, "PASSED_OVER", passed_over)
    monkeypatch.setattr(labels, "TRIES", 1)
    if not knows_windows:
        monkeypatch.setattr("hwscale.solve.watch.has_windows", lambda group: False)
        monkeypatch.setattr(quest, "extras", lambda group: None)
    left_open = 0
    # groups of their own, whose windows nobody has watched yet
    mine = replace(space, groups=tuple(replace(group) for group in space.groups))
    for problem in questions(random.Random(3), (mine, paths), 20):
        best = best_score(problem, paths)
        try:
            found = solve(problem, "labels")
        except ConfigError:
            left_open += 1
            continue
        assert (found is None) == (best == -math.inf)
        if found is None:
            continue
        proof = found.certificate
        assert problem.fits(found.best)
        assert proof.objective == problem.score(found.best) <= best
        assert proof.bound is not None
        assert proof.bound >= best * (1 - 1e-12)
        assert proof.gap == proof.bound - proof.objective
        assert (proof.status is Status.OPTIMAL) == (proof.gap == 0)
        left_open += proof.status is Status.FEASIBLE
    assert left_open > 0 or knows_windows


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize(
    ("net", "options"),
    [
        ("atomnet", {}),
        ("atomnet", {"residual": "all", "se_stages": (1, 2, 3), "activation": "hard_swish", "kernel": 5}),
        ("atomnet", {"expansion_base": "out", "se_placement": "expanded", "include_top": False}),
        ("mcunet", {}),
        ("mcunet", {"mix_channels": 64}),
    ],
    ids=str,
)
def test_a_window_bounds_the_arena_of_every_network_around_it(
    net: str, options: dict[str, Any], external: bool
) -> None:
    """From the full domains: the arena of a window never exceeds that of the network, and is it where the window is all of it."""
    space, rng = make_space(make_domain(net, options), "tflm", external), random.Random(7)
    assert isinstance(space, ChainSpace)
    problem = Problem(space, find_objective("macs"), {})
    for _ in range(25):
        group, root, ways, states = random_path(space, rng)
        one = path(problem, group, root, ways)
        model, knobs, height, width = one.priced()
        graph, _ = model.graph(knobs, height, width)
        head = dict(model.runtime.plan(model.lowered(graph), external))["head"]
        before = np.zeros(len(ways), np.int64)
        for length in range(1, len(ways) + 1):
            arenas = least_arenas(group, root, ways, length)
            assert arenas.max() <= head
            assert (arenas >= before[: len(arenas)]).all(), "a longer window tells no less"
            before = arenas
            first = rng.randrange(len(arenas))
            rows = np.array([ways[first : first + length]])
            assert least_arena(group, root, first, np.array([states[first]]), rows)[0] == arenas[first]
        assert arenas[0] == head


@pytest.mark.parametrize("crossing", [0.0, 0.3])
def test_many_arenas_are_planned_as_one_is(crossing: float) -> None:
    rng = np.random.default_rng(5)
    sizes = rng.choice([0, 16, 32, 48, 160, 320], (400, 9))
    first = rng.integers(0, 8, sizes.shape)
    last = first + rng.integers(0, 4, sizes.shape)
    order = np.broadcast_to(np.arange(9), sizes.shape)
    outside = rng.random(sizes.shape) < crossing
    found = least_heads(sizes, first, last, order, outside)
    for row, head in enumerate(found):
        lives = zip(sizes[row].tolist(), first[row].tolist(), last[row].tolist(), strict=True)
        planned = plan_arena([Buffer(*life) for life in lives]).head_bytes
        assert head == planned or (head <= planned and outside[row].any())


@pytest.mark.parametrize(
    ("net", "options"),
    [("atomnet", {}), ("atomnet", {"se_stages": (1, 3), "kernel": 5, "activation": "hard_swish"}), ("mcunet", {})],
    ids=str,
)
def test_shared_constants_and_roundings_are_known_to_the_byte(net: str, options: dict[str, Any]) -> None:
    space, rng = make_space(make_domain(net, options), "tflm", False), random.Random(2)
    assert isinstance(space, ChainSpace)
    problem = Problem(space, find_objective("macs"), {})
    for _ in range(40):
        group, root, ways, states = random_path(space, rng)
        known, traits = extras(group), np.zeros(1, np.int64)
        assert known is not None
        kept = 0
        for layer, at, state, way in zip(group.layers, known.traits, states, ways, strict=True):
            traits = joint(traits, at[state : state + 1, way])
            kept += int(layer.persistent[state, way])
        one = path(problem, group, root, ways)
        model, knobs, height, width = one.priced()
        lowered = model.lowered(model.graph(knobs, height, width)[0])
        persistent, flash = shared(group)
        tail = group.model.base_persistent + persistent + kept + int(known.ram(traits, np.array([kept]))[0])
        assert tail == dict(model.runtime.plan(lowered, False))["tail"]
        assert one.flash_bytes + flash + int(known.flash_bytes(traits)[0]) == model.runtime.flash_bytes(lowered)
        assert known.least_ram(traits)[0] <= known.ram(traits, np.array([kept]))[0]


def test_a_made_up_family_is_planned_too() -> None:
    """Links of one or two ops each, some absent: the widest maps stand next to each other."""
    toy = Toy((2, 1, 1, 2, 1), ((2, 7), (3, 8), (4, 9), (2, 5), (3, 6)), optional=(1, 2), depths=(1, 2))
    with registered(toy):
        space = space_of("toy", {}, {"resolution": [7, 12]})
        paths = every_path(space)
        misled = 0
        for problem in questions(random.Random(6), (space, paths), 25):
            expected, hoped = truth(problem, paths), min(within(problem, paths), key=problem.rank, default=None)
            misled += hoped is not expected
            for solver in ("labels", "exhaustive"):
                found = solve(problem, solver)
                assert (found is None) == (expected is None)
                assert found is None or expected is None or found.best.values == expected.values
        assert misled > 0
