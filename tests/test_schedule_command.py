"""``hwscale schedule`` and `hwscale.trade_off`: every choice priced as `hwscale.cost` does, and the best."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest
from tflite_builder import Builder, built

import hwscale
from hwscale.configuration import configure
from hwscale.schedule_choices import ScheduleChoices
from hwscale.schedules import LAYER, Schedule, refuse
from hwscale.schedules.choices import cuts
from hwscale.schedules.windows import Window, steps

MI3 = {"preset": "mcunet-in3"}
DATA = Path(__file__).parent / "data"
PATCHED = ("patch", "patch+", "stream1d", "stream2d")
LINE = ("schedule", "--net", "mcunet", "--fix", "preset=mcunet-vww1")


@pytest.fixture(scope="module")
def in3() -> ScheduleChoices:
    return hwscale.trade_off("mcunet", MI3, platform="stm32f412")


def pairs(found: ScheduleChoices) -> set[tuple[str, int, int]]:
    return {(c.schedule.name, c.schedule.n_patch, c.schedule.split_idx) for c in found.points}


# the choices


def test_points_cost_what_cost_says(in3: ScheduleChoices) -> None:
    for choice in random.Random(1).sample(in3.points, 12):
        plan = choice.schedule
        numbers = {"n_patch": plan.n_patch, "split_idx": plan.split_idx}
        report = hwscale.cost("mcunet", MI3, runtime="tinyengine", schedule=plan.name, **numbers)
        assert (choice.ram_bytes, choice.macs) == (report.cost.ram_bytes, report.cost.macs)
        assert choice.overhead == pytest.approx(report.recomputation - 1)
    plain = hwscale.cost("mcunet", MI3, runtime="tinyengine")
    assert (in3.layer.ram_bytes, in3.layer.macs) == (plain.cost.ram_bytes, plain.cost.macs)
    assert in3.flash_bytes == plain.cost.flash_bytes


@pytest.mark.parametrize(
    ("family", "values", "shape"),
    [("mobilenet_v2", {"alpha": 0.35}, (3, 32, 32)), ("xinet", {}, (3, 64, 48)), ("phinet", {}, (3, 48, 48))],
)
def test_every_legal_cut_is_there_and_no_other(family: str, values: Any, shape: tuple[int, int, int]) -> None:
    found = hwscale.trade_off(family, values, input_shape=shape)
    graph = configure(family, values, input_shape=shape).graph(found.runtime.name, False, LAYER)
    legal = {
        (name, n, split)
        for split in range(1, len(steps(graph)) + 1)
        for n in range(2, max(shape) + 1)
        if refuse(graph, Schedule("patch", n, split)) is None
        for name in PATCHED
    }
    assert pairs(found) == legal
    assert len(found.points) == len(legal)


def test_the_pareto_set_is_what_a_comparison_of_all_pairs_leaves() -> None:
    for schedule in ("any", *PATCHED):
        found = hwscale.trade_off("mcunet", {"preset": "mcunet-vww1"}, schedule=schedule)
        every = (found.layer, *found.points)

        def beaten(one: Any, every: Any = every) -> bool:
            return any(
                (o.ram_bytes <= one.ram_bytes and o.macs <= one.macs)
                and ((o.ram_bytes, o.macs) != (one.ram_bytes, one.macs) or o.order < one.order)
                for o in every
            )

        assert set(found.pareto) == {one for one in every if not beaten(one)}
        assert [c.macs for c in found.pareto] == sorted(c.macs for c in found.pareto)
        assert {c.schedule.name for c in found.points} == set(PATCHED if schedule == "any" else (schedule,))


def test_published_choices_of_streamnet_are_among_the_points(in3: ScheduleChoices) -> None:
    with (DATA / "streamnet_table1.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    for preset in {row["preset"] for row in rows}:
        legal = cuts(configure("mcunet", {"preset": preset}).graph("tinyengine", False, LAYER))
        own = {(row["schedule"], int(row["n_patch"]), int(row["split_idx"])) for row in rows if row["preset"] == preset}
        assert {(n, split) for _, n, split in own} <= set(legal)
        if preset == "mcunet-in3":
            assert len(own) == 2
            assert own <= pairs(in3)
            assert len(in3.points) == len(PATCHED) * len(legal)


@pytest.mark.parametrize("schedule", ["any", "patch"])
def test_the_recommended_choice_fits_and_none_that_fits_has_fewer_macs(schedule: str) -> None:
    found = hwscale.trade_off("mcunet", MI3, platform="stm32f412", schedule=schedule)
    best = found.recommended
    assert best is not None
    assert best in found.pareto
    assert best.ram_bytes <= 256 * 1024 < found.layer.ram_bytes
    assert all(c.ram_bytes <= 256 * 1024 for c in found.fits)
    assert {c for c in found.points if c.ram_bytes <= 256 * 1024} == set(found.fits)
    assert min(c.macs for c in found.fits) == best.macs
    assert found.shown is best


def test_where_layer_fits_it_is_recommended_and_said() -> None:
    found = hwscale.trade_off("mcunet", MI3, platform="stm32h743")
    assert found.layer_fits
    assert found.recommended is found.layer
    assert found.verdict().startswith("layer fits already: 260.1 KiB of 512.0 KiB usable")


def test_where_nothing_fits_the_shortfall_is_said() -> None:
    found = hwscale.trade_off(
        "mobilenet_v2", {"alpha": 1.0, "resolution": 224}, platform="nrf52840", schedule="stream2d"
    )
    assert (found.recommended, found.fits) == (None, ())
    assert found.shown.ram_bytes == min(c.ram_bytes for c in found.pareto)
    assert found.verdict().startswith("nothing fits: stream2d")


def test_a_network_that_tinyengine_refuses_is_counted_in_tensors_and_said() -> None:
    found = hwscale.trade_off("phinet", input_shape=(3, 64, 64))
    assert found.runtime.name == "tensors"
    assert found.note.startswith("runtime tinyengine cannot run this network (")
    assert (found.usable, found.fits, found.recommended) == (None, (), None)


def test_bars_reach_the_ram_and_no_further(in3: ScheduleChoices) -> None:
    for choice in (in3.layer, *in3.pareto):
        profile = in3.profile(choice)
        assert max(need.total_bytes for need in profile) == choice.ram_bytes
        assert sum(need.staged for need in profile) == choice.schedule.split_idx
        assert len(profile) == len(steps(in3.graph))
    plain = hwscale.cost("mcunet", MI3, runtime="tinyengine").ops
    assert [(op.name, op.live_bytes) for op in plain] == [(n.name, n.live_bytes) for n in in3.profile(in3.layer)]


# files


def test_a_file_gives_what_the_same_graph_gives(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(built())
    found = hwscale.trade_off_tflite(path, platform="stm32f412")
    assert "which TinyEngine computes in place" in found.note
    # behind the stem the residual begins; patches of its 4 x 4 map, or of that behind the ADD
    assert {(n, split) for _, n, split in pairs(found)} == {(n, split) for n in (2, 4) for split in (1, 4)}
    assert found.layer.macs == hwscale.cost_tflite(path).totals["macs"]
    assert found.layer.ram_bytes == {row.name: row.ram_bytes for row in hwscale.cost_tflite(path).runtimes}["tensors"]
    stem = next(c for c in found.points if c.schedule == Schedule("patch", 2, 1))
    assert stem.macs == found.layer.macs
    whole = next(c for c in found.points if c.schedule == Schedule("patch", 2, 4))
    assert whole.macs - found.layer.macs == 27 * 8 * (8 * 8 - 16)  # patches of 2 need 4 of the 4 rows behind the stem


def test_pools_that_overlap_move_by_their_stride() -> None:
    from hwscale.formulas.graph import Graph, Op

    g = Graph()
    x = g.conv("stem", g.tensor(3, 16, 16), 4, kernel=3, stride=1, padding=1)
    y = g.tensor(4, 8, 8)
    g.ops.append(Op("pool", "max_pool", (x.index,), y.index, kernel=3, stride=2, same=True))
    assert steps(g)[1].windows == (Window(3, 2, 0), Window(3, 2, 0))


def test_what_only_keeps_sizes_is_left_out_where_tinyengine_lacks_it(tmp_path: Path) -> None:
    b = Builder()
    x = b.conv(b.tensor(1, 8, 8, 3), 8, k=3, s=2)
    b.unary(b.linear(b.mean(b.conv(b.depthwise(x), 8)), 4), "SOFTMAX")
    path = tmp_path / "model.tflite"
    path.write_bytes(b.build([0], [len(b.tensors) - 1]))
    found = hwscale.trade_off_tflite(path)
    assert found.runtime.name == "tinyengine"
    assert "counted without SOFTMAX#" in found.note


def several_inputs() -> bytes:
    b = Builder()
    x, y = b.tensor(1, 8, 8, 3), b.tensor(1, 8, 8, 8)
    b.linear(b.mean(b.add(b.conv(x, 8, k=3), y)), 4)
    return b.build([x, y], [len(b.tensors) - 1])


def no_windows() -> bytes:
    b = Builder()
    b.linear(b.mean(b.tensor(1, 8, 8, 3)), 4)
    return b.build([0], [len(b.tensors) - 1])


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: built("FLOAT32"), "computes FLOAT32; quantise it"),
        (several_inputs, "has 2 inputs, but patches are cut from one image"),
        (no_windows, "no patches can be cut: MEAN#0 (a global or adaptive pool) needs more of its input than a patch"),
        (lambda: b"no model", "model.tflite"),
    ],
)
def test_a_file_that_cannot_be_cut_is_refused_in_a_sentence(refused: Any, tmp_path: Path, made: Any, said: str) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(made())
    assert said in refused("schedule", path)


# the command


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("schedule",), "nothing to schedule is given"),
        (("schedule", "mcunet", "--net", "mcunet"), "both given"),
        (("schedule", "nothing.at.all"), "no family and no file"),
        (("schedule", "none.tflite"), "none.tflite"),
        (("schedule", "none.tflite", "--fix", "alpha=1"), "--fix is for families"),
        ((*LINE, "--schedule", "layer"), "has no patches to choose"),
        ((*LINE, "--schedule", "patches"), "did you mean 'patch'"),
        ((*LINE, "--runtime", "tflm"), "runtime tflm executes op by op only"),
        ((*LINE, "--platform", "stm32"), "stm32"),
        ((*LINE, "--out", "picture.png"), "end in .svg"),
        ((*LINE, "--out", "no/folder/picture.svg"), "there is no folder"),
        (("schedule", "--net", "mcunet", "--fix", "n_patch=2"), "n_patch"),
    ],
)
def test_mistakes_are_one_sentence(refused: Any, arguments: tuple[str, ...], said: str) -> None:
    assert said in refused(*arguments)


def test_help_lists_the_verb(cli: Any) -> None:
    assert "schedule" in cli("--help").out
    assert "--out" in cli("schedule", "--help").out


def test_the_json_holds_points_pareto_and_bars(cli: Any) -> None:
    answer = cli(*LINE, "--platform", "stm32f412", "--json")
    assert (answer.code, answer.err) == (0, "")
    record = json.loads(answer.out)
    found = hwscale.trade_off("mcunet", {"preset": "mcunet-vww1"}, platform="stm32f412")
    assert record == json.loads(json.dumps(found.to_dict()))
    assert record["schema"] == "hwscale.schedule/1"
    assert len(record["points"]) == len(found.points)
    assert record["usable"]["ram"] == 262_144
    assert record["values"]["preset"] == "mcunet-vww1"
    assert max(op["after"]["total_bytes"] for op in record["ops"]) == record["shown"]["ram_bytes"]


def test_the_terminal_has_every_op_the_split_the_mark_and_the_pareto_table(cli: Any) -> None:
    answer = cli("schedule", "--net", "mcunet", "--fix", "preset=mcunet-in3", "--platform", "stm32f412")
    assert answer.code == 0
    lines = answer.out.splitlines()
    for name in (step.op.name for step in steps(configure("mcunet", MI3).graph("tensors", False, LAYER))):
        assert sum(line.startswith(f"  {name} ") for line in lines) == 1
    (split,) = [at for at, line in enumerate(lines) if " split ─" in line]
    assert lines[split - 1].split()[0] == "s3.b1.project"
    over = [line.split()[0] for line in lines if "┃" in line]
    assert over == ["s2.b1.expand"]
    assert "recommended: stream2d, 22 x 22 patches of the first 21 ops: 199.8 KiB of 256.0 KiB usable" in answer.out
    row = next(line.split() for line in lines if line.strip().startswith("→"))
    assert row[1:5] == ["stream2d", "22", "21", "199.8"]


def test_an_existing_picture_is_not_overwritten(cli: Any, refused: Any, tmp_path: Path) -> None:
    path = tmp_path / "picture.svg"
    assert cli(*LINE, "--out", path).code == 0
    before = path.read_text(encoding="utf-8")
    assert "is not overwritten" in refused(*LINE, "--out", path)
    assert path.read_text(encoding="utf-8") == before


def test_the_command_loads_no_torch_scipy_sympy_or_pulp(python: Any) -> None:
    code = (
        f"import sys; sys.argv = {['hwscale', *LINE]}; from hwscale.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert stop.code in (None, 0)\n"
        "print(*{'torch', 'sympy', 'scipy', 'pulp'} & set(sys.modules), file=sys.stderr)"
    )
    assert python("-c", code).err.split() == []
