"""PhiNet: formula == torch trace on random configurations with every option, rectangles and odd sizes."""

from __future__ import annotations

from typing import Any

from families.agreement import PADDINGS, RANDOM, SIDES, check, decimals
from hypothesis import assume, given
from hypothesis import strategies as st

VALUES = st.fixed_dictionaries(
    {
        "alpha": decimals(0.02, 1.2, 100),
        "beta": decimals(0.25, 2.0, 20),
        "t_zero": decimals(2, 7, 4),
        "num_layers": st.integers(3, 9),
        "first_conv_stride": st.integers(1, 3),
        "downsampling_layers": st.sampled_from([(5, 7), (4,), (5, 7, 9), (), (3, 5)]),
        "conv5_percent": st.sampled_from([0.0, 0.0, 0.3, 1.0]),
        "residuals": st.booleans(),
        "conv2d_input": st.sampled_from([False, False, False, True]),
        "pool": st.sampled_from([False, False, False, True]),
        "activation": st.sampled_from(["hswish", "relu6"]),
        "squeeze_excite": st.booleans(),
        "divisor": st.sampled_from([1, 1, 2, 8]),
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
    assume(not (values["pool"] and height * width > 64 * 64))  # pooling networks trace slowly at full stem resolution
    check("phinet", values, (channels, height, height if square else width), strict, external)


@RANDOM
@given(values=VALUES, height=st.integers(1, 20), width=st.integers(1, 20), strict=st.booleans())
def test_formula_equals_the_torch_trace_down_to_single_pixels(
    values: dict[str, Any], height: int, width: int, strict: bool
) -> None:
    check("phinet", values, (3, height, width), strict, external=False)
