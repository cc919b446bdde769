"""Patch-wise and streamed execution: the output of layer-wise execution, and the MACs and bytes that are published or countable."""

from __future__ import annotations

import random
from copy import deepcopy
from functools import cache
from math import gcd
from typing import Any

import pytest
import torch
from random_networks import Map, RandomNet, image, randomise
from torch import nn

import hwscale
from hwscale.errors import ConfigError, UnsupportedOpError
from hwscale.measure.op_shapes import fold
from hwscale.measure.schedule_executor import SCHEDULES, Executed, execute
from hwscale.measure.spans import AxisOp, Rule, Span, Window, plan_axis
from hwscale.measure.stage import find_stage, folded_program
from hwscale.measure.trace import measure
from hwscale.nets import build_network

torch.set_num_threads(1)

TOLERANCE = 1e-5
"""Largest difference between an output on patches and layer by layer, fp32."""
IN_PATCHES = SCHEDULES[1:]


SIZES = ((36, 48), (45, 45), (56, 42), (49, 63))
WITHOUT_TOP: dict[str, Any] = {"include_top": False}
FAMILIES: list[tuple[str, dict[str, Any], Map]] = [
    ("mobilenet_v1", {"alpha": 0.1}, (3, 64, 64)),
    ("mobilenet_v1", {"alpha": 0.1, "padding": "same"}, (3, 48, 80)),
    ("mobilenet_v1", {"alpha": 0.1, **WITHOUT_TOP}, (1, 61, 49)),
    ("mobilenet_v2", {"alpha": 0.1}, (3, 64, 64)),
    ("mobilenet_v2", {"alpha": 0.1, "padding": "same", **WITHOUT_TOP}, (3, 64, 96)),
    ("mobilenet_v2", {"alpha": 0.1, "divisor": 1, **WITHOUT_TOP}, (3, 57, 57)),
    ("mcunet", {"kernel2_1": 7, "kernel2_2": 5, "kernel3_1": 5, "expand2_1": 3, "base_widths": (8,) * 8}, (3, 48, 48)),
    ("mcunet", {"kernel2_1": 5, "kernel2_3": 7, "padding": "same", "base_widths": (8,) * 8}, (3, 48, 64)),
    ("mcunet", {"kernel3_1": 7, "kernel3_2": 7, "depth2": 2, "base_widths": (8,) * 8, **WITHOUT_TOP}, (1, 63, 63)),
    ("atomnet", {f"width{s}": 8 for s in range(6)}, (3, 64, 64)),
    ("atomnet", {"se_stages": (), "residual": "all", "kernel": 5, **{f"width{s}": 8 for s in range(6)}}, (3, 64, 48)),
    ("atomnet", {"block2": "mbconv", "expand2": 3, "padding": "same", "activation": "hard_swish"}, (3, 33, 33)),
    ("phinet", {"alpha": 0.2, "squeeze_excite": False}, (3, 64, 64)),
    ("phinet", {"alpha": 0.2, "squeeze_excite": False, "padding": "same", "conv5_percent": 0.6}, (3, 48, 64)),
    ("phinet", {"alpha": 0.2, "compatibility": True, "pool": True, **WITHOUT_TOP}, (3, 64, 64)),
    ("phinet", {"alpha": 0.25, "conv2d_input": True, "squeeze_excite": False, **WITHOUT_TOP}, (3, 50, 66)),
    ("phinet", {"alpha": 0.2}, (3, 64, 64)),
    ("xinet", {"alpha": 0.5, "skip": False}, (3, 64, 64)),
    ("xinet", {"alpha": 0.5, "skip": False, "attention": False, "padding": "same", **WITHOUT_TOP}, (3, 64, 96)),
    ("xinet", {"alpha": 0.5}, (3, 64, 64)),
]
NETWORKS = [*FAMILIES, *(("random", {"seed": seed}, (3, *SIZES[seed % 4])) for seed in range(30))]


@cache
def case(number: int) -> tuple[nn.Module, Map]:
    family, values, shape = NETWORKS[number]
    network = RandomNet(**values) if family == "random" else build_network(family, values, shape, 10)
    return randomise(network, shape, number), shape


def random_split(network: nn.Module, shape: Map, draw: random.Random) -> tuple[int, int]:
    """A split that the network allows, and a number of patches that divides its map."""
    folded, program = folded_program(network, shape)
    allowed = []
    for split_idx in range(1, 15):
        try:
            split = find_stage(folded, program, split_idx).ops[-1].step.shape
        except (UnsupportedOpError, ConfigError):
            continue
        assert split is not None
        side = gcd(*split[2:])
        allowed += [(split_idx, n) for n in range(2, 10) if side % n == 0 and split_idx * n * n < 700]
    deepest = max(split_idx for split_idx, _ in allowed)
    return draw.choice([each for each in allowed if 2 * each[0] >= deepest])


