"""Stage-wise solvers where TensorFlow Lite Micro's planner leaves gaps, against all networks planned one by one."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import pytest
from planned_paths import every_path, space_of
from problems import RATES_FS
from toy_families import Toy, registered

from hwscale.candidate import Path
from hwscale.chain_space import ChainSpace
from hwscale.configuration import configure
from hwscale.errors import ConfigError
from hwscale.objectives import balanced, find_objective
from hwscale.problem import Problem
from hwscale.solve import labels, quest, solve
from hwscale.solve.chain_bounds import chains
from hwscale.solve.solution import Status

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


@pytest.mark.parametrize("short_of_breath", [False, True])
def test_solvers_find_the_best_network_that_can_be_planned(
    case: tuple[ChainSpace, list[Path]], monkeypatch: pytest.MonkeyPatch, short_of_breath: bool
) -> None:
    """Also with a poor beam and next to no completions, and where each search may only look at a few values."""
    if short_of_breath:
        monkeypatch.setattr(quest, "FIRST", 1)
        monkeypatch.setattr(quest, "ROUGHLY", (1, 1))
        monkeypatch.setattr(labels, "BEAM", 1)
        monkeypatch.setattr("hwscale.solve.completions.MOST", 8)
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


TOYS = {
    "some links absent": Toy((2, 1, 1, 2, 1), ((2, 7), (3, 8), (4, 9), (2, 5), (3, 6)), optional=(1, 2), depths=(1, 2)),
    "a map held": Toy((2, 1, 2, 1), ((2, 7), (3, 8), (4, 9), (2, 5)), held={0: 2}),
}


@pytest.mark.parametrize("name", TOYS)
def test_made_up_families_are_planned_too(name: str) -> None:
    """Links of a few ops each, so that windows are short; none where a map is held."""
    with registered(TOYS[name]):
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
