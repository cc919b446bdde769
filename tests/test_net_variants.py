"""Variants of the networks: strided convolutions that pad as TensorFlow's SAME, and other activations."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from hwscale.errors import ConfigError
from hwscale.measure.trace import measure
from hwscale.nets import BUILDERS, build_network
from hwscale.nets.padding import same_conv, same_padding, strided

Shape = tuple[int, int, int]

torch.set_num_threads(1)

SMALL: dict[str, dict[str, Any]] = {
    "atomnet": {**{f"width{s}": 8 for s in range(6)}, "block5": "mbconv", "kernel": 5},
    "mcunet": {"base_widths": [8] * 8, "kernel2_1": 7, "kernel3_1": 5, "depth4": 1},
    "mobilenet_v1": {"alpha": 0.1},
    "mobilenet_v2": {"alpha": 0.1, "scale_head": True},
    "phinet": {"alpha": 0.25, "conv5_percent": 0.5, "num_layers": 9},
    "xinet": {"alpha": 0.25},
}
ANY: tuple[Shape, ...] = ((3, 64, 64), (3, 65, 65), (3, 64, 97), (1, 65, 98))
SHAPES = dict.fromkeys(BUILDERS, ANY) | {"xinet": ((3, 64, 64), (3, 64, 96), (1, 63, 64), (3, 47, 63))}
STRIDED = {"atomnet": 5, "mcunet": 5, "mobilenet_v1": 5, "mobilenet_v2": 5, "phinet": 5, "xinet": 1}
"""Strided convolutions of the networks in SMALL."""


def build(family: str, shape: Shape, **options: Any) -> nn.Module:
    values = {"skip": shape[1:] == (64, 64)} if family == "xinet" else {}
    torch.manual_seed(0)
    return build_network(family, {**SMALL[family], **values, **options}, shape, 10).eval()


def image(shape: Shape) -> torch.Tensor:
    return torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))


class Meeting:
    """A convolution as it ran: the map in front of its padding, the padding, and the map behind it."""

    def __init__(self, conv: nn.Conv2d, pad: nn.ZeroPad2d | None, size: Any, after: Any) -> None:
        self.conv, self.pad, self.size, self.after = conv, pad, tuple(size), tuple(after)

    @property
    def padding(self) -> list[tuple[int, int]]:
        """(before, after) of both axes."""
        rows, columns = self.conv.padding
        left, right, top, bottom = (0, 0, 0, 0) if self.pad is None else self.pad.padding
        return [(top + rows, bottom + rows), (left + columns, right + columns)]


def convolutions(network: nn.Module, shape: Shape) -> list[Meeting]:
    """Every convolution in order of execution."""
    met: list[Meeting] = []
    padded: dict[int, tuple[nn.ZeroPad2d, Any]] = {}
    kept = []

    def on_pad(module: nn.ZeroPad2d, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        padded[id(output)] = (module, inputs[0].shape[2:])
        kept.append(output)

    def on_conv(module: nn.Conv2d, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        pad, size = padded.get(id(inputs[0]), (None, inputs[0].shape[2:]))
        met.append(Meeting(module, pad, size, output.shape[2:]))

    for module in network.modules():
        if isinstance(module, nn.ZeroPad2d):
            module.register_forward_hook(on_pad)
        elif isinstance(module, nn.Conv2d):
            module.register_forward_hook(on_conv)
    with torch.no_grad():
        network(image(shape))
    return met


CASES = [(family, shape) for family in BUILDERS for shape in SHAPES[family]]


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "padding"),
    [
        (96, 3, 2, (0, 1)),
        (65, 3, 2, (1, 1)),
        (96, 5, 2, (1, 2)),
        (33, 5, 2, (2, 2)),
        (96, 7, 2, (2, 3)),
        (65, 7, 2, (3, 3)),
        (1, 3, 2, (1, 1)),
        (2, 3, 2, (0, 1)),
        (2, 7, 2, (2, 3)),
        (96, 1, 2, (0, 0)),
        (65, 1, 2, (0, 0)),
        (96, 3, 3, (0, 0)),
        (97, 3, 3, (1, 1)),
        (98, 3, 3, (0, 1)),
        (96, 3, 4, (0, 0)),  # the stride leaves out the last column
        (65, 3, 1, (1, 1)),
    ],
)
def test_same_pads_what_tensorflow_documents(side: int, kernel: int, stride: int, padding: tuple[int, int]) -> None:
    assert same_padding(side, kernel, stride) == padding


def test_same_adds_the_fewest_pixels_that_give_every_stride_an_output_and_the_odd_one_behind() -> None:
    for side in range(1, 40):
        for kernel in range(1, 10):
            for stride in range(1, 5):
                before, after = same_padding(side, kernel, stride)
                wanted = -(-side // stride)
                fewest = next(t for t in range(20) if (side + t - kernel) // stride + 1 >= wanted)
                assert (before + after, after - before) == (fewest, fewest % 2)


@pytest.mark.parametrize(("size", "layers"), [((8, 9), ["pad", "dw"]), ((9, 9), ["dw"]), ((9, 7), ["dw"])])
def test_the_convolution_pads_alone_where_both_ends_of_each_axis_are_equal(
    size: tuple[int, int], layers: list[str]
) -> None:
    made = same_conv("dw", 4, 4, 5, 2, size, groups=4)
    assert list(made) == layers
    assert nn.Sequential(made)(torch.zeros(1, 4, *size)).shape[2:] == strided(size, 2)


@pytest.mark.parametrize(("family", "shape"), CASES)
def test_strided_convolutions_and_only_those_pad_as_same(family: str, shape: Shape) -> None:
    met = convolutions(build(family, shape, padding="same"), shape)
    strided_ones = [m for m in met if m.conv.stride != (1, 1)]
    assert len(strided_ones) == STRIDED[family]
    for m in strided_ones:
        assert m.padding == [same_padding(side, m.conv.kernel_size[0], 2) for side in m.size]
        assert (m.pad is None) == all(before == after for before, after in m.padding)
        assert m.after == strided(m.size, 2)
    for m in met:
        if m not in strided_ones:
            assert m.pad is None
            assert m.conv.padding == tuple(k // 2 for k in m.conv.kernel_size)


@pytest.mark.parametrize(("family", "shape"), CASES)
def test_padding_changes_no_weight_and_no_shape(family: str, shape: Shape) -> None:
    reference, same = build(family, shape), build(family, shape, padding="same")
    named = reference.state_dict()
    assert list(named) == list(same.state_dict())
    assert all(torch.equal(named[name], tensor) for name, tensor in same.state_dict().items())
    assert reference(image(shape)).shape == same(image(shape)).shape == (2, 10)


@pytest.mark.parametrize("family", BUILDERS)
def test_reference_padding_is_the_default(family: str) -> None:
    shape = (3, 64, 64)
    default, reference = build(family, shape), build(family, shape, padding="reference")
    assert [str(m) for m in default.modules()] == [str(m) for m in reference.modules()]
    assert torch.equal(default(image(shape)), reference(image(shape)))


@pytest.mark.parametrize("family", BUILDERS)
def test_on_odd_maps_both_paddings_are_one(family: str) -> None:
    options: dict[str, Any] = {"phinet": {"conv5_percent": 0.0}, "xinet": {"skip": False}}.get(family, {})
    shape = (3, 65, 65)  # 33, 17, 9, 5, 3
    same, reference = build(family, shape, padding="same", **options), build(family, shape, **options)
    assert torch.equal(same(image(shape)), reference(image(shape)))


@pytest.mark.parametrize("family", BUILDERS)
def test_on_even_maps_the_taps_are_one_pixel_apart(family: str) -> None:
    shape = (3, 64, 64)
    same, reference = (build(family, shape, padding=word, include_top=False) for word in ("same", "reference"))
    assert not torch.equal(same(image(shape)), reference(image(shape)))


def test_a_strided_5x5_of_phinet_halves_like_every_other() -> None:
    # padded by 1, the reference loses a pixel: (64 / 16 + 2 - 5) // 2 + 1 = 1 of 4 / 2
    shape, options = (3, 64, 64), {"conv5_percent": 1.0, "num_layers": 7, "include_top": False}
    sides = {
        padding: build("phinet", shape, padding=padding, **options)(image(shape)).shape[2:]
        for padding in ("reference", "same")
    }
    assert sides == {"reference": (1, 1), "same": (2, 2)}
    assert build("phinet", (3, 16, 16), padding="same", **options)(image((3, 16, 16))).shape[2:] == (1, 1)
    with pytest.raises(ConfigError, match="5x5"):
        build("phinet", (3, 16, 16), **options)


@pytest.mark.parametrize(("stride", "side"), [(1, 63), (2, 32), (3, 22), (4, 16)])
def test_the_stem_of_phinet_pads_as_same_if_it_strides(stride: int, side: int) -> None:
    shape = (3, 64, 64)
    options = {"first_conv_stride": stride, "conv5_percent": 0.0}
    stem, reference = (build("phinet", shape, padding=word, **options).stem for word in ("same", "reference"))
    assert stem(image(shape)).shape[2:] == (side, side)
    assert (str(stem) == str(reference)) == (stride in (1, 2))  # 64 px, 3x3: both (0, 1)


@pytest.mark.parametrize("option", ["conv2d_input", "pool"])
def test_phinet_keeps_what_does_not_stride(option: str) -> None:
    shape = (3, 64, 64)
    met = convolutions(build("phinet", shape, padding="same", **{option: True}), shape)
    assert all(m.pad is None for m in met if m.conv.stride == (1, 1))
    assert met[0].padding == ([(0, 0), (0, 0)] if option == "conv2d_input" else [(0, 1), (0, 1)])


WORDS = {
    ("phinet", "hswish"): nn.Hardswish,
    ("phinet", "relu6"): nn.ReLU6,
    ("xinet", "silu"): nn.SiLU,
    ("xinet", "relu6"): nn.ReLU6,
    ("xinet", "hswish"): nn.Hardswish,
}
ACTIVATED = {"phinet": 2 + 3 * 9, "xinet": 1 + 8}
"""PhiNet: stem, block 0, three in each of blocks 1 to 9 (expansion, filter, gate); XiNet: stem and eight layers."""


@pytest.mark.parametrize(("family", "word"), WORDS)
def test_one_activation_is_everywhere(family: str, word: str) -> None:
    shape = (3, 64, 64)
    network = build(family, shape, activation=word)
    kinds = [type(module) for module in network.modules() if type(module) in WORDS.values()]
    assert kinds == [WORDS[family, word]] * ACTIVATED[family]
    assert network(image(shape)).shape == (2, 10)
    default = build(family, shape)
    assert list(default.state_dict()) == list(network.state_dict())
    assert torch.equal(default(image(shape)), network(image(shape))) == (
        word in ("hswish", "silu")[family == "xinet" :]
    )


def test_compatibility_is_relu6_without_gates() -> None:
    shape = (3, 64, 64)
    old = build("phinet", shape, compatibility=True)
    new = build("phinet", shape, activation="relu6", squeeze_excite=False)
    assert torch.equal(old(image(shape)), new(image(shape)))


@pytest.mark.parametrize(
    ("family", "option", "word"),
    [(family, "padding", "SAME") for family in BUILDERS]
    + [("phinet", "activation", "silu"), ("xinet", "activation", "relu"), ("phinet", "padding", True)],
)
def test_a_wrong_word_is_a_sentence_with_the_right_ones(family: str, option: str, word: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^{option} must be one of (reference, same|.*relu6.*), got .*\.$"):
        build(family, (3, 64, 64), **{option: word})


def test_the_old_switch_of_phinet_is_gone() -> None:
    with pytest.raises(ConfigError, match="h_swish"):
        build("phinet", (3, 64, 64), h_swish=False)


@pytest.mark.parametrize(("family", "shape"), CASES)
def test_the_variants_are_measured_whole(family: str, shape: Shape) -> None:
    reference, same = measure(build(family, shape), shape), measure(build(family, shape, padding="same"), shape)
    assert same.uncounted == ()
    assert same.params == reference.params
    if family != "phinet":  # whose strided 5x5 loses pixels in the reference
        assert (same.macs, same.ram_bytes) == (reference.macs, reference.ram_bytes)
