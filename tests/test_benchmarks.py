"""The benchmarks ask what they claim to ask; how fast anything is, no test says."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from hwscale.domain import make_domain
from hwscale.problem import Problem
from hwscale.solve import solve
from hwscale.space import make_space

sys.path.append(str(Path(__file__).parents[1]))  # benchmarks/ is not installed, and bare `pytest` does not add the root

from benchmarks.baselines import share
from benchmarks.budgets import FLASH_BYTES, LATENCY_S, RAM_BYTES, make_problem, random_limits
from benchmarks.optimizers import BASELINES, Baseline, Search, differential_evolution
from benchmarks.report import Line
from benchmarks.rivals import asked
from benchmarks.stagewise import FINE, FINE_LEAST_PATHS, limits, paper_limits, problems

SMALL = {
    "num_layers": [7, 8],
    "resolution": [96, 128],
    "alpha": (0.2, 0.5),
    "beta": (0.5, 1.5, 0.25),
    "t_zero": (2, 6, 1),
}
LIMITS = {"ram": 128 * 1024, "flash": 96 * 1024, "latency": 0.2}


@pytest.fixture(scope="module", params=["macs", "balanced"])
def problem(request: pytest.FixtureRequest) -> Problem:
    return make_problem(make_space(make_domain("phinet", domain=SMALL), "tensors"), request.param, LIMITS)


def test_budgets_are_the_same_for_the_same_seed() -> None:
    assert random_limits(20, 1) == random_limits(20, 1)
    assert random_limits(5, 1) == random_limits(20, 1)[:5]
    assert random_limits(20, 1) != random_limits(20, 2)


def test_budgets_stay_in_their_ranges_and_half_limit_latency() -> None:
    drawn = random_limits(200)
    for name, (low, high) in {"ram": RAM_BYTES, "flash": FLASH_BYTES, "latency": LATENCY_S}.items():
        values = [limits[name] for limits in drawn if name in limits]
        assert len(values) == (100 if name == "latency" else 200)
        assert low <= min(values) < max(values) <= high


def test_search_evaluates_what_the_problem_asks(problem: Problem) -> None:
    search = Search(problem)
    points = np.indices(search.sizes).reshape(len(search.sizes), -1).T
    scores, excess = search.evaluate(points)
    best = solve(problem, "exhaustive")
    assert best is not None
    fits = (excess <= 0).all(axis=1)
    assert 0 < fits.sum() < len(fits)
    assert scores[fits].max() == pytest.approx(problem.score(best.best), rel=1e-12)
    assert search.best == scores[fits].max()


def test_penalty_prefers_any_feasible_point_to_any_infeasible_one(problem: Problem) -> None:
    search = Search(problem)
    points = np.indices(search.sizes).reshape(len(search.sizes), -1).T
    _, excess = search.evaluate(points)
    penalised = search.penalised(points)
    fits = (excess <= 0).all(axis=1)
    assert penalised[fits].max() < 0 < penalised[~fits].min()
    # lower is better: the smallest network breaks the limits less than the largest one
    assert penalised[0] < penalised[-1]


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda baseline: baseline.name)
def test_no_baseline_beats_the_proof(problem: Problem, baseline: Baseline) -> None:
    if baseline.package in ("pymoo", "optuna"):
        pytest.importorskip(baseline.package)
    proven = solve(problem, "quadtree")
    assert proven is not None
    search = Search(problem)
    baseline.run(search, 40 if baseline.package == "optuna" else 1000, 1)
    assert search.evaluations >= 40
    reached = share(problem, search.best, problem.score(proven.best))
    assert 0 < reached <= 1 + 1e-12


def test_same_seed_same_search(problem: Problem) -> None:
    found = []
    for _ in range(2):
        search = Search(problem)
        differential_evolution(search, 500, 7)
        found.append((search.best, search.evaluations))
    assert found[0] == found[1]


@pytest.mark.parametrize(("value", "at_least", "passed"), [(1.0, False, True), (3.0, False, False), (3.0, True, True)])
def test_a_bar_is_judged_from_its_side(value: float, at_least: bool, passed: bool) -> None:
    assert Line("", "", value, "s", 2.0, at_least).passed is passed
    assert Line("", "", value, "s").passed is None


def test_stagewise_budgets_begin_with_the_papers_and_are_the_same_for_the_same_seed() -> None:
    assert limits(20, 1)[:6] == paper_limits()
    assert limits(20, 1) == limits(20, 1)
    assert limits(8, 1) == limits(20, 1)[:8]
    assert limits(20, 1) != limits(20, 2)


def test_stagewise_spaces_are_as_large_as_claimed_and_their_budgets_can_be_met() -> None:
    whole = problems("atomnet", limits(8, 1))
    assert whole[0].space.size == 57_153_600
    assert all(solve(problem) is not None for problem in whole)
    assert problems("atomnet", paper_limits(), FINE)[0].space.size >= FINE_LEAST_PATHS


def test_cp_sat_finds_what_label_setting_proves() -> None:
    pytest.importorskip("ortools")
    from benchmarks.cp_sat import solve_cp_sat

    problem = asked()[-1]
    proven = solve(problem)
    assert proven is not None
    assert solve_cp_sat(problem)[0] == proven.best.macs
