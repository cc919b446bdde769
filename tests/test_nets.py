"""The torch networks against the published counts of the reference code, and the quirks that decide their cost."""

from __future__ import annotations

import csv
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hwscale.errors import ConfigError
from hwscale.measure.trace import measure
from hwscale.nets import BUILDERS, build_network
from hwscale.nets.phinet import PhiNet, make_divisible
from hwscale.nets.xinet import XiConv, XiNet

torch.set_num_threads(1)

# 114 runs of micromind-toolkit/micromind@b4b45c0 (networks/phinet.py, networks/xinet.py, unmodified) under torch hooks.
with (Path(__file__).parent / "data" / "golden.csv").open(newline="") as file:
    GOLDEN = list(csv.DictReader(file))

# The op that first reaches the peak, in the names of the reference's traced graph and in ours.
PEAK_OP = {
    "_layers_0": "stem.pad",
    "_layers_1__layers_0": "stem.dw",
    "_layers_2__layers_1": "blocks.0.dw",
    "_layers_3__layers_0": "blocks.1.expand",
    "_layers_3__layers_4": "blocks.1.dw",
    "_layers_8__layers_7_se_conv": "blocks.6.se.reduce",
    "_layers_8__layers_7_se_conv2": "blocks.6.se.restore",
    "conv1_0": "stem.conv",
    "_layers_1_att_conv": "layers.1.attention.conv",
    "_layers_1_compression_conv": "layers.1.compression",
    "_layers_1_skip_conv": "layers.1.skip_conv",
    "_layers_2_skip_conv": "layers.2.skip_conv",
}

BN = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def build_golden(row: dict[str, str]) -> tuple[nn.Module, tuple[int, int, int]]:
    configuration = json.loads(row["hparams"])
    classes = configuration.pop("num_classes")
    if row["net"] == "PhiNet":
        configuration["activation"] = "hswish" if configuration.pop("h_swish") else "relu6"
    channels, height, width = (int(size) for size in row["input_shape"].split("x"))
    shape = (channels, height, width)
    return build_network(row["net"].lower(), configuration, shape, classes), shape


def run(network: nn.Module, shape: tuple[int, ...], batch: int = 1) -> torch.Tensor:
    with torch.no_grad():
        output: torch.Tensor = network.eval()(torch.zeros(batch, *shape))
    return output


def test_golden_data_holds_every_reference_run() -> None:
    assert len(GOLDEN) == 96 + 18
    assert sum(bool(row["error"]) for row in GOLDEN) == 18


@pytest.mark.parametrize(
    "row", [row for row in GOLDEN if not row["error"]], ids=lambda row: f"{row['net']}-{row['id']}"
)
def test_network_measures_as_the_reference_code(row: dict[str, str]) -> None:
    network, shape = build_golden(row)
    folded, strict = measure(network, shape), measure(network, shape, strict=True)
    measured = {
        "params": folded.params,
        "buffers": sum(buffer.numel() for buffer in network.buffers()),
        "macs": folded.macs,
        "dw_macs": sum(op.macs for op in folded.ops if op.kind == "depthwise"),
        "peak_opt": folded.ram_bytes,
        "peak_strict": strict.ram_bytes,
    }
    assert measured == {name: int(row[name]) for name in measured}
    assert "x".join(str(size) for size in run(network, shape).shape[1:]) == row["out_shape"]
    assert folded.uncounted == strict.uncounted == ()
    for record, binding in ((folded, row["peak_opt_op"]), (strict, row["peak_strict_op"])):
        largest = max(record.ops, key=lambda op: op.live_bytes)
        assert (largest.name, largest.live_bytes) == (PEAK_OP[binding], record.ram_bytes)


@pytest.mark.parametrize("row", [row for row in GOLDEN if row["error"]], ids=lambda row: f"{row['net']}-{row['id']}")
def test_configuration_that_the_reference_code_cannot_run_is_refused(row: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r": (use|raise|set) .*\.$"):
        build_golden(row)


