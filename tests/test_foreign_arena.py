"""The arena that TensorFlow Lite Micro needs for a .tflite file, and the regions of a platform that a network fits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from foreign_net import H, Net, W, row
from tflite_builder import Builder, built, residual_net

import hwscale
from hwscale.foreign.report import ModelCost
from hwscale.foreign.runtimes import RuntimeCost, fits, regions
from hwscale.foreign.stripped import ERROR_BYTES, estimated_size
from hwscale.foreign.tflm import file_arena
from hwscale.measure.tflite_file import parse_tflite
from hwscale.platform import load_platform


@pytest.fixture
def cost(tmp_path: Path) -> Callable[..., ModelCost]:
    def run(net: Builder, *outputs: int, **options: Any) -> ModelCost:
        path = tmp_path / "net.tflite"
        path.write_bytes(net.build([0], outputs or [len(net.tensors) - 1]))
        return hwscale.cost_tflite(path, **options)

    return run


# ---- TensorFlow Lite Micro -------------------------------------------------------------------------------------------

SMALL: dict[str, Callable[[Net], Any]] = {
    "conv": lambda net: net.conv(net.x, 8, k=3),
    "depthwise": lambda net: net.depthwise(net.x),
    "fully connected": lambda net: net.linear(net.x, 5),
    "two activations": lambda net: net.unary(net.unary(net.x)),
    "mean": lambda net: net.mean(net.x),
    "three means": lambda net: [net.mean(net.x) for _ in range(3)],
    "add": lambda net: net.add(net.x, net.x),
}
MEASURED = {
    "INT8": ((1120, 1056), (960, 1056), (496, 976), (960, 976), (560, 912), (560, 1280), (960, 896)),
    "FLOAT32": ((4480, 1056), (3840, 1056), (1952, 976), (3840, 976), (1984, 912), (1984, 1264), (3840, 896)),
}
"""Head and tail [B] that tflite-micro 0.dev20261023182759 reports on x86-64, in the order of `SMALL`."""


@pytest.mark.parametrize("dtype", MEASURED)
@pytest.mark.parametrize("name", SMALL)
def test_the_arena_of_a_small_file_is_the_one_measured(name: str, dtype: str) -> None:
    net = Net(dtype)
    SMALL[name](net)
    arena = file_arena(parse_tflite(net.build([0], [len(net.tensors) - 1])))
    assert (arena.head_bytes, arena.tail_bytes) == MEASURED[dtype][list(SMALL).index(name)]
    assert arena.unmeasured == ()


@pytest.mark.parametrize("dtype", MEASURED)
@pytest.mark.parametrize("name", SMALL)
def test_the_interpreter_agrees(name: str, dtype: str, tmp_path: Path) -> None:
    pytest.importorskip("tflite_micro", reason="needs hwscale[tflm]")
    from hwscale.measure.tflm import run

    net = Net(dtype)
    SMALL[name](net)
    path = tmp_path / "net.tflite"
    path.write_bytes(net.build([0], [len(net.tensors) - 1]))
    seen, arena = run(path), file_arena(parse_tflite(path.read_bytes()))
    assert (arena.head_bytes, arena.tail_bytes) == (seen.head_bytes, seen.tail_bytes)


def test_every_further_input_or_output_costs_two_structures() -> None:
    def tail(outputs: int) -> int:
        net = Net()
        made = [net.unary(net.x) for _ in range(3)]
        return file_arena(parse_tflite(net.build([0], made[:outputs]))).tail_bytes

    assert tail(3) - tail(1) == 2 * (72 + 32)


def test_a_kernel_that_was_never_measured_makes_the_arena_a_lower_bound(cost: Any) -> None:
    net = Net()
    net.op("BATCH_MATMUL", [net.x, net.x], [net.tensor(1, H, W, W)])
    found = row(cost(net), "tflm")
    assert found.at_least
    assert found.reason == "no measured memory for BATCH_MATMUL#0"


def test_flash_of_the_interpreter_is_the_file_and_its_stripped_form_is_smaller(cost: Any) -> None:
    net = residual_net()
    report = cost(net)
    data = net.build([0], [len(net.tensors) - 1])
    assert row(report, "tflm").flash_bytes == report.totals["file_bytes"] == len(data)
    assert report.totals["flash_bytes"] < report.totals["stripped_bytes"] < len(data)
    assert f"{report.totals['stripped_bytes']} B without names" in row(report, "tflm").evidence["flash"]


def test_the_estimate_of_a_stripped_file_is_close_to_the_real_one() -> None:
    pytest.importorskip("tflite_micro", reason="needs hwscale[tflm]")
    from hwscale.measure.tflm_file import stripped

    data = built()
    assert abs(estimated_size(parse_tflite(data)) - len(stripped(data))) <= ERROR_BYTES


# ---- regions ---------------------------------------------------------------------------------------------------------


def test_regions_are_the_banks_their_largest_span_and_the_flash() -> None:
    h743, f746 = load_platform("stm32h743"), load_platform("stm32f746")
    assert regions(h743)["axi_sram"] == 512 * 1024
    assert regions(h743)["itcm"] == 0  # not for the arena
    assert regions(h743)["flash"] == h743.flash_bytes
    span = " + ".join(f746.arena_regions)
    assert regions(f746)[span] == f746.arena_bytes > max(bank.size_bytes for bank in f746.ram)
    assert "flash" not in regions(load_platform("rpi4"))


def test_what_fits_is_told_only_where_the_numbers_tell_it() -> None:
    sizes = {"small": 10, "even": 20, "large": 40, "none": 0, "flash": 20}
    exact = RuntimeCost("r", 20, 20)
    assert fits(exact, sizes) == {"small": False, "even": True, "large": True, "none": False, "flash": True}
    between = RuntimeCost("r", 30, 21, ram_low_bytes=15)
    assert fits(between, sizes) == {"small": False, "even": None, "large": True, "none": False, "flash": False}
    least = RuntimeCost("r", 20, 20, at_least=True)
    assert fits(least, sizes) == {"small": False, "even": None, "large": None, "none": False, "flash": None}
    nothing = RuntimeCost("r", None, None)
    assert set(fits(nothing, sizes).values()) == {None}
