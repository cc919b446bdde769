"""The greedy arena planner: hand-worked plans, an independent checker, and the planner of the measured side."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwscale.errors import ConfigError
from hwscale.measure.arena import pack
from hwscale.runtimes.planner import Buffer, Layout, aligned, live_bound, plan_arena

BUFFERS = st.lists(
    st.builds(lambda size, first, span: Buffer(size, first, first + span), *map(st.integers, (0, -1, 0), (200, 12, 6))),
    max_size=24,
)


def occupied(buffers: list[Buffer], layout: Layout) -> dict[tuple[int, int], int]:
    """The brute-force checker: which buffer holds each 16 B cell of the arena at each time; fails on a second claim."""
    cells: dict[tuple[int, int], int] = {}
    for index, (buffer, offset) in enumerate(zip(buffers, layout.offsets, strict=True)):
        for time in range(buffer.first_op, buffer.last_op + 1):
            for cell in range(offset // 16, (offset + buffer.size_bytes + 15) // 16):
                assert cells.setdefault((time, cell), index) == index, f"{index} overlaps {cells[time, cell]}"
    return cells


@given(BUFFERS)
@settings(max_examples=300, deadline=None)
def test_live_buffers_never_overlap_and_the_head_lies_between_its_bounds(buffers: list[Buffer]) -> None:
    layout = plan_arena(buffers)
    cells = occupied(buffers, layout)
    assert all(offset % 16 == 0 and offset >= 0 for offset in layout.offsets)
    assert layout.head_bytes == max((16 * (cell + 1) for _, cell in cells), default=0)
    alive = [sum(1 for when, _ in cells if when == time) for time in range(-1, 20)]
    assert live_bound(buffers) == 16 * max(alive) <= layout.head_bytes
    assert layout.head_bytes <= sum(aligned(buffer.size_bytes) for buffer in buffers)


@given(BUFFERS)
@settings(max_examples=300, deadline=None)
def test_the_planners_of_prediction_and_measurement_agree(buffers: list[Buffer]) -> None:
    kept = [buffer for buffer in buffers if buffer.size_bytes]
    sizes = np.array([aligned(buffer.size_bytes) for buffer in kept], dtype=np.int64)
    starts = np.array([buffer.first_op for buffer in kept], dtype=np.int64)
    ends = np.array([buffer.last_op for buffer in kept], dtype=np.int64)
    offsets = pack(sizes, starts, ends, np.full(len(kept), -1))
    assert tuple(offsets.tolist()) == plan_arena(kept).offsets


def test_the_two_planners_agree_on_a_thousand_buffers() -> None:
    source = random.Random(1)
    births = [source.randrange(400) for _ in range(1000)]
    buffers = [Buffer(source.choice((1, 16, 100, 5000, 5008)), b, b + source.randrange(1, 30)) for b in births]
    columns = [(aligned(buffer.size_bytes), buffer.first_op, buffer.last_op, -1) for buffer in buffers]
    offsets = pack(*np.array(columns, dtype=np.int64).T)
    assert tuple(offsets.tolist()) == plan_arena(buffers).offsets


def test_a_chain_reuses_the_memory_of_what_is_dead() -> None:
    # largest first: 100 -> 112 B at 0; 64 B coexists with it, above; 33 -> 48 B coexists with the 64 B only, below
    plan = plan_arena([Buffer(100, 0, 1), Buffer(64, 1, 2), Buffer(33, 2, 3)])
    assert plan == Layout((0, 112, 0), 176)


def test_the_lowest_gap_wins_not_the_tightest() -> None:
    # at time 0 the arena fills up to 224; at time 2 gaps of 80 B at 0 and of 48 B at 144 are open for the 32 B of index 3
    buffers = [Buffer(80, 0, 0), Buffer(64, 0, 2), Buffer(48, 0, 0), Buffer(32, 2, 2), Buffer(32, 0, 2)]
    assert plan_arena(buffers) == Layout((0, 80, 144, 0, 192), 224)


def test_of_equal_sizes_the_highest_index_is_placed_first() -> None:
    buffers = [Buffer(16, 3, 3), Buffer(16, 1, 1), Buffer(16, 0, 2), Buffer(16, 2, 3)]
    # 3 at 0; 2 meets it at time 2: 16; 1 meets 2 only, fits below it: 0; 0 meets 3: 16
    assert plan_arena(buffers) == Layout((16, 0, 16, 0), 32)
    # the lowest index first would need a third row: 0 and 1 at 0, 2 meets 1: 16, 3 meets both rows: 32
    assert plan_arena(buffers[::-1]) == Layout((32, 16, 0, 0), 48)


def test_ties_are_of_aligned_sizes() -> None:
    assert plan_arena([Buffer(16, 0, 0), Buffer(9, 0, 0)]).offsets == (16, 0)


def test_inclusive_lifetimes_keep_an_ops_input_apart_from_its_output() -> None:
    assert plan_arena([Buffer(32, 0, 1), Buffer(32, 1, 2)]).head_bytes == 64
    assert plan_arena([Buffer(32, 0, 1), Buffer(32, 2, 3)]).head_bytes == 32


def test_the_plan_may_exceed_the_bound() -> None:
    source = random.Random(0)
    ratios = []
    for _ in range(300):
        births = [source.randrange(10) for _ in range(12)]
        buffers = [Buffer(16 * source.randint(1, 9), b, b + source.randint(0, 4)) for b in births]
        ratios.append(plan_arena(buffers).head_bytes / live_bound(buffers))
    assert min(ratios) == 1.0 < max(ratios)


def test_the_first_pad_of_a_published_phinet() -> None:
    # 64 px, alpha 0.5: 32 x 32 x 48 and its padding to 34 x 34 x 48 alive together, the arena head of that network
    assert plan_arena([Buffer(32 * 32 * 48, 8, 9), Buffer(34 * 34 * 48, 9, 10)]).head_bytes == 104_640


def test_nothing_to_plan_takes_nothing() -> None:
    assert plan_arena([]) == Layout((), 0)
    assert plan_arena([Buffer(0, 0, 5)]) == Layout((0,), 0)
    assert live_bound([]) == 0


@pytest.mark.parametrize("buffer", [Buffer(-1, 0, 0), Buffer(16, 3, 2)])
def test_impossible_buffers_are_refused(buffer: Buffer) -> None:
    for function in (plan_arena, live_bound):
        with pytest.raises(ConfigError, match="buffer 1 of the arena"):
            function([Buffer(1, 0, 0), buffer])