def phinet_keys() -> list[str]:
    keys = ["stem.dw.weight", "stem.pw.weight", *(f"stem.bn.{key}" for key in BN)]
    for i in range(8):
        if i > 0:
            keys += [f"blocks.{i}.expand.weight", *(f"blocks.{i}.expand_bn.{key}" for key in BN)]
        keys += [f"blocks.{i}.dw.weight", *(f"blocks.{i}.dw_bn.{key}" for key in BN)]
        if i > 0:
            keys += [f"blocks.{i}.se.reduce.weight", f"blocks.{i}.se.restore.weight"]
        keys += [f"blocks.{i}.project.weight", *(f"blocks.{i}.project_bn.{key}" for key in BN)]
    return [*keys, "head.fc.weight", "head.fc.bias"]


def xinet_keys() -> list[str]:
    keys = ["stem.conv.weight", *(f"stem.bn.{key}" for key in BN)]
    for i in range(8):
        if i > 0:
            keys.append(f"layers.{i}.skip_conv.weight")
        keys += [f"layers.{i}.compression.weight", f"layers.{i}.main.weight"]
        keys += [f"layers.{i}.bn.{key}" for key in BN]
        if i < 6:
            keys += [f"layers.{i}.attention.pw.weight", f"layers.{i}.attention.conv.weight"]
    return [*keys, "head.fc.weight", "head.fc.bias"]


@pytest.mark.parametrize(("network", "keys"), [(PhiNet, phinet_keys()), (XiNet, xinet_keys())])
def test_state_dict_names_of_the_default_network_are_stable(network: type[nn.Module], keys: list[str]) -> None:
    assert list(network(input_shape=(3, 32, 32)).state_dict()) == keys


@pytest.mark.parametrize(
    ("network", "unexecuted"),
    [
        (PhiNet((3, 64, 64)), set()),
        (PhiNet((3, 64, 64), alpha=0.25, conv2d_input=True, pool=True, compatibility=True), set()),
        (XiNet((3, 32, 32), alpha=0.5), set()),
        (XiNet((3, 32, 32), num_layers=2), {"layers.0.skip_conv.weight"}),
    ],
    ids=["phinet", "phinet-pool", "xinet", "xinet-L2"],
)
def test_one_training_step_moves_every_executed_parameter_and_the_loss(
    network: nn.Module, unexecuted: set[str]
) -> None:
    torch.manual_seed(0)
    size = 64 if isinstance(network, PhiNet) else 32
    images, labels = torch.randn(4, 3, size, size), torch.tensor([0, 1, 2, 3])
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)

    def loss() -> torch.Tensor:
        torch.manual_seed(1)  # the same channels dropped before and after the step
        return nn.functional.cross_entropy(network.train()(images), labels)

    before = loss()
    before.backward()
    silent = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    assert silent == unexecuted
    optimizer.step()
    assert loss().item() != before.item()


@pytest.mark.parametrize("family", sorted(BUILDERS))
def test_default_network_is_a_classifier_of_any_batch(family: str) -> None:
    network = build_network(family, {}, (3, 64, 96), 7)
    assert run(network, (3, 64, 96), batch=2).shape == (2, 7)


def test_phinet_truncates_before_it_rounds_to_the_divisor() -> None:
    assert [make_divisible(v, 8) for v in (0, 4, 11, 12, 17, 18, 19, 20)] == [8, 8, 16, 16, 16, 24, 24, 24]
    assert make_divisible(-3, 1) == 1


def test_phinet_expansion_keeps_the_float_order_of_the_reference() -> None:
    alpha, t_zero, beta, N, c_in = 9 / 24, 2, 0.5, 3, 9
    assert round(c_in * (t_zero * beta / N + t_zero * (N - 1) / N)) == 15
    block: Any = PhiNet((3, 32, 32), num_layers=N, alpha=alpha, beta=beta, t_zero=t_zero).blocks[1]
    assert (block.expand.in_channels, block.expand.out_channels) == (c_in, 15 - 1)


def test_phinet_float_depth_rounds_half_to_even() -> None:
    names = [name for name, _ in PhiNet((3, 32, 32), num_layers=6.5).blocks.named_children()]
    assert names == [str(i) for i in range(6 + 1)]


