"""Every row of published latencies is a sample or left out with a reason, of the networks that were published."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1]))  # benchmarks/ is not installed, and bare `pytest` does not add the root

from benchmarks import mlperf_tiny
from benchmarks.latency_published import Row, left_out, samples
from benchmarks.latency_record import executed
from hwscale.formulas.graph import total
from hwscale.platform import platforms
from hwscale.runtimes import RUNTIMES

DATA = Path(__file__).parent / "data"
FILES = {  # rows of the file by data set; ESP-NN's have two libraries each
    "latency_tinyengine_readme.csv": ("TinyEngine README", 38, 6),
    "latency_st_modelzoo.csv": ("ST model zoo", 43, 101),
    "latency_atomnet_networks.csv": ("AtomNet Table 3", 11, 26),
    "latency_atomnet_ops.csv": ("AtomNet Table 1", 3, 0),
    "latency_mlperf_tiny.csv": ("MLPerf Tiny", 123, 163),
    "latency_esp_person_detection.csv": ("ESP person detection", 2, 4),
    "latency_rp2040_layers.csv": ("RP2040 person detection", 31, 0),
    "latency_esp_nn_kernels.csv": ("ESP-NN kernels", 12, 0),
    "latency_streamnet.csv": ("StreamNet", 0, 60),
    "latency_xinet_modules.csv": ("XiNet attention modules", 0, 7),
}


def read(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def found(group: str, platform: str, library: str, name: str) -> Row:
    (row,) = [
        row
        for row in samples()
        if (row.group, row.platform, row.library, row.sample.name) == (group, platform, library, name)
    ]
    return row


@pytest.mark.parametrize("name", FILES)
def test_every_row_of_a_file_is_a_sample_or_left_out(name: str) -> None:
    group, kept, left = FILES[name]
    assert sum(row.group.startswith(group) for row in samples()) == kept
    assert sum(entry.group.startswith(group) for entry in left_out()) == left
    libraries = 2 if group == "ESP-NN kernels" else 1
    assert len(read(name)) == kept / libraries + left


def test_the_files_here_are_all_that_there_are() -> None:
    assert {file.name for file in DATA.glob("latency_*.csv")} == FILES.keys()
    assert len(samples()) == sum(kept for _, kept, _ in FILES.values())
    assert len(left_out()) == sum(left for _, _, left in FILES.values())


def test_a_sample_names_the_line_that_it_came_from() -> None:
    for file, (group, *_) in FILES.items():
        sources = [row["source"] for row in read(file)]
        assert all(row.sample.source == sources[row.sample.row - 2] for row in samples() if row.group.startswith(group))


def test_samples_have_a_source_a_latency_and_work() -> None:
    for row in samples():
        assert row.sample.source
        assert row.sample.latency_s > 0
        assert row.clock_hz > 0
        assert row.platform in ("", *platforms())
        assert row.runtime in RUNTIMES
        assert row.sample.ops
        assert all(op.elements > 0 and op.macs >= 0 for op in row.sample.ops)
    assert all(entry.source and entry.reason for entry in left_out())


@pytest.mark.parametrize("row", read("mlperf_tiny_macs.csv"), ids=lambda row: str(row["benchmark"]))
def test_networks_of_mlperf_tiny_have_the_macs_of_the_reference(row: dict[str, str]) -> None:
    graph = mlperf_tiny.graph(row["benchmark"])
    by_kind: Counter[str] = Counter()
    for op in graph.ops:
        by_kind[op.kind] += op.macs
    assert total([op.macs for op in graph.ops]) == int(row["mac_total"])
    for kind, column in (("conv2d", "conv2d"), ("pointwise", "pointwise"), ("depthwise", "depthwise")):
        assert by_kind[kind] == int(row[f"mac_{column}"])
    assert by_kind["fully_connected"] == int(row["mac_fc"])


def test_person_detection_has_the_macs_and_the_layers_of_its_file() -> None:
    ops = executed(mlperf_tiny.person_detection(), "tensors")
    assert sum(op.macs for op in ops) == 7_157_888
    assert [op.kind for op in ops[-5:]] == ["pointwise", "average_pool", "pointwise", "reshape", "softmax"]
    assert (ops[0].kind, ops[0].macs, ops[0].elements) == ("depthwise", 9 * 8 * 48**2, 96**2 + 8 * 48**2)
    assert {row["mac_count"] for row in read("latency_esp_person_detection.csv")} == {"7157888"}


def test_layers_of_rp2040_add_up_to_the_printed_total() -> None:
    layers = [row.sample.latency_s for row in samples() if row.group == "RP2040 person detection"]
    assert sum(layers) == pytest.approx(0.782, abs=0.0005)


def test_single_ops_read_and_write_the_published_shapes() -> None:
    elements = {row.sample.name: row.sample.ops[0].elements for row in samples() if row.group == "ESP-NN kernels"}
    assert elements == {
        "pointwise 10x10, 64->64, 1x1": 2 * 64 * 10**2,
        "pointwise 8x8, 16->16, 1x1": 2 * 16 * 8**2,
        "conv2d 10x10 in, 3->64, 3x3, pad0": 3 * 10**2 + 64 * 8**2,
        "depthwise 18x18 in, 16ch, 3x3, pad0": 16 * (18**2 + 16**2),
        "depthwise 12x12 in, 4ch x mult 8, 5x5, pad1": 4 * 12**2 + 32 * 10**2,
        "fully_connected 265->3": 268,
    }
    padded = found("AtomNet Table 1", "stm32h743", "x-cube-ai (AtomNet)", "conv2d_depthwise").sample.ops[0]
    assert (padded.macs, padded.elements) == (1_179_648, 32 * (66**2 + 64**2))


@pytest.mark.parametrize(
    ("group", "platform", "library", "name", "milliseconds"),
    [
        ("TinyEngine README", "stm32h743", "tflm reference", "mcunet-in2", 6463),
        ("TinyEngine README", "stm32h743", "x-cube-ai 7.3", "proxyless-w0.3-r64", 35),
        ("ST model zoo", "stm32h747", "x-cube-ai 7.3", "MobileNet v1 0.25 224x224x3 flowers", 183.88),
        ("ST model zoo", "stm32h747", "st-edge-ai 4.0", "MobileNet v1 0.5 fft 224x224x3 flowers", 478.26),
        ("ST model zoo", "", "x-cube-ai 7.3", "FdMobileNet 0.25 128x128x3 flowers", 39.47),
        ("AtomNet Table 3", "stm32f746", "tinyengine (AtomNet)", "MCUNet-320KB", 819),
        ("AtomNet Table 1", "stm32h743", "x-cube-ai (AtomNet)", "pad", 0.254),
        ("MLPerf Tiny v1.0", "stm32h7a3", "x-cube-ai 7.3", "vww STMicroelectronics NUCLEO-H7A3ZI-Q", 50.7048),
        ("MLPerf Tiny v1.0", "nrf5340", "microtvm + cmsis-nn", "ad OctoML microtvm_cmsis_nn/NRF5340-DK", 6.2665),
        ("RP2040 person detection", "rp2040", "tflm + cmsis-nn", "26 pointwise 3x3 256->256", 45.617),
        ("ESP-NN kernels", "esp32-s3", "esp-nn", "fully_connected 265->3", 4439 / 240e3),
        ("ESP person detection", "esp32-s3", "tflm + esp-nn", "person detection 96x96x1", 54),
    ],
)
def test_published_numbers_arrive_unchanged(
    group: str, platform: str, library: str, name: str, milliseconds: float
) -> None:
    assert found(group, platform, library, name).sample.latency_s == pytest.approx(milliseconds / 1e3)


def test_rows_that_contradict_themselves_or_repeat_others_are_left_out() -> None:
    keys = Counter((r.platform, r.library, r.sample.network) for r in samples() if r.group.startswith("MLPerf"))
    assert set(keys.values()) == {1}
    jumps = [entry for entry in left_out() if entry.reason.startswith("VWW rate jumps")]
    assert len(jumps) == 14
    assert all(entry.row.startswith("vww ") for entry in jumps)
    again = [entry for entry in left_out() if "not re-measured" in entry.reason]
    assert len(again) == 6


def test_a_network_has_one_name_whoever_measured_it() -> None:
    networks = {r.sample.network for r in samples() if r.group in ("AtomNet Table 3", "TinyEngine README")}
    assert len(networks) == 11  # ten of the README, and mbv2-w0.35
    v1 = {r.sample.network for r in samples() if r.sample.name.startswith("MobileNet v1 0.25")}
    assert v1 == {"MobileNet v1 0.25 224x224x3"}  # of 5 and of 1000 classes, retrained or not


def test_the_bars_are_those_of_the_readme_and_of_the_mobilenets() -> None:
    assert Counter((r.bar, r.group) for r in samples() if r.bar) == {
        ("TinyEngine README", "TinyEngine README"): 38,
        ("ST MobileNet", "ST model zoo"): 29,
    }
