"""MobileNets in three readings: ints, numpy arrays and sympy polynomials give the same integers; and what the printed
forms promise of their alphas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy
from test_readings import Case, by_arrays, by_ints, by_symbols, closed_form, model_of

from hwscale.closed_form import formula

CASES = [
    Case("mobilenet_v1", points=6000),
    Case("mobilenet_v1", {"divisor": 1}),
    Case("mobilenet_v1", {"divisor": 16, "include_top": False}),
    Case("mobilenet_v1", {"resolution": 97}, points=2000),
    Case("mobilenet_v1", runtime="tensors-strict", in_channels=1),
    Case("mobilenet_v2", points=6000),
    Case("mobilenet_v2", {"divisor": 1, "scale_head": True}),
    Case("mobilenet_v2", {"divisor": 4, "include_top": False}),
    Case("mobilenet_v2", {"divisor": 16}),
    Case("mobilenet_v2", {"resolution": 97}, points=2000),
    Case("mobilenet_v2", runtime="tensors-strict", in_channels=1),
    Case("mobilenet_v1", {"padding": "same", "resolution": 97}, points=2000),
    Case("mobilenet_v2", {"padding": "same"}, points=2000, runtime="tensors-strict"),
]
ALPHA = sympy.Symbol("alpha", positive=True)
R = sympy.Symbol("R", integer=True, positive=True)


def least(case: Case) -> float:
    """From which alpha on the printed form says that it holds."""
    (sentence,) = (s for s in closed_form(case).assumptions if s.startswith("alpha >"))
    return float(sympy.Rational(sentence.split()[-1]))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_ints_arrays_and_symbols_agree_on_every_point(case: Case) -> None:
    rng = np.random.default_rng(CASES.index(case))
    low = least(case) + 1e-12
    alphas = np.where(
        rng.random(case.points) < 0.5, rng.uniform(low, 1.5, case.points), rng.uniform(low, 2 * low, case.points)
    )
    decimals = np.round(alphas, 2)
    knobs: dict[str, Any] = {"alpha": np.where((rng.random(case.points) < 0.5) & (decimals >= low), decimals, alphas)}
    multiple = model_of(case).family.map_multiple(closed_form(case).question.settings)
    sides = (
        np.full(case.points, case.fix["resolution"])
        if "resolution" in case.fix
        else multiple * rng.integers(2, 9, case.points)
    )
    arrays = by_arrays(model_of(case), knobs, sides)
    np.testing.assert_array_equal(by_ints(model_of(case), knobs, sides), arrays)
    np.testing.assert_array_equal(by_symbols(case, knobs, sides), arrays)


def test_ints_and_arrays_agree_where_rounding_adds_residuals() -> None:
    case = Case("mobilenet_v2", points=3000)
    rng = np.random.default_rng(1)
    knobs = {"alpha": rng.uniform(0.02, 0.3, case.points)}
    sides = 32 * rng.integers(2, 9, case.points)
    np.testing.assert_array_equal(by_ints(model_of(case), knobs, sides), by_arrays(model_of(case), knobs, sides))


@pytest.mark.parametrize(("divisor", "sentence"), [(8, "alpha > 5/18"), (16, "alpha > 5/9"), (1, "alpha >= 1/16")])
def test_printed_v2_names_the_alpha_above_which_no_residual_is_added(divisor: int, sentence: str) -> None:
    # c32 = c16 up to 0.9 * 32 alpha = d, alpha = d / 28.8; at equality the 10 % rule does not act
    assert sentence in formula("mobilenet_v2", fix={"divisor": divisor}).assumptions


def test_relaxed_v1_is_the_sum_over_layers_written_by_hand() -> None:
    form = formula("mobilenet_v1").relaxed()
    widths = [32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]
    halved = [1, 1, 2, 2, 3, 3, 4, 4, 4, 4, 4, 4, 5, 5]  # of the map that each block's pointwise runs on
    macs = sympy.Rational(27, 4) * 32 * ALPHA * R**2
    for cin, cout, h in zip(widths[:-1], widths[1:], halved[1:], strict=True):
        macs += (9 * cin * ALPHA + cin * cout * ALPHA**2) * R**2 / 4**h
    assert sympy.expand(form.macs - macs - 10 * 1024 * ALPHA) == 0
    assert dict(form.ram_terms).keys() == {"stem", "b1.pw"}
    assert sympy.expand(dict(form.ram_terms)["b1.pw"] - 24 * ALPHA * R**2) == 0


def test_relaxed_v2_peaks_at_the_second_blocks_depthwise_and_keeps_the_rule_of_the_head() -> None:
    form = formula("mobilenet_v2").relaxed()
    # 6 x 16 alpha channels on (R/2)^2 and (R/4)^2
    assert sympy.expand(dict(form.ram_terms)["b2.dw"] - 96 * ALPHA * R**2 * sympy.Rational(5, 16)) == 0
    assert form.params.subs(ALPHA, sympy.Rational(1, 2)).has(sympy.Max) is False
    head = 1280 * sympy.Max(1, ALPHA)
    without = formula("mobilenet_v2", fix={"include_top": False}).relaxed()
    assert sympy.expand(form.params - without.params - 10 * head - 10) == 0


@pytest.mark.parametrize("family", ["mobilenet_v1", "mobilenet_v2"])
def test_fixed_alpha_leaves_polynomials_in_the_side_alone(family: str) -> None:
    form = formula(family, fix={"alpha": 0.35}, classes=1000)
    assert all(meaning.is_Integer for meaning in form.definitions.values())
    assert form.macs.subs(form.definitions).free_symbols == {R}
