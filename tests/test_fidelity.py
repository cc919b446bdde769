"""docs/objective.md holds what `python -m benchmarks.fidelity` computes, and the regret is what it says it is."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1]))  # benchmarks/ is not installed, and bare `pytest` does not add the root

from benchmarks import fidelity
from hwscale.objectives import find_objective


def test_the_document_holds_the_tables_of_the_script() -> None:
    assert fidelity.documented() == fidelity.report()


@pytest.mark.parametrize("name", fidelity.GRIDS)
def test_something_fits_every_budget_and_the_truth_itself_loses_nothing(name: str) -> None:
    grid = fidelity.load(name)
    for limited in fidelity.LIMITED.values():
        fits = fidelity.feasible(grid, limited, 500)
        assert fits.any(axis=1).all()
        assert not fits.all(axis=1).all()
        assert (fidelity.regret(grid, grid.top1, fits) == 0).all()
        assert (fidelity.regret(grid, -grid.top1, fits) >= fidelity.random_regret(grid, fits)).all()


def test_regret_is_the_loss_against_the_best_network_that_fits() -> None:
    grid = fidelity.Grid("", {}, np.ones(3), np.array([70.0, 60.0, 65.0]))
    fits = np.array([[True, True, True], [False, True, True], [False, True, False]])
    assert fidelity.regret(grid, np.array([1.0, 3.0, 2.0]), fits).tolist() == [10, 5, 0]
    assert fidelity.random_regret(grid, fits).tolist() == [5, 2.5, 0]


def test_budgets_are_the_same_for_the_same_seed() -> None:
    grid = fidelity.load("MobileNetV2, float")
    some = fidelity.feasible(grid, ("ram",), 100, 3)
    assert (some == fidelity.feasible(grid, ("ram",), 100, 3)).all()
    assert (some[:20] == fidelity.feasible(grid, ("ram",), 20, 3)).all()
    assert (some != fidelity.feasible(grid, ("ram",), 100, 4)).any()


def test_the_grids_are_the_published_ones() -> None:
    assert [len(fidelity.load(name)) for name in fidelity.GRIDS] == [16, 16, 22]
    v2 = fidelity.load("MobileNetV2, float")
    assert sorted(set(v2.sides)) == [96, 128, 160, 192, 224]


@pytest.mark.parametrize("name", ["MobileNetV1, float", "MobileNetV2, float"])
def test_shipped_constants_lie_near_those_that_each_family_implies(name: str) -> None:
    r0, c, exponent = fidelity.constants(fidelity.load(name))
    shipped = find_objective("balanced")
    assert r0 == pytest.approx(shipped.r0, rel=0.1)
    assert c == pytest.approx(shipped.c, rel=0.25)
    assert exponent == pytest.approx(0.25, abs=0.05)


def test_the_check_says_when_the_document_differs(capsys: pytest.CaptureFixture[str]) -> None:
    assert fidelity.main(["--check", "--budgets", "50"]) == 1
    assert "python -m benchmarks.fidelity" in capsys.readouterr().err
