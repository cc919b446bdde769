"""Plots of one network draw the numbers of its result: RAM, memory map, time, roofline, agreement."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from viz_results import QUESTIONS, answer

import hwscale
from hwscale.errors import ConfigError
from hwscale.platform import load_platform
from hwscale.verification import Row, Verification
from hwscale.viz import agreement_plot, memory_plot, ram_plot, roofline, time_plot
from hwscale.viz.memory_map import memory_map
from hwscale.viz.op_rows import op_table
from hwscale.viz.palette import PEAK

pytest.importorskip("matplotlib", reason="needs the extra viz")
DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_highest_bar_is_the_ram_of_the_fit_and_is_named_as_the_peak(name: str) -> None:
    fit = answer(name)
    axes = ram_plot.figure(fit).axes[0]
    bars = [one for one in axes.patches if one.get_height() > 0]
    tops = {round(1024 * (bar.get_y() + bar.get_height())): bar for bar in bars}
    assert max(tops) == fit.cost.ram_bytes
    assert len([bar for bar in bars if tuple(bar.get_facecolor()[:3]) == _rgb(PEAK)]) == 1
    assert tuple(tops[max(tops)].get_facecolor()[:3]) == _rgb(PEAK)
    assert [one.get_text() for one in axes.texts] == [ram_plot.peak_words(op_table(fit))]
    assert fit.peak_op in axes.texts[0].get_text()
    assert op_table(fit).peak.op.name == fit.peak_op


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))


@pytest.mark.parametrize("name", QUESTIONS)
def test_interactive_bars_add_up_to_the_ram_of_every_op(name: str) -> None:
    table, made = op_table(answer(name)), ram_plot.spec(answer(name))
    sums = np.sum([trace["y"] for trace in made["data"]], axis=0) * 1024
    assert sums == pytest.approx([row.ram_bytes for row in table.rows], abs=1e-6)
    budget = answer(name).limits["ram"]
    lines = [shape["y0"] * 1024 for shape in made["layout"]["shapes"]]
    assert lines == [budget]


@pytest.mark.parametrize("name", [name for name, question in QUESTIONS.items() if "platform" in question])
def test_segments_of_every_region_add_up_to_its_size_and_the_network_to_its_cost(name: str) -> None:
    fit = answer(name)
    platform = load_platform(QUESTIONS[name]["platform"])
    found = memory_map(fit, platform)
    assert [region.used_bytes for region in (*found.ram, *found.flash)] == [
        region.size_bytes for region in (*found.ram, *found.flash)
    ]
    assert sum(region.size_bytes for region in found.ram) == sum(region.size_bytes for region in platform.ram)
    roles = {"activations", "persistent", "buffers"}
    assert sum(one.size_bytes for one in found.ram[0].segments if one.role in roles) == fit.cost.ram_bytes
    stored = sum(one.size_bytes for one in found.flash[0].segments if one.role in ("weights", "file"))
    assert stored == fit.cost.flash_bytes
    held = {one.role: one.size_bytes for one in found.ram[0].segments}
    assert held.get("reserve", 0) == fit.reserve["ram"]
    assert held.get("free", 0) == fit.limits["ram"] - fit.cost.ram_bytes
    unusable = {one.name for one in found.ram if one.segments[0].role == "unusable"}
    assert unusable == {one.name for one in platform.ram} - set(platform.arena_regions)


def test_a_network_too_large_for_its_platform_exceeds_its_region_and_says_by_how_much() -> None:
    report = hwscale.cost("mobilenet_v1", {"resolution": 192}, platform="nrf52840")
    found = memory_map(report, load_platform("nrf52840"))
    excess = report.cost.ram_bytes - 262144
    assert found.ram[0].used_bytes - found.ram[0].size_bytes == excess > 0
    assert any(f"{excess / 1024:,.1f} KiB more than there is" in note for note in found.notes)


def test_the_drawn_map_has_every_segment_at_its_address_and_hatches_what_is_unusable() -> None:
    platform = load_platform("stm32h743")
    found = memory_map(answer("xinet"), platform)
    made = memory_plot.figure(answer("xinet"), platform)
    patches = {one.get_gid(): one for axes in made.axes for one in axes.patches}
    assert len(made.axes) == 2
    for region in (*found.ram, *found.flash):
        start = 0
        for segment in region.segments:
            patch = patches[f"{region.name}:{segment.words}"]
            assert (patch.get_x() * 1024, patch.get_width() * 1024) == pytest.approx((start, segment.size_bytes))
            assert bool(patch.get_hatch()) == (segment.role == "unusable")
            start += segment.size_bytes
    drawn = [trace for spec in memory_plot.specs(answer("xinet"), platform).values() for trace in spec["data"]]
    assert sum(trace["x"][0] for trace in drawn) * 1024 == pytest.approx(
        sum(region.size_bytes for region in (*found.ram, *found.flash))
    )


@pytest.mark.parametrize("name", ["xinet", "margin", "bounded"])
def test_times_of_all_ops_and_of_all_kinds_add_up_to_the_latency(name: str) -> None:
    fit = answer(name)
    table = time_plot.timed(fit)
    assert sum(row.latency_s or 0 for row in table.rows) == pytest.approx(fit.cost.latency_s, rel=1e-12)
    kinds, ops = time_plot.figure(fit).axes
    assert sum(bar.get_width() for bar in kinds.patches) * 1e-3 == pytest.approx(fit.cost.latency_s, rel=1e-9)
    assert sum(bar.get_height() for bar in ops.patches) * 1e-3 == pytest.approx(fit.cost.latency_s, rel=1e-9)
    specs = time_plot.specs(fit)
    assert sum(sum(trace["y"]) for trace in specs["ops"]["data"]) * 1e-3 == pytest.approx(fit.cost.latency_s, rel=1e-9)
    assert "estimated" in kinds.get_xlabel()


@pytest.mark.parametrize(("name", "words"), [("no platform", "no platform was named"), ("patches", "schedule patch")])
def test_without_rates_there_is_a_sentence_and_no_plot_of_time(name: str, words: str) -> None:
    for draw in (time_plot.figure, time_plot.specs, roofline.figure, roofline.spec):
        with pytest.raises(ConfigError, match=words):
            draw(answer(name))


@pytest.mark.parametrize("name", ["xinet", "margin", "bounded"])
def test_every_op_lies_below_every_ceiling_of_its_kind(name: str) -> None:
    table = time_plot.timed(answer(name))
    rows, found = roofline.drawn_rows(table), roofline.ceilings(table)
    assert len(rows) == len([row for row in table.rows if row.op.macs])
    assert found
    for row in rows:
        over = [one.at(row.macs_per_byte) for one in found if row.op.kind in one.kinds]
        assert over
        assert row.mac_per_s <= min(over) * (1 + 1e-9)
    drawn = [
        pair
        for trace in roofline.spec(answer(name))["data"][: -len(found)]
        for pair in zip(trace["x"], trace["y"], strict=True)
    ]
    told = [(row.op.macs / row.op.elements, (row.mac_per_s or 0) / 1e6) for row in rows]
    assert np.allclose(sorted(drawn), sorted(told), rtol=1e-12)


def test_rows_of_the_tables_of_measurements_are_drawn_where_they_say() -> None:
    pairs, unit = agreement_plot.read_pairs(DOCS / "latency_rows.csv")
    with (DOCS / "latency_rows.csv").open(encoding="utf-8", newline="") as stream:
        told = [
            (float(row["published_ms"]), float(row["predicted_ms"]))
            for row in csv.DictReader(stream)
            if row["predicted_ms"]
        ]
    assert unit == "ms"
    assert np.allclose(sorted((pair.measured, pair.predicted) for pair in pairs), sorted(told), rtol=1e-12)
    made = agreement_plot.figure(pairs, unit)
    offsets = np.vstack([dots.get_offsets() for dots in made.axes[0].collections if dots.get_gid()])
    assert np.allclose(sorted(map(tuple, offsets)), sorted(told), rtol=1e-12)
    assert made.axes[0].get_xlabel() == "measured [ms]"
    sizes, unit = agreement_plot.read_pairs(DOCS / "fidelity_rows.csv")
    assert unit == "KiB"
    assert all(pair.low <= pair.predicted * (1 + 1e-12) and pair.predicted <= pair.high * (1 + 1e-12) for pair in sizes)


def test_other_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    for path in (tmp_path / "a.csv", tmp_path / "none.csv"):
        with pytest.raises(ConfigError):
            agreement_plot.read_pairs(path)
    with pytest.raises(ConfigError, match="no row"):
        agreement_plot.figure([], "ms")


def test_a_verification_is_drawn_as_differences_within_tolerances() -> None:
    rows = (Row("ram_bytes", 1000, 1010, tolerance=20), Row("macs", 4_000_000, 4_000_000))
    made = agreement_plot.figure_of_verification(Verification("tflm", True, rows))
    axes = made.axes[0]
    assert [float(line.get_xdata()[0]) for line in axes.lines if line.get_gid() == "measured"] == pytest.approx(
        [1.0, 0.0]
    )
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([4.0, 0.0])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["RAM: 1000 B", "MACs: 4.00 M"]
    with pytest.raises(ConfigError, match="nothing was measured"):
        agreement_plot.figure_of_verification(Verification("none", None))


@pytest.mark.parametrize("name", ["xinet", "margin"])
def test_plotly_accepts_every_key_of_the_plots_of_a_network(name: str) -> None:
    graph_objects = pytest.importorskip("plotly.graph_objects", reason="needs the extra viz")
    from test_viz_front import _lit

    fit, platform = answer(name), load_platform(QUESTIONS[name]["platform"])
    every = [ram_plot.spec(fit), roofline.spec(fit)]
    every += [*memory_plot.specs(fit, platform).values(), *time_plot.specs(fit).values()]
    for one in every:
        graph_objects.Figure({"data": _lit(one["data"]), "layout": _lit(one["layout"])})


@pytest.mark.parametrize(
    "draw",
    [
        lambda: ram_plot.figure(answer("xinet")),
        lambda: memory_plot.figure(answer("xinet"), load_platform("stm32h743")),
        lambda: time_plot.figure(answer("xinet")),
        lambda: roofline.figure(answer("xinet")),
    ],
    ids=["ram", "memory", "time", "roofline"],
)
def test_no_two_labels_of_a_plot_overlap(draw: Any) -> None:
    made = draw()
    made.draw_without_rendering()
    for axes in made.axes:
        texts = [
            *axes.get_xticklabels(),
            *axes.get_yticklabels(),
            *axes.texts,
            axes.xaxis.label,
            axes.yaxis.label,
            axes.title,
        ]
        texts += [made._suptitle] if made._suptitle else []
        shown = [one for one in texts if one.get_text() and one.get_visible()]
        boxes = [(one.get_text(), one.get_window_extent()) for one in shown]
        inside = [(text, box) for text, box in boxes if box.width and made.bbox.overlaps(box)]
        for at, (text, box) in enumerate(inside):
            assert not [other for other, beside in inside[:at] if box.overlaps(beside)], text
