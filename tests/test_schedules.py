"""Patches and streams: MACs and RAM against the published tables, against arithmetic by hand and against each other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import sympy

from benchmarks import schedules as published
from hwscale.formulas.graph import Graph
from hwscale.runtimes import find_runtime
from hwscale.schedules import LAYER, SCHEDULES, Schedule, executed, executed_macs, refuse, scheduled, stage_macs
from hwscale.schedules.geometry import backwards, make_stage, output_need, sides
from hwscale.schedules.line_buffers import line_buffers
from hwscale.schedules.windows import Window, steps

PATCHED = [name for name in SCHEDULES if name != "layer"]


def two_convolutions(*widths: Any, height: int = 8, width: int = 8) -> Graph:
    """1 -> a -> b by 3x3 convolutions, then 1x1 to 1."""
    a, b = widths
    g = Graph()
    x = g.conv("one", g.tensor(1, height, width), a, kernel=3, padding=1)
    x = g.conv("two", x, b, kernel=3, padding=1)
    g.conv("rest", x, 1)
    return g


def residual_block(c: Any, e: Any) -> Graph:
    g = Graph()
    x = g.conv("stem", g.tensor(3, 16, 16), c, kernel=3, stride=2, padding=1)
    y = g.conv("expand", x, e)
    y = g.depthwise("dw", y, kernel=5, padding=2)
    x = g.add("add", g.conv("project", y, c), x)
    g.conv("rest", x, 4)
    return g


# published tables


def test_table_2_has_39_of_40_stage_macs_equal_to_two_decimals_and_the_other_is_known() -> None:
    cells = published.table2()
    assert len(cells) == 40
    assert [(c.model, c.schedule.name) for c in cells if not c.equal] == [("MB2", "patch")]


def test_table_1_has_every_mac_cell_as_printed() -> None:
    cells = [c for c in published.table1() if c.quantity == "MACs"]
    assert len(cells) == 20
    assert all(c.equal for c in cells)


def test_table_1_has_seven_memories_of_patch_equal_two_near_and_one_missed() -> None:
    cells = published.memory("patch")
    apart = {c.model: c.error for c in cells if not c.equal}
    assert len(cells) == 10
    assert apart.keys() == {"MV0", "MV2", "MB2"}
    assert abs(apart["MV0"]) <= 0.025
    assert abs(apart["MV2"]) <= 0.025
    assert apart["MB2"] == pytest.approx(-0.236, abs=0.001)


def test_table_1_has_the_memory_of_stream2d_within_4_percent_on_average_and_never_below_the_lower_end() -> None:
    cells = published.memory("stream2d")
    assert len(cells) == 10
    assert np.mean([abs(c.error) for c in cells]) <= 0.04
    assert all(c.least is not None and c.least <= min(c.printed, c.ours) for c in cells)


def test_mobilenet_v2_needs_1372_kib_op_by_op_and_172_on_patches_of_75_pixels() -> None:
    rows = {what: ours for what, _, ours in published.mobilenet()}
    layer, stage, behind, _, side, stage_ratio, patch, bypass = rows.values()
    assert layer * 1024 == 112**2 * (16 + 96)
    assert stage * 1024 == 35**2 * (16 + 96) + 28**2 * 32
    assert behind * 1024 == 28**2 * (32 + 192)
    assert side == 75
    assert (round(stage_ratio, 2), round(patch, 2), round(bypass, 3)) == (1.42, 1.13, 1.093)


def test_every_bar_of_the_document_holds_and_the_document_is_what_the_benchmark_writes() -> None:
    assert all(holds for *_, holds in published.bars())
    assert published.DOCUMENT.read_text(encoding="utf-8") == published.expected()


# by hand


@pytest.mark.parametrize(
    ("name", "one", "two"),
    [("patch", 12 * 12, 8 * 8), ("patch+", 10 * 10, 8 * 8), ("stream1d", 10 * 8, 8 * 8), ("stream2d", 8 * 8, 8 * 8)],
)
def test_two_convolutions_on_2x2_patches(name: str, one: int, two: int) -> None:
    # patches of 4 need 6 rows of the map between; 5 of them are on the map
    g = two_convolutions(2, 3)
    assert [op.macs for op in executed(g, Schedule(name, 2, 2))] == [9 * 2 * one, 9 * 2 * 3 * two, 3 * 64]
    assert stage_macs(g, Schedule(name, 2, 2)) == 18 * one + 54 * two


def test_a_rectangle_has_patches_of_its_own_sides() -> None:
    g = two_convolutions(2, 3, height=8, width=12)
    rows, columns = make_stage(g, Schedule("patch+", 4, 2)).extents[1]
    assert (rows.patch, rows.repeated, rows.passed) == (4, 16, 3 + 4 + 4 + 3)
    assert (columns.patch, columns.repeated, columns.passed) == (5, 20, 4 + 5 + 5 + 4)
    assert stage_macs(g, Schedule("stream1d", 4, 2)) == 18 * 14 * 12 + 54 * 96


def test_a_residual_is_as_large_as_its_convolutions_need_it_and_its_add_counts_apart() -> None:
    g, plan = residual_block(4, 12), Schedule("patch", 2, 5)
    stage = make_stage(g, plan)
    assert [stage.extents[t][0].patch for t in range(6)] == [17, 8, 8, 4, 4, 4]
    assert stage_macs(g, plan) == 108 * 16**2 + 48 * 16**2 + 300 * 8**2 + 48 * 8**2
    assert stage_macs(g, plan, additions=True) - stage_macs(g, plan) == 4 * 8**2


def test_same_padding_puts_the_odd_zero_last() -> None:
    g = Graph()
    g.conv("rest", g.conv("stem", g.tensor(3, 16, 16), 4, kernel=3, stride=2, same=True), 2)
    assert steps(g)[0].windows == (Window(3, 2, 0), Window(3, 2, 0))
    rows, _ = make_stage(g, Schedule("patch+", 2, 1)).extents[0]
    assert (rows.patch, rows.passed) == (9, 9 + 8)


def test_max_pools_move_by_their_window() -> None:
    g = Graph()
    g.conv("rest", g.max_pool("pool", g.conv("conv", g.tensor(1, 8, 8), 2, kernel=3, padding=1)), 2)
    plan = Schedule("patch+", 2, 2)
    assert make_stage(g, plan).extents[1][0].patch == 4
    assert stage_macs(g, plan) == 18 * 64
    assert [b.name for b in line_buffers(g, Schedule("stream2d", 2, 2), make_stage(g, plan))] == ["conv.lines"]


def test_live_tensors_are_those_of_a_patch_beside_the_output_of_the_stage() -> None:
    tensors = find_runtime("tensors")
    lowered = tensors.lower(scheduled(two_convolutions(2, 3), Schedule("patch", 2, 2)), ())
    whole = 3 * 64
    assert dict(tensors.memory(lowered).regions[0].terms([t.size for t in lowered.tensors])) == {
        "stage output": whole,
        "one": whole + 64 + 2 * 36,  # the image's patch is 8 x 8
        "two": whole + 2 * 36 + 3 * 16,
        "rest": whole + 64,
    }


def test_line_buffers_are_alive_from_end_to_end() -> None:
    tensors, g, plan = find_runtime("tensors"), two_convolutions(2, 3), Schedule("stream2d", 2, 2)
    least = 1 * (2 * 8 + 2 * 8) + 2 * (2 * 8 + 2 * 6)
    most = 1 * (2 * 10 + 2 * 8) + 2 * (2 * 10 + 2 * 6)
    for kept, flag in ((least, True), (most, False)):
        lowered = tensors.lower(scheduled(g, plan, least=flag), ())
        terms = dict(tensors.memory(lowered).regions[0].terms([t.size for t in lowered.tensors]))
        assert terms["one"] == kept + 3 * 64 + 64 + 2 * 36
        assert terms["rest"] == kept + 3 * 64 + 64


def test_a_stream_of_one_axis_keeps_columns_alone_and_a_shortcut_waits_for_its_depthwise_rows() -> None:
    g = residual_block(4, 12)
    stage = make_stage(g, Schedule("stream1d", 2, 5))
    kept = {b.name: b.pixels for b in line_buffers(g, Schedule("stream1d", 2, 5), stage)}
    assert kept == {"stem.lines": 1 * 17, "dw.lines": 4 * 8}
    kept = {b.name: b.pixels for b in line_buffers(g, Schedule("stream2d", 2, 5), stage)}
    assert kept == {"stem.lines": 2 * 18 + 17, "dw.lines": 4 * 12 + 4 * 8, "add.delayed": 5 * 8}


def test_tinyengine_has_buffers_of_patches_and_writes_a_depthwise_convolution_over_its_input() -> None:
    tiny = find_runtime("tinyengine")
    lowered = tiny.lower(scheduled(residual_block(4, 12), Schedule("patch", 2, 5)), ())
    whole = 4 * 64
    terms = dict(tiny.memory(lowered).regions[0].terms([t.size for t in lowered.tensors]))
    assert terms["dw"] == whole + 4 * 64 + 12 * 64
    assert terms["add"] == whole + 4 * 64 + 2 * 4 * 16
    assert dict(tiny.plan(lowered, False))["im2col"] == 2 * 12 * 12


def test_a_stage_that_is_the_whole_network_keeps_its_output_to_the_end() -> None:
    g = two_convolutions(2, 3)
    tensors = find_runtime("tensors")
    lowered = tensors.lower(scheduled(g, Schedule("patch", 2, 3)), ())
    assert dict(tensors.memory(lowered).regions[0].terms([t.size for t in lowered.tensors]))["rest"] == 64 + 48 + 16


# any network


def random_graph(rng: np.random.Generator) -> Graph:
    g = Graph()
    height, width = (int(side) for side in rng.integers(5, 41, 2))
    x = g.tensor(3, height, width if rng.random() < 0.5 else height)
    for at in range(int(rng.integers(3, 8))):
        kernel = int(rng.choice([1, 3, 5, 7]))
        stride = int(rng.choice([1, 1, 2])) if kernel > 1 else 1
        window: dict[str, Any] = {"kernel": kernel, "stride": stride, "padding": kernel // 2}
        if rng.random() < 0.4:
            window |= {"padding": 0, "same": True}
        kind = rng.choice(["conv", "depthwise", "block", "pool"])
        if kind == "conv":
            x = g.conv(f"conv{at}", x, int(rng.integers(1, 9)), **window)
        elif kind == "depthwise":
            x = g.depthwise(f"dw{at}", x, **window)
        elif kind == "pool" and min(x.height, x.width) >= 2:
            x = g.max_pool(f"pool{at}", x)
        else:
            y = g.conv(f"expand{at}", x, 2 * x.channels)
            y = g.depthwise(f"dw{at}", y, kernel=kernel, padding=kernel // 2)
            x = g.add(f"add{at}", g.conv(f"project{at}", y, x.channels), x)
    return g


def random_schedules(count: int) -> Iterator[tuple[Graph, int, int]]:
    """Networks with an n_patch and a split_idx that can be executed."""
    rng = np.random.default_rng(3)
    while count:
        g = random_graph(rng)
        split = int(rng.integers(1, len(g.ops) + 1))
        x = g.tensors[g.ops[split - 1].output]
        n = int(rng.choice([n for n in range(1, 21) if math.gcd(x.height, x.width) % n == 0]))
        if refuse(g, Schedule("patch", n, split)) is None:
            count -= 1
            yield g, n, split


def test_every_schedule_computes_no_more_than_the_one_before_and_stream2d_as_much_as_layer() -> None:
    several = strict = 0
    for g, n, split in random_schedules(400):
        patch, bypass, one, two = (executed_macs(g, Schedule(name, n, split)) for name in PATCHED)
        assert patch >= bypass >= one >= two == executed_macs(g, LAYER) == sum(op.macs for op in g.ops)
        several += n > 1
        strict += patch > bypass > one > two
    assert several > 150
    assert strict > 50


def test_one_patch_is_execution_op_by_op() -> None:
    for g, _, split in random_schedules(50):
        for name in PATCHED:
            plan = Schedule(name, 1, split)
            assert executed_macs(g, plan) == sum(op.macs for op in g.ops)
            assert scheduled(g, plan) is g


def test_needs_are_the_rows_that_windows_touch() -> None:
    for g, n, split in random_schedules(150):
        inside = steps(g)[:split]
        for axis in (0, 1):
            whole = sides(g, axis)
            needs = backwards(inside, output_need(whole[inside[-1].op.output], n), axis, whole)
            grain = whole[inside[-1].op.output] // n
            for patch in {0, n - 1}:
                rows = {inside[-1].op.output: set(range(patch * grain, (patch + 1) * grain))}
                for step in reversed(inside):
                    w = step.along(axis)
                    for t in step.op.inputs:
                        touched = {r * w.stride - w.before + j for r in rows[step.op.output] for j in range(w.kernel)}
                        rows[t] = rows.get(t, set()) | (touched & set(range(whole[t])))
                for t, need in needs.items():
                    first, last = need.last if patch else need.first
                    assert set(range(first, last + 1)) == rows[t]
                    assert need.side >= len(rows[t])


def test_all_patches_together_touch_every_row() -> None:
    for g, n, split in random_schedules(100):
        for rows, columns in make_stage(g, Schedule("patch", n, split)).extents.values():
            assert rows.repeated >= rows.passed >= rows.whole
            assert columns.repeated >= columns.passed >= columns.whole


@pytest.mark.parametrize("runtime", ["tensors", "tinyengine"])
@pytest.mark.parametrize("name", PATCHED)
def test_ints_arrays_and_symbols_agree(name: str, runtime: str) -> None:
    plan, rules = Schedule(name, 4, 5), find_runtime(runtime)
    rows = [(4, 12), (8, 24), (5, 31), (1, 1)]
    c, e = sympy.symbols("c e", positive=True, integer=True)

    def read(g: Graph) -> tuple[Any, Any, list[Any]]:
        lowered = rules.lower(scheduled(g, plan), ())
        regions = rules.memory(lowered).regions
        terms = [size for r in regions for _, size in r.terms([t.size for t in lowered.tensors])]
        return stage_macs(g, plan, additions=True), executed_macs(g, plan), [*terms, rules.flash_bytes(lowered)]

    arrays = read(residual_block(*np.array(rows, dtype=np.int64).T))
    symbols = read(residual_block(c, e))
    for at, (cs, es) in enumerate(rows):
        ints = read(residual_block(cs, es))
        for mine, array, symbol in zip(
            [*ints[:2], *ints[2]], [*arrays[:2], *arrays[2]], [*symbols[:2], *symbols[2]], strict=True
        ):
            assert mine == np.broadcast_to(array, len(rows))[at] == sympy.sympify(symbol).subs({c: cs, e: es})
