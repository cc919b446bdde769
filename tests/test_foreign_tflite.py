"""A .tflite file in every runtime: what its operators become, against arithmetic on the sizes of its maps."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flatbuffer_writer import Number
from foreign_net import MAP, C, H, Net, W, row
from test_tflite_hostile import LIES, mutated
from tflite_builder import Builder, built, residual_net

import hwscale
from hwscale.errors import ConfigError
from hwscale.foreign.cost import MOST_OPS
from hwscale.foreign.report import ModelCost
from hwscale.foreign.tflite import file_graph
from hwscale.formulas.graph import Op
from hwscale.measure.tflite_file import parse_tflite
from hwscale.runtimes import RUNTIMES

CODE_BYTES = 63 * 1024
"""Of TinyEngine's image."""


def graph(net: Builder, *outputs: int) -> list[Op]:
    data = net.build([0], outputs or [len(net.tensors) - 1])
    return file_graph(parse_tflite(data)).graph.ops


@pytest.fixture
def cost(tmp_path: Path) -> Callable[..., ModelCost]:
    def run(net: Builder, *outputs: int, **options: Any) -> ModelCost:
        path = tmp_path / "net.tflite"
        path.write_bytes(net.build([0], outputs or [len(net.tensors) - 1]))
        return hwscale.cost_tflite(path, **options)

    return run


# ---- whole files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "width"), [("INT8", 1), ("FLOAT32", 4)])
def test_a_residual_net_holds_the_fork_while_its_branch_runs(cost: Any, dtype: str, width: int) -> None:
    image, stem = 3 * 8 * 8, 8 * 4 * 4
    weights = 8 * 9 * 3 + 9 * 8 + 8 * 8 + 10 * 8
    biases = 8 + 8 + 8 + 10
    report = cost(residual_net(dtype))
    assert report.input_shape == (3, 8, 8)
    assert report.totals["macs"] == stem * 9 * 3 + 9 * stem + stem * 8 + 80
    assert report.totals["weights"] == weights
    assert report.totals["flash_bytes"] == width * weights + 4 * biases + 2 * 4  # two axes
    assert report.totals["ram_bytes"] == row(report, "tensors").ram_bytes == width * 3 * stem
    assert (report.peak_op, [tensor.op for tensor in report.peak_tensors]) == (
        "CONV_2D#2",
        ["CONV_2D#0", "DEPTHWISE_CONV_2D#1", "CONV_2D#2"],
    )
    assert 3 * stem > image + stem
    assert row(report, "tensors").flash_bytes == width * weights + 4 * biases
    assert report.unknown_ops == ()


def test_rules_for_int8_say_so_of_a_float_file(cost: Any) -> None:
    report = cost(residual_net("FLOAT32"))
    for name in RUNTIMES:
        found = row(report, name)
        if name == "tflm" or name.startswith("tensors"):
            assert found.ram_bytes
            assert not found.reason
        else:
            assert (found.ram_bytes, found.flash_bytes) == (None, None)
            assert found.reason == "int8 only: CONV_2D#0 computes FLOAT32"


def test_every_runtime_has_a_row_in_the_order_of_the_registry(cost: Any) -> None:
    report = cost(residual_net())
    assert [entry.name for entry in report.runtimes] == list(RUNTIMES)
    assert all(set(entry.evidence) == {"ram", "flash"} for entry in report.runtimes)


# ---- what operators become -------------------------------------------------------------------------------------------


def test_an_activation_goes_into_the_convolution_that_it_alone_follows() -> None:
    net = Net()
    net.unary(net.bare(net.x))
    (op,) = graph(net)
    assert (op.kind, op.activation) == ("pointwise", "hard_swish")


def test_an_activation_of_a_map_that_others_read_is_an_op_of_its_own() -> None:
    net = Net()
    y = net.bare(net.x)
    net.add(net.unary(y), y)
    assert [(op.kind, op.activation) for op in graph(net)] == [("pointwise", ""), ("hard_swish", ""), ("add", "relu")]


def test_an_output_of_the_network_takes_no_activation() -> None:
    net = Net()
    y = net.bare(net.x)
    z = net.unary(y)
    assert [op.kind for op in graph(net, y, z)] == ["pointwise", "hard_swish", "hold"]