def test_phinet_conv2d_input_runs_where_its_width_lies_on_the_divisor() -> None:
    shape = (3, 34, 34)
    assert run(PhiNet(shape, alpha=8.4 / 24, divisor=8, conv2d_input=True), shape).shape == (1, 10)


def test_phinet_normalises_after_the_activation_of_conv2d_input() -> None:
    stem = PhiNet((3, 34, 34), alpha=0.5, conv2d_input=True).stem
    assert [name for name, _ in stem.named_children()] == ["conv", "act", "bn"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"num_layers": 0}, "num_layers must round to at least 1"),
        ({"num_layers": 0.5}, "num_layers must round to at least 1"),
        ({"conv2d_input": True, "alpha": 0.5, "divisor": 8}, "conv2d_input makes .* 12 channels but block 1 takes 16"),
        ({"conv2d_input": True, "alpha": 0.02}, "= 0 channels but block 1 takes 1"),
        (
            {"input_shape": (3, 2, 2), "conv2d_input": True, "alpha": 0.5},
            "unpadded 3x3 kernel does not fit the 2x2 input",
        ),
        ({"input_shape": (3, 1, 2)}, "padded to 2x3"),
        ({"input_shape": (3, 8, 8), "pool": True}, "max-pools a 1x1 map before block 5"),
        ({"input_shape": (3, 2, 2), "pool": True}, "max-pools a 1x1 map after block 1"),
        ({"conv5_percent": 1.0}, "block 7 strides a 5x5 kernel over a 1x1 map"),
        ({"divisor": 0}, "divisor must be an integer of at least 1, got 0"),
        ({"alpha": float("nan")}, "alpha must be a finite number, got nan"),
        ({"alpha": "0.5"}, "alpha must be a finite number, got '0.5'"),
        ({"downsampling_layers": "5,7"}, "downsampling_layers must be a list of block numbers"),
        ({"input_shape": (32, 32)}, r"input_shape must be \(channels, height, width\)"),
        ({"input_shape": (3, 32, 0)}, "width must be an integer of at least 1, got 0"),
    ],
)
def test_phinet_refuses_what_cannot_run(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        PhiNet(**{"input_shape": (3, 32, 32), **arguments})


def stage_widths(network: XiNet) -> list[int]:
    return [layer.main.out_channels for layer in network.layers if isinstance(layer, XiConv)]


def test_xinet_beta_scales_stages_linearly_with_depth() -> None:
    alpha, beta, L = 0.75, 0.5, 5
    stage = [int(16 * 2**i * alpha * (1 + (beta - 1) * i / (L - 1))) for i in range(L)]
    assert stage == [12, 21, 36, 60, 96]  # 12 * 2**i * (8 - i) / 8
    network = XiNet((3, 64, 64), alpha=alpha, beta=beta, num_layers=L)
    assert stage_widths(network) == [width for width in stage[1:] for _ in range(2)]
    layers: Any = network.layers
    assert {layer.skip_conv.in_channels for layer in layers[1:]} == {stage[1]}
    assert network.stem[0].weight.shape[0] == stage[0]
    assert run(network, (3, 64, 64)).shape == (1, 10)


def test_xinet_tail_ignores_gamma_and_has_no_attention() -> None:
    layers: Any = XiNet((3, 64, 64), gamma=8).layers
    ratios = [layer.main.out_channels // layer.compression.out_channels for layer in layers]
    assert ratios == [8] * 6 + [4] * 2
    assert [layer.attention is not None for layer in layers] == [True] * 6 + [False] * 2


def test_xinet_only_the_integer_part_of_gamma_matters() -> None:
    assert measure(XiNet((3, 32, 32), gamma=3.9), (3, 32, 32)) == measure(XiNet((3, 32, 32), gamma=3), (3, 32, 32))


def test_xinet_of_two_layers_owns_a_skip_convolution_that_never_runs() -> None:
    network = XiNet((3, 32, 32), num_layers=2)
    record = measure(network, (3, 32, 32))
    skip_channels, narrow = 32, 32 // 4
    assert dict(network.named_parameters())["layers.0.skip_conv.weight"].numel() == skip_channels * narrow
    assert not any(op.name == "layers.0.skip_conv" for op in record.ops)
    assert record.params == measure(XiNet((3, 32, 32), num_layers=2, skip=False), (3, 32, 32)).params + 2 * (
        skip_channels * narrow
    )


@pytest.mark.parametrize(("side", "layers"), [(7, 3), (3, 2)])
def test_xinet_keeps_the_two_odd_sizes_that_broadcast(side: int, layers: int) -> None:
    assert run(XiNet((3, side, side), num_layers=layers), (3, side, side)).shape == (1, 10)


def test_xinet_without_skip_runs_where_skips_would_not_meet() -> None:
    with pytest.raises(ConfigError, match="adds a 5x5 skip to a 6x6 map"):
        XiNet((3, 23, 23), num_layers=4)
    assert run(XiNet((3, 23, 23), num_layers=4, gamma=1, skip=False), (3, 23, 23)).shape == (1, 10)


def test_xinet_without_skip_and_attention_has_neither() -> None:
    network = XiNet((3, 32, 32), skip=False, attention=False)
    assert not [name for name, _ in network.named_modules() if "skip" in name or "attention" in name]
    assert not {"add", "mul"} & {op.kind for op in measure(network, (3, 32, 32)).ops}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"num_layers": 1}, "has no layers with num_layers=1: set num_layers to at least 2"),
        ({"num_layers": 0}, "num_layers must be an integer of at least 1, got 0"),
        ({"gamma": 0.5}, "gamma is 0.5: set gamma to at least 1"),
        ({"gamma": 1, "num_layers": 4}, "layer 2 adds a skip of 64 channels to its 32 uncompressed ones"),
        ({"alpha": 0.05}, "a stage without channels"),
        ({"alpha": 0.1}, "layer 0 compresses 3 channels by 4 to none"),
        ({"alpha": 0.125}, r"layer 0 leaves no channel to its attention \(4 // 4 // 2\)"),
        ({"base_filters": 8}, "base_filters=8 gives widths that do not meet"),
        ({"input_shape": (3, 16, 15), "num_layers": 4}, "adds a 4x3 skip to a 4x4 map"),
        ({"input_shape": (3, 15, 16), "num_layers": 5}, "adds a 3x4 skip to a 4x4 map"),
        ({"input_shape": (3, 8, 64)}, "runs out of pixels on 8x64: raise the resolution to at least 16"),
        ({"num_layers": 2000}, "halves its map 1999 times and runs out of pixels"),
    ],
)
def test_xinet_refuses_what_cannot_run(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        XiNet(**{"input_shape": (3, 64, 64), **arguments})


def test_build_network_names_the_nearest_family_and_option() -> None:
    with pytest.raises(ConfigError, match="did you mean 'xinet'"):
        build_network("xine", {}, (3, 32, 32), 10)
    with pytest.raises(ConfigError, match="phinet has no hyperparameter or option 't_zer': did you mean 't_zero'"):
        build_network("phinet", {"t_zer": 6}, (3, 32, 32), 10)
    with pytest.raises(ConfigError, match="no hyperparameter or option 'num_classes'"):
        build_network("phinet", {"num_classes": 6}, (3, 32, 32), 10)


def test_build_network_takes_a_resolution_that_agrees_with_the_input_shape() -> None:
    assert run(build_network("xinet", {"resolution": 32, "alpha": 0.5}, (3, 32, 32), 10), (3, 32, 32)).shape == (1, 10)
    with pytest.raises(ConfigError, match="resolution=32 contradicts the input shape of 32x64"):
        build_network("xinet", {"resolution": 32}, (3, 32, 64), 10)


@pytest.mark.parametrize("network", [PhiNet, XiNet])
def test_networks_come_with_their_classifier_by_default(network: type[nn.Module]) -> None:
    assert inspect.signature(network).parameters["include_top"].default is True


def test_importing_the_registry_imports_no_torch() -> None:
    probe = "import sys, hwscale.nets; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], cwd=Path(__file__).parents[1], check=False).returncode == 0
