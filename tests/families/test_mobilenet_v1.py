"""MobileNetV1: formula == torch trace on random configurations, rectangles and odd sizes; its costs only rise with
alpha."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from families.agreement import LARGE, PADDINGS, RANDOM, SIDES, check, decimals
from hypothesis import given
from hypothesis import strategies as st

import hwscale
from hwscale.domain import make_domain
from hwscale.space import make_space

VALUES = st.fixed_dictionaries(
    {
        # decimals as users type them, and any float: the rounding must agree to the last ulp
        "alpha": st.one_of(decimals(0.05, 1.5, 100), st.floats(0.05, 1.5)),
        "divisor": st.sampled_from([8, 8, 1, 4, 16]),
        "padding": PADDINGS,
        "include_top": st.booleans(),
    }
)


@RANDOM
@given(
    values=VALUES, channels=st.integers(1, 4), height=SIDES, width=SIDES, square=st.booleans(), strict=st.booleans(),
    external=st.booleans(),
)  # fmt: skip
def test_formula_equals_the_torch_trace(
    values: dict[str, Any], channels: int, height: int, width: int, square: bool, strict: bool, external: bool
) -> None:
    check("mobilenet_v1", values, (channels, height, height if square else width), strict, external)


@LARGE
@given(
    values=VALUES, resolution=st.integers(2, 7).map(lambda n: 32 * n), strict=st.booleans(), external=st.booleans(),
)  # fmt: skip
def test_formula_equals_the_torch_trace_at_published_resolutions(
    values: dict[str, Any], resolution: int, strict: bool, external: bool
) -> None:
    check("mobilenet_v1", values, (3, resolution, resolution), strict, external)


@LARGE
@given(values=VALUES, height=st.integers(1, 40), width=st.integers(1, 40), strict=st.booleans())
def test_formula_equals_the_torch_trace_down_to_single_pixels(
    values: dict[str, Any], height: int, width: int, strict: bool
) -> None:
    check("mobilenet_v1", values, (3, height, width), strict, external=False)


def test_an_empty_layer_is_refused_with_the_remedy() -> None:
    with pytest.raises(hwscale.ConfigError, match=r"int\(32\*alpha\) = 0 channels; raise alpha"):
        hwscale.cost("mobilenet_v1", {"alpha": 0.03, "divisor": 1})
    assert hwscale.cost("mobilenet_v1", {"alpha": 0.03}).cost.params > 0


@pytest.mark.parametrize("divisor", [1, 3, 4, 8, 16])
def test_every_cost_is_nondecreasing_in_alpha(divisor: int) -> None:
    fix = {"divisor": divisor, "resolution": 96}
    space = make_space(make_domain("mobilenet_v1", fix, {"alpha": (0.05, 1.5)}), "tensors")
    (group,) = space.groups
    rows = np.arange(group.size)
    costs = group.costs(np.zeros(group.size, np.int64), rows, ())
    for cost in (costs.ram_bytes, costs.flash_bytes, costs.macs, costs.params):
        assert (np.diff(cost) >= 0).all()
    assert (np.diff(costs.params) > 0).all()
