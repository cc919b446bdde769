"""Zeros around a map: what TensorFlow's SAME adds, and the op that adds them.

SAME (documentation of ``tf.nn``, "Notes on padding"): a stride of s turns n pixels into ceil(n / s); of the pixels which
that lacks an odd one comes last.
"""

from __future__ import annotations

from hwscale.formulas.graph import Graph, Op, Tensor

Pads = tuple[int, int, int, int]
"""Rows and columns of zeros: top, bottom, left, right."""


def same_pads(x: Tensor, kernel: int, stride: int) -> Pads:
    """What SAME adds to a map of Python ints in front of a window."""
    return split(_zeros(x.height, kernel, stride), _zeros(x.width, kernel, stride))


def split(height: int, width: int) -> Pads:
    """So many rows and columns on both sides, the odd one last."""
    return height // 2, height - height // 2, width // 2, width - width // 2


def pad(graph: Graph, name: str, x: Tensor, pads: Pads) -> Tensor:
    """Append the op that adds ``pads`` to ``x``; its output."""
    top, bottom, left, right = pads
    height = x.height + (top + bottom)
    square = x.width is x.height and top + bottom == left + right
    out = graph.tensor(x.channels, height, height if square else x.width + (left + right))
    graph.ops.append(Op(name, "pad", (x.index,), out.index, pads=pads))
    return out


def _zeros(side: int, kernel: int, stride: int) -> int:
    return max((-(-side // stride) - 1) * stride + kernel - side, 0)
