"""MobileNetV2: formula == torch trace on random configurations, rectangles and odd sizes; which blocks gain a
residual where rounding makes widths equal; its costs only rise with alpha."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from families.agreement import LARGE, PADDINGS, RANDOM, SIDES, check, decimals
from hypothesis import given
from hypothesis import strategies as st

import hwscale
from hwscale.cost_model import CostArrays
from hwscale.domain import make_domain
from hwscale.space import make_space

VALUES = st.fixed_dictionaries(
    {
        # decimals as users type them, and any float: the rounding must agree to the last ulp
        "alpha": st.one_of(decimals(0.05, 1.5, 100), st.floats(0.05, 1.5)),
        "divisor": st.sampled_from([8, 8, 1, 4, 16]),
        "scale_head": st.booleans(),
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
    check("mobilenet_v2", values, (channels, height, height if square else width), strict, external)


@LARGE
@given(
    values=VALUES, resolution=st.integers(2, 7).map(lambda n: 32 * n), strict=st.booleans(), external=st.booleans(),
)  # fmt: skip
def test_formula_equals_the_torch_trace_at_published_resolutions(
    values: dict[str, Any], resolution: int, strict: bool, external: bool
) -> None:
    check("mobilenet_v2", values, (3, resolution, resolution), strict, external)


@LARGE
@given(values=VALUES, height=st.integers(1, 40), width=st.integers(1, 40), strict=st.booleans())
def test_formula_equals_the_torch_trace_down_to_single_pixels(
    values: dict[str, Any], height: int, width: int, strict: bool
) -> None:
    check("mobilenet_v2", values, (3, height, width), strict, external=False)


def residuals(alpha: float) -> list[str]:
    """Blocks with an addition, in order."""
    ops = hwscale.cost("mobilenet_v2", {"alpha": alpha, "resolution": 96}).ops
    return [op.name.removesuffix(".add") for op in ops if op.kind == "add"]


WITHIN_STAGES = ["b3", "b5", "b6", "b8", "b9", "b10", "b12", "b13", "b15", "b16"]


@pytest.mark.parametrize(
    ("alpha", "gained"),
    [
        (1.0, []),
        (0.35, []),
        (0.25, ["b1"]),  # c32 = c16 = 8
        (0.16, ["b1", "b11"]),  # and c64 = c96 = 16
        (0.02, ["b1", "b11", "b17"]),  # every width but the last convolution's is 8
    ],
)
def test_rounding_adds_a_residual_where_widths_become_equal(alpha: float, gained: list[str]) -> None:
    assert residuals(alpha) == sorted([*WITHIN_STAGES, *gained], key=lambda block: int(block[1:]))


@pytest.mark.parametrize(
    ("alpha", "scale_head", "head"), [(0.35, False, 1280), (0.35, True, 448), (1.0, True, 1280), (1.4, False, 1792)]
)
def test_the_last_convolution_follows_alpha_upwards_and_downwards_only_when_asked(
    alpha: float, scale_head: bool, head: int
) -> None:
    ops = {op.name: op for op in hwscale.cost("mobilenet_v2", {"alpha": alpha, "scale_head": scale_head}).ops}
    assert ops["top.fc"].weights == 10 * head


def test_an_empty_layer_is_refused_with_the_remedy() -> None:
    with pytest.raises(hwscale.ConfigError, match=r"int\(16\*alpha\) = 0 channels; raise alpha"):
        hwscale.cost("mobilenet_v2", {"alpha": 0.06, "divisor": 1})
    assert hwscale.cost("mobilenet_v2", {"alpha": 0.06}).cost.params > 0


@pytest.mark.parametrize("scale_head", [False, True])
@pytest.mark.parametrize("divisor", [1, 3, 4, 8, 9, 16])
def test_every_cost_but_ram_is_nondecreasing_in_alpha(divisor: int, scale_head: bool) -> None:
    costs = along_alpha(divisor, scale_head)
    for cost in (costs.flash_bytes, costs.macs, costs.params):
        assert (np.diff(cost) >= 0).all()


@pytest.mark.parametrize("scale_head", [False, True])
@pytest.mark.parametrize("divisor", [1, 3, 4, 8, 9, 16])
def test_ram_is_nondecreasing_in_alpha_within_every_group(divisor: int, scale_head: bool) -> None:
    # a residual that disappears frees memory: the search keeps alphas with other residuals in other roots
    fix = {"divisor": divisor, "scale_head": scale_head, "resolution": 96}
    space = make_space(make_domain("mobilenet_v2", fix, {"alpha": (0.07, 1.5)}), "tensors")
    for group in space.groups:
        for root, count in enumerate(group.counts.tolist()):
            costs = group.costs(np.full(count, root), np.arange(count), ())
            assert (np.diff(costs.ram_bytes) >= 0).all()


def along_alpha(divisor: int, scale_head: bool) -> CostArrays:
    """Costs of every distinct network, alpha ascending."""
    fix = {"divisor": divisor, "scale_head": scale_head, "resolution": 96}
    space = make_space(make_domain("mobilenet_v2", fix, {"alpha": (0.07, 1.5)}), "tensors")
    alphas = np.concatenate([group.alphas for group in space.groups])
    parts = [
        group.costs(
            np.repeat(np.arange(len(group.counts)), group.counts),
            np.concatenate([np.arange(n) for n in group.counts]),
            (),
        )
        for group in space.groups
    ]
    return CostArrays.joined(parts)[np.argsort(alphas)]
