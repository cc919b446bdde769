"""This machine as a platform: what torch executes of a network, op by op, and what the stopwatch says of it."""

from __future__ import annotations

import gc
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

sys.path.append(str(Path(__file__).parents[1]))  # benchmarks/ is not installed, and bare `pytest` does not add the root

from benchmarks import additivity as benchmark
from hwscale.builder import build
from hwscale.errors import ConfigError, UnsupportedOpError
from hwscale.ledger import OpShape
from hwscale.measure import host
from hwscale.measure.op_shapes import ACTIVATIONS, fold, op_alone, op_shapes
from hwscale.measure.trace import measure as traced

NETWORKS: dict[str, tuple[str, dict[str, Any], tuple[int, int, int]]] = {
    "phinet": ("phinet", {"alpha": 0.25}, (3, 96, 96)),
    "phinet, 5x5 filters, oblong": ("phinet", {"alpha": 0.25, "conv5_percent": 0.5}, (3, 64, 97)),
    "phinet, dense stem": ("phinet", {"alpha": 0.25, "conv2d_input": True}, (1, 32, 32)),
    "phinet, same": ("phinet", {"alpha": 0.25, "padding": "same"}, (3, 64, 64)),
    "xinet": ("xinet", {"alpha": 0.4}, (3, 96, 96)),
    "xinet, no attention": ("xinet", {"alpha": 0.4, "attention": False, "activation": "relu6"}, (3, 64, 64)),
    "mobilenet_v2": ("mobilenet_v2", {"alpha": 0.25}, (3, 65, 65)),
    "mcunet": ("mcunet", {"kernel2_1": 7, "kernel3_1": 5, "padding": "same"}, (3, 96, 96)),
    "atomnet": ("atomnet", {"activation": "hard_swish", "depth4": 2}, (3, 64, 64)),
}


@pytest.fixture(params=NETWORKS)
def case(request: pytest.FixtureRequest) -> tuple[nn.Module, tuple[int, int, int]]:
    family, values, shape = NETWORKS[request.param]
    return build(family, values, input_shape=shape), shape


class Gated(nn.Module):
    """Every way in which an op shape comes about, small enough to count by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
        self.filter = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(8, 8, 3, 2, groups=8), nn.BatchNorm2d(8))
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.Sigmoid())
        self.dropout = nn.Dropout(0.5)
        self.pool = nn.MaxPool2d(2)
        self.loose = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8 * 2 * 3, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.filter(self.stem(x))
        x = functional.hardswish(x) + x
        x = self.dropout(self.loose(self.pool(x * self.gate(x))))
        logits: torch.Tensor = self.fc(torch.flatten(x, 1))
        return logits


COUNTED = (
    OpShape("conv2d", 3, 16, 24, 8, 8, 12, 3, 2),
    OpShape("relu6", 8, 8, 12, 8, 8, 12),
    OpShape("pad", 8, 8, 12, 8, 9, 13),
    OpShape("depthwise", 8, 9, 13, 8, 4, 6, 3, 2),
    OpShape("hard_swish", 8, 4, 6, 8, 4, 6),
    OpShape("add", 8, 4, 6, 8, 4, 6),
    OpShape("average_pool", 8, 4, 6, 8, 1, 1),
    OpShape("pointwise", 8, 1, 1, 8, 1, 1),
    OpShape("sigmoid", 8, 1, 1, 8, 1, 1),
    OpShape("mul", 8, 1, 1, 8, 4, 6),
    OpShape("max_pool", 8, 4, 6, 8, 2, 3, 2, 2),
    OpShape("batch_norm", 8, 2, 3, 8, 2, 3),
    OpShape("fully_connected", 48, 1, 1, 5, 1, 1),
)


def test_op_shapes_are_those_counted_by_hand() -> None:
    assert op_shapes(Gated(), (3, 16, 24)) == COUNTED  # a view is none, but the classifier reads its vector


def macs(shape: OpShape) -> int:
    """Multiply-accumulates: every output element sums the window of what its channel reads."""
    outputs = shape.out_channels * shape.out_height * shape.out_width
    if shape.kind in ("conv2d", "pointwise", "fully_connected"):
        return outputs * shape.in_channels * shape.kernel**2
    return outputs * shape.kernel**2 if shape.kind == "depthwise" else 0


def test_op_shapes_imply_the_macs_of_the_record(case: tuple[nn.Module, tuple[int, int, int]]) -> None:
    record = traced(*case)
    shapes = op_shapes(*case)
    counted = [(shape.kind, macs(shape)) for shape in shapes if macs(shape)]
    assert counted == [(op.kind, op.macs) for op in record.ops if op.macs]
    assert sum(map(macs, shapes)) == record.macs
    assert {shape.kind for shape in shapes} & set(ACTIVATIONS)


def test_every_batch_norm_folds_but_those_behind_an_activation() -> None:
    left = {
        name: [s.kind for s in op_shapes(build(family, values, input_shape=shape), shape)].count("batch_norm")
        for name, (family, values, shape) in NETWORKS.items()
    }
    assert {name: count for name, count in left.items() if count} == {"phinet, dense stem": 1}


def test_every_op_runs_alone_and_returns_its_shape(case: tuple[nn.Module, tuple[int, int, int]]) -> None:
    with torch.inference_mode():
        for shape in {*op_shapes(*case), *COUNTED, *host.COMPANY}:
            alone = op_alone(shape)
            alone.write_maps()
            expected = (1, shape.out_channels, shape.out_height, shape.out_width)
            assert tuple(alone.call().shape) == (expected[:2] if shape.kind == "fully_connected" else expected), shape


def test_folding_changes_no_output_and_leaves_the_network_alone(case: tuple[nn.Module, tuple[int, int, int]]) -> None:
    network, shape = case
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # those of a fresh network change nothing
            nn.init.uniform_(module.running_mean, -1, 1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    image = torch.randn(1, *shape)
    folded = fold(network, shape)
    assert network.training
    assert not folded.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    with torch.inference_mode():
        torch.testing.assert_close(folded(image), network.eval()(image), rtol=1e-3, atol=1e-4)


def test_a_convolution_that_is_read_twice_keeps_its_batch_norm() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.bn = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.conv(x)
            return x + self.bn(x)

    assert [shape.kind for shape in op_shapes(Twice(), (3, 4, 4))] == ["pointwise", "batch_norm", "add"]


@pytest.mark.parametrize(
    "module", [nn.Conv2d(4, 8, 3, groups=2), nn.Conv2d(4, 8, (1, 3)), nn.Conv2d(4, 4, 3, dilation=2), nn.Upsample(scale_factor=2)]
)  # fmt: skip
def test_an_op_that_a_shape_cannot_describe_is_refused(module: nn.Module) -> None:
    with pytest.raises(UnsupportedOpError, match="cannot be timed on its own"):
        op_shapes(module, (4, 8, 8))


def test_shapes_that_torch_cannot_execute_are_refused() -> None:
    with pytest.raises(UnsupportedOpError, match="kind 'attention'"):
        op_alone(OpShape("attention", 8, 1, 1, 8, 1, 1))
    with pytest.raises(UnsupportedOpError, match="No padding turns 8 px into 20 px"):
        op_alone(OpShape("conv2d", 8, 8, 8, 8, 20, 20, 3))
    with pytest.raises(ConfigError, match="does not run"):
        op_shapes(Gated(), (4, 16, 24))


def machine() -> list[Any]:
    """What `one_core` changes."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    state = torch.random.get_rng_state().tolist()
    return [torch.get_num_threads(), cores, gc.isenabled(), torch.is_inference_mode_enabled(), state]