def test_logistic_and_mul_are_silu_unless_somebody_else_reads_the_map() -> None:
    net = Net()
    y = net.bare(net.x)
    net.mul(y, net.unary(y, "LOGISTIC"))
    assert [(op.kind, op.activation) for op in graph(net)] == [("pointwise", "silu")]
    shared = Net()
    y = shared.bare(shared.x)
    shared.add(shared.mul(y, shared.unary(y, "LOGISTIC")), y)
    assert [op.kind for op in graph(shared)] == ["pointwise", "logistic", "mul", "add"]


def test_relu6_and_a_mul_by_one_number_are_a_hard_sigmoid() -> None:
    net = Net()
    net.mul(net.conv(net.x, C), net.constant(1))
    assert [(op.kind, op.activation) for op in graph(net)] == [("pointwise", "hard_sigmoid")]


def test_arithmetic_with_constants_in_a_row_is_a_batch_norm() -> None:
    net = Net()
    y = net.map("SUB", [net.unary(net.x), net.constant(1, 1, 1, C)], 28, {0: Number("b", 0)})
    for constant in (net.constant(1), net.constant(1, 1, 1, C)):
        y = net.mul(y, constant)
    net.map("ADD", [y, net.constant(1, 1, 1, C)], 11, {0: Number("b", 1)})
    _, norm = graph(net)
    assert (norm.kind, norm.weights, norm.bias, norm.activation) == ("batch_norm", C, C, "relu")


def test_a_mean_over_the_map_pools_and_over_one_pixel_changes_nothing() -> None:
    net = Net()
    y = net.mean(net.x)
    axis = net.constant(2, dtype="INT32")
    net.map("SUM", [y, axis], 27, {0: Number("B", 0)}, (1, C))
    assert [(op.kind, op.identity) for op in graph(net)] == [("average_pool", False), ("average_pool", True)]


def test_a_reshape_is_another_name() -> None:
    net = Net()
    y = net.map("RESHAPE", [net.conv(net.x, C)], shape=(1, MAP))
    net.linear(y, 5)
    first, last = graph(net)
    assert last.inputs == (first.output,)


def test_what_a_mul_broadcasts_comes_last() -> None:
    net = Net()
    gate = net.mean(net.x)
    net.op("MUL", [gate, net.x], [net.tensor(*net.shapes[net.x])], 21, {0: Number("b", 0)})
    product = graph(net)[-1]
    assert (product.inputs, product.in_place) == ((0, 1), (0,))


# ---- paddings and windows --------------------------------------------------------------------------------------------


