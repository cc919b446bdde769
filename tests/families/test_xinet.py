"""XiNet: formula == torch trace on random configurations, rectangles and odd sizes; the paper's beta as arithmetic."""

from __future__ import annotations

from typing import Any

import pytest
from families.agreement import PADDINGS, RANDOM, SIDES, check, decimals
from hypothesis import given
from hypothesis import strategies as st

import hwscale

VALUES = st.fixed_dictionaries(
    {
        "alpha": decimals(0.1, 1.2, 100),
        "beta": st.one_of(st.just(1.0), decimals(0.5, 2.0, 20)),
        "gamma": st.one_of(st.integers(1, 8), st.just(3.9)),
        "num_layers": st.integers(2, 6),
        "base_filters": st.sampled_from([16, 16, 16, 4]),
        "attention": st.booleans(),
        "skip": st.booleans(),
        "activation": st.sampled_from(["silu", "silu", "relu6", "hswish"]),
        "padding": PADDINGS,
        "include_top": st.booleans(),
    }
)


@RANDOM
@given(
    values=VALUES, channels=st.integers(1, 4), height=SIDES, width=SIDES, square=st.booleans(), even=st.booleans(),
    strict=st.booleans(), external=st.booleans(),
)  # fmt: skip
def test_formula_equals_the_torch_trace(
    values: dict[str, Any],
    channels: int,
    height: int,
    width: int,
    square: bool,
    even: bool,
    strict: bool,
    external: bool,
) -> None:
    if even:
        height, width = height // 16 * 16, width // 16 * 16
    check("xinet", values, (channels, height, height if square else width), strict, external)


@pytest.mark.parametrize("beta", [0.5, 0.8, 1.0, 1.35, 2.0])
def test_beta_scales_stage_i_by_one_plus_beta_minus_one_times_i_over_n(beta: float) -> None:
    layers, alpha = 5, 0.7
    ops = {op.name: op for op in hwscale.cost("xinet", {"alpha": alpha, "beta": beta, "num_layers": layers}).ops}
    widths = [int(16 * 2**i * alpha * (1 + (beta - 1) * i / (layers - 1))) for i in range(layers)]
    assert ops["conv1"].weights == 7 * 7 * 3 * widths[0]
    for stage in range(1, layers):
        gamma = 4
        main = ops[f"l{2 * stage - 1}.main"]
        assert main.weights == 9 * (widths[stage] // gamma) * widths[stage]
    assert ops["top.fc"].weights == 10 * widths[-1]
