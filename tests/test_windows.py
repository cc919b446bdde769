"""What the solvers know of TensorFlow Lite Micro's planner: windows, many arenas at once, bytes that the links of a path share."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from planned_paths import random_path, space_of

from hwscale.objectives import find_objective
from hwscale.problem import Problem, path
from hwscale.runtimes.planner import Buffer, plan_arena
from hwscale.solve.arena import least_heads
from hwscale.solve.extras import extras, joint
from hwscale.solve.shared import shared
from hwscale.solve.windows import least_arena, least_arenas


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize(
    ("net", "options"),
    [
        ("atomnet", {}),
        ("atomnet", {"residual": "all", "se_stages": (1, 2, 3), "activation": "hard_swish", "kernel": 5}),
        ("atomnet", {"expansion_base": "out", "se_placement": "expanded", "include_top": False}),
        ("mcunet", {}),
        ("mcunet", {"mix_channels": 64}),
    ],
    ids=str,
)
def test_a_window_bounds_the_arena_of_every_network_around_it(
    net: str, options: dict[str, Any], external: bool
) -> None:
    """From the full domains: the arena of a window never exceeds that of the network, and is it where the window is all of it."""
    space, rng = space_of(net, options, {}, external), random.Random(8)
    problem = Problem(space, find_objective("macs"), {})
    for _ in range(25):
        group, root, ways, states = random_path(space, rng)
        one = path(problem, group, root, ways)
        model, knobs, height, width = one.priced()
        graph, _ = model.graph(knobs, height, width)
        head = dict(model.runtime.plan(model.lowered(graph), external))["head"]
        before = np.zeros(len(ways), np.int64)
        for length in range(1, len(ways) + 1):
            arenas = least_arenas(group, root, ways, length)
            assert arenas.max() <= head
            assert (arenas >= before[: len(arenas)]).all(), "a longer window tells no less"
            before = arenas
            first = rng.randrange(len(arenas))
            rows = np.array([ways[first : first + length]])
            assert least_arena(group, root, first, np.array([states[first]]), rows)[0] == arenas[first]
        assert arenas[0] == head


@pytest.mark.parametrize("crossing", [0.0, 0.3])
def test_many_arenas_are_planned_as_one_is(crossing: float) -> None:
    rng = np.random.default_rng(5)
    sizes = rng.choice([0, 16, 32, 48, 160, 320], (400, 9))
    first = rng.integers(0, 8, sizes.shape)
    last = first + rng.integers(0, 4, sizes.shape)
    order = np.broadcast_to(np.arange(9), sizes.shape)
    outside = rng.random(sizes.shape) < crossing
    found = least_heads(sizes, first, last, order, outside)
    for row, head in enumerate(found):
        lives = zip(sizes[row].tolist(), first[row].tolist(), last[row].tolist(), strict=True)
        planned = plan_arena([Buffer(*life) for life in lives]).head_bytes
        assert head == planned or (head <= planned and outside[row].any())


@pytest.mark.parametrize(
    ("net", "options"),
    [("atomnet", {}), ("atomnet", {"se_stages": (1, 3), "kernel": 5, "activation": "hard_swish"}), ("mcunet", {})],
    ids=str,
)
def test_shared_constants_and_roundings_are_known_to_the_byte(net: str, options: dict[str, Any]) -> None:
    space, rng = space_of(net, options, {}), random.Random(2)
    problem = Problem(space, find_objective("macs"), {})
    for _ in range(40):
        group, root, ways, states = random_path(space, rng)
        known, traits = extras(group), np.zeros(1, np.int64)
        assert known is not None
        kept = 0
        for layer, at, state, way in zip(group.layers, known.traits, states, ways, strict=True):
            traits = joint(traits, at[state : state + 1, way])
            kept += int(layer.persistent[state, way])
        one = path(problem, group, root, ways)
        model, knobs, height, width = one.priced()
        lowered = model.lowered(model.graph(knobs, height, width)[0])
        persistent, flash = shared(group)
        tail = group.model.base_persistent + persistent + kept + int(known.ram(traits, np.array([kept]))[0])
        assert tail == dict(model.runtime.plan(lowered, False))["tail"]
        assert one.flash_bytes + flash + int(known.flash_bytes(traits)[0]) == model.runtime.flash_bytes(lowered)
        assert known.least_ram(traits)[0] <= known.ram(traits, np.array([kept]))[0]
