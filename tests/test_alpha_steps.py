"""Real widths rounded to a multiple: one result on ints, arrays and the tape; and no network between the listed
alphas."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwscale.formulas import find_family
from hwscale.formulas.family import Settings
from hwscale.formulas.rounding import Multiple, breakpoints, nearest_multiple
from hwscale.formulas.tape import Tape

LOW, HIGH = 0.05, 1.5
DIVISORS = [1, 2, 3, 4, 7, 8, 12, 16, 24]
REALS = st.floats(0, 1e6)


@given(st.lists(REALS, min_size=1, max_size=50), st.integers(1, 64))
@settings(deadline=None)
def test_nearest_multiple_is_the_same_on_floats_arrays_and_the_tape(values: list[float], divisor: int) -> None:
    array = np.array(values)
    by_float = [nearest_multiple(value, divisor) for value in values]
    assert all(type(width) is int for width in by_float)
    assert nearest_multiple(array, divisor).tolist() == by_float
    tape = Tape()
    kernel = tape.compile([tape.multiple(tape.input("v", "f"), divisor)])
    out = np.empty(len(values), np.int64)
    kernel.run({"v": array}, kernel.workspace(len(values)), [out])
    assert out.tolist() == by_float


def reference(v: float, divisor: int) -> int:
    """`_make_divisible` of torchvision and keras, word for word."""
    new_v = max(divisor, int(v + divisor / 2) // divisor * divisor)
    if new_v < 0.9 * v:
        new_v += divisor
    return new_v


@given(REALS, st.integers(2, 64))
@settings(deadline=None, max_examples=1000)
def test_nearest_multiple_is_what_torchvision_computes(v: float, divisor: int) -> None:
    assert nearest_multiple(v, divisor) == reference(v, divisor)


@given(st.integers(1, 10_000), st.integers(1, 8), st.integers(2, 64), st.integers(-3, 3))
@settings(deadline=None, max_examples=1000)
def test_nearest_multiple_never_falls_at_the_edge_of_the_ten_percent_rule(
    numerator: int, multiple: int, divisor: int, ulps: int
) -> None:
    for edge in (multiple * divisor / 0.9, (multiple + 0.5) * divisor, numerator / 90):
        below = at = edge
        for _ in range(abs(ulps)):
            below = float(np.nextafter(below, -np.inf))
        assert nearest_multiple(below, divisor) <= nearest_multiple(at, divisor)


def test_the_ten_percent_rule_bites_between_whole_numbers_and_only_above_equality() -> None:
    # 0.9 v = 8 at v = 8 / 0.9 = 8.888...: the policy of whole numbers does not see it before v = 9
    v = 80 / 9
    above = v
    while not 0.9 * above > 8:
        above = float(np.nextafter(above, np.inf))
    assert nearest_multiple(v, 8) == 8
    assert nearest_multiple(float(np.nextafter(above, -np.inf)), 8) == 8
    assert nearest_multiple(above, 8) == 16
    assert 0 < Fraction(above) - Fraction(80, 9) < Fraction(1, 10**14)


@cache
def enumerated(family: str, divisor: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Breakpoints and the widths at each."""
    alphas = breakpoints(find_family(family).alpha_factors(made(family, divisor), {}), LOW, HIGH)
    return alphas, widths(family, divisor, alphas)


def made(family: str, divisor: int) -> Settings:
    values = {o.name: o.default for o in find_family(family).options} | {"divisor": divisor}
    return Settings(tuple(values.items()), 3, 10)


def widths(family: str, divisor: int, alphas: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.stack(list(find_family(family).widths(made(family, divisor), {"alpha": alphas}).values()))


@pytest.mark.parametrize("divisor", DIVISORS)
@pytest.mark.parametrize("family", ["mobilenet_v1", "mobilenet_v2"])
def test_no_alpha_makes_a_network_that_is_not_listed(family: str, divisor: int) -> None:
    listed, networks = enumerated(family, divisor)
    rng = np.random.default_rng(divisor)
    near = [listed]
    for direction in (-np.inf, np.inf):
        alphas = listed
        for _ in range(8):
            alphas = np.nextafter(alphas, direction)
            near.append(alphas)
    decimals = np.arange(round(LOW * 10_000), round(HIGH * 10_000) + 1) / 10_000
    tried = np.concatenate([*near, decimals, rng.uniform(LOW, HIGH, 200_000)])
    tried = tried[(tried >= LOW) & (tried <= HIGH)]
    at = np.searchsorted(listed, tried, side="right") - 1
    np.testing.assert_array_equal(widths(family, divisor, tried), networks[:, at])


@pytest.mark.parametrize("divisor", DIVISORS)
@pytest.mark.parametrize("family", ["mobilenet_v1", "mobilenet_v2"])
def test_no_width_falls_as_alpha_rises(family: str, divisor: int) -> None:
    _, networks = enumerated(family, divisor)
    assert (np.diff(networks, axis=1) >= 0).all()


@given(st.integers(1, 1280), st.integers(1, 64), st.integers(1, 2000), st.integers(0, 1000))
@settings(deadline=None, max_examples=300)
def test_breakpoints_of_a_multiple_are_the_smallest_floats_of_every_step(
    base: int, divisor: int, thousandths: int, span: int
) -> None:
    low, high = thousandths / 1000, (thousandths + span) / 1000
    width = Multiple(float(base), divisor)
    alphas = breakpoints([width], low, high)
    assert alphas[0] == low
    before = width.channels(np.nextafter(alphas[1:], -np.inf))
    after: Any = width.channels(alphas[1:])
    assert (before < after).all()
    ends = np.append(np.nextafter(alphas[1:], -np.inf), high)
    np.testing.assert_array_equal(width.channels(alphas), width.channels(ends))
