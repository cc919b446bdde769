"""AtomNet: formula == torch trace on random configurations; Tables 1 and 2 of the paper; the rankings of its guidelines."""

from __future__ import annotations

from typing import Any

import pytest
from families.agreement import PADDINGS, RANDOM, SIDES, check
from hypothesis import given
from hypothesis import strategies as st

import hwscale
from hwscale.domain import make_domain
from hwscale.formulas.atomnet import BLOCKS
from hwscale.space import make_space

VALUES = st.fixed_dictionaries(
    {
        **{f"width{s}": st.integers(1, 9).map(lambda n: 8 * n) for s in range(6)},
        **{f"block{s}": st.sampled_from(BLOCKS) for s in range(1, 6)},
        **{f"depth{s}": st.integers(1, 3) for s in range(1, 6)},
        **{f"expand{s}": st.sampled_from([1, 1, 2, 3, 6]) for s in range(1, 6)},
        "kernel": st.sampled_from([3, 3, 5, 7]),
        "se_stages": st.lists(st.integers(1, 5), unique=True, max_size=3).map(tuple),
        "se_reduction": st.sampled_from([4, 4, 16]),
        "se_placement": st.sampled_from(["depthwise", "expanded"]),
        "residual": st.sampled_from(["convnext", "all", "none"]),
        "expansion_base": st.sampled_from(["in", "out"]),
        "activation": st.sampled_from(["relu", "relu6", "hard_swish"]),
        "padding": PADDINGS,
        "include_top": st.booleans(),
    }
)


@RANDOM
@given(
    values=VALUES, channels=st.integers(1, 4), height=SIDES, width=SIDES, square=st.booleans(),
    strict=st.booleans(), external=st.booleans(),
)  # fmt: skip
def test_formula_equals_the_torch_trace(
    values: dict[str, Any], channels: int, height: int, width: int, square: bool, strict: bool, external: bool
) -> None:
    check("atomnet", values, (channels, height, height if square else width), strict, external)


def test_the_default_domain_has_the_57_153_600_paths_of_table_2_read_literally() -> None:
    widths, resolutions = 5 * 5 * 6 * 6 * 7 * 7, 9
    depths, stage_3 = 2 * 2 * 3 * 2, 2 * 3  # {SEP, ConvNext} x expand {1, 3, 6}
    assert widths * depths * stage_3 * resolutions == 57_153_600
    assert make_space(make_domain("atomnet"), "tensors").size == 57_153_600


def test_reading_sep_as_expand_1_halves_the_domain() -> None:
    sep = make_space(make_domain("atomnet", {"block3": "sep", "expand3": 1}), "tensors").size
    convnext = make_space(make_domain("atomnet", {"block3": "convnext"}, {"expand3": "3,6"}), "tensors").size
    assert sep + convnext == 28_576_800


@pytest.mark.parametrize("resolution", [92, 96])
def test_both_92_and_96_px_are_accepted(resolution: int) -> None:
    assert hwscale.cost("atomnet", {"resolution": resolution}).macs > 0


def test_table_1_flash_and_macs_of_the_separable_atom_are_reproduced_exactly() -> None:
    # AtomNet Table 1: DW 3x3 and PW on 32 x 64 x 64, "MACs" with one operation per output channel
    values = {"resolution": 128, "width0": 32, "width1": 32, "block1": "sep"}
    report = hwscale.cost("atomnet", values, runtime="tensors")
    ops = {op.name: op for op in report.ops}
    depthwise, pointwise = ops["s1.b1.dw"], ops["s1.b1.pw"]
    assert (depthwise.flash_bytes, depthwise.macc) == (416, 1_179_680)
    assert (pointwise.flash_bytes, pointwise.macc) == (1152, 4_194_336)
    assert depthwise.macs == 9 * 32 * 64 * 64 == 1_179_648
    assert pointwise.macs == 32 * 32 * 64 * 64 == 4_194_304
    assert report.macc == sum(op.macc for op in report.ops)


def test_weights_and_biases_of_the_ops_add_up_to_flash() -> None:
    report = hwscale.cost("atomnet", runtime="tensors")
    assert sum(op.flash_bytes for op in report.ops) == report.flash_bytes