def test_threads_cores_and_seeds_are_as_before_even_after_an_exception(request: pytest.FixtureRequest) -> None:
    request.addfinalizer(partial(torch.set_num_threads, torch.get_num_threads()))
    torch.set_num_threads(2)
    before = machine()
    assert before[0] == 2

    def fails() -> None:
        assert torch.get_num_threads() == 1
        assert torch.is_inference_mode_enabled()
        assert not gc.isenabled()
        if before[1] is not None:
            assert len(os.sched_getaffinity(0)) == 1
        torch.randn(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        host.measure(fails)
    assert machine() == before
    host.time_op(COUNTED[0])
    assert machine() == before


def test_a_sample_lasts_as_long_as_asked_for() -> None:
    watch = host.Stopwatch(lambda: sum(range(100)))
    watch.fill(2e-3)
    assert watch.loops > 10
    assert watch.samples_s == []
    timed = host.measure(lambda: sum(range(100)), samples=5, sample_s=1e-3)
    assert timed.repeats == 5
    assert 1e-7 < timed.median_s < 1e-3
    assert timed.spread >= 0


def test_a_larger_op_takes_longer() -> None:
    small, large = (OpShape("pointwise", c, 32, 32, c, 32, 32) for c in (32, 128))
    assert macs(large) == 16 * macs(small)
    assert host.time_op(large).median_s > 2 * host.time_op(small).median_s
    timed = host.time_ops([small, large, small])
    assert list(timed) == [small, large]
    assert timed[large].median_s > 2 * timed[small].median_s


def test_known_operators_are_not_timed_again() -> None:
    network, shape = Gated(), (3, 16, 24)
    known: dict[OpShape, host.Timed] = {}
    found = host.additivity(network, shape, known, rounds=3)
    assert set(known) == set(COUNTED)
    assert found.ops == len(COUNTED)
    assert found.sum_s == pytest.approx(sum(timed.median_s for timed in known.values()))
    assert found.whole_s > 0
    second_each = dict.fromkeys(COUNTED, host.Timed(1.0, 0.0, 1))
    assert host.additivity(network, shape, second_each, rounds=3).sum_s == len(COUNTED)
    assert host.Additivity(1.1, 1.0, 0.0, 1).difference == pytest.approx(0.1)


def result(difference: float, noise: float) -> benchmark.Result:
    return benchmark.Result((benchmark.Row("net", (host.Additivity(1 + difference, 1.0, noise, 3),)),))


def test_a_noisy_machine_is_not_judged() -> None:
    assert result(0.09, 0.01).verdict.startswith("met")
    assert result(-0.11, 0.01).verdict.startswith("missed")
    for difference in (0.01, 0.5):
        assert result(difference, 0.06).met is None
        assert result(difference, 0.06).verdict.startswith("machine too noisy: ")


@pytest.mark.skipif("HWSCALE_TIMINGS" not in os.environ, reason="a minute of timing this machine: set HWSCALE_TIMINGS")
def test_a_network_takes_as_long_as_its_operators_within_a_tenth() -> None:
    assert len(benchmark.NETWORKS) >= 20
    assert len({family for family, _ in benchmark.NETWORKS}) >= 3
    found = benchmark.run()
    if found.met is None:
        pytest.skip(found.verdict)
    assert found.error <= 0.10, f"{found.verdict}\n{benchmark.rows_table(found)}"
