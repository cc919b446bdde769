"""Halos of many patches at once: a run of ops of the stage, in arrays over patches that need different parts of its output.

Seen from an op, all that lies behind it in the stage is one number: the receptive field h of a pixel of the split map. A patch of
g rows of the split map has (g - 1) S + h rows of a map at stride product S in front of it, whatever g; a window of k that moves by
s makes h_in = (h - 1) s + k. What of the first and the last patch lies on the map follows from h, from the map's side and from
the zeros in front, so that the extents of `hwscale.schedules.geometry` are closed forms of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwscale.schedules.geometry import Extent
from hwscale.schedules.windows import Step, Window

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Span:
    """Rows of a map that patches need, in arrays of any one shape: ``side`` of one patch, those outside the map counted, ``first``
    of the first patch on the map, and where the last patch begins on it, ``last``."""

    side: Ints
    first: Ints
    last: Ints

    def joined(self, other: Span) -> Span:
        """The span of two readers of one map."""
        return Span(
            np.maximum(self.side, other.side), np.maximum(self.first, other.first), np.minimum(self.last, other.last)
        )

    def through(self, window: Window, before: Ints, whole: Ints) -> Span:
        """What this span at an op's output is at its input, a map of ``whole`` rows with ``before`` zeros in front."""
        first = (self.first - 1) * window.stride - before + window.kernel
        return Span(
            (self.side - 1) * window.stride + window.kernel,
            np.minimum(first, whole),
            np.maximum(self.last * window.stride - before, 0),
        )

    def extent(self, whole: Ints, n_patch: Ints) -> Extent:
        """The extent of a map of ``whole`` rows that ``n_patch`` patches, at least 2, need so."""
        passed: Any = self.first + (whole - self.last) + (n_patch - 2) * self.side
        repeated: Any = n_patch * self.side
        side: Any = self.side
        full: Any = whole
        return Extent(full, side, repeated, passed)


@dataclass(frozen=True, slots=True)
class Split:
    """Along one axis: the ``side`` of the split map and its ``n_patch`` patches, in arrays over rows that fit those of a `Span`."""

    side: Ints
    n_patch: Ints

    def span(self, halo: Ints, stride: int, lead: Ints, whole: Ints) -> Span:
        """The span of a map of ``whole`` rows at stride product ``stride``; ``lead`` as in `lead_through`."""
        grain = self.side // self.n_patch
        side = (grain - 1) * stride + halo
        outside = (halo - 1 - lead) // 2
        last = (self.side - grain) * stride - outside
        return Span(side, np.minimum(side - outside, whole), np.maximum(last, 0))


def composed(inside: Sequence[Step], axis: int) -> Window:
    """The ops of a run as one window over the map that enters it, the widest path."""
    spans = {inside[-1].op.output: (1, 0)}
    stride = 1
    for step in reversed(inside):
        window = step.along(axis)
        side, first = spans[step.op.output]
        found = (window.side(side), first * window.stride - window.before)
        for tensor in step.op.inputs:
            known = spans.get(tensor, found)
            spans[tensor] = (max(found[0], known[0]), min(found[1], known[1]))
        stride *= window.stride
    side, first = spans[inside[0].op.inputs[0]]
    return Window(side, stride, -first)


def lead_through(lead: int, window: Window) -> int:
    """By how much fewer zeros are in front than behind, summed up to the input of a window; 0 at the split. Where zeros are the same on
    all sides it stays 0, and h - 1 rows outside the map are half in front and half behind."""
    return lead * window.stride + window.kernel - 1 - 2 * window.before


def spans_of(
    inside: Sequence[Step], axis: int, out: Span, before: Mapping[str, Ints], whole: Mapping[int, Ints]
) -> dict[int, Span]:
    """The span of every map of a run, by tensor, for that of its output; ``before`` by op, ``whole`` by tensor."""
    found = {inside[-1].op.output: out}
    for step in reversed(inside):
        for tensor in step.op.inputs:
            span = found[step.op.output].through(step.along(axis), before[step.op.name], whole[tensor])
            found[tensor] = found[tensor].joined(span) if tensor in found else span
    return found