def test_an_even_pad_in_front_of_a_valid_window_is_its_padding(cost: Any) -> None:
    net = Net()
    net.conv(net.pad(net.x, 2, 2), 4, k=3, s=2, pad="VALID")
    (op,) = graph(net)
    assert (op.kernel, op.stride, op.padding, op.same) == (3, 2, 1, False)
    report, out = cost(net), 4 * (H // 2) * (W // 2)
    assert row(report, "tensors").ram_bytes == MAP + out
    assert report.totals["ram_bytes"] == max(MAP + C * (H + 2) * (W + 2), C * (H + 2) * (W + 2) + out)


def test_an_odd_pad_is_an_op_that_strict_tensors_hold(cost: Any) -> None:
    net = Net()
    net.conv(net.pad(net.x, 1, 1), 4, k=3, s=2, pad="VALID")
    assert [op.kind for op in graph(net)] == ["pad", "conv2d"]
    report = cost(net)
    assert row(report, "tensors").ram_bytes == MAP + 4 * 5 * 4
    assert row(report, "tensors-strict").ram_bytes == MAP + C * (H + 1) * (W + 1)


def test_a_pad_that_no_window_reads_stays_in_memory(cost: Any) -> None:
    net = Net()
    net.unary(net.pad(net.x, 2, 2))
    assert row(cost(net), "tensors").ram_bytes == MAP + C * (H + 2) * (W + 2)


def test_same_is_a_padding_where_it_is_even_on_all_sides() -> None:
    net = Net()
    net.depthwise(net.conv(net.x, C, k=3), k=3, s=2)
    dense, strided = graph(net)
    assert (dense.padding, dense.same) == (1, False)  # H + 2 rows for H windows
    assert (strided.padding, strided.same) == (0, True)  # H + 1 rows for H / 2 windows of stride 2


def test_a_window_that_the_formulas_cannot_say_is_named(cost: Any) -> None:
    net = Net()
    net.conv(net.x, C, k=3, d=2)
    (op,) = graph(net)
    assert op.kind == "conv2d dilated 2x2"
    report = cost(net)
    assert row(report, "tensors").ram_bytes == 2 * MAP
    found = row(report, "tinyengine")
    assert (found.at_least, found.ram_bytes, found.flash_bytes) == (True, MAP, 9 * C * C + 4 * C)
    assert "conv2d dilated 2x2" in found.reason


# ---- what nobody knows -----------------------------------------------------------------------------------------------


def test_an_unknown_operator_is_named_and_every_row_is_at_least(cost: Any) -> None:
    net = Net()
    net.conv(net.op("CUSTOM", [net.x], [net.tensor(1, H, W, 2 * C)]), C)
    report = cost(net, platform="stm32h743")
    assert report.unknown_ops == ("Fancy#0",)
    assert report.at_least
    assert report.totals["macs"] == MAP * 2 * C
    assert row(report, "tensors").ram_bytes == 3 * MAP
    for found in report.runtimes:
        assert found.at_least
        assert found.ram_bytes
        assert "Fancy#0" in found.reason
        assert found.fits["axi_sram"] is None  # a lower bound that fits proves nothing
        assert found.evidence["ram"].startswith("at least")


def test_an_op_that_changes_no_size_is_left_out_of_a_lower_bound(cost: Any) -> None:
    net = Net()
    y = net.linear(net.mean(net.conv(net.x, C)), 4)
    net.unary(y, "SOFTMAX")
    report = cost(net)
    found = row(report, "tinyengine")
    assert found.at_least
    assert found.reason.endswith("counted without SOFTMAX#3")
    assert found.flash_bytes == CODE_BYTES + C * C + 4 * C + 8 * (C + 4)
    assert not row(report, "tflm").at_least
    assert not row(report, "tensors").at_least


def test_parts_of_a_split_live_beside_what_they_come_from(cost: Any) -> None:
    net = Net()
    axis = net.constant(1, dtype="INT32")
    halves = [net.tensor(1, H, W, C // 2) for _ in range(2)]
    net.op("SPLIT", [axis, net.x], halves)
    net.map("CONCATENATION", halves, 10, {}, (1, H, W, C))
    report = cost(net)
    assert report.totals["ram_bytes"] == row(report, "tensors").ram_bytes == 2 * MAP
    assert not report.at_least


def test_a_map_that_the_network_returns_early_lives_to_the_end(cost: Any) -> None:
    net = Net()
    head = net.conv(net.x, 2)
    tail = net.conv(net.conv(net.x, 5), 1)
    report = cost(net, head, tail)
    pixels = H * W
    assert row(report, "tensors").ram_bytes == max((2 + C) * pixels, (2 + C + 5) * pixels, (2 + 5 + 1) * pixels)


def test_weights_of_two_operators_count_once(cost: Any) -> None:
    net = Net()
    y = net.conv(net.x, C)
    options = {0: Number("b", 0), 1: Number("i", 1), 2: Number("i", 1), 4: Number("i", 1), 5: Number("i", 1)}
    net.op("CONV_2D", [y, 1, 2], [net.tensor(1, H, W, C)], 1, options)
    report = cost(net)
    assert row(report, "tensors").flash_bytes == report.totals["flash_bytes"] == C * C + 4 * C
    assert report.totals["macs"] == 2 * MAP * C


# ---- hostile files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_lies_is_refused_in_a_sentence(lie: str, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(LIES[lie][0])
    with pytest.raises(ConfigError, match=LIES[lie][1]):
        hwscale.cost_tflite(path)


def outcome(path: Path) -> ModelCost | str:
    """The cost of a file, or the sentence with which it is refused."""
    try:
        return hwscale.cost_tflite(path)
    except ConfigError as refusal:
        return str(refusal)


@pytest.mark.parametrize("dtype", ["INT8", "FLOAT32"])
def test_damaged_files_are_priced_or_refused(dtype: str, tmp_path: Path) -> None:
    source, data, path = random.Random(dtype), built(dtype), tmp_path / "net.tflite"
    for _ in range(300):
        path.write_bytes(mutated(source, data))
        found = outcome(path)
        assert isinstance(found, ModelCost) or len(found.splitlines()) == 1


def test_operators_are_bounded_in_number(cost: Any) -> None:
    net = Net()
    x = net.x
    for _ in range(MOST_OPS + 1):
        x = net.unary(x)
    with pytest.raises(ConfigError, match=f"has {MOST_OPS + 1} operators, but at most {MOST_OPS} are priced"):
        cost(net)
