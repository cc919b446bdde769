"""The ops worth measuring: D-optimal among the shapes of a family, small enough for the part, each a file of its own."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwscale.calibration import Calibration, Sample, calibrate, operator_rungs
from hwscale.cli import plan as command
from hwscale.d_optimal import continuous_design, determined, efficiency, exact_design, log_det
from hwscale.domain import make_domain
from hwscale.errors import ConfigError, UnsupportedOpError
from hwscale.family_shapes import family_shapes, op_label
from hwscale.ledger import OpRecord, OpShape
from hwscale.measured_shapes import read_shape
from hwscale.measurements import read_measurements
from hwscale.nominal import Nominal
from hwscale.plan import COLUMNS, LEAST_SPARE, LONGEST_S, Plan, plan, shares
from hwscale.platform import load_platform
from hwscale.work import KERNELS, shape_record

convert = pytest.mark.skipif(
    find_spec("tflite_micro") is None or find_spec("litert_torch") is None, reason="needs hwscale[convert]"
)
NET = "mobilenet_v2"
NOMINAL = Nominal()
TRUE_S = {"macs": 2e-9, "elements": 45e-9, "ops": 60e-6}
"""Per unit of every operator: far from the nominal ones."""
NOISE = 0.02


@pytest.fixture(scope="module")
def planned() -> Plan:
    return plan(NET)


@pytest.fixture(scope="module")
def candidates() -> dict[str, list[OpShape]]:
    found: dict[str, list[OpShape]] = {}
    for shape in family_shapes(make_domain(NET), "tflm"):
        if NOMINAL.latency_s(shape_record(shape)) <= LONGEST_S:
            found.setdefault(shape.kind, []).append(shape)
    return found


def matrix(shapes: Sequence[OpShape], kind: str) -> np.ndarray:
    return shares([shape_record(shape) for shape in shapes], operator_rungs(kind)[-1], NOMINAL)


def test_no_random_set_of_equal_size_tells_more(planned: Plan, candidates: dict[str, list[OpShape]]) -> None:
    source = np.random.default_rng(1)
    for part in planned.kinds:
        rows = matrix(candidates[part.kind], part.kind)
        best = log_det(matrix(part.shapes, part.kind))
        drawn = (source.choice(len(rows), len(part.shapes), replace=False) for _ in range(200))
        assert best >= max(log_det(rows[chosen]) for chosen in drawn)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [3, 4, 5, 7])
def test_the_exchange_finds_the_best_of_all_sets(seed: int, count: int) -> None:
    rows = np.random.default_rng(seed).random((12, 3)) ** 3
    best = max(log_det(rows[list(chosen)]) for chosen in combinations(range(12), count))
    assert log_det(rows[exact_design(rows, count)]) == pytest.approx(best, abs=1e-9)


def test_the_continuous_optimum_meets_the_equivalence_theorem_and_bounds_every_set() -> None:
    rows = np.random.default_rng(3).random((40, 3))
    weights, best = continuous_design(rows)
    information = (rows * weights[:, None]).T @ rows
    leverage = np.einsum("ni,ij,nj->n", rows, np.linalg.inv(information), rows)
    assert weights.sum() == pytest.approx(1)
    assert leverage.max() <= 3 * (1 + 1e-5)
    assert best == pytest.approx(np.linalg.slogdet(information)[1])
    for count in (3, 4, 6, 9):
        assert efficiency(rows, exact_design(rows, count)) <= 1 + 1e-5


def test_the_efficiency_of_two_coefficients_is_that_of_the_split_in_three() -> None:
    rows = np.array([[1.0, 0.0], [0.999, 0.001], [0.0, 1.0], [0.5, 0.5]])
    # two of one kind and one of the other: 4 * 2 / 9 of the best determinant
    assert efficiency(rows, exact_design(rows, 3)) == pytest.approx((4 * 2 / 9) ** 0.5, abs=2e-3)
    assert efficiency(rows, np.array([0, 2])) == pytest.approx(1, abs=2e-3)


def test_columns_in_proportion_are_not_determined() -> None:
    first = np.array([0.1, 0.5, 0.7])
    assert not determined(np.stack([first, 2 * first], axis=1))
    assert not determined(np.stack([first, 0 * first], axis=1))
    assert determined(np.stack([first, 1 - first], axis=1))


def test_every_kind_of_the_family_is_planned_and_determined(
    planned: Plan, candidates: dict[str, list[OpShape]]
) -> None:
    assert {part.kind for part in planned.kinds} == set(candidates) == {*KERNELS, "add", "mean", "pad"}
    assert not planned.left_out
    for part in planned.kinds:
        rows = matrix(part.shapes, part.kind)
        assert part.works == operator_rungs(part.kind)[-1]
        assert len(part.shapes) == len(set(part.shapes)) >= len(part.works) + LEAST_SPARE
        assert np.linalg.matrix_rank(rows) == len(part.works)
        assert part.errors == pytest.approx(np.sqrt(np.diag(np.linalg.inv(rows.T @ rows))))
        assert 0.85 < part.efficiency <= 1
    assert set(planned.efficiency) == set(candidates)


def test_the_plan_is_the_same_again(planned: Plan) -> None:
    assert plan(NET.upper()) == planned


@pytest.mark.parametrize("net", ["atomnet", "mcunet", "mobilenet_v1", "phinet", "xinet"])
def test_every_family_has_a_plan(net: str) -> None:
    found = plan(net)
    labels = [op_label(shape) for shape in found.shapes]
    assert len(set(labels)) == len(labels)
    assert {"pointwise", "fully_connected"} <= set(found.efficiency)
    assert all(0.7 < value <= 1 for value in found.efficiency.values())


def seconds(op: OpRecord) -> float:
    return TRUE_S["macs"] * op.macs + TRUE_S["elements"] * op.elements + TRUE_S["ops"]


def timed(shapes: Sequence[OpShape], source: np.random.Generator) -> list[Sample]:
    """What a stopwatch of 2 % noise says."""
    noise = np.exp(NOISE * source.standard_normal(len(shapes)))
    ops = [shape_record(shape) for shape in shapes]
    labels = [op_label(shape) for shape in shapes]
    return [Sample(n, n, (op,), seconds(op) * float(e)) for n, op, e in zip(labels, ops, noise, strict=True)]


def coefficient_errors(fitted: Calibration, kinds: Sequence[str]) -> list[float]:
    """|found / true - 1| of every coefficient; 1 where it was not found."""
    found = {term.work: term.seconds for term in fitted.terms}
    works = [work for kind in kinds for work in operator_rungs(kind)[-1]]
    return [abs(found.get(work, 0.0) / TRUE_S[work.quantity] - 1) for work in works]


def test_planned_shapes_recover_coefficients_better_than_random_ones(
    planned: Plan, candidates: dict[str, list[OpShape]]
) -> None:
    chosen, random, predicted = [], [], []
    kinds = [part.kind for part in planned.kinds]
    every = [shape_record(shape) for shapes in candidates.values() for shape in shapes]
    for seed in range(9):
        source = np.random.default_rng(seed)
        drawn = [
            candidates[part.kind][at]
            for part in planned.kinds
            for at in source.choice(len(candidates[part.kind]), len(part.shapes), replace=False)
        ]
        fitted = calibrate(timed(planned.shapes, source))
        chosen.append(np.mean(coefficient_errors(fitted, kinds)))
        random.append(np.mean(coefficient_errors(calibrate(timed(drawn, source)), kinds)))
        some = [every[at] for at in source.choice(len(every), 100)]
        predicted.append(np.mean([abs(fitted.predict([op]) / seconds(op) - 1) for op in some]))
    assert np.median(chosen) < 0.6 * np.median(random)
    assert np.median(predicted) < NOISE


def test_what_the_part_cannot_hold_or_takes_too_long_is_not_planned() -> None:
    part = load_platform("nrf52840")
    found = plan(NET, part)
    assert found.platform == "nrf52840"
    ops = [shape_record(shape) for shape in found.shapes]
    assert max(op.elements for op in ops) <= part.arena_bytes
    assert part.flash_bytes is not None
    assert max(op.weights + 4 * op.biases for op in ops) <= part.flash_bytes
    assert max(latency_s for kind in found.kinds for latency_s in kind.nominal_s) <= LONGEST_S
    largest = max(shape_record(shape).elements for shape in plan(NET).shapes)
    assert largest > part.arena_bytes


def test_a_model_of_the_platform_gives_the_nominal_coefficients() -> None:
    found = plan(NET, "rp2040")
    assert "tflm" in found.nominal
    assert "rp2040" in found.nominal
    assert plan(NET).nominal == "5 ns/MAC, 20 ns/element, 100 us/op (built in)"


def test_a_domain_of_one_network_leaves_out_what_it_has_too_few_shapes_of() -> None:
    found = plan(NET, domain={"alpha": [0.5], "resolution": [96]})
    assert found.left_out["conv2d"] == "its networks have 1 different shapes of conv2d"
    assert "pointwise" in found.efficiency
    with pytest.raises(ConfigError, match="nothing in this domain can be built"):
        plan("xinet", domain={"num_layers": [5], "resolution": [8]})


def test_more_points_are_taken_and_too_few_refused() -> None:
    assert {len(part.shapes) for part in plan(NET, points=9).kinds} == {9}
    with pytest.raises(ConfigError, match="4 shapes do not determine the 3 coefficients of conv2d; take 5 or more"):
        plan(NET, points=4)


def test_the_file_of_measurements_has_an_empty_latency_for_each_shape(planned: Plan, tmp_path: Path) -> None:
    path = planned.write_csv(tmp_path / "ops.csv")
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)
    assert tuple(read_shape(row) for row in rows) == planned.shapes
    assert {row["latency_ms"] for row in rows} == {""}
    names = [row["name"] for row in rows]
    assert len(set(names)) == len(names)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_") for name in names)
    with pytest.raises(ConfigError, match=r"ops\.csv is there already"):
        planned.write_csv(path)
    with pytest.raises(ConfigError, match="cannot be written"):
        planned.write_csv(tmp_path / "none" / "ops.csv")


def test_the_file_is_read_back_and_calibrated_once_it_is_filled(planned: Plan, tmp_path: Path) -> None:
    path = tmp_path / "ops.csv"
    samples = timed(planned.shapes, np.random.default_rng(2))
    head, *rows = planned.csv_text.splitlines()
    filled = (f"{row}{1e3 * sample.latency_s:.6g}" for row, sample in zip(rows, samples, strict=True))
    path.write_text("\n".join([head, *filled]) + "\n")
    read = read_measurements(path, "tflm", 480_000_000)
    assert [sample.ops for sample in read] == [sample.ops for sample in samples]
    fitted = calibrate(read)
    assert fitted.networks == len(planned.shapes)
    assert fitted.left_out_error < 3 * NOISE


def test_labels_are_readable() -> None:
    assert op_label(OpShape("pointwise", 64, 24, 24, 128, 24, 24)) == "pointwise_64x24x24_to_128"
    assert op_label(OpShape("conv2d", 3, 97, 96, 16, 48, 48, 3, 2)) == "conv2d_3x97x96_to_16x48x48_k3_s2"
    assert op_label(OpShape("fully_connected", 1280, 1, 1, 10, 1, 1)) == "fully_connected_1280_to_10"


def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "ops.csv"
    command.run(NET, "rp2040", "tflm", None, str(output), None, False)
    text = capsys.readouterr().out
    assert "D-efficiency" in text
    assert "pointwise" in text
    assert len(output.read_text().splitlines()) == len(plan(NET, "rp2040").shapes) + 1
    with pytest.raises(ConfigError, match="is not overwritten"):
        command.run(NET, "rp2040", "tflm", None, str(output), None, False)
    command.run(NET, None, "tflm", 8, None, None, True)
    shown = json.loads(capsys.readouterr().out)
    assert {len(part["shapes"]) for part in shown["operators"]} == {8}


def test_no_file_is_written_beside_one_that_is_there_already(tmp_path: Path) -> None:
    taken = tmp_path / f"{op_label(plan(NET).shapes[-1])}.tflite"
    taken.touch()
    with pytest.raises(ConfigError, match=rf"{taken.name} is there already"):
        command.run(NET, None, "tflm", None, str(tmp_path / "ops.csv"), str(tmp_path), False)
    assert [path.name for path in tmp_path.iterdir()] == [taken.name]


OPS: dict[str, tuple[OpShape, str]] = {
    "conv2d of SAME": (OpShape("conv2d", 3, 16, 16, 8, 8, 8, 3, 2), "CONV_2D"),
    "conv2d behind a PAD": (OpShape("conv2d", 3, 18, 18, 8, 8, 8, 3, 2), "CONV_2D"),
    "pointwise": (OpShape("pointwise", 8, 6, 9, 16, 6, 9), "CONV_2D"),
    "depthwise": (OpShape("depthwise", 8, 12, 12, 8, 6, 6, 5, 2), "DEPTHWISE_CONV_2D"),
    "fully_connected": (OpShape("fully_connected", 64, 1, 1, 10, 1, 1), "FULLY_CONNECTED"),
    "pad": (OpShape("pad", 8, 12, 12, 8, 13, 13), "PAD"),
    "add": (OpShape("add", 8, 6, 6, 8, 6, 6), "ADD"),
    "mul": (OpShape("mul", 8, 6, 6, 8, 6, 6), "MUL"),
    "mul of a gate": (OpShape("mul", 8, 1, 1, 8, 6, 6), "MUL"),
    "mean": (OpShape("mean", 8, 6, 6, 8, 1, 1), "MEAN"),
    "sum": (OpShape("sum", 8, 1, 1, 8, 1, 1), "SUM"),
    "max_pool": (OpShape("max_pool", 8, 13, 12, 8, 6, 6, 2, 2), "MAX_POOL_2D"),
    "average_pool": (OpShape("average_pool", 8, 12, 12, 8, 4, 4), "AVERAGE_POOL_2D"),
    "hard_swish": (OpShape("hard_swish", 8, 6, 6, 8, 6, 6), "HARD_SWISH"),
    "logistic": (OpShape("logistic", 8, 6, 6, 8, 6, 6), "LOGISTIC"),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    from hwscale.measure.single_op import write_op

    folder = tmp_path_factory.mktemp("ops")

    def write(name: str) -> Path:
        path = folder / f"{op_label(OPS[name][0])}.tflite"
        return path if path.exists() else write_op(OPS[name][0], path)

    return write


@convert
@pytest.mark.parametrize("name", OPS)
def test_a_file_holds_one_int8_op_of_its_shape(written: Callable[[str], Path], name: str) -> None:
    from hwscale.measure.tflite_file import read_tflite

    shape, builtin = OPS[name]
    model = read_tflite(written(name))
    (op,) = model.operators  # no TRANSPOSE, RESHAPE or PAD beside it
    assert op.builtin == builtin
    maps = [model.tensors[at] for at in op.inputs if not model.tensors[at].is_constant]
    (made,) = (model.tensors[at] for at in op.outputs)
    assert {tensor.dtype for tensor in (*maps, made)} == {"INT8"}
    smallest = min(maps, key=lambda tensor: tensor.elements)
    assert smallest.shape == (1, shape.in_height, shape.in_width, shape.in_channels)
    assert made.elements == shape.out_channels * shape.out_height * shape.out_width
    assert len(made.shape) == 2 or made.shape == (1, shape.out_height, shape.out_width, shape.out_channels)
    assert sum(tensor.elements for tensor in (*maps, made)) == shape_record(shape).elements
    if shape.kind in KERNELS:
        weights = model.tensors[op.inputs[1]]
        assert weights.elements == shape_record(shape).weights
    if shape.kind in ("conv2d", "depthwise"):
        assert weights.shape[1:3] == (shape.kernel, shape.kernel)
        assert op.options.stride == (shape.stride, shape.stride)


@convert
@pytest.mark.parametrize("name", ["depthwise", "mul of a gate", "mean"])
def test_tensorflow_lite_micro_runs_it(written: Callable[[str], Path], name: str) -> None:
    from hwscale.measure.tflm import run

    assert run(written(name)).head_bytes >= shape_record(OPS[name][0]).elements


@convert
def test_a_plan_becomes_files_of_the_names_in_its_table(tmp_path: Path, planned: Plan) -> None:
    from dataclasses import replace

    from hwscale.plan_files import export_tflite

    part = next(part for part in planned.kinds if part.kind == "mean")
    small = replace(planned, kinds=(replace(part, shapes=part.shapes[:2]),))
    lines: list[str] = []
    paths = export_tflite(small, tmp_path / "new", lines.append)
    assert [path.stem for path in paths] == [op_label(shape) for shape in small.shapes]
    assert all(path.stat().st_size for path in paths)
    assert len(lines) == 2
    with pytest.raises(ConfigError, match="is there already"):
        export_tflite(small, tmp_path / "new")


@convert
@pytest.mark.parametrize(
    ("shape", "match"),
    [
        (OpShape("attention", 8, 1, 1, 8, 1, 1), "'attention' is not written"),
        (OpShape("conv2d", 8, 8, 8, 8, 20, 20, 3), "its zeros are those of no SAME"),
        (OpShape("average_pool", 8, 5, 5, 8, 2, 2), "does not divide"),
    ],
)
def test_what_no_single_operator_computes_is_refused(shape: OpShape, match: str, tmp_path: Path) -> None:
    from hwscale.measure.single_op import write_op

    with pytest.raises(UnsupportedOpError, match=match):
        write_op(shape, tmp_path / "op.tflite")


def test_weights_of_an_op_leave_the_generator_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from hwscale.measure import single_op

    def no_file(module: Any, *rest: Any) -> Path:
        return tmp_path

    monkeypatch.setattr(single_op, "convert", no_file)
    before = torch.random.get_rng_state()
    single_op.write_op(OPS["pointwise"][0], tmp_path / "op.tflite")
    assert torch.equal(torch.random.get_rng_state(), before)
