"""``hwscale calibrate``: known coefficients come back, the file is used, and nothing is written where anything is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from measured_files import (
    BOARD,
    HEADER,
    MADE,
    NETWORK_MADE,
    NETWORKS,
    network_rows,
    network_seconds,
    operator_rows,
    shapes,
    write,
)
from tflite_builder import built

import hwscale
from hwscale.errors import ConfigError, PlatformError
from hwscale.latency_file import latency_models
from hwscale.latency_model import LatencyModel
from hwscale.measured_networks import read_network
from hwscale.measured_shapes import read_shape
from hwscale.platform import check_platform, load_platform
from hwscale.work import Work, shape_record

OPS = f"{HEADER},latency_ms"
LIBRARY = "my kernels 1.0"


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The descriptor of a board in a folder of its own, which is where the test runs."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my.toml"
    path.write_text(BOARD, encoding="utf-8")
    return path


def seconds_per_unit(model: LatencyModel) -> dict[Work, float]:
    return {term.work: term.seconds for term in model.terms}


def listing(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ---- known coefficients ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("noise", "within"), [(0.0, 1e-6), (0.02, 0.05)])
def test_coefficients_of_single_ops_come_back(board: Path, noise: float, within: float) -> None:
    found = hwscale.calibrate(
        board, write(board.with_name("ops.csv"), OPS, operator_rows(noise=noise)), library=LIBRARY
    )
    terms = seconds_per_unit(found.model)
    for kind in MADE:
        for work in (Work(quantity, (kind,)) for quantity in ("macs", "elements", "ops")):
            made = MADE[kind][("macs", "elements", "ops").index(work.quantity)]
            if made:
                assert terms[work] == pytest.approx(made, rel=within), work
    assert found.model.left_out_error == pytest.approx(0, abs=max(2 * noise, 1e-6))
    assert found.model.interval[1] < 1 + max(4 * noise, 1e-6)


@pytest.mark.parametrize(("noise", "within"), [(0.0, 1e-6), (0.02, 0.05)])
def test_coefficients_of_whole_networks_come_back(board: Path, noise: float, within: float) -> None:
    csv = write(board.with_name("nets.csv"), "network,latency_ms", network_rows(noise=noise))
    model = hwscale.calibrate(board, csv, library=LIBRARY).model
    assert (model.n, model.networks) == (9, 9)
    assert model.seen["depthwise"] > 0
    terms = seconds_per_unit(model)
    if noise:
        ops = hwscale.cost("phinet", {"alpha": 1.2, "resolution": 128}).ops
        predicted = sum(work.of(ops) * seconds for work, seconds in terms.items())
        assert predicted == pytest.approx(network_seconds(ops), rel=within)
    else:
        assert terms == pytest.approx(NETWORK_MADE, rel=within)


def test_tflite_files_are_networks(board: Path) -> None:
    board.with_name("net.tflite").write_bytes(built())
    _, ops = read_network("net.tflite", board.parent, "tflm")
    rows = [*network_rows(), f"net.tflite,{1e3 * network_seconds(ops):.15g}"]
    found = hwscale.calibrate(board, write(board.with_name("nets.csv"), "network,latency_ms", rows), library=LIBRARY)
    assert found.model.networks == 10
    assert seconds_per_unit(found.model) == pytest.approx(NETWORK_MADE, rel=1e-6)


def test_ops_whose_map_elements_explain_all_still_have_a_price(board: Path) -> None:
    flat = [row if row.split(",")[0] != "depthwise" else _flat(row) for row in operator_rows()]
    model = hwscale.calibrate(board, write(board.with_name("ops.csv"), OPS, flat), library=LIBRARY).model
    assert "depthwise" in model.covers


def _flat(row: str) -> str:
    """A row whose latency is that of its map elements."""
    cells = row.split(",")
    c, h, w, k, out_h, out_w = map(int, cells[1:7])
    return ",".join([*cells[:9], f"{1e-5 * (c * h * w + k * out_h * out_w):.15g}"])


def test_thousands_of_rows_are_calibrated(board: Path) -> None:
    rows = [f"{kind},{c},{h},{w},{k},,,{3 if kind == 'conv2d' else 1},1" for kind in ("conv2d", "pointwise") for c in range(4, 24) for k in range(8, 20) for h, w in ((6, 6), (12, 10))]  # fmt: skip
    made = [f"{row},{_made_ms(row):.15g}" for row in rows] + operator_rows(("fully_connected",))
    found = hwscale.calibrate(board, write(board.with_name("ops.csv"), OPS, made), library=LIBRARY)
    assert found.model.n == found.model.networks == 968
    assert seconds_per_unit(found.model)[Work("macs", ("conv2d",))] == pytest.approx(MADE["conv2d"][0], rel=1e-6)


def _made_ms(row: str) -> float:
    kind, *cells = row.split(",")
    c, h, w, k = map(int, cells[:4])
    per_mac, per_element, per_call = MADE[kind]
    macs = int(cells[6]) ** 2 * c * k * h * w
    return 1e3 * (macs * per_mac + (c + k) * h * w * per_element + per_call)


def test_one_factor_on_a_model_of_another_part_takes_three_networks(board: Path, cli: Any) -> None:
    sibling = next(m for m in latency_models(load_platform("stm32h743")) if m.name == "x-cube-ai 7.3")
    rows = []
    for network in NETWORKS[3:6]:
        _, ops = read_network(network, board.parent, "xcubeai-7.3")
        rows.append(f"{network},{1e3 * 1.7 * sum(t.work.of(ops) * t.seconds for t in sibling.terms):.12g}")
    csv = write(board.with_name("nets.csv"), "network,latency_ms", rows)
    ask: dict[str, Any] = {"library": LIBRARY, "runtime": "xcubeai-7.3"}
    model = hwscale.calibrate(board, csv, like="stm32h743: x-cube-ai 7.3", **ask).model
    factors = [mine.seconds / other.seconds for mine, other in zip(model.terms, sibling.terms, strict=True)]
    assert factors == pytest.approx([1.7] * 4, rel=1e-6)
    assert model.left_out_error == pytest.approx(0, abs=1e-6)
    alone = hwscale.calibrate(board, csv, **ask).model
    assert alone.left_out_error is not None
    assert alone.left_out_error > 0.01, "one rate for all MACs is all that three networks determine by themselves"
    for like, said in (
        ("stm32h743", "PLATFORM: LIBRARY"),
        ("stm32h743: cube", "x-cube-ai"),
        ("gap8: x", "no operator model"),
    ):
        with pytest.raises(ConfigError, match=said):
            hwscale.calibrate(board, csv, like=like, **ask)
    shown = cli(
        "calibrate",
        "--platform",
        board,
        "--measurements",
        csv,
        "--library",
        LIBRARY,
        "--like",
        "stm32h743:x-cube-ai 7.3",
    )
    assert (shown.code, shown.err) == (0, "")


# ---- files -----------------------------------------------------------------------------------------------------------


def test_the_file_is_used_by_cost(board: Path, cli: Any) -> None:
    write(board.with_name("ops.csv"), OPS, operator_rows())
    answer = cli("calibrate", "--platform", "my.toml", "--measurements", "ops.csv", "--library", LIBRARY)
    assert answer.code == 0, answer.err
    assert sorted(path.name for path in board.parent.iterdir()) == ["my.latency.toml", "my.toml", "ops.csv"]
    assert str(board.parent) not in board.with_name("my.latency.toml").read_text()
    (model,) = latency_models(load_platform(board))
    assert (model.name, model.runtimes, model.measured_on, model.clock_hz) == (LIBRARY, ("tflm",), "my", 216_000_000)
    assert (model.source, model.status, model.n, model.networks) == ("ops.csv", "primary", 40, 40)
    report = hwscale.cost("mobilenet_v2", {"alpha": 0.35, "resolution": 96}, platform=board)
    made = {Work(q, (kind,)): s for kind, each in MADE.items() for q, s in zip(("macs", "elements", "ops"), each, strict=True)}  # fmt: skip
    assert report.cost.latency_s == pytest.approx(network_seconds(report.ops, made), rel=1e-4)
    assert LIBRARY in str(report.evidence["latency"])


def test_another_model_in_the_file_stays_and_stays_the_default(board: Path) -> None:
    csv = write(board.with_name("ops.csv"), OPS, operator_rows())
    first = hwscale.calibrate(board, csv, library="old kernels", runtime="tinyengine")
    noisy = write(board.with_name("noisy.csv"), OPS, operator_rows(noise=0.02))
    hwscale.calibrate(board, noisy, library=LIBRARY)
    again = hwscale.calibrate(board, csv, library=LIBRARY)
    models = latency_models(load_platform(board))
    assert [model.name for model in models] == ["old kernels", LIBRARY]
    assert [model.source for model in models] == ["ops.csv", "ops.csv"]
    assert again.default == "old kernels" == first.default
    assert models[0].runtimes == ("tinyengine",)


def test_a_built_in_platform_is_calibrated_as_a_copy(board: Path) -> None:
    csv = write(board.with_name("ops.csv"), OPS, operator_rows())
    before = listing(load_platform("stm32f746").origin.parent)
    found = hwscale.calibrate("stm32f746", csv, library=LIBRARY, output="copy.toml")
    assert listing(load_platform("stm32f746").origin.parent) == before
    assert [path.name for path in found.files] == ["copy.toml", "copy.latency.toml"]
    copy = load_platform("./copy.toml")
    assert (copy.name, copy.arena_bytes) == ("copy", load_platform("stm32f746").arena_bytes)
    assert not [finding for finding in check_platform("./copy.toml") if finding.severity == "error"]
    assert [model.name for model in latency_models(copy)] == [LIBRARY]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--platform stm32f746", ["stm32f746", "built in", "--output my-stm32f746.toml"]),
        ("--platform stm32f746 --output my.toml", ["my.toml", "not overwritten"]),
        ("--platform stm32f746 --output taken.toml", ["taken.latency.toml", "not overwritten"]),
        ("--platform stm32f746 --output copy", ["copy", ".toml"]),
        ("--platform stm32f746 --output Copy.toml", ["Copy", "lower-case"]),
        ("--platform stm32f746 --output absent/copy.toml", ["absent", "cannot be written"]),
        ("--platform stm32f74", ["did you mean 'stm32f746'"]),
        ("--platform absent.toml", ["absent.toml"]),
        ("--platform my.toml --runtime tflmm", ["did you mean 'tflm'"]),
        ("--platform my.toml --net phinet", ["--net", "--plan"]),
        ("--host --output host.toml", ["--measurements", "--host"]),
        ("--host --plan", ["--host", "--plan"]),
        ("--plan", ["--measurements", "--plan"]),
        ("", ["--platform"]),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_no_file(
    board: Path, refused: Callable[..., str], arguments: str, words: list[str]
) -> None:
    write(board.with_name("ops.csv"), OPS, operator_rows())
    board.with_name("taken.latency.toml").write_text("mine")
    before = listing(board.parent)
    sentence = refused("calibrate", *arguments.split(), "--measurements", "ops.csv", "--library", LIBRARY)
    assert all(word in sentence for word in words), sentence
    assert listing(board.parent) == before


def test_a_name_that_names_nothing_is_refused(board: Path, refused: Callable[..., str]) -> None:
    write(board.with_name("ops.csv"), OPS, operator_rows())
    assert "--library" in refused("calibrate", "--platform", "my.toml", "--measurements", "ops.csv")
    assert "library" in refused("calibrate", "--platform", "my.toml", "--measurements", "ops.csv", "--library", " ")
    assert "--measurements" in refused("calibrate", "--platform", "my.toml", "--library", LIBRARY)


def test_garbage_is_named_row_by_row_and_nothing_is_written(board: Path, cli: Any) -> None:
    rows = [*operator_rows(), "conv2dd,3,96,96,16,,,3,2,12", "add,8,24,24,,,,,,nan", "fully_connected,8,4,4,10,,,,,1"]
    write(board.with_name("ops.csv"), OPS, rows)
    before = listing(board.parent)
    answer = cli("calibrate", "--platform", "my.toml", "--measurements", "ops.csv", "--library", LIBRARY)
    head, *lines = answer.err.splitlines()
    assert (answer.code, answer.out) == (2, "")
    assert "3 faults in 43 rows" in head
    assert "nothing was fitted or written" in head
    assert [line.strip().partition(": ")[0] for line in lines] == [f"ops.csv:{n}" for n in (42, 43, 44)]
    assert listing(board.parent) == before


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (operator_rows(("conv2d",)), ["3 of pointwise", "3 of fully_connected", "--plan"]),
        ([*operator_rows(("conv2d", "pointwise")), *operator_rows(("fully_connected",))[:1]], ["2 more of fully_connected"]),
    ],
)  # fmt: skip
def test_too_few_ops_list_what_to_measure(
    board: Path, refused: Callable[..., str], rows: list[str], words: list[str]
) -> None:
    write(board.with_name("ops.csv"), OPS, rows)
    before = listing(board.parent)
    sentence = refused("calibrate", "--platform", "my.toml", "--measurements", "ops.csv", "--library", LIBRARY)
    assert all(word in sentence for word in words), sentence
    assert listing(board.parent) == before


def test_too_few_networks_are_counted(board: Path) -> None:
    csv = write(board.with_name("nets.csv"), "network,latency_ms", network_rows()[:2])
    with pytest.raises(ConfigError, match="1 more networks"):
        hwscale.calibrate(board, csv, library=LIBRARY)


def test_a_damaged_latency_file_is_kept(board: Path) -> None:
    csv = write(board.with_name("ops.csv"), OPS, operator_rows())
    board.with_name("my.latency.toml").write_text("damaged")
    with pytest.raises(PlatformError, match=r"my\.latency\.toml"):
        hwscale.calibrate(board, csv, library=LIBRARY)
    assert board.with_name("my.latency.toml").read_text() == "damaged"


def test_models_at_another_clock_are_not_mixed(board: Path) -> None:
    csv = write(board.with_name("ops.csv"), OPS, operator_rows())
    hwscale.calibrate(board, csv, library="old kernels")
    board.write_text(BOARD.replace("216_000_000", "200_000_000"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"216 MHz.*200 MHz"):
        hwscale.calibrate(board, csv, library=LIBRARY)


def test_what_a_plan_lists_is_enough(board: Path, cli: Any) -> None:
    assert cli("calibrate", "--plan", "--net", "phinet", "--output", "plan.csv").code == 0
    header, *rows = board.with_name("plan.csv").read_text().splitlines()
    names = header.split(",")
    filled = []
    for row in rows:
        op = shape_record(read_shape(dict(zip(names, row.split(","), strict=True))))
        filled.append(f"{row}{1e3 * (2e-9 * op.macs + 6e-9 * op.elements + 3e-5):.15g}")
    model = hwscale.calibrate(board, write(board.with_name("plan.csv"), header, filled), library=LIBRARY).model
    assert model.covers >= {"pointwise", "depthwise", "fully_connected"}
    for term in model.terms:
        made = {"macs": 2e-9, "elements": 6e-9, "ops": 3e-5}[term.work.quantity]
        assert term.seconds == pytest.approx(made, rel=1e-4)
    with pytest.raises(ConfigError, match="latency_ms is empty"):
        hwscale.calibrate(board, write(board.with_name("plan.csv"), header, [*filled[1:], rows[0]]), library=LIBRARY)


# ---- output ----------------------------------------------------------------------------------------------------------


def test_the_table_has_every_row_and_marks_the_worst(board: Path, cli: Any) -> None:
    rows = operator_rows()
    cells, _, latency = rows[37].rpartition(",")
    rows[37] = f"{cells},{1.5 * float(latency):.6g}"
    write(board.with_name("ops.csv"), OPS, rows)
    out = cli("calibrate", "--platform", "my.toml", "--measurements", "ops.csv", "--library", LIBRARY).out
    table = re.findall(r"^ +(\d+)  .* [+-][\d.]+ %( +worst)? *$", out, re.MULTILINE)
    assert [int(line) for line, _ in table] == list(range(2, 2 + len(shapes())))
    assert [line for line, mark in table if mark] == ["39"]
    assert all(
        word in out for word in ("MMAC/s", "ns per element", "us per call", "left-out error", "90 %", "my.latency")
    )


def test_json_says_the_same(board: Path, cli: Any) -> None:
    write(board.with_name("ops.csv"), OPS, operator_rows())
    answer = cli("calibrate", "--platform", "my.toml", "--measurements", "ops.csv", "--library", LIBRARY, "--json")
    said = json.loads(answer.out)
    assert said["schema"] == "hwscale.calibrate/1"
    assert (said["n"], said["networks"], said["default"]) == (40, 40, LIBRARY)
    assert [row["line"] for row in said["rows"]] == list(range(2, 42))
    assert {k: said["terms"][2][k] for k in ("work", "operators")} == {"work": "macs", "operators": ["conv2d"]}
    assert said["files"] == ["my.latency.toml"]


# ---- this machine ----------------------------------------------------------------------------------------------------


def test_this_machine_becomes_a_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Any, refused: Callable[..., str]
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = cli("calibrate", "--host", "--output", "host.toml", "--json")
    assert answer.code == 0, answer.err
    said = json.loads(answer.out)
    assert said["files"] == ["host.toml", "host.latency.toml"]
    assert said["library"].startswith("torch ")
    assert not [finding for finding in check_platform("./host.toml") if finding.severity == "error"]
    (model,) = latency_models(load_platform("./host.toml"))
    assert (model.runtimes, model.measured_on) == (("tensors",), "host")
    assert {"conv2d", "pointwise", "depthwise", "fully_connected"} <= model.covers
    fitted = hwscale.fit(
        "phinet",
        "./host.toml",
        limits={"ram": "512 KiB", "latency": "50 ms"},
        fix={"resolution": 96, "beta": 1, "num_layers": 7},
        runtime="tensors",
        verify="none",
    )
    assert fitted.cost.latency_s is not None
    before = listing(tmp_path)
    for arguments, word in (
        (["--output", "host.toml"], "not overwritten"),
        (["--output", "My Host.toml"], "lower-case"),
        (["--output", "host"], ".toml"),
        ([], "--output host.toml"),
    ):
        assert word in refused("calibrate", "--host", *arguments)
    assert listing(tmp_path) == before
