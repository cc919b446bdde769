"""Reading measured latencies: what each cell becomes, and every fault of a file named at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from measured_files import HEADER, operator_rows, shapes, write
from tflite_builder import built

from benchmarks.latency_published import samples as published
from hwscale.calibration import Sample
from hwscale.errors import ConfigError
from hwscale.measurements import read_measurements
from hwscale.slips import FASTEST, SLOWEST, macs_per_cycle, slips

CLOCK_HZ = 216_000_000
Read = Callable[..., tuple[Sample, ...]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """``read(header, *rows)``: the samples of a file of these lines, lowered by tflm."""

    def run(header: str, *rows: str) -> tuple[Sample, ...]:
        return read_measurements(write(tmp_path / "ops.csv", header, rows), "tflm", CLOCK_HZ)

    return run


def faults(read: Read, header: str, *rows: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        read(header, *rows)
    return [line.strip() for line in str(error.value).splitlines()]


# ---- what rows become ------------------------------------------------------------------------------------------------


def test_an_operator_row_has_the_work_of_its_shape(read: Read) -> None:
    (sample,) = read(f"name,{HEADER},latency_ms", "stem,conv2d,3,96,96,16,48,48,3,2,12.50")
    (op,) = sample.ops
    assert (sample.name, sample.row, sample.source) == ("stem", 2, "ops.csv")
    assert (op.kind, op.macs, op.weights) == ("conv2d", 27 * 16 * 48 * 48, 27 * 16)
    assert op.elements == 3 * 96 * 96 + 16 * 48 * 48
    assert sample.latency_s == pytest.approx(12.5e-3)
    assert sample.half_digit_s == pytest.approx(0.005e-3)


@pytest.mark.parametrize(
    ("column", "printed"), [("latency_s", "0.0125"), ("latency_ms", "12.5"), ("latency_us", "1.25e4")]
)
def test_the_name_of_the_column_is_the_unit(read: Read, column: str, printed: str) -> None:
    (sample,) = read(f"{HEADER},{column}", f"pointwise,16,12,12,32,,,1,1,{printed}")
    assert sample.latency_s == pytest.approx(12.5e-3, rel=1e-12)


def test_what_is_printed_says_how_far_a_latency_is_off(read: Read) -> None:
    header = f"{HEADER},latency_us"
    (sample,) = read(header, "pointwise,16,12,12,32,,,1,1,1.25e4")
    assert sample.half_digit_s == pytest.approx(50e-6)


@pytest.mark.parametrize(
    ("row", "elements"),
    [
        ("depthwise,8,25,25,,,,3,2", 8 * 25 * 25 + 8 * 13 * 13),
        ("add,8,25,25,,,,,", 3 * 8 * 25 * 25),
        ("mul,8,1,1,8,25,25,,", 8 + 2 * 8 * 25 * 25),
        ("pad,8,25,25,,27,27,,", 8 * 25 * 25 + 8 * 27 * 27),
        ("max_pool,8,24,24,,,,2,", 8 * 24 * 24 + 8 * 12 * 12),
        ("average_pool,8,24,24,,1,1,,", 8 * 24 * 24 + 8),
        ("mean,8,24,24,,,,,", 8 * 24 * 24 + 8),
        ("hard_swish,8,24,24,,,,,", 2 * 8 * 24 * 24),
        ("fully_connected,64,,,10,,,,", 74),
    ],
)
def test_what_follows_may_be_empty(read: Read, row: str, elements: int) -> None:
    (sample,) = read(f"{HEADER},latency_ms", f"{row},1.5")
    assert sample.ops[0].elements == elements


def test_equal_shapes_are_repeats_of_one_measurement(read: Read) -> None:
    found = read(f"{HEADER},latency_ms", "add,8,24,24,,,,,,1.5", "add,8,24,24,8,24,24,1,1,1.6")
    assert len({sample.network for sample in found}) == 1


def test_a_family_is_lowered_by_the_runtime_and_named_by_all_it_has(read: Read) -> None:
    rows = ["phinet alpha=0.50 resolution=96 classes=10,20", "PhiNet resolution=96 alpha=0.5,21"]
    first, second = read("network,latency_ms", *rows)
    assert first.network == second.network
    assert {"pad", "hard_swish", "mean", "pointwise", "depthwise"} <= {op.kind for op in first.ops}
    assert all(op.elements for op in first.ops)


def test_a_tflite_file_is_found_beside_the_measurements(read: Read, tmp_path: Path) -> None:
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "residual.tflite").write_bytes(built())
    (sample,) = read("network,latency_ms", "nets/residual.tflite,0.5")
    stem = 8 * 4 * 4
    assert sum(op.macs for op in sample.ops) == stem * 9 * 3 + 9 * stem + stem * 8 + 80
    assert [op.kind for op in sample.ops] == ["conv2d", "depthwise", "pointwise", "add", "mean", "fully_connected"]
    assert sample.ops[3].elements == 3 * stem


def test_excels_mark_and_blank_lines_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "ops.csv"
    path.write_bytes(f"\ufeff{HEADER},latency_ms\r\n\r\nadd,8,24,24,,,,,,1.5\r\n,,,,,,,,,\r\n".encode())
    (sample,) = read_measurements(path, "tflm", CLOCK_HZ)
    assert sample.row == 3


# ---- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("conv2dd,3,96,96,16,48,48,3,2,12", ["conv2dd", "did you mean 'conv2d'"]),
        ("conv2d,three,96,96,16,48,48,3,2,12", ["in_channels", "'three'", "whole number"]),
        ("conv2d,3.5,96,96,16,48,48,3,2,12", ["in_channels", "'3.5'"]),
        ("conv2d,0,96,96,16,48,48,3,2,12", ["in_channels", "'0'"]),
        ("conv2d,-3,96,96,16,48,48,3,2,12", ["in_channels", "'-3'"]),
        ("conv2d,3,96,96,,48,48,3,2,12", ["out_channels", "fill"]),
        ("conv2d,3,96,96,16,48,48,,2,12", ["kernel", "fill"]),
        ("conv2d,3,96,96,16,48,48,1,2,12", ["pointwise"]),
        ("pointwise,3,96,96,16,96,96,3,1,12", ["conv2d"]),
        ("conv2d,3,96,96,16,96,96,3,2,12", ["out_height", "96", "47 to 49"]),
        ("conv2d,3,2,2,16,,,11,1,12", ["kernel 11", "2x2", "padding"]),
        ("depthwise,8,24,24,16,24,24,3,1,12", ["8 in and 16 out"]),
        ("fully_connected,8,4,4,10,1,1,1,1,12", ["in_channels 128"]),
        ("add,8,24,24,8,12,12,1,1,12", ["add", "as large as"]),
        ("add,8,24,24,,,,3,1,12", ["add", "kernel 3"]),
        ("pad,8,24,24,,,,,,12", ["out_height", "out_width"]),
        ("add,8,24,24,,,,,,", ["latency_ms is empty"]),
        ("add,8,24,24", ["latency_ms is empty"]),
        ("add,8,24,24,,,,,,fast", ["latency_ms", "'fast'", "number"]),
        ('add,8,24,24,,,,,,"0,5"', ["latency_ms", "'0,5'", "number"]),
        ("add,8,24,24,,,,,,0,5", ["a cell more", "0.5"]),
        ("add,8,24,24,,,,,,0", ["latency_ms", "above zero"]),
        ("add,8,24,24,,,,,,-1.5", ["latency_ms", "above zero"]),
        ("add,8,24,24,,,,,,nan", ["latency_ms", "above zero"]),
        ("add,8,24,24,,,,,,inf", ["latency_ms", "above zero"]),
        ("add,8,24,24,,,,,,1e999", ["latency_ms", "above zero"]),
        ("add,8,24,24,,,,,,1e-999999999", ["latency_ms", "above zero"]),
        (",8,24,24,,,,,,1.5", ["neither an operator nor a network"]),
    ],
)
def test_a_row_that_cannot_be_is_named_with_its_line(read: Read, row: str, words: list[str]) -> None:
    (fault,) = faults(read, f"{HEADER},latency_ms", "pointwise,16,12,12,32,,,1,1,1.5", row)
    assert "ops.csv:3: " in fault
    assert all(word in fault for word in words), fault


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("phinett alpha=1", ["phinett", "did you mean 'phinet'"]),
        ("phinet alfa=1", ["alfa", "did you mean 'alpha'"]),
        ("phinet alpha", ["KEY=VALUE"]),
        ("phinet alpha=1 alpha=2", ["alpha", "twice"]),
        ("phinet alpha=nan", ["alpha", "nan"]),
        ("phinet classes=ten", ["classes", "'ten'"]),
        ("phinet input_shape=3x96", ["(3, 96)"]),
        ("absent.tflite", ["absent.tflite", "no file"]),
    ],
)
def test_a_network_that_cannot_be_is_named(read: Read, network: str, words: list[str]) -> None:
    (fault,) = faults(read, "network,latency_ms", f"{network},20")
    assert all(word in fault for word in ["ops.csv:2: ", *words]), fault


def test_all_faults_come_at_once_in_the_order_of_the_lines(read: Read) -> None:
    rows = [
        "addd,8,24,24,,,,,,1",
        "add,8,24,24,,,,,,1",
        "add,8,24,24,,,,,,nan",
        "add,8,24,24,,,,,,1",
        "pad,8,24,24,,,,,,1",
    ]
    head, *lines = faults(read, f"{HEADER},latency_ms", *rows)
    assert "4 faults in 5 rows" in head
    assert [line.partition(": ")[0].rpartition(":")[2] for line in lines] == ["2", "4", "5", "6"]
    assert "repeats line 3" in lines[2]


def test_thousands_of_faults_are_counted_not_listed(read: Read) -> None:
    lines = faults(read, f"{HEADER},latency_ms", *["add,8,24,24,,,,,,-1"] * 3000)
    assert "3000 faults" in lines[0]
    assert len(lines) < 60
    assert lines[-1] == "and 2950 more"


def test_an_op_without_macs_says_nothing_beside_networks(read: Read) -> None:
    rows = ["phinet alpha=0.5,,,,,,,,,,20", ",add,8,24,24,,,,,,1"]
    (fault,) = faults(read, f"network,{HEADER},latency_ms", *rows)
    assert "ops.csv:3" in fault


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (HEADER, ["latency_s, latency_ms, latency_us", "none"]),
        (f"{HEADER},latency_s,latency_ms", ["latency_s and latency_ms"]),
        (f"{HEADER},latency", ["'latency'", "did you mean 'latency_"]),
        (f"{HEADER},kernel,latency_ms", ["'kernel'", "twice"]),
        (f"{HEADER},latency_ms".replace(",", ";"), ["comma"]),
        ("name,latency_ms", ["neither"]),
        ("operator,in_channels,latency_ms", ["in_height", "missing"]),
    ],
)
def test_a_header_that_cannot_be_used_is_one_fault(read: Read, header: str, words: list[str]) -> None:
    (fault,) = faults(read, header, "1,2,3")
    assert all(word in fault for word in ["ops.csv:1: ", *words]), fault


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["is empty"]),
        (b"\n\n", ["is empty"]),
        (f"{HEADER},latency_ms\n".encode(), ["no row"]),
        (b"\xff\xfe\x00add", ["UTF-8"]),
        (b"operator,\x00\n", ["ops.csv"]),
        (b'operator,"' + 300_000 * b"x" + b'"\n', ["no CSV"]),
        (17 * 1024**2 * b" ", ["larger than 16 MiB"]),
    ],
)
def test_what_is_no_file_of_measurements_is_one_sentence(tmp_path: Path, content: bytes, words: list[str]) -> None:
    path = tmp_path / "ops.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read_measurements(path, "tflm", CLOCK_HZ)
    assert "\n" not in str(error.value)
    assert all(word in str(error.value) for word in words), error.value


@pytest.mark.parametrize("name", ["absent.csv", ".", "nul\0.csv"])
def test_a_file_that_is_none_is_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="CSV") as error:
        read_measurements(tmp_path / name, "tflm", CLOCK_HZ)
    assert "\n" not in str(error.value)


# ---- slips of unit ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factors", [(1000, 1000), (1e-3, 1e-3), (1000, 1e-3)])
def test_two_slips_among_ten_rows_are_found(read: Read, factors: tuple[float, float]) -> None:
    rows = [*operator_rows(("conv2d",), 0.05), "conv2d,16,20,20,16,,,3,1,6.1", "conv2d,16,40,40,16,,,3,1,24.4"]
    for at, factor in zip((2, 7), factors, strict=True):
        cells, _, latency = rows[at].rpartition(",")
        rows[at] = f"{cells},{float(latency) * factor:.6g}"
    _, *lines = faults(read, f"{HEADER},latency_ms", *rows)
    assert [line.partition(": ")[0].rpartition(":")[2] for line in lines] == ["4", "9"]
    assert all("unit" in line for line in lines)


def test_honest_published_latencies_are_no_slips() -> None:
    groups: dict[tuple[str, str, int], list[Sample]] = defaultdict(list)
    for row in published():
        groups[row.platform, row.library, row.clock_hz].append(row.sample)
    large = {key: group for key, group in groups.items() if len(group) >= 4}
    assert len(large) >= 20
    for (platform, library, clock_hz), group in large.items():
        assert not slips(group), (platform, library)
        speed = macs_per_cycle(group, clock_hz)
        assert speed is not None
        assert SLOWEST < speed < FASTEST


def test_slips_in_published_latencies_are_found() -> None:
    group = [row.sample for row in published() if (row.platform, row.library) == ("stm32h743", "tinyengine")]
    assert len(group) == 10
    group[1] = replace(group[1], latency_s=group[1].latency_s * 1000)
    group[6] = replace(group[6], latency_s=group[6].latency_s / 1000)
    assert set(slips(group)) == {1, 6}


@pytest.mark.parametrize(("column", "factor"), [("latency_s", 1e6), ("latency_us", 1e-6)])
def test_a_whole_file_in_another_unit_is_one_fault(read: Read, column: str, factor: float) -> None:
    unit_s = {"latency_s": 1, "latency_us": 1e-6}[column]
    rows = operator_rows(("pointwise",), unit_s=unit_s / factor)
    (fault,) = faults(read, f"{HEADER},{column}", *rows)
    assert f"unit of {column}" in fault
    assert "MAC per cycle" in fault
    assert len(rows) == len(shapes(("pointwise",)))
