"""One body, three readings: ints, numpy arrays and sympy polynomials give the same integers, without tolerance."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from hwscale.closed_form import Formula, formula
from hwscale.cost_model import cost_model
from hwscale.formulas.rounding import breakpoints, make_divisible
from hwscale.formulas.tape import Tape

LARGE_ALPHA = 3.0
"""Widths that differ by a factor of 2 are distinct there, as in the printed formula."""


@dataclass(frozen=True)
class Case:
    """``points`` random networks of one graph."""

    family: str
    fix: dict[str, Any] = field(default_factory=dict)
    points: int = 4000
    runtime: str = "tensors"
    in_channels: int = 3

    def __str__(self) -> str:
        extra = [self.runtime] * (self.runtime != "tensors") + ["grey"] * (self.in_channels == 1)
        return "-".join([self.family, *(f"{name}={value}" for name, value in self.fix.items()), *extra])


CASES = [
    Case("phinet", points=8000),
    Case("phinet", {"num_layers": 3}),
    Case("phinet", {"num_layers": 4}),
    Case("phinet", {"num_layers": 5, "include_top": False}),
    Case("phinet", {"num_layers": 8}),
    Case("phinet", {"num_layers": 9, "downsampling_layers": (4, 5, 7)}),
    Case("phinet", {"num_layers": 12}, points=2000),
    Case("phinet", {"divisor": 8}),
    Case("phinet", {"divisor": 8, "num_layers": 8, "squeeze_excite": False}),
    Case("phinet", {"divisor": 4}),
    Case("phinet", {"pool": True}),
    Case("phinet", {"conv2d_input": True}),
    Case("phinet", {"conv2d_input": True, "pool": True, "downsampling_layers": (4,)}),
    Case("phinet", {"squeeze_excite": False, "activation": "relu6"}),
    Case("phinet", {"residuals": False}),
    Case("phinet", {"conv5_percent": 0.5}),
    Case("phinet", {"first_conv_stride": 3}),
    Case("phinet", {"first_conv_stride": 1}),
    Case("phinet", in_channels=1),
    Case("phinet", runtime="tensors-strict"),
    Case("phinet", {"resolution": 33}),
    Case("phinet", {"resolution": 97, "num_layers": 9}),
    Case("phinet", {"resolution": 50, "pool": True}),
    Case("xinet", {"num_layers": 5, "gamma": 4}, points=6000),
    Case("xinet", {"num_layers": 2}, points=2000),
    Case("xinet", {"num_layers": 3, "gamma": 2}),
    Case("xinet", {"num_layers": 4, "gamma": 3}),
    Case("xinet", {"num_layers": 6, "gamma": 5, "beta": 0.7}),
    Case("xinet", {"num_layers": 7, "gamma": 6}, points=2000),
    Case("xinet", {"num_layers": 7, "gamma": 8, "beta": 1.3}, points=2000),
    Case("xinet", {"num_layers": 5, "gamma": 7, "attention": False}),
    Case("xinet", {"num_layers": 5, "skip": False, "beta": 1.45}),
    Case("xinet", {"base_filters": 4, "include_top": False}),
    Case("xinet", {"resolution": 97, "gamma": 3.9}),
    Case("xinet", {"resolution": 50, "num_layers": 4, "beta": 0.9}),
    Case("xinet", runtime="tensors-strict"),
    Case("phinet", {"padding": "same", "resolution": 97, "conv5_percent": 0.5}, points=2000),
    Case("phinet", {"padding": "same"}, points=2000, runtime="tensors-strict"),
    Case("xinet", {"padding": "same", "activation": "relu6"}, points=2000),
]


def drawn(rng: np.random.Generator, case: Case, count: int) -> tuple[dict[str, Any], npt.NDArray[np.int64]]:
    """Decimals as users type them, half of them on the knife edges t_zero = 6 and beta = 1; and input sides."""
    form = closed_form(case)
    least = math.ceil(1000 * least_alpha(form)) / 1000
    # half of them close to the least, where single channels count
    uniform = np.where(rng.random(count) < 0.5, rng.uniform(least, 3, count), rng.uniform(least, 2 * least, count))
    digits = rng.integers(2, 4, count)
    alphas = [round(alpha, places) for alpha, places in zip(uniform.tolist(), digits.tolist(), strict=True)]
    knobs: dict[str, Any] = {"alpha": np.maximum(alphas, least)}
    if case.family == "phinet":
        edge = rng.random((2, count)) < 0.5
        knobs["beta"] = np.where(edge[0], 1.0, rng.integers(40, 201, count) / 100)
        knobs["t_zero"] = np.where(edge[1], 6.0, rng.integers(20, 161, count) / 20)
    knobs |= {name: np.full(count, float(value)) for name, value in form.question.fixed.items()}
    if "resolution" in case.fix:
        return knobs, np.full(count, case.fix["resolution"], np.int64)
    multiple = model_of(case).family.map_multiple(form.question.settings)
    return knobs, multiple * rng.integers(2, 9, count)


@cache
def _built(family: str, fix: tuple[tuple[str, Any], ...], runtime: str, in_channels: int) -> Formula:
    return formula(family, fix=dict(fix), runtime=runtime, in_channels=in_channels)


def least_alpha(form: Formula) -> Fraction:
    """What the formula says of itself."""
    (sentence,) = (sentence for sentence in form.assumptions if sentence.startswith("alpha >= "))
    return Fraction(sentence.removeprefix("alpha >= "))


def closed_form(case: Case) -> Formula:
    return _built(case.family, tuple(case.fix.items()), case.runtime, case.in_channels)


def model_of(case: Case) -> Any:
    return cost_model(case.family, closed_form(case).question.settings, case.runtime)


def compiled(expressions: list[Any], symbols: list[Any], multiple: int) -> Any:
    """The polynomials as numpy functions; in multiples of the input side all their coefficients are integers."""
    R = sympy.Symbol("R", integer=True, positive=True)
    whole = [sympy.expand(expression.subs(R, multiple * R)) for expression in expressions]
    for polynomial in whole:
        assert all(factor.is_Integer for factor in polynomial.as_coefficients_dict().values())
    return sympy.lambdify([*symbols, R], whole, modules="numpy")


def by_ints(model: Any, knobs: dict[str, Any], sides: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """RAM, Flash, MACs and params, each configuration on its own."""
    rows = []
    for n, side in enumerate(sides.tolist()):
        terms = model.one({name: float(values[n]) for name, values in knobs.items()}, side, side)
        rows.append((max(size for _, size in terms.ram_terms), terms.flash_bytes, terms.macs, terms.params))
        assert all(type(cost) is int for cost in rows[-1])
    return np.array(rows, np.int64).T


def by_arrays(model: Any, knobs: dict[str, Any], sides: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    structure = model.family.map_structure(model.settings, int(sides[0]), int(sides[0]))
    costs = model.many(knobs, sides, sides, structure)
    return np.stack([costs.ram_bytes, costs.flash_bytes, costs.macs, costs.params])


def by_symbols(case: Case, knobs: dict[str, Any], sides: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    form, model = closed_form(case), model_of(case)
    widths = model.family.widths(model.settings, knobs) | {"c_in": None}
    if "stem" in widths:
        widths["c_in"] = widths["stem"]
    symbols = [symbol for symbol in form.definitions if str(symbol) in widths]
    multiple = 1 if "resolution" in case.fix else model.family.map_multiple(model.settings)
    sizes = [size for _, size in form.ram_terms]
    function = compiled([form.flash, form.macs, form.params, *sizes], symbols, multiple)
    inputs = [np.asarray(widths[str(symbol)], np.int64) for symbol in symbols]
    flash, macs, params, *ram = (np.broadcast_to(cost, sides.shape) for cost in function(*inputs, sides // multiple))
    return np.stack([np.maximum.reduce(ram), flash, macs, params])


def test_the_cases_hold_a_hundred_thousand_points() -> None:
    assert sum(case.points for case in CASES) >= 100_000


@pytest.mark.parametrize("case", CASES, ids=str)
def test_ints_arrays_and_symbols_agree_on_every_point(case: Case) -> None:
    seed = CASES.index(case)
    knobs, sides = drawn(np.random.default_rng(seed), case, case.points)
    model = model_of(case)
    large = {name: np.full(1, LARGE_ALPHA) if name == "alpha" else values[:1] for name, values in knobs.items()}
    printed = model.family.width_structure(model.settings, model.family.widths(model.settings, large))
    flags = model.family.width_structure(model.settings, model.family.widths(model.settings, knobs))
    assert all(np.all(flag == at_large) for flag, at_large in zip(flags, printed, strict=True))
    arrays = by_arrays(model, knobs, sides)
    assert arrays.dtype == np.int64
    np.testing.assert_array_equal(by_ints(model, knobs, sides), arrays)
    np.testing.assert_array_equal(by_symbols(case, knobs, sides), arrays)


def test_ints_and_arrays_agree_where_a_divisor_merges_widths_and_adds_residuals() -> None:
    # c24 = c48 = 8 below alpha = 3/16, both graphs in one call
    case = Case("phinet", {"divisor": 8}, points=3000)
    rng = np.random.default_rng(1)
    knobs, sides = drawn(rng, case, case.points)
    knobs["alpha"] = np.round(rng.uniform(0.04, 0.4, case.points), 3)
    flags = model_of(case).family.width_structure(
        model_of(case).settings, model_of(case).family.widths(model_of(case).settings, knobs)
    )
    assert 0 < flags[0].sum() < case.points
    np.testing.assert_array_equal(by_ints(model_of(case), knobs, sides), by_arrays(model_of(case), knobs, sides))


@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=50), st.integers(1, 64))
@settings(deadline=None)
def test_make_divisible_is_the_same_on_ints_arrays_and_the_tape(values: list[int], divisor: int) -> None:
    array = np.array(values, np.int64)
    by_int = [make_divisible(value, divisor) for value in values]
    assert make_divisible(array, divisor).tolist() == by_int
    tape = Tape()
    kernel = tape.compile([tape.divisible(tape.input("v", "i"), divisor)])
    out = np.empty(len(values), np.int64)
    kernel.run({"v": array}, kernel.workspace(len(values)), [out])
    assert out.tolist() == by_int


@given(st.integers(0, 1_000_000), st.integers(1, 64))
@settings(deadline=None)
def test_make_divisible_is_a_multiple_at_least_one_divisor_and_ten_percent_below_at_most(v: int, divisor: int) -> None:
    rounded = make_divisible(v, divisor)
    assert rounded % divisor == 0
    assert rounded >= divisor
    assert 10 * rounded >= 9 * v
    assert rounded <= max(v, 1) + 2 * divisor


def steps(factors: list[tuple[float, float]], alpha: float) -> tuple[int, ...]:
    return tuple(int(a * alpha * b) for a, b in factors)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 1024).map(float),
            st.tuples(st.integers(40, 200), st.integers(0, 9), st.integers(1, 9)).map(
                lambda shape: 1 + (shape[0] / 100 - 1) * min(shape[1:]) / shape[2]
            ),
        ),
        min_size=1,
        max_size=5,
    ),
    st.integers(1, 2000),
    st.integers(0, 1000),
)
@settings(deadline=None, max_examples=200)
def test_breakpoints_are_the_smallest_floats_of_every_step(
    factors: list[tuple[float, float]], thousandths: int, span: int
) -> None:
    low, high = thousandths / 1000, (thousandths + span) / 1000
    alphas = breakpoints(factors, low, high).tolist()
    assert alphas[0] == low
    assert alphas == sorted(set(alphas))
    for alpha in alphas[1:]:
        assert steps(factors, alpha) != steps(factors, float(np.nextafter(alpha, -np.inf)))
    # each int(a * alpha * b) is nondecreasing in alpha, so equal ends mean that nothing steps in between
    ends = [*(float(np.nextafter(alpha, -np.inf)) for alpha in alphas[1:]), high]
    for first, last in zip(alphas, ends, strict=True):
        assert steps(factors, first) == steps(factors, last)
