"""MobileNetV1, MobileNetV2, MCUNet and AtomNet against published counts, and against products of named sizes."""

from __future__ import annotations

from collections import Counter
from math import ceil
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

from hwscale.errors import ConfigError
from hwscale.ledger import NetworkRecord
from hwscale.measure.trace import measure
from hwscale.nets import build_network
from hwscale.nets.atomnet import AtomNet
from hwscale.nets.blocks import make_divisible
from hwscale.nets.mcunet import BASE_WIDTHS, HYPERPARAMETERS, MCUNet
from hwscale.nets.mobilenet_v1 import MobileNetV1
from hwscale.nets.mobilenet_v2 import MobileNetV2

torch.set_num_threads(1)

FAMILIES = ("atomnet", "mcunet", "mobilenet_v1", "mobilenet_v2")


def measured(family: str, resolution: int, classes: int, **configuration: Any) -> NetworkRecord:
    shape = (3, resolution, resolution)
    with torch.device("meta"):
        network = build_network(family, configuration, shape, classes)
    record = measure(network, shape)
    assert record.uncounted == ()
    return record


def millions(count: int, digits: int) -> float:
    return round(count / 1e6, digits)


@pytest.mark.parametrize(
    ("family", "macs", "params"),
    [
        # arXiv 1704.04861, table 4: 569 M and 4.2 M; keras.applications.MobileNet, trainable
        ("mobilenet_v1", 568.74, 4_231_976),
        # arXiv 1801.04381, table 4: 300 M and 3.4 M; torchvision.models.mobilenet_v2
        ("mobilenet_v2", 300.77, 3_504_872),
    ],
)
def test_full_width_mobilenets_have_the_published_macs_and_params(family: str, macs: float, params: int) -> None:
    record = measured(family, 224, 1000)
    assert (millions(record.macs, 2), record.params) == (macs, params)