def run_all(network: nn.Module, x: torch.Tensor, split_idx: int, n_patch: int) -> dict[str, Executed]:
    return {name: execute(network, x, name, n_patch=n_patch, split_idx=split_idx) for name in SCHEDULES}


@pytest.mark.parametrize("number", range(len(NETWORKS)))
def test_every_schedule_gives_the_layerwise_output_and_less_recomputation_than_the_one_before(number: int) -> None:
    network, shape = case(number)
    split_idx, n_patch = random_split(network, shape, random.Random(number))
    x = image(shape, number)
    with torch.no_grad():
        expected = fold(network, shape)(x)
        signal = (expected - network(torch.zeros_like(x))).abs().max()
        exact = deepcopy(network).double()
        exactly = exact(x.double())
    runs = run_all(network, x, split_idx, n_patch)
    precise = execute(exact, x.double(), IN_PATCHES[number % 4], n_patch=n_patch, split_idx=split_idx)

    assert signal > 1000 * TOLERANCE, "the output must depend on the image"
    errors = {name: float((run.output - runs["layer"].output).abs().max()) for name, run in runs.items()}
    assert max(errors.values()) <= TOLERANCE, errors
    # torch's own kernels sum in fp32, and outputs reach 6
    own = float((runs["layer"].output - expected).abs().max())
    assert own <= TOLERANCE * max(1.0, float(expected.abs().max())), own
    assert float((precise.output - exactly).abs().max()) <= 1e-11, "what fp32 leaves is rounding"
    record = measure(network, shape)
    assert runs["layer"].macs_by_op == {op.name: op.macs for op in record.ops if op.macs}
    assert [op.name for op in runs["layer"].ops] == [op.name for op in record.ops]
    assert runs["layer"].held_bytes == record.ram_bytes
    assert runs["stream2d"].macs_by_op == runs["layer"].macs_by_op
    assert runs["stream2d"].added == runs["layer"].added
    assert max(runs[name].held_bytes for name in IN_PATCHES) >= max(runs[name].stage_bytes for name in IN_PATCHES) > 0
    work = [runs[name].macs + runs[name].added for name in IN_PATCHES]
    assert work == sorted(work, reverse=True)


