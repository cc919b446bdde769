"""The Pareto plot draws the front's own numbers, in the units that its axes name."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from reduced_front import ReducedFront, reduced_front

import hwscale
from hwscale.errors import ConfigError
from hwscale.units import format_bytes
from hwscale.viz.drawn_points import MOST_DRAWN, pareto_points, row_of
from hwscale.viz.front_section import build_line, cost_line, front_points
from hwscale.viz.palette import light
from hwscale.viz.pareto_plot import figure, save_front, spec

pytest.importorskip("matplotlib", reason="needs the extra viz")
PER_UNIT = {"ram": 1024, "flash": 1024, "macs": 1e6, "params": 1e3, "latency": 1e-3, "score": 1}


@pytest.fixture(scope="module")
def front() -> ReducedFront:
    return reduced_front()


def _artist(figure: Any, gid: str) -> Any:
    (found,) = [one for one in figure.findobj() if one.get_gid() == gid]
    return found


@pytest.mark.parametrize(("x", "y"), [("ram", "score"), ("flash", "macs"), ("latency", "params")])
def test_static_points_are_the_columns_in_the_units_of_the_axes(front: ReducedFront, x: str, y: str) -> None:
    made = figure(front, x, y)
    rows = front.thinned(x, y)
    points = _artist(made, "points")
    expected = np.column_stack([front.columns[x][rows] / PER_UNIT[x], front.columns[y][rows] / PER_UNIT[y]])
    assert np.allclose(points.get_offsets(), expected, rtol=1e-12)
    assert (points.get_array() == front.columns["resolution"][rows]).all()
    stairs = front.staircase(x, y)
    drawn = _artist(made, "staircase").get_xydata()
    assert np.allclose(drawn[:, 0], front.columns[x][stairs] / PER_UNIT[x])
    units = {"ram": "RAM [KiB]", "flash": "Flash [KiB]", "latency": "latency [ms]"}
    assert made.axes[0].get_xlabel() == units[x]
    assert made.axes[1].get_ylabel() == "resolution [px]"


def test_budget_and_chosen_point_are_where_they_belong(front: ReducedFront) -> None:
    best = front.best()
    made = figure(front, "ram", "macs", 0.005, best)
    assert set(_artist(made, "budget").get_xdata()) == {512.0}
    at = front.columns["ram"][best.row] / 1024, front.columns["macs"][best.row] / 1e6
    assert _artist(made, "marked").get_xydata()[0] == pytest.approx(at)
    assert not [one for one in figure(front, "latency", "score").findobj() if one.get_gid() == "budget"]


def test_a_fit_is_marked_by_its_cost_and_found_in_the_front_only_if_it_is_there(front: ReducedFront) -> None:
    columns = {name: column[7] for name, column in front.columns.items()}
    cost = SimpleNamespace(ram_bytes=columns["ram"], flash_bytes=columns["flash"], macs=columns["macs"], params=1)
    side = int(columns["resolution"])
    fit = SimpleNamespace(input_shape=(3, side, side), cost=cost, certificate=SimpleNamespace(objective=1.5))
    assert row_of(fit, front) == 7
    cost.ram_bytes += 1
    cost.quantity = {"ram": cost.ram_bytes}.get
    assert row_of(fit, front) is None
    assert pareto_points(front, "ram", "score", 0.005, fit).mark == (cost.ram_bytes, 1.5)


def test_interactive_points_are_those_of_the_static_plot_and_carry_their_rows(front: ReducedFront) -> None:
    made = spec(front, "ram", "score", 0.005, front.best())
    rows = front.thinned("ram", "score")
    points = made["data"][0]
    assert points["customdata"] == rows.tolist()
    assert np.allclose(points["x"], front.columns["ram"][rows] / 1024)
    assert np.allclose(points["y"], front.columns["score"][rows])
    assert made["layout"]["shapes"][0]["x0"] == 512.0
    assert made["caption"].startswith(f"{len(rows)} of {len(front)} points drawn")
    assert made["data"][2]["customdata"] == [front.best().row]


def test_plotly_accepts_every_key_of_the_interactive_plot(front: ReducedFront) -> None:
    graph_objects = pytest.importorskip("plotly.graph_objects", reason="needs the extra viz")
    made = spec(front, "latency", "macs", 0.005, front.best())
    graph_objects.Figure({"data": _lit(made["data"]), "layout": _lit(made["layout"])})


def _lit(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lit(one) for key, one in value.items()}
    return (
        [_lit(one) for one in value] if isinstance(value, list) else light(value) if isinstance(value, str) else value
    )


def test_wide_spans_get_logarithmic_axes_and_the_budget_stays_in_its_place(front: ReducedFront) -> None:
    column = np.geomspace(1 << 14, 1 << 24, len(front)).astype(np.int64)
    wide = reduced_front(columns={**front.columns, "ram": column})
    made, drawn = figure(wide, "ram", "score"), spec(wide, "ram", "score")
    assert made.axes[0].get_xscale() == drawn["layout"]["xaxis"]["type"] == "log"
    assert drawn["layout"]["annotations"][0]["x"] == pytest.approx(np.log10(512))
    assert drawn["layout"]["shapes"][0]["x0"] == 512
    assert all(np.log2(tick) % 1 == 0 for tick in drawn["layout"]["xaxis"]["tickvals"])


def test_points_of_one_resolution_have_one_colour_and_no_colour_bar(front: ReducedFront) -> None:
    same = reduced_front(columns={**front.columns, "resolution": np.full(len(front), 96.0)})
    assert len(figure(same, "ram", "score").axes) == 1
    assert isinstance(spec(same, "ram", "score")["data"][0]["marker"]["color"], str)


def test_a_point_says_all_its_hyperparameters_and_the_line_that_prices_it(front: ReducedFront) -> None:
    found, values = front_points(front, [3, 4]), front.hyperparameters(3)
    assert set(found["rows"]) == {"3", "4"}
    place, knobs, facts, built = found["rows"]["3"]
    assert dict(zip(found["names"][place], knobs, strict=True)) == {name: str(value) for name, value in values.items()}
    share = f"{100 * front.columns['ram'][3] / 524288:.1f} %"
    assert facts[0] == f"{format_bytes(int(front.columns['ram'][3]))}, {share}"
    assert found["facts"][0] == ["RAM", " of 512.0 KiB"]
    assert found["facts"][1] == ["Flash", " of 2,048.0 KiB, estimated"]
    assert built.join(found["build"]) == build_line(front, values)
    fixed = " ".join(f"--fix {name}={value}" for name, value in values.items())
    told = f"hwscale cost --net xinet {fixed} --platform stm32h743 --runtime tflm --classes 10"
    assert cost_line(front, values) == told
    assert (found["start"], found["end"]) == (told.partition(" --fix")[0], told[told.index("--platform") :])
    assert cost_line(front, {"alpha": 1.0}, ["--platform", "my board.toml"]).endswith("--platform 'my board.toml'")


def test_the_copied_lines_price_and_build_the_point_itself(front: ReducedFront, cli: Any) -> None:
    words = shlex.split(cost_line(front, front.hyperparameters(3)))
    priced = json.loads(cli(*words[1:], "--json").out)["cost"]
    assert {name: priced[f"{name}_bytes"] for name in ("ram", "flash")} == {
        name: front.columns[name][3] for name in ("ram", "flash")
    }
    other = reduced_front(input_shape=(1, 64, 96), in_channels=1, classes=2, external_input=True)
    ends = "--classes 2 --input-shape 1x64x96 --input-buffer external"
    assert cost_line(other, {}).endswith(ends)
    network = eval(build_line(front, front.hyperparameters(3)), {"hwscale": hwscale})
    assert sum(one.numel() for one in network.parameters()) == front.columns["params"][3]
    assert build_line(other, {}) == "hwscale.build('xinet', {}, classes=2, input_shape=(1, 64, 96))"


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_saved_plots_are_files_of_their_kind_and_the_same_twice(
    front: ReducedFront, tmp_path: Path, suffix: str
) -> None:
    pages = []
    for name in ("a", "b"):
        save_front(front, tmp_path / f"{name}{suffix}", "ram", "score", 0.005, front.best())
        pages.append((tmp_path / f"{name}{suffix}").read_bytes())
    assert pages[0].startswith({".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix])
    assert pages[0] == pages[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a{suffix}", f"b{suffix}"]


@pytest.mark.parametrize(
    ("name", "x", "words"),
    [
        ("a.gif", "ram", ".html or .png or .svg or .pdf"),
        ("no/such/a.png", "ram", "there is no folder"),
        ("a.png", "energy", "unknown axis 'energy'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(
    front: ReducedFront, tmp_path: Path, name: str, x: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        save_front(front, tmp_path / name, x, "score")
    assert not list(tmp_path.iterdir())


def test_a_large_front_is_drawn_with_few_points_and_says_how_coarsely() -> None:
    many = 40_000
    rising = np.arange(many)
    columns = {"ram": 1000 + 50 * rising, "score": 10 + rising / many, "resolution": np.full(many, 96.0)}
    values = ({"alpha": 1.0},) * many

    class Large(ReducedFront):
        def thinned(self, x: str, y: str, epsilon: float = 0.005) -> np.ndarray:
            cells = np.floor(np.log(self.columns[x]) / np.log1p(epsilon / 100))
            return np.unique(cells, return_index=True)[1]

        def staircase(self, x: str, y: str) -> np.ndarray:
            return rising

    large = Large(columns=columns, values=values, budget={}, candidates=many)
    points = pareto_points(large, "ram", "score", 0.005)
    assert len(large.thinned("ram", "score", 0.005)) > MOST_DRAWN >= len(points.rows)
    assert len(points.stair_xs) == MOST_DRAWN
    assert (points.stair_xs[0], points.stair_xs[-1]) == (columns["ram"][0], columns["ram"][-1])
    drawn = re.search(r"within ([\d.]+) % of", points.caption)
    assert drawn
    assert len(large.thinned("ram", "score", float(drawn[1]) / 100)) == len(points.rows)