# MCUNetV2 (NeurIPS 2021), supplementary, table S1: MACs and weights in millions.
@pytest.mark.parametrize(
    ("family", "alpha", "resolution", "macs", "weights"),
    [
        ("mobilenet_v1", 0.5, 192, 110, 1.3),
        ("mobilenet_v2", 0.75, 160, 107, 2.6),
        ("mobilenet_v2", 0.35, 224, 59, 1.7),
        ("mobilenet_v2", 0.35, 160, 30, 1.7),
    ],
)
def test_scaled_mobilenets_have_the_counts_of_mcunetv2_table_s1(
    family: str, alpha: float, resolution: int, macs: int, weights: float
) -> None:
    record = measured(family, resolution, 1000, alpha=alpha)
    truncated = (alpha, resolution) == (0.35, 160)  # 30.9, printed as 30
    assert (record.macs // 1_000_000 if truncated else millions(record.macs, 0)) == macs
    assert millions(record.params, 1) == weights


# tensorflow/models@0ba83cf:research/slim/nets/mobilenet/README.md: MACs in whole millions, truncated.
@pytest.mark.parametrize(
    ("alpha", "resolution", "macs"),
    [
        (1.4, 224, 582),
        (1.3, 224, 509),
        (1.0, 96, 56),
        (0.75, 128, 69),
        (0.5, 192, 71),
        (0.5, 96, 18),
        (0.35, 128, 20),
        (0.35, 96, 11),
    ],
)
def test_mobilenet_v2_has_the_macs_of_the_slim_checkpoints(alpha: float, resolution: int, macs: int) -> None:
    assert measured("mobilenet_v2", resolution, 1000, alpha=alpha).macs // 1_000_000 == macs


def test_widths_round_the_real_product_to_the_divisor() -> None:
    assert [make_divisible(v, 8) for v in (0.1, 8.8, 8.9, 11.2, 12, 19.9, 20)] == [8, 8, 16, 16, 16, 24, 24]


def output_channels(network: nn.Module) -> list[int]:
    """Of every convolution but the depthwise ones."""
    return [m.out_channels for m in network.modules() if isinstance(m, nn.Conv2d) and m.groups == 1]


@pytest.mark.parametrize(("divisor", "stem", "first"), [(8, 16, 24), (4, 12, 24), (1, 11, 22)])
def test_mobilenet_v1_truncates_widths_only_for_divisor_1(divisor: int, stem: int, first: int) -> None:
    assert output_channels(MobileNetV1((3, 32, 32), alpha=0.35, divisor=divisor))[:2] == [stem, first]


def test_mobilenet_v2_expands_the_rounded_width() -> None:
    stem, narrow, c = 16, 8, 8  # 11.2, 5.6 and 8.4 channels rounded
    assert output_channels(MobileNetV2((3, 32, 32), alpha=0.35))[:6] == [stem, narrow, 6 * narrow, c, 6 * c, c]


@pytest.mark.parametrize(
    ("alpha", "scale_head", "last"),
    [(0.5, False, 1280), (0.5, True, 640), (1.0, False, 1280), (1.4, False, 1792), (1.4, True, 1792)],
)
def test_mobilenet_v2_narrows_its_last_convolution_only_on_demand(alpha: float, scale_head: bool, last: int) -> None:
    assert output_channels(MobileNetV2((3, 32, 32), alpha=alpha, scale_head=scale_head))[-1] == last


def test_mobilenet_v2_adds_where_neither_map_nor_width_changes() -> None:
    adds = [op.name for op in measured("mobilenet_v2", 64, 10).ops if op.kind == "add"]
    assert adds == [f"blocks.{i}.add" for i in (2, 4, 5, 7, 8, 9, 11, 12, 14, 15)]
    # at 0.25 the stem and the first block have 8 channels each
    narrow = [op.name for op in measured("mobilenet_v2", 64, 10, alpha=0.25).ops if op.kind == "add"]
    assert narrow == ["blocks.0.add", *adds]


IMAGENET_WIDTHS = (16, 8, 16, 24, 40, 48, 96, 160)


class ZooNetwork(NamedTuple):
    """A published network: ``stages`` holds the kernel and the expansion of every block, two digits a block.

    ``macs`` and ``params`` in millions, as counted from its layers and, rounded, as printed in the zoo's README.
    """

    resolution: int
    classes: int
    mix_channels: int
    base_widths: tuple[int, ...]
    stages: str
    macs: tuple[float, float]
    params: tuple[float, float]


# mit-han-lab/mcunet@9c164f8: model zoo and README, facts restated.
ZOO = {
    "mbv2-w0.35": ZooNetwork(
        *(144, 1000, 448, (16, 8, 8, 16, 24, 32, 56, 112)),
        "36 36 / 36 36 36 / 36 36 36 36 / 36 36 36 / 36 36 36 / 36",
        macs=(23.499, 23.5),
        params=(0.7503, 0.75),
    ),
    "proxyless-w0.3": ZooNetwork(
        *(176, 1000, 384, (16, 8, 16, 16, 24, 32, 64, 96)),
        "53 33 / 73 33 53 53 / 76 53 53 53 / 56 53 53 53 / 76 76 73 73 / 76",
        macs=(38.282, 38.3),
        params=(0.7543, 0.75),
    ),
    "mcunet-in0": ZooNetwork(
        *(48, 1000, 0, (24, 16, 16, 24, 48, 56, 112, 192)),
        "54 33 34 / 75 54 55 / 75 54 / 35 54 35 / 36 54 / 36",
        macs=(6.364, 6.4),
        params=(0.7498, 0.75),
    ),
    "mcunet-in1": ZooNetwork(
        *(96, 1000, 0, IMAGENET_WIDTHS),
        "34 33 / 73 35 / 35 74 / 54 33 34 / 75 54 54 / 36",
        macs=(12.790, 12.8),
        params=(0.6362, 0.64),
    ),
    "mcunet-in2": ZooNetwork(
        *(160, 1000, 0, IMAGENET_WIDTHS),
        "53 76 35 55 / 35 76 56 / 74 55 / 35 55 34 / 56 54 53 34 / 55",
        macs=(67.287, 67.3),
        params=(0.7294, 0.73),
    ),
    "mcunet-in3": ZooNetwork(
        *(176, 1000, 0, IMAGENET_WIDTHS),
        "73 35 75 54 / 55 55 55 / 35 76 54 / 55 75 35 / 36 75 34 / 75",
        macs=(81.786, 81.8),
        params=(0.7374, 0.74),
    ),
    "mcunet-in4": ZooNetwork(
        *(160, 1000, 0, BASE_WIDTHS),
        "73 35 54 / 75 34 74 / 73 33 73 / 34 53 53 / 74 73 53 / 54",
        macs=(125.874, 125.9),
        params=(1.7326, 1.73),
    ),
    "mcunet-vww0": ZooNetwork(
        *(64, 2, 0, IMAGENET_WIDTHS),
        "56 34 / 35 34 34 / 35 34 73 / 33 34 / 75 55 / 74",
        macs=(5.958, 6.0),
        params=(0.3690, 0.37),
    ),
    "mcunet-vww1": ZooNetwork(
        *(80, 2, 0, IMAGENET_WIDTHS),
        "36 33 33 / 73 36 55 / 76 76 / 36 34 / 55 35 34 / 73",
        macs=(11.579, 11.6),
        params=(0.4327, 0.43),
    ),
    "mcunet-vww2": ZooNetwork(
        *(144, 2, 0, IMAGENET_WIDTHS),
        "33 35 56 33 / 75 54 34 76 / 36 76 54 35 / 55 53 34 53 / 34 55 54 34 / 35",
        macs=(55.771, 55.8),
        params=(0.6393, 0.64),
    ),
}


def zoo_hyperparameters(stages: str) -> dict[str, int]:
    values: dict[str, int] = {}
    for s, stage in enumerate(stages.split(" / "), start=2):
        blocks = stage.split()
        if s < 7:
            values[f"depth{s}"] = len(blocks)
        for b, (kernel, expand) in enumerate(blocks, start=1):
            values |= {f"kernel{s}_{b}": int(kernel), f"expand{s}_{b}": int(expand)}
    return values


def measured_zoo(name: str) -> NetworkRecord:
    net = ZOO[name]
    return measured(
        "mcunet",
        net.resolution,
        net.classes,
        base_widths=net.base_widths,
        mix_channels=net.mix_channels,
        **zoo_hyperparameters(net.stages),
    )


@pytest.mark.parametrize("name", ZOO)
def test_mcunet_spells_every_network_of_the_published_zoo(name: str) -> None:
    record = measured_zoo(name)
    assert (millions(record.macs, 3), millions(record.macs, 1)) == ZOO[name].macs
    assert (millions(record.params, 4), millions(record.params, 2)) == ZOO[name].params


def test_mobilenet_v2_of_the_zoo_is_the_one_with_a_scaled_head() -> None:
    zoo, own = measured_zoo("mbv2-w0.35"), measured("mobilenet_v2", 144, 1000, alpha=0.35, scale_head=True)
    assert [(op.kind, op.macs, op.weights, op.live_bytes) for op in zoo.ops] == [
        (op.kind, op.macs, op.weights, op.live_bytes) for op in own.ops
    ]
    assert (zoo.params, zoo.flash_bytes) == (own.params, own.flash_bytes)


def test_mcunet_peaks_where_its_second_block_expands_the_largest_map() -> None:
    resolution, c, expand = 160, 16, 4
    assert measured("mcunet", resolution, 10).ram_bytes == (resolution // 2) ** 2 * (c + expand * c)


def test_mcunet_ignores_the_blocks_beyond_the_depth() -> None:
    short = {"depth2": 2, "kernel2_2": 5}
    assert measured("mcunet", 48, 10, **short) == measured(
        "mcunet", 48, 10, **short, kernel2_3=7, expand2_3=6, width2_4=0.5
    )


def test_mcunet_defaults_are_those_it_declares() -> None:
    assert len(HYPERPARAMETERS) == 2 + 5 + 3 * (5 * 4 + 1)
    assert measured("mcunet", 48, 10, **HYPERPARAMETERS) == measured("mcunet", 48, 10)


def test_mcunet_scales_every_block_on_its_own() -> None:
    network = MCUNet((3, 48, 48), width0=0.5, width1=0.75, depth2=2, width2_1=2, width2_2=0.7, expand2_2=6)
    stem, first, wide, narrow = 16, 16, 48, 16  # 24 * 0.7 = 16.8
    assert output_channels(network)[:6] == [stem, first, 4 * first, wide, 6 * wide, narrow]


def test_mcunet_adds_where_neither_map_nor_width_changes() -> None:
    def adds(**configuration: Any) -> set[str]:
        return {op.name for op in measured("mcunet", 48, 10, **configuration).ops if op.kind == "add"}

    inner = {f"stages.{s}.{i}.add" for s in range(2, 7) for i in (1, 2)}
    assert adds() == inner
    assert adds(width1=2) == inner | {"first.add"}
    assert adds(base_widths=(32, 16, 24, 40, 80, 80, 192, 192)) == inner | {"stages.5.0.add", "stages.7.0.add"}
    assert adds(width3_2=0.5) == inner - {"stages.3.1.add", "stages.3.2.add"}


def test_mcunet_block_without_expansion_has_no_first_pointwise_convolution() -> None:
    names = [op.name for op in measured("mcunet", 48, 10, expand2_2=1).ops if op.name.startswith("stages.2.1")]
    assert names == ["stages.2.1.dw.conv", "stages.2.1.project.conv", "stages.2.1.add"]


def test_atomnet_ops_have_the_weights_macs_and_flash_of_the_papers_table_1() -> None:
    # Table 1 adds one operation per output channel for the bias (1,179,680 and 4,194,336), which we do not count.
    network = AtomNet((3, 128, 128), width0=32, width1=32)
    h = w = 64
    depthwise, pointwise = (op for op in measure(network, (3, 128, 128)).ops if op.name.startswith("stages.1."))
    assert (depthwise.weights, depthwise.macs) == (288, 1_179_680 - 32) == (3 * 3 * 32, 3 * 3 * 32 * h * w)
    assert (pointwise.weights, pointwise.macs) == (1024, 4_194_336 - 32) == (32 * 32, 32 * 32 * h * w)
    stage = network.get_submodule("stages.1")
    assert measure(stage, (32, h, w)).flash_bytes == 416 + 1152


def stage_ops(stage: int, **configuration: Any) -> list[tuple[str, str, int]]:
    """Name, kind and weights of the ops in the first block of a stage."""
    prefix = f"stages.{stage}.0."
    ops = measured("atomnet", 64, 10, **configuration).ops
    return [(op.name.removeprefix(prefix), op.kind, op.weights) for op in ops if op.name.startswith(prefix)]


def squeeze_excite(channels: int, reduction: int) -> list[tuple[str, str, int]]:
    squeezed = channels // reduction
    return [
        ("se.pool", "average_pool", 0),
        ("se.reduce", "pointwise", channels * squeezed),
        ("se.restore", "pointwise", squeezed * channels),
        ("se.mul", "mul", 0),
    ]


def test_atomnet_separable_block_without_expansion_is_two_convolutions() -> None:
    c_in, c = 32, 64
    assert stage_ops(2) == [("dw.conv", "depthwise", 9 * c_in), ("project.conv", "pointwise", c_in * c)]


@pytest.mark.parametrize("block", ["sep", "mbconv"])
def test_atomnet_expands_and_gates_before_the_projection(block: str) -> None:
    c_in, c, hidden = 32, 64, 3 * 32
    assert stage_ops(2, block2=block, expand2=3, se_stages=(2,)) == [
        ("expand.conv", "pointwise", c_in * hidden),
        ("dw.conv", "depthwise", 9 * hidden),
        *squeeze_excite(hidden, 4),
        ("project.conv", "pointwise", hidden * c),
    ]


def test_atomnet_mbconv_without_expansion_keeps_the_input_width_whatever_the_base() -> None:
    expected = [("dw.conv", "depthwise", 9 * 32), ("project.conv", "pointwise", 32 * 64)]
    assert stage_ops(2, block2="mbconv", expansion_base="out") == expected
    assert stage_ops(2, block2="sep", expansion_base="out") == expected


@pytest.mark.parametrize(("base", "hidden"), [("in", 6 * 96), ("out", 6 * 112)])
@pytest.mark.parametrize("placement", ["depthwise", "expanded"])
def test_atomnet_convnext_filters_first_and_gates_where_told(base: str, hidden: int, placement: str) -> None:
    c_in, c = 96, 112
    gate = squeeze_excite(c_in if placement == "depthwise" else hidden, 8)
    assert stage_ops(4, se_placement=placement, expansion_base=base, se_reduction=8) == [
        ("dw.conv", "depthwise", 9 * c_in),
        *(gate if placement == "depthwise" else []),
        ("expand.conv", "pointwise", c_in * hidden),
        *(gate if placement == "expanded" else []),
        ("project.conv", "pointwise", hidden * c),
    ]


def test_atomnet_convnext_keeps_both_pointwise_convolutions_at_expansion_1() -> None:
    ops = [
        ("dw.conv", "depthwise", 9 * 64),
        ("expand.conv", "pointwise", 64 * 64),
        ("project.conv", "pointwise", 64 * 96),
    ]
    assert stage_ops(3, expand3=1) == ops


def test_atomnet_gate_keeps_one_channel_and_has_biases() -> None:
    block = AtomNet((3, 64, 64), width3=2, se_stages=(4,)).get_submodule("stages.4.0.se")
    c, squeezed = 2, 1
    assert [tuple(p.shape) for p in block.parameters()] == [(squeezed, c, 1, 1), (squeezed,), (c, squeezed, 1, 1), (c,)]


def test_atomnet_activates_separable_projections_and_no_other() -> None:
    network = AtomNet((3, 64, 64), activation="hard_swish", block3="mbconv")
    activated = Counter(
        name.partition(".act")[0].split(".")[1] + "." + name.split(".")[3]
        for name, module in network.named_modules()
        if isinstance(module, nn.Hardswish) and name.startswith("stages.")
    )
    sep = {f"{s}.{layer}": depth for s, depth in ((1, 1), (2, 2)) for layer in ("dw", "project")}
    assert activated == {**sep, "3.expand": 2, "3.dw": 2, "4.expand": 4, "5.expand": 2}


@pytest.mark.parametrize(
    ("residual", "adding"), [("convnext", {3: 1, 4: 3, 5: 1}), ("all", {1: 1, 2: 1, 3: 1, 4: 3, 5: 1}), ("none", {})]
)
def test_atomnet_adds_the_input_in_the_blocks_that_residual_names(residual: str, adding: dict[int, int]) -> None:
    for block3 in ("convnext", "mbconv"):
        ops = measured("atomnet", 64, 10, residual=residual, block3=block3).ops
        assert Counter(int(op.name.split(".")[1]) for op in ops if op.kind == "add") == adding


def test_default_atomnet_counts_are_the_sum_of_its_layers() -> None:
    side, classes = 128, 10
    conv_weights = macs = norm = biases = 0

    def conv(weights: int, channels: int, h: int, folded: bool = True) -> None:
        nonlocal conv_weights, macs, norm, biases
        conv_weights += weights
        macs += weights * h**2
        norm += 2 * channels if folded else 0
        biases += channels

    def gate(c: int) -> None:
        conv(c * (c // 4), c // 4, 1, folded=False)
        conv((c // 4) * c, c, 1, folded=False)

    conv(9 * 3 * 32, 32, side // 2)
    c_in = 32
    stages = ((32, 1, 1, 0, 64), (64, 2, 1, 0, 32), (96, 2, 3, 0, 16), (112, 4, 6, 1, 8), (128, 2, 6, 1, 4))
    for c, depth, expand, gated, h in stages:
        for _ in range(depth):
            conv(9 * c_in, c_in, h)
            if expand == 1:
                conv(c_in * c, c, h)
            else:
                if gated:
                    gate(c_in)
                conv(c_in * expand * c_in, expand * c_in, h)
                conv(expand * c_in * c, c, h)
            c_in = c
    gate_biases = 96 // 4 + 96 + 4 * (112 // 4 + 112) + 128 // 4 + 128
    conv(128 * classes, classes, 1, folded=False)

    record = measured("atomnet", side, classes)
    assert record.macs == macs
    assert record.params == conv_weights + norm + gate_biases + classes
    assert record.flash_bytes == conv_weights + 4 * biases
    assert record.ram_bytes == 2 * 32 * (side // 2) ** 2  # in and out of stage 1


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (33, 33), (47, 64), (96, 49), (127, 3)])
def test_maps_of_any_size_are_halved_five_times_rounding_up(family: str, height: int, width: int) -> None:
    shape = (2, height, width)
    network = build_network(family, {"include_top": False}, shape, 10).eval()
    with torch.no_grad():
        features = network(torch.zeros(1, *shape))
    assert features.shape[2:] == (ceil(height / 32), ceil(width / 32))
    assert measure(network, shape).uncounted == ()


@pytest.mark.parametrize("kernel", [1, 5, 9])
def test_kernel_size_does_not_change_the_maps(kernel: int) -> None:
    networks: list[nn.Module] = [
        AtomNet((3, 35, 50), kernel=kernel, include_top=False),
        MCUNet((3, 35, 50), kernel2_1=kernel, kernel6_1=kernel, kernel7_1=kernel, include_top=False),
    ]
    for network in networks:
        with torch.no_grad():
            assert network.eval()(torch.zeros(1, 3, 35, 50)).shape[2:] == (2, 2)


@pytest.mark.parametrize("family", FAMILIES)
def test_one_backward_pass_reaches_every_parameter(family: str) -> None:
    torch.manual_seed(0)
    network = build_network(family, {}, (3, 64, 64), 4).train()
    nn.functional.cross_entropy(network(torch.randn(4, 3, 64, 64)), torch.tensor([0, 1, 2, 3])).backward()
    assert not [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]


@pytest.mark.parametrize(
    ("network", "arguments", "sentence"),
    [
        (MobileNetV1, {"alpha": 0}, "alpha must be above 0, got 0"),
        (MobileNetV1, {"alpha": float("inf")}, "alpha must be a finite number, got inf"),
        (MobileNetV1, {"alpha": 0.03, "divisor": 1}, "alpha=0.03 leaves none of 32 channels: raise alpha"),
        (MobileNetV1, {"divisor": 0}, "divisor must be an integer of at least 1, got 0"),
        (MobileNetV2, {"alpha": -1}, "alpha must be above 0, got -1"),
        (MobileNetV2, {"alpha": 0.06, "divisor": 1}, "alpha=0.06 leaves none of 16 channels: raise alpha"),
        (MobileNetV2, {"input_shape": (32, 32)}, r"input_shape must be \(channels, height, width\)"),
        (MCUNet, {"base_widths": (32, 16)}, r"base_widths must be 8 numbers .*, got \(32, 16\)"),
        (MCUNet, {"base_widths": (0, *BASE_WIDTHS[1:])}, r"base_widths\[0\] must be an integer of at least 1, got 0"),
        (MCUNet, {"mix_channels": -1}, "mix_channels must be an integer of at least 0, got -1"),
        (MCUNet, {"kernel2_5": 3}, "mcunet has no hyperparameter or option 'kernel2_5': allowed are base_widths, .*"),
        (MCUNet, {"depth7": 1}, "mcunet has no hyperparameter or option 'depth7'"),
        (MCUNet, {"kernel2_4": 4}, "kernel2_4 must be odd, got 4"),
        (MCUNet, {"expand7_1": 0}, "expand7_1 must be an integer of at least 1, got 0"),
        (MCUNet, {"expand7_1": 1.5}, "expand7_1 must be an integer of at least 1, got 1.5"),
        (MCUNet, {"width0": 0.0}, "width0 must be above 0, got 0.0"),
        (MCUNet, {"depth3": 5}, "depth3 must be an integer from 1 to 4, got 5"),
        (MCUNet, {"depth3": True}, "depth3 must be an integer of at least 1, got True"),
        (AtomNet, {"width3": 0}, "width3 must be an integer of at least 1, got 0"),
        (AtomNet, {"block2": "resnet"}, "block2 must be one of sep, convnext, mbconv, got 'resnet'"),
        (AtomNet, {"depth5": 0}, "depth5 must be an integer of at least 1, got 0"),
        (AtomNet, {"expand1": 2.0}, "expand1 must be an integer of at least 1, got 2.0"),
        (AtomNet, {"kernel": 4}, "kernel must be odd, got 4"),
        (AtomNet, {"se_stages": (0, 4)}, r"se_stages must be a list of stages from 1 to 5, got \(0, 4\)"),
        (AtomNet, {"se_stages": "45"}, "se_stages must be a list of stages from 1 to 5, got '45'"),
        (AtomNet, {"se_reduction": 0}, "se_reduction must be an integer of at least 1, got 0"),
        (AtomNet, {"se_placement": "in"}, "se_placement must be one of depthwise, expanded, got 'in'"),
        (AtomNet, {"residual": True}, "residual must be one of convnext, all, none, got True"),
        (AtomNet, {"expansion_base": "c"}, "expansion_base must be one of in, out, got 'c'"),
        (AtomNet, {"activation": "silu"}, "activation must be one of relu, relu6, hard_swish, got 'silu'"),
        (AtomNet, {"num_classes": 0}, "num_classes must be an integer of at least 1, got 0"),
    ],
)
def test_bad_argument_is_refused_in_one_sentence(
    network: type[nn.Module], arguments: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=rf"^{sentence}") as refusal:
        network(**{"input_shape": (3, 32, 32), **arguments})
    message = str(refusal.value)
    assert message.endswith(".")
    assert ". " not in message
    assert "\n" not in message


def test_build_network_leaves_the_names_of_mcunet_to_mcunet() -> None:
    network = build_network("mcunet", {"resolution": 48, "depth2": 1, "kernel2_1": 5}, (3, 48, 48), 10)
    assert network.get_submodule("stages.2.0.dw.conv").weight.shape[2:] == (5, 5)
    with pytest.raises(ConfigError, match="mcunet has no hyperparameter or option 'kernel8_1'"):
        build_network("mcunet", {"kernel8_1": 3}, (3, 48, 48), 10)
    with pytest.raises(ConfigError, match="mcunet has no hyperparameter or option 'num_classes'"):
        build_network("mcunet", {"num_classes": 3}, (3, 48, 48), 10)
