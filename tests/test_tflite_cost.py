"""Costs of .tflite files against arithmetic: every expected number is a product of named sizes."""

from __future__ import annotations

import random
from typing import Any

import pytest
from flatbuffer_writer import Number, Vector, flatbuffer
from tflite_builder import Builder, offline_plan, residual_net, root_of

from hwscale.errors import ConfigError
from hwscale.measure.arena import lifetimes
from hwscale.measure.tflite_cost import FileCost, OperatorCost, tflite_cost
from hwscale.measure.tflite_file import parse_tflite
from hwscale.runtimes.planner import Buffer, live_bound, plan_arena

C, H, W = 6, 10, 8


def cost(net: Builder, *outputs: int) -> FileCost:
    return tflite_cost(parse_tflite(net.build([0], outputs or [len(net.tensors) - 1])))


def only(build: Any, channels: int = C) -> OperatorCost:
    """The cost of the one operator that ``build(net, x)`` adds to a map of ``channels`` x H x W."""
    net = Builder()
    y = build(net, net.tensor(1, H, W, channels))
    (operator,) = cost(net, y).operators
    return operator


def priced(operator: OperatorCost) -> tuple[str, int, int, int]:
    return operator.kind, operator.macs, operator.weights, operator.biases


def test_convolutions_are_priced_by_their_filter() -> None:
    assert priced(only(lambda net, x: net.conv(x, 5, k=3, s=2))) == ("conv2d", 5 * 4 * 5 * 9 * C, 5 * 9 * C, 5)
    assert priced(only(lambda net, x: net.conv(x, 5))) == ("pointwise", H * W * 5 * C, 5 * C, 5)
    assert priced(only(lambda net, x: net.conv(x, 4, k=3, pad="VALID"))) == ("conv2d", 8 * 6 * 4 * 9 * C, 4 * 9 * C, 4)
    dilated = only(lambda net, x: net.conv(x, 4, k=3, d=2, pad="VALID"))
    assert dilated.macs == (H - 4) * (W - 4) * 4 * 9 * C
    assert priced(only(lambda net, x: net.conv(x, 4, k=3, groups=2))) == ("grouped", H * W * 4 * 9 * 3, 4 * 9 * 3, 4)
    assert only(lambda net, x: net.conv(x, C, k=3, groups=C)).kind == "depthwise"


def test_depthwise_convolutions_read_one_channel_each() -> None:
    assert priced(only(lambda net, x: net.depthwise(x))) == ("depthwise", H * W * C * 9, 9 * C, C)
    doubled = only(lambda net, x: net.depthwise(x, k=5, multiplier=2))
    assert priced(doubled) == ("depthwise", H * W * 2 * C * 25, 25 * 2 * C, 2 * C)


def test_a_depthwise_convolution_of_one_channel_is_a_convolution() -> None:
    one = only(lambda net, x: net.depthwise(x, multiplier=4), channels=1)
    assert priced(one) == ("conv2d", H * W * 4 * 9, 9 * 4, 4)
    assert only(lambda net, x: net.depthwise(x, k=1), channels=1).kind == "pointwise"


def test_fully_connected_and_transposed_layers() -> None:
    assert priced(only(lambda net, x: net.linear(x, 7))) == ("fully_connected", 7 * C * H * W, 7 * C * H * W, 7)
    assert priced(only(lambda net, x: net.transposed(x, 4, k=3, s=2))) == (
        "transpose_conv",
        H * W * C * 9 * 4,
        9 * 4 * C,
        0,
    )


def test_what_multiplies_no_weights_has_no_macs() -> None:
    assert priced(only(lambda net, x: net.add(x, x))) == ("add", 0, 0, 0)
    assert priced(only(lambda net, x: net.max_pool(x))) == ("max_pool", 0, 0, 0)
    assert priced(only(lambda net, x: net.unary(x))) == ("hard_swish", 0, 0, 0)


def test_a_mean_over_the_map_is_an_average_pool() -> None:
    assert only(lambda net, x: net.mean(x)).kind == "average_pool"
    assert only(lambda net, x: net.mean(x, keep_dims=False)).kind == "average_pool"
    assert only(lambda net, x: net.mean(x, axes=(3,))).kind == "mean"


def test_operators_without_a_price_are_named() -> None:
    net = Builder()
    x = net.tensor(1, 4, 4, 2)
    net.unary(net.op("BATCH_MATMUL", [net.conv(x, 2), x], [net.tensor(1, 4, 4, 2)]), "CUSTOM")
    answer = cost(net)
    assert answer.unknown == ("BATCH_MATMUL#1", "Fancy#2")
    assert answer.is_at_least
    assert answer.macs == 4 * 4 * 2 * 2
    assert not cost(residual_net()).is_at_least


