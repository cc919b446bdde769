"""Runtime `executorch` against the one published arena, and its rule on random networks."""

from __future__ import annotations

import pytest
from runtime_checks import (
    CHAINS,
    LATTICE,
    arrays_equal_ints,
    lowered_networks,
    paths_equal_networks,
    plan_holds_its_terms,
    shares_add_up,
    symbols_equal_ints,
)

import hwscale
from hwscale.formulas import FAMILIES
from hwscale.formulas.graph import Graph
from hwscale.runtimes import find_runtime

EXECUTORCH = find_runtime("executorch")
PUBLISHED_ARENA_BYTES = 1_505_280
"""pytorch/executorch#17651: MobileNetV2 on Cortex-M55."""


def test_the_arena_of_mobilenet_v2_is_the_published_one_to_the_byte() -> None:
    fit = hwscale.cost("mobilenet_v2", {"alpha": 1.0, "resolution": 224}, classes=1000, runtime="executorch")
    assert fit.cost.ram_bytes == PUBLISHED_ARENA_BYTES
    # the depthwise convolution of block 2: 96 channels at 112 px and at 56 px
    assert PUBLISHED_ARENA_BYTES == 96 * 112**2 + 96 * 56**2


def test_an_add_holds_both_inputs_and_its_output() -> None:
    g = Graph()
    x = g.tensor(8, 10, 10)
    g.add("add", g.conv("conv", x, 8), x)
    lowered = EXECUTORCH.lower(g, ())
    assert EXECUTORCH.plan(lowered, False) == (("arena", 3 * 8 * 10 * 10),)
    assert EXECUTORCH.plan(lowered, True) == (("arena", 2 * 8 * 10 * 10),)


@pytest.mark.parametrize("activation", ["", "relu", "relu6", "hard_swish", "silu"])
def test_an_activation_that_does_not_fuse_is_an_op_of_its_own(activation: str) -> None:
    g = Graph()
    g.conv("conv", g.tensor(1, 10, 10), 8, activation=activation)
    lowered = EXECUTORCH.lower(g, ())
    fused = activation in ("", "relu", "relu6")
    assert [op.kind for op in lowered.ops] == ["pointwise"] + [activation] * (not fused)
    # 1 + 8 channels at the convolution, 8 + 8 at the activation
    assert dict(EXECUTORCH.plan(lowered, False)) == {"arena": (9 if fused else 16) * 100}


def test_flash_is_weights_and_biases() -> None:
    g = Graph()
    g.linear("fc", g.conv("conv", g.tensor(3, 4, 4), 8, kernel=3, padding=1), 10)
    lowered = EXECUTORCH.lower(g, ())
    assert EXECUTORCH.flash_bytes(lowered) == 3 * 8 * 9 + 8 * 16 * 10 + 4 * (8 + 10)


@pytest.mark.parametrize("family", FAMILIES)
def test_shares_add_up_and_the_plan_is_the_largest_term(family: str) -> None:
    for lowered in lowered_networks("executorch", family):
        shares_add_up(EXECUTORCH, lowered)
        plan_holds_its_terms(EXECUTORCH, lowered)


@pytest.mark.parametrize("family", LATTICE)
def test_arrays_and_symbols_equal_ints(family: str) -> None:
    arrays_equal_ints("executorch", family)
    symbols_equal_ints("executorch", family)


@pytest.mark.parametrize("family", CHAINS)
def test_paths_equal_networks(family: str) -> None:
    paths_equal_networks("executorch", family)
