"""The measurement against arithmetic on small networks: every expected number is a product of named sizes."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from hwscale.errors import ConfigError, UnsupportedOpError
from hwscale.ledger import OpRecord
from hwscale.measure.handlers import conv_kind, conv_macs, linear_macs
from hwscale.measure.live import LiveBuffers
from hwscale.measure.trace import measure
from hwscale.nets.xinet import XiConv, XiNet

torch.set_num_threads(1)

C, H, W = 3, 10, 8
SHAPE = (C, H, W)
IMAGE = C * H * W


class Calls(nn.Module):
    """A network whose forward is a function of itself and x, with the given layers as attributes."""

    def __init__(self, call: Callable[..., torch.Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.call = call
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.call(self, x)


def test_formulas_are_pure_on_shapes() -> None:
    out, c_in, groups, k_h, k_w, h, w = 8, 12, 4, 3, 5, 6, 7
    assert conv_macs((1, out, h, w), (out, c_in // groups, k_h, k_w)) == out * h * w * (c_in // groups) * k_h * k_w
    assert linear_macs((1, out), (out, c_in)) == out * c_in


@pytest.mark.parametrize(
    ("in_channels", "groups", "kernel", "kind"),
    [
        (8, 1, (3, 3), "conv2d"),
        (8, 1, (1, 3), "conv2d"),
        (8, 1, (1, 1), "pointwise"),
        (8, 8, (3, 3), "depthwise"),
        (8, 8, (1, 1), "depthwise"),
        (8, 2, (3, 3), "grouped"),
        (8, 2, (1, 1), "grouped"),
        (1, 1, (3, 3), "conv2d"),
        (1, 1, (1, 1), "pointwise"),
    ],
)
def test_convolutions_are_named_by_groups_then_kernel(
    in_channels: int, groups: int, kernel: tuple[int, int], kind: str
) -> None:
    assert conv_kind(in_channels, groups, kernel) == kind
    conv = nn.Conv2d(in_channels, 16, kernel, groups=groups)
    assert [op.kind for op in measure(conv, (in_channels, 5, 5)).ops] == [kind]


def test_convolution_counts_macs_weights_and_both_its_buffers() -> None:
    out, k, stride, padding = 4, 3, 2, 1
    h, w = (H + 2 * padding - k) // stride + 1, (W + 2 * padding - k) // stride + 1
    record = measure(nn.Sequential(nn.Conv2d(C, out, k, stride, padding)), SHAPE)
    macs, weights, live = out * h * w * C * k * k, out * C * k * k, IMAGE + out * h * w
    assert record.ops == (OpRecord("0", "conv2d", macs, weights, live),)
    assert (record.params, record.macs, record.ram_bytes) == (weights + out, macs, live)
    assert record.flash_bytes == weights + 4 * out
    assert record.uncounted == ()


def test_classifier_counts_its_pool_and_fully_connected_layer() -> None:
    classes = 5
    record = measure(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(C, classes)), SHAPE)
    assert record.ops == (
        OpRecord("0", "average_pool", 0, 0, IMAGE + C),
        OpRecord("2", "fully_connected", C * classes, C * classes, C + classes),
    )
    assert record.flash_bytes == C * classes + 4 * classes


def test_max_pool_counts_its_output_and_no_macs() -> None:
    record = measure(nn.Sequential(nn.MaxPool2d(2)), SHAPE)
    assert record.ops == (OpRecord("0", "max_pool", 0, 0, IMAGE + C * (H // 2) * (W // 2)),)
    assert (record.macs, record.flash_bytes) == (0, 0)


def test_network_without_ops_still_holds_its_image() -> None:
    record = measure(nn.Sequential(nn.Identity()), SHAPE)
    assert (record.ops, record.ram_bytes) == ((), IMAGE)


@pytest.mark.parametrize("bias", [False, True])
def test_flash_has_a_bias_per_channel_whether_or_not_torch_does(bias: bool) -> None:
    out, k = 6, 3
    record = measure(nn.Conv2d(C, out, k, bias=bias), SHAPE)
    assert record.flash_bytes == out * C * k * k + 4 * out
    assert record.params == out * C * k * k + bias * out


def test_batch_norm_folds_into_the_convolution_before_it() -> None:
    out = 6
    record = measure(nn.Sequential(nn.Conv2d(C, out, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()), SHAPE)
    assert record.flash_bytes == out * C + 4 * out
    assert record.params == out * C + 2 * out
    assert [op.kind for op in record.ops] == ["pointwise"]


def test_batch_norm_after_an_activation_keeps_a_scale_and_an_offset() -> None:
    out = 6
    record = measure(nn.Sequential(nn.Conv2d(C, out, 1), nn.ReLU(), nn.BatchNorm2d(out)), SHAPE)
    assert record.flash_bytes == (out * C + 4 * out) + (out + 4 * out)


def test_batch_norm_does_not_fold_into_a_convolution_that_others_read() -> None:
    def forward(net: Calls, x: torch.Tensor) -> torch.Tensor:
        y = net.conv(x)
        return net.bn(y) + y

    record = measure(Calls(forward, conv=nn.Conv2d(C, C, 1), bn=nn.BatchNorm2d(C)), SHAPE)
    assert record.flash_bytes == (C * C + 4 * C) + (C + 4 * C)
    assert record.ops[-1].live_bytes == 2 * IMAGE  # conv output held, normalised copy beside it


def test_layer_that_never_runs_has_parameters_but_no_cost() -> None:
    out = 7
    net = Calls(lambda net, x: net.used(x), used=nn.Conv2d(C, out, 1), idle=nn.Conv2d(C, out, 3))
    record = measure(net, SHAPE)
    assert record.params == (C * out + out) + (9 * C * out + out)
    assert [op.name for op in record.ops] == ["used"]
    assert record.flash_bytes == C * out + 4 * out


def test_shared_layer_runs_twice_but_is_stored_once() -> None:
    net = Calls(lambda net, x: net.conv(net.conv(x)), conv=nn.Conv2d(C, C, 1))
    record = measure(net, SHAPE)
    assert [op.name for op in record.ops] == ["conv", "conv#2"]
    assert record.macs == 2 * C * C * H * W
    assert record.flash_bytes == C * C + 4 * C


def test_frozen_parameters_are_not_trainable() -> None:
    out = 4
    conv = nn.Conv2d(C, out, 1)
    conv.weight.requires_grad_(False)
    assert measure(conv, SHAPE).params == out


def test_add_writes_over_an_operand_that_dies() -> None:
    def forward(net: Calls, x: torch.Tensor) -> torch.Tensor:
        y = net.first(x)
        return net.third(net.second(y) + y)

    mid, out = 4, 2
    layers = {"first": nn.Conv2d(C, mid, 1), "second": nn.Conv2d(mid, mid, 1), "third": nn.Conv2d(mid, out, 1)}
    record = measure(Calls(forward, **layers), SHAPE)
    pixels = H * W
    assert [(op.name, op.kind, op.live_bytes) for op in record.ops] == [
        ("first", "pointwise", (C + mid) * pixels),
        ("second", "pointwise", (mid + mid) * pixels),
        ("add", "add", (mid + mid) * pixels),
        ("third", "pointwise", (mid + out) * pixels),
    ]


def test_held_residual_stays_alive_across_the_branch() -> None:
    def forward(net: Calls, x: torch.Tensor) -> torch.Tensor:
        return net.narrow(net.wide(x)) + x

    wide = 16
    net = Calls(forward, wide=nn.Conv2d(C, wide, 1), narrow=nn.Conv2d(wide, C, 1))
    pixels = H * W
    assert [op.live_bytes for op in measure(net, SHAPE).ops] == [
        (C + wide) * pixels,
        (wide + C + C) * pixels,
        (C + C) * pixels,
    ]


def test_add_of_operands_read_later_needs_a_third_buffer() -> None:
    def forward(net: Calls, x: torch.Tensor) -> torch.Tensor:
        y = net.conv(x)
        return (x + y) * x * y

    record = measure(Calls(forward, conv=nn.Conv2d(C, C, 1)), SHAPE)
    assert [(op.name, op.live_bytes) for op in record.ops] == [
        ("conv", 2 * IMAGE),
        ("add", 3 * IMAGE),
        ("mul", 3 * IMAGE),
        ("mul#2", 2 * IMAGE),
    ]


def test_gate_scales_the_map_in_place() -> None:
    def forward(net: Calls, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(net.conv(net.pool(x)))

    record = measure(Calls(forward, pool=nn.AdaptiveAvgPool2d(1), conv=nn.Conv2d(C, C, 1)), SHAPE)
    assert [op.live_bytes for op in record.ops] == [IMAGE + C, IMAGE + C + C, IMAGE + C]


def test_pad_folds_into_its_convolution_unless_strict() -> None:
    out, k = 2, 3
    net = nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(C, out, k))
    padded, output, macs, weights = C * (H + 2) * (W + 2), out * H * W, out * H * W * C * k * k, out * C * k * k
    assert measure(net, SHAPE).ops == (OpRecord("1", "conv2d", macs, weights, IMAGE + output),)
    assert measure(net, SHAPE, strict=True).ops == (
        OpRecord("0", "pad", 0, 0, IMAGE + padded),
        OpRecord("1", "conv2d", macs, weights, padded + output),
    )


def test_pad_before_a_pool_is_never_folded() -> None:
    net = nn.Sequential(nn.ZeroPad2d(1), nn.MaxPool2d(2))
    assert [op.kind for op in measure(net, SHAPE).ops] == ["pad", "max_pool"]


def test_adaptive_pool_to_the_same_shape_is_dropped_unless_strict() -> None:
    def forward(net: Calls, x: torch.Tensor) -> torch.Tensor:
        return net.conv(net.pool(x)) + x

    net = Calls(forward, pool=nn.AdaptiveAvgPool2d((H, W)), conv=nn.Conv2d(C, C, 1))
    assert [(op.kind, op.live_bytes) for op in measure(net, SHAPE).ops] == [
        ("pointwise", 2 * IMAGE),
        ("add", 2 * IMAGE),
    ]
    assert [(op.kind, op.live_bytes) for op in measure(net, SHAPE, strict=True).ops] == [
        ("average_pool", 2 * IMAGE),
        ("pointwise", 3 * IMAGE),
        ("add", 2 * IMAGE),
    ]


def test_ops_carry_the_path_of_the_module_that_runs_them() -> None:
    names = [op.name for op in measure(XiNet((3, 32, 32), num_layers=3, include_top=False), (3, 32, 32)).ops]
    assert names[:3] == ["stem.conv", "layers.0.compression", "layers.0.pool"]
    assert names[7:15] == [
        "layers.1.skip_conv",
        "layers.1.compression",
        "layers.1.add",
        "layers.1.main",
        "layers.1.attention.pw",
        "layers.1.attention.conv",
        "layers.1.attention.mul",
        "layers.2.skip_conv",
    ]


def test_unknown_layer_is_named_and_its_output_still_held() -> None:
    out = 5
    net = nn.Sequential(nn.Conv2d(C, out, 1), nn.ConvTranspose2d(out, out, 2, 2), nn.Conv2d(out, 1, 1))
    record = measure(net, SHAPE)
    assert record.uncounted == ("1: ConvTranspose2d",)
    assert [op.name for op in record.ops] == ["0", "2"]
    assert record.ram_bytes == out * H * W + out * (2 * H) * (2 * W)


def test_unknown_functions_methods_and_bare_parameters_are_named() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(W, W))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.matmul(x, self.scale).transpose(2, 3)

    assert measure(nn.Sequential(Odd()), SHAPE).uncounted == ("0.scale", "0.matmul", "0.transpose")


def test_functional_and_subclassed_convolutions_are_uncounted_not_free() -> None:
    class Standardised(nn.Conv2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.conv2d(x, self.weight)

    assert "0.conv2d" in measure(nn.Sequential(Standardised(C, 4, 1)), SHAPE).uncounted


def test_layer_with_several_results_is_uncounted() -> None:
    net = Calls(lambda net, x: net.rnn(x.flatten(2))[0], rnn=nn.LSTM(H * W, 4, batch_first=True))
    assert measure(net, SHAPE).uncounted == ("rnn: LSTM", "getitem")


def test_reading_a_size_costs_nothing() -> None:
    net = Calls(lambda net, x: net.fc(x.view(x.size(0), -1)), fc=nn.Linear(IMAGE, 2))
    record = measure(net, SHAPE)
    assert record.uncounted == ()
    assert record.ram_bytes == IMAGE + 2


def test_functional_spellings_measure_as_the_modules_do() -> None:
    functional = nn.functional

    def forward(net: Calls, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(functional.max_pool2d(net.conv(x), 2))
        return torch.flatten(functional.adaptive_avg_pool2d(functional.avg_pool2d(y.clamp(0, 6), 2), 1), 1)

    def unnamed(ops: tuple[OpRecord, ...]) -> list[tuple[str, int, int, int]]:
        return [(op.kind, op.macs, op.weights, op.live_bytes) for op in ops]

    conv = nn.Conv2d(C, 4, 3)
    modules = nn.Sequential(
        conv, nn.MaxPool2d(2), nn.ReLU(), nn.ReLU6(), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    spelled = measure(Calls(forward, conv=conv), SHAPE)
    assert unnamed(spelled.ops) == unnamed(measure(modules, SHAPE).ops)
    assert spelled.uncounted == ()


def test_control_flow_on_values_is_refused() -> None:
    net = Calls(lambda net, x: net.conv(x) if x.sum() > 0 else x, conv=nn.Conv2d(C, C, 1))
    with pytest.raises(UnsupportedOpError, match=r"^Calls cannot be traced \(.*\): its control flow must not depend"):
        measure(net, SHAPE)


def test_input_that_does_not_fit_is_refused_with_the_layer() -> None:
    net = nn.Sequential(nn.ReLU(), nn.Conv2d(C + 1, 4, 3))
    with pytest.raises(ConfigError, match="Sequential does not run on an input of 3 x 10 x 8, at 1: "):
        measure(net, SHAPE)


def test_one_wider_convolution_is_seen() -> None:
    shape = (3, 32, 32)
    corrupt = XiNet(shape)
    layer = corrupt.layers[3]
    assert isinstance(layer, XiConv)
    assert layer.attention is not None
    narrow, channels = layer.attention.pw.out_channels, layer.main.out_channels
    layer.attention.pw = nn.Conv2d(channels, narrow + 1, 1, bias=False)
    layer.attention.conv = nn.Conv2d(narrow + 1, channels, 3, padding=1, bias=False)
    sound, seen = measure(XiNet(shape), shape), measure(corrupt, shape)
    more_weights, pixels = channels * (1 + 9), (32 // 8) ** 2
    assert seen.params - sound.params == more_weights
    assert seen.macs - sound.macs == more_weights * pixels
    assert seen.flash_bytes - sound.flash_bytes == more_weights + 4
    changed = [b.name for a, b in zip(sound.ops, seen.ops, strict=True) if (a.macs, a.weights) != (b.macs, b.weights)]
    assert changed == ["layers.3.attention.pw", "layers.3.attention.conv"]


def test_measuring_leaves_modes_parameters_and_buffers_untouched() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(C, 4, 3), nn.BatchNorm2d(4), nn.Dropout2d(0.5), nn.ReLU())
    net.train()
    net[1].eval()  # a frozen normalisation in a network that trains
    before = copy.deepcopy(net.state_dict())
    random_state = torch.get_rng_state()
    measure(net, SHAPE)
    assert [module.training for module in net.modules()] == [True, True, False, True, True]
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())
    assert torch.equal(torch.get_rng_state(), random_state)


def test_network_without_storage_measures_the_same() -> None:
    shape = (3, 32, 32)
    with torch.device("meta"):
        weightless = XiNet(shape)
    assert measure(weightless, shape) == measure(XiNet(shape), shape)


def test_buffer_lives_from_its_first_write_to_the_last_read_of_any_of_its_names() -> None:
    a, b = 5, 7
    buffers = LiveBuffers({"x": 1, "view": 3, "y": 2, "z": 3})
    buffers.allocate("x", a)
    buffers.share("view", "x")
    buffers.allocate("y", b)
    assert buffers.live_bytes(2, ["y"]) == a + b
    buffers.overwrite("z", a, ["view"], step=2)  # read again at step 3: not free to overwrite
    assert buffers.live_bytes(3, ["view", "z"]) == a + a
    assert buffers.live_bytes(4, []) == 0