@pytest.mark.parametrize(("dtype", "width"), [("INT8", 1), ("FLOAT32", 4)])
def test_a_whole_network(dtype: str, width: int) -> None:
    answer = cost(residual_net(dtype))
    image, small = 8 * 8 * 3 * width, 4 * 4 * 8 * width
    assert answer.macs == 16 * 8 * 27 + 16 * 8 * 9 + 16 * 8 * 8 + 8 * 10
    weights = (8 * 27, 8 * 9, 8 * 8, 8 * 10)
    biases = 4 * (8 + 8 + 8 + 10)
    assert answer.constant_bytes == width * sum(weights) + biases + 2 * 4  # the axes of MEAN
    # the pointwise layer runs while the stem's map waits for the ADD, whose output is a map of its own
    assert [o.live_bytes for o in answer.operators][:4] == [image + small, 2 * small, 3 * small, 3 * small]
    assert (answer.ram_bytes, answer.peak.name) == (3 * small, "CONV_2D#2")
    assert [(t.name, t.size) for t in answer.peak_tensors] == [("t3", small), ("t6", small), ("t9", small)]
    assert answer.operators[0].constant_bytes == 8 * 27 * width + 8 * 4
    assert answer.file_bytes > answer.constant_bytes


def test_sizes_are_aligned_only_where_they_say_so() -> None:
    net = Builder()
    net.unary(net.tensor(1, 3, 3, 1))
    answer = cost(net)
    assert (answer.ram_bytes, answer.live16_bytes, answer.head_bytes) == (18, 32, 32)


def test_int4_activations_take_a_byte_each() -> None:
    net = Builder("INT4")
    net.unary(net.tensor(1, 4, 4, 2))
    assert cost(net).ram_bytes == 2 * 32


def test_the_head_counts_tensors_that_no_operator_touches() -> None:
    net = Builder()
    net.unary(net.tensor(1, 4, 4, 1))
    net.tensor(1, 10, 10, 1)
    answer = cost(net, 1)
    assert (answer.live16_bytes, answer.head_bytes) == (32, 112)


def test_a_plan_in_the_file_is_kept() -> None:
    net = residual_net()
    offsets = [-1] * len(net.tensors)
    offsets[3] = 1024
    answer = tflite_cost(parse_tflite(flatbuffer(offline_plan(root_of(net), offsets))))
    assert answer.head_bytes == 1024 + 4 * 4 * 8


def test_the_head_of_random_networks_is_that_of_the_predicting_planner() -> None:
    for seed in range(30):
        source, net = random.Random(seed), Builder()
        maps = [net.tensor(1, 6, 6, 5)]
        for _ in range(source.randint(1, 25)):
            x = source.choice(maps[-5:])
            same = [m for m in maps if net.shapes[m] == net.shapes[x]]
            choice = source.randrange(4)
            if choice == 0:
                maps.append(net.conv(x, source.randint(1, 9)))
            elif choice == 1:
                maps.append(net.depthwise(x, multiplier=source.randint(1, 2)))
            else:
                maps.append(net.add(x, source.choice(same)) if choice == 2 else net.unary(x))
        model = parse_tflite(net.build([maps[0]], [maps[-1], maps[len(maps) // 2]]))
        buffers = [Buffer(life.size, life.start, life.end) for life in lifetimes(model)]
        answer = tflite_cost(model)
        assert answer.head_bytes == plan_arena(buffers).head_bytes
        assert answer.live16_bytes <= live_bound(buffers) <= answer.head_bytes


def with_output(*shape: int) -> Builder:
    net = residual_net()
    net.tensors[3][0] = Vector("i", shape)
    return net


def with_signature() -> Builder:
    net = residual_net()
    net.tensors[0][7] = Vector("i", (-1, -1, -1, 3))
    return net


def with_strings() -> Builder:
    net = residual_net()
    net.tensors[3][1] = Number("b", 5)
    return net


def without_filter() -> Builder:
    net = residual_net()
    net.operators[0][1] = Vector("i", (0, -1, -1))
    return net


@pytest.mark.parametrize(
    ("net", "sentence"),
    [
        (with_output(1, 4, 4, 7), "CONV_2D#0: .* contradict each other"),
        (with_output(1, 5, 4, 8), "CONV_2D#0: .* contradict each other"),
        (with_output(4, 4, 8), "must have 4 dimensions"),
        (with_signature(), "open shape .* convert with a fixed input shape"),
        (with_strings(), "type STRING have no fixed size"),
        (without_filter(), "needs inputs 0 and 1"),
    ],
)
def test_shapes_that_contradict_their_operator_are_refused(net: Builder, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        cost(net)


def test_a_batch_that_is_left_open_counts_as_stored() -> None:
    net = residual_net()
    net.tensors[0][7] = Vector("i", (-1, 8, 8, 3))
    assert cost(net).macs == cost(residual_net()).macs