class TwoConvolutions(nn.Sequential):
    """8x8 -> 4x4 (3x3, stride 2) -> 4x4 (3x3): 1, 2 and 3 channels, 18 and 54 weights."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(1, 2, 3, 2, 1), nn.Conv2d(2, 3, 3, 1, 1))


@pytest.mark.parametrize(
    ("schedule", "first_positions", "peak_bytes"),
    [
        # 2x2 patches of 2x2 positions: four first-layer patches of (2 - 1) + 3 = 4 per side, from (4 - 1) * 2 + 3 = 9 of the image
        ("patch", 4 * 4 * 4, 48 + 9 * 9 + 2 * 4 * 4),
        # rows 0 to 2 for the first patch and 1 to 3 for the last, from at most rows 1 to 7 of the image
        ("patch+", 6 * 6, 48 + 7 * 7 + 2 * 3 * 3),
        # columns 0 to 2, then column 3 alone; two columns of three rows are kept
        ("stream1d", 6 * 4, 48 + 2 * 3 * 2 + 7 * 6 + 2 * 3 * 3),
        # two rows of the whole width are kept too
        ("stream2d", 4 * 4, 48 + 2 * 3 * 2 + 2 * 2 * 4 + 6 * 6 + 2 * 3 * 3),
    ],
)
def test_two_convolutions_in_four_patches_cost_what_a_hand_count_gives(
    schedule: str, first_positions: int, peak_bytes: int
) -> None:
    network, x = TwoConvolutions(), image((1, 8, 8), 0)
    run = execute(network, x, schedule, n_patch=2, split_idx=2)
    assert run.macs_by_op == {"0": 18 * first_positions, "1": 54 * 4 * 4}
    assert run.stage_bytes == run.held_bytes == peak_bytes
    assert run.row_bytes == (2 * 2 * 4 if schedule == "stream2d" else 0)
    assert run.column_bytes == (2 * 3 * 2 if schedule.startswith("stream") else 0)
    with torch.no_grad():
        assert torch.allclose(run.output, network(x), atol=1e-6)


# StreamNet's supplementary, Table 2 [millions]: what the stage costs, a sum counted as one MAC per element.
PUBLISHED = {
    ("mcunet-vww0", 64, 8, 13): (19.94, 16.85, 6.51, 2.79),
    ("mcunet-in0", 48, 12, 6): (10.80, 9.70, 3.83, 1.69),
    ("mcunet-in1", 96, 12, 11): (18.44, 16.81, 8.08, 4.26),
}


@pytest.mark.parametrize("setting", PUBLISHED)
def test_the_stages_of_published_networks_cost_what_streamnet_prints(setting: tuple[str, int, int, int]) -> None:
    preset, side, n_patch, split_idx = setting
    network = hwscale.build("mcunet", {"preset": preset}, input_shape=(3, side, side))
    x = image((3, side, side), 0)
    for schedule, millions in zip(IN_PATCHES, PUBLISHED[setting], strict=True):
        run = execute(network, x, schedule, n_patch=n_patch, split_idx=split_idx)
        assert round((run.stage_macs + run.stage_added) / 1e6, 2) == millions, schedule


def refusal(network: nn.Module, shape: Map, split_idx: int, n_patch: int = 1) -> str:
    with pytest.raises((ConfigError, UnsupportedOpError)) as caught:
        execute(network, image(shape, 0), n_patch=n_patch, split_idx=split_idx)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    return sentence


@pytest.mark.parametrize(
    ("family", "values", "split_idx", "says"),
    [
        ("phinet", {"alpha": 0.2}, 9, "blocks.1.se.pool (AdaptiveAvgPool2d"),
        ("atomnet", {"se_stages": [1]}, 6, "stages.1.0.se.pool (AdaptiveAvgPool2d"),
        ("xinet", {"alpha": 0.5}, 7, "reads layers.0"),
        ("mobilenet_v2", {"alpha": 0.1}, 8, "add reads blocks.1.project.conv across the split"),
    ],
)
def test_a_stage_that_needs_a_whole_map_or_leaks_one_is_refused_with_a_split_that_works(
    family: str, values: dict[str, Any], split_idx: int, says: str
) -> None:
    shape = (3, 64, 64)
    network = build_network(family, values, shape, 10)
    sentence = refusal(network, shape, split_idx)
    assert says in sentence
    instead = int(sentence.partition("split_idx=")[2].partition(" ")[0])
    assert execute(network, image(shape, 0), n_patch=2, split_idx=instead).stage_macs > 0


def test_patches_and_splits_that_do_not_exist_are_refused_with_a_reason() -> None:
    network, shape = build_network("mobilenet_v1", {"alpha": 0.1}, (3, 48, 64), 10), (3, 48, 64)
    assert "n_patch=5 does not divide the 12x16 map" in (why := refusal(network, shape, 5, n_patch=5))
    assert "a divisor of 4." in why
    assert "n_patch=0 does not divide" in refusal(network, shape, 3, n_patch=0)
    assert "from 1 to the network's 27 ops, got 28" in refusal(network, shape, 28)
    assert "from 1 to the network's 27 ops, got -1" in refusal(network, shape, -1)
    with pytest.raises(ConfigError, match="did you mean 'patch'"):
        execute(network, image(shape, 0), "patches")
    with pytest.raises(ConfigError, match="one image of shape"):
        execute(network, torch.zeros(2, *shape))


def test_a_split_behind_an_expansion_works_where_no_residual_crosses_it() -> None:
    shape = (3, 64, 64)
    network = randomise(build_network("mobilenet_v2", {"alpha": 0.1}, shape, 10), shape, 0)
    x = image(shape, 0)
    expected = execute(network, x, "layer").output
    run = execute(network, x, "stream2d", n_patch=4, split_idx=5)
    assert [op.name for op in run.ops if op.in_stage][-1] == "blocks.1.expand.conv"
    assert (run.output - expected).abs().max() <= TOLERANCE


def test_without_a_stage_every_schedule_is_layer_by_layer_and_the_network_stays_as_it_was() -> None:
    network = TwoConvolutions().train()
    runs = [execute(network, image((1, 8, 8), 0), schedule) for schedule in SCHEDULES]
    assert len({(run.macs, run.held_bytes, run.stage_bytes) for run in runs}) == 1
    assert network.training


def test_inner_patches_keep_their_full_length_even_where_they_stick_out_of_the_map() -> None:
    ops = [
        AxisOp("image", 8),
        AxisOp("map", 8, (("image", Window(7, 1, 3)),)),
        AxisOp("split", 8, (("map", Window(7, 1, 3)),)),
    ]
    made = [[extents["map"].made for extents in plan_axis(ops, 4, rule)] for rule in Rule]
    full, clipped, streamed = made
    assert full == [Span(-3, 5), Span(-1, 7), Span(1, 9), Span(3, 11)]
    assert clipped == [Span(0, 5), Span(-1, 7), Span(1, 9), Span(3, 8)]
    assert streamed == [Span(0, 5), Span(5, 7), Span(7, 8), Span(8, 8)]
