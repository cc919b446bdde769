"""How strided convolutions are padded: as the reference network does, or as TensorFlow's SAME does.

A runtime of TensorFlow's world pads as it computes only where the padding is its own SAME; any other padding is a copy of
the whole map. SAME, from the documentation of ``tf.nn`` ("Notes on padding"), restated: a stride of s turns n pixels into
ceil(n / s), the pixels which that lacks are split between both sides, and an odd one goes behind.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from hwscale.nets.arguments import check_choice

Size = tuple[int, int]
"""Height and width of a map [px]."""

PADDINGS = ("reference", "same")


def is_same(padding: object) -> bool:
    """Whether the option ``padding`` asks for SAME; ConfigError if it is neither "reference" nor "same"."""
    check_choice(PADDINGS, padding=padding)
    return padding == "same"


def strided(size: Size, stride: int) -> Size:
    """What a padded convolution leaves of a map: ceil(n / stride) pixels along each axis."""
    height, width = size
    return -(-height // stride), -(-width // stride)


def same_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels that SAME adds before and after ``side`` pixels, all along one axis."""
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


def same_conv(
    name: str, c_in: int, c_out: int, kernel: int, stride: int, size: Size, *, groups: int = 1
) -> OrderedDict[str, nn.Module]:
    """A convolution without bias, called ``name``: (B, c_in, h, w) -> (B, c_out, ceil(h / stride), ...).

    ``size`` is the (h, w) that the padding is made for. The convolution pads alone where both ends of each axis get the
    same; else it does not pad, and a layer "pad" in front of it does.
    """
    (top, bottom), (left, right) = (same_padding(side, kernel, stride) for side in size)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    own = (top, left)
    if own != (bottom, right):
        own = (0, 0)
        layers["pad"] = nn.ZeroPad2d((left, right, top, bottom))
    layers[name] = nn.Conv2d(c_in, c_out, kernel, stride, own, groups=groups, bias=False)
    return layers
