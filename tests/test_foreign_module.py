"""Any torch module in every runtime: its graph against the measurement, and against the prediction where there is one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

import hwscale
from hwscale.configuration import configure
from hwscale.errors import ConfigError, UnsupportedOpError
from hwscale.foreign.cost import MOST_OPS
from hwscale.foreign.report import ModelCost
from hwscale.foreign.runtimes import RuntimeCost
from hwscale.foreign.trace import module_graph
from hwscale.formulas.graph import Op
from hwscale.measure.trace import measure
from hwscale.runtimes import RUNTIMES

C, H, W = 3, 10, 8
SHAPE = (C, H, W)
IMAGE = C * H * W


class Calls(nn.Module):
    """Runs ``forward(self, x)`` with the layers given by name."""

    def __init__(self, run: Any, **layers: nn.Module) -> None:
        super().__init__()
        self.run = run
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: torch.Tensor) -> Any:
        return self.run(self, x)


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, 4, 1)
        self.excite = nn.Conv2d(4, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(self.squeeze(functional.adaptive_avg_pool2d(x, 1)))
        return x * functional.hardsigmoid(self.excite(y))


def normed(source: int, out: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(source, out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU())


def ops(net: nn.Module, shape: tuple[int, int, int] = SHAPE) -> list[Op]:
    return module_graph(net, shape).graph.ops


def row(report: ModelCost, name: str) -> RuntimeCost:
    return next(entry for entry in report.runtimes if entry.name == name)


NETS: dict[str, tuple[Any, tuple[int, int, int]]] = {
    "residual": (
        lambda: Calls(lambda n, x: n.head(n.a(x) + n.b(x)), a=normed(3, 8), b=normed(3, 8, 1), head=nn.Conv2d(8, 2, 1)),
        SHAPE,
    ),
    "squeeze and excitation": (lambda: nn.Sequential(normed(3, 8), SqueezeExcite(8), nn.Conv2d(8, 4, 1)), SHAPE),
    "dense": (lambda: Calls(lambda n, x: torch.cat([x, n.a(x)], 1), a=normed(3, 5)), SHAPE),
    "preactivation": (
        lambda: nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1)),
        SHAPE,
    ),
    "flattened": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 4 * 3, 5), nn.Softmax(1)
        ),
        SHAPE,
    ),
    "two heads": (lambda: Calls(lambda n, x: (n.a(x), n.b(x)), a=nn.Conv2d(3, 4, 1), b=nn.Conv2d(3, 2, 1)), SHAPE),
    "depthwise": (
        lambda: nn.Sequential(normed(1, 8, 3, 2), normed(8, 8, 3, groups=8), normed(8, 4, 1), nn.AdaptiveAvgPool2d(1)),
        (1, 49, 10),
    ),
    "padded": (lambda: nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 4, 3, 2), nn.Hardswish()), SHAPE),
    "upsampled": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Upsample(scale_factor=2), nn.Tanh()), SHAPE),
}


@pytest.mark.parametrize("name", NETS)
def test_runtime_tensors_gives_what_the_measurement_gives(name: str) -> None:
    build, shape = NETS[name]
    net = build()
    record = measure(net, shape)
    report = hwscale.cost_module(net, shape)
    tensors = row(report, "tensors")
    assert (tensors.ram_bytes, tensors.flash_bytes) == (record.ram_bytes, record.flash_bytes)
    assert (report.totals["ram_bytes"], report.totals["flash_bytes"]) == (record.ram_bytes, record.flash_bytes)
    assert (report.totals["macs"], report.totals["params"]) == (record.macs, record.params)
    strict = measure(net, shape, strict=True)
    assert row(report, "tensors-strict").ram_bytes == strict.ram_bytes
    assert report.unknown_ops == record.uncounted == ()


@pytest.mark.parametrize(
    ("family", "values", "shape"),
    [
        ("phinet", {"alpha": 0.25, "num_layers": 6, "t_zero": 4}, (3, 64, 64)),
        ("xinet", {"alpha": 0.3}, (3, 64, 64)),
        ("mobilenet_v1", {"alpha": 0.25}, (1, 33, 33)),
        ("mobilenet_v2", {"alpha": 0.35}, (3, 65, 48)),
        ("mcunet", {"preset": "mcunet-vww0"}, (3, 64, 64)),
        ("atomnet", {"se_stages": "none"}, (3, 64, 64)),
    ],
)
def test_a_familys_network_costs_what_its_formula_says_in_every_runtime(
    family: str, values: dict[str, Any], shape: tuple[int, int, int]
) -> None:
    chosen = configure(family, values, input_shape=shape)
    report = hwscale.cost_module(hwscale.build(family, values, input_shape=shape), shape)
    for name, runtime in RUNTIMES.items():
        graph, _ = chosen.model(name, False).graph(chosen.knobs, *shape[1:])
        found = row(report, name)
        if runtime.refuse(graph):
            assert found.at_least
            assert found.reason
            continue
        lowered = runtime.lower(graph, runtime.facts(graph))
        assert found.ram_bytes == sum(size for _, size in runtime.plan(lowered, False))
        assert found.flash_bytes == runtime.flash_bytes(lowered)


# ---- what steps become -----------------------------------------------------------------------------------------------


def test_a_batch_norm_folds_only_into_the_convolution_that_it_alone_follows() -> None:
    assert [op.kind for op in ops(normed(C, 4))] == ["conv2d"]
    norm = nn.BatchNorm2d(4)
    twice = Calls(lambda n, x: n.norm(n.conv(x)) + n.conv(x), conv=nn.Conv2d(C, 4, 1), norm=norm)
    assert [op.kind for op in ops(twice)] == ["pointwise", "pointwise", "add"]

    def fork(n: Any, x: torch.Tensor) -> Any:
        y = n.conv(x)
        return n.norm(y) + y

    forked = Calls(fork, conv=nn.Conv2d(C, 4, 1), norm=norm)
    assert [op.kind for op in ops(forked)] == ["pointwise", "batch_norm", "add"]


def test_weights_of_a_layer_that_runs_twice_count_once() -> None:
    net = Calls(lambda n, x: n.conv(n.conv(x)), conv=nn.Conv2d(C, C, 3, padding=1))
    first, again = ops(net)
    assert (first.weights, again.weights) == (9 * C * C, 0)
    assert first.macs == again.macs == 9 * C * IMAGE


def test_modules_and_functions_are_the_same_ops() -> None:
    modules = nn.Sequential(nn.Conv2d(C, 4, 3), nn.ReLU6(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    spelled = Calls(
        lambda n, x: functional.max_pool2d(functional.relu6(n.conv(x)), 2).mean((2, 3)), conv=nn.Conv2d(C, 4, 3)
    )
    kinds = [(op.kind, op.activation) for op in ops(modules)]
    assert kinds == [("conv2d", "relu6"), ("max_pool", ""), ("average_pool", "")]
    assert [(op.kind, op.activation) for op in ops(spelled)] == kinds


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (nn.Conv2d(C, 4, (5, 3)), "conv2d 5x3"),
        (nn.Conv2d(C, 4, 3, (2, 1)), "conv2d by 2x1"),
        (nn.Conv2d(C, 4, 3, dilation=2), "conv2d dilated 2x2"),
        (nn.Conv2d(C, 4, 3, padding=(1, 0)), "conv2d padded 1x0 zeros"),
        (nn.Conv2d(C, 2 * C, 3, groups=C), "depthwise with a multiplier"),
    ],
)
def test_a_window_that_the_formulas_cannot_say_is_named(layer: nn.Conv2d, kind: str) -> None:
    (op,) = ops(layer)
    assert op.kind == kind
    report = hwscale.cost_module(layer, SHAPE)
    assert not row(report, "tensors").at_least
    assert kind in row(report, "tinyengine").reason


def test_padding_same_is_that_of_tensorflow() -> None:
    (op,) = ops(nn.Conv2d(C, 4, 3, padding="same"))
    assert (op.same, op.stride) == (True, 1)


# ---- what nobody knows -----------------------------------------------------------------------------------------------


def test_unknown_modules_and_functions_are_named_and_every_row_is_at_least() -> None:
    net = Calls(
        lambda n, x: n.up(torch.cumsum(n.conv(x), 3)), conv=nn.Conv2d(C, 5, 1), up=nn.ConvTranspose2d(5, 5, 2, 2)
    )
    report = hwscale.cost_module(net, SHAPE, platform="stm32f746")
    assert report.unknown_ops == ("cumsum", "up: ConvTranspose2d")
    assert report.at_least
    assert report.totals["macs"] == 5 * IMAGE
    for found in report.runtimes:
        assert found.at_least
        assert "cumsum" in found.reason
        assert set(found.fits.values()) <= {None, False}
    assert row(report, "tensors").ram_bytes == 5 * H * W + 5 * (2 * H) * (2 * W)


def test_the_report_names_what_is_alive_at_the_peak() -> None:
    report = hwscale.cost_module(nn.Sequential(nn.Conv2d(C, 7, 1), nn.ReLU(), nn.Conv2d(7, 2, 1)), SHAPE)
    assert report.peak_op == "0"
    assert [(tensor.op, tensor.shape) for tensor in report.peak_tensors] == [("0", (7, H, W)), ("input", SHAPE)]
    assert sum(tensor.size_bytes for tensor in report.peak_tensors) == report.totals["ram_bytes"] == (C + 7) * H * W


def test_an_exact_rule_is_an_estimate_for_a_network_of_nobodys_family() -> None:
    report = hwscale.cost_module(nn.Conv2d(C, 4, 3), SHAPE)
    for found in report.runtimes:
        exact = {name for name, text in found.evidence.items() if text.startswith("exact")}
        assert exact == ({"ram", "flash"} if found.name.startswith("tensors") else set()), found.name


# ---- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 8), (3, 0, 8), (3, 8, -1), (3, 8, 8, 8), (3.0, 8, 8), (True, 8, 8)])
def test_an_input_shape_is_three_positive_integers(shape: Any) -> None:
    with pytest.raises(ConfigError, match=r"give \(channels, height, width\) as positive integers"):
        hwscale.cost_module(nn.Conv2d(3, 4, 1), shape)


def test_an_input_that_no_device_holds_is_refused_before_it_is_allocated() -> None:
    with pytest.raises(ConfigError, match="at most 16777216 are priced"):
        hwscale.cost_module(nn.Conv2d(3, 4, 1), (3, 100_000, 100_000))


def test_what_is_no_module_does_not_run_or_does_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"int is no torch\.nn\.Module"):
        hwscale.cost_module(3, SHAPE)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="does not run on an input of 3 x 10 x 8"):
        hwscale.cost_module(nn.Conv2d(C + 1, 4, 1), SHAPE)
    with pytest.raises(ConfigError, match="nothing to price"):
        hwscale.cost_module(nn.Identity(), SHAPE)
    with pytest.raises(UnsupportedOpError, match="cannot be traced"):
        hwscale.cost_module(Calls(lambda n, x: x if x.sum() > 0 else -x), SHAPE)


def test_ops_are_bounded_in_number() -> None:
    net = Calls(lambda n, x: sum((n.conv(x) for _ in range(MOST_OPS)), x), conv=nn.Conv2d(C, C, 1))
    with pytest.raises(ConfigError, match=f"at most {MOST_OPS} are priced"):
        hwscale.cost_module(net, (C, 2, 2))
