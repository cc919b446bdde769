"""How much of each map of the patch stage one patch, and all patches together, compute, axis by axis.

From the stage's output backwards: a patch of g = side / n_patch rows needs (g - 1) s + k rows of the input, and so on up to
the image ("MCUNetV2: Memory-Efficient Patch-based Inference for Tiny Deep Learning"; mit-han-lab/tinyengine@47bb283:
code_generator/PatchBasedUtil.py). What two ops read, such as a residual, is as large as the larger of their needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hwscale.formulas.graph import Graph
from hwscale.schedules.schedule import Schedule
from hwscale.schedules.windows import Range, Step, Window, clipped, steps


@dataclass(frozen=True, slots=True)
class Need:
    """What patches need of one map along one axis: ``side`` rows each, those outside the map counted, and of the ``first`` and
    the ``last`` patch the rows on the map."""

    side: int
    first: Range
    last: Range

    def joined(self, other: Need) -> Need:
        """The need of two readers of one map."""
        return Need(max(self.side, other.side), _joined(self.first, other.first), _joined(self.last, other.last))

    def through(self, window: Window, whole: int) -> Need:
        """What this need at an op's output is at its input, a map of ``whole`` rows."""
        first, last = (clipped(window.reads(rows), whole) for rows in (self.first, self.last))
        return Need(window.side(self.side), first, last)


@dataclass(frozen=True, slots=True)
class Extent:
    """Rows (or columns) of one map of the stage.

    ``whole``: of the map; ``patch``: of one patch, those outside the map counted; ``repeated``: of all patches, one after the
    other; ``passed``: the same where the first and the last patch leave out what is outside the map (E of `patch+`).
    """

    whole: int
    patch: int
    repeated: int
    passed: int


@dataclass(frozen=True, slots=True)
class Stage:
    """The ops that run patch by patch, the others, and of every map that the first make or read, by tensor, the extents of rows and
    columns."""

    steps: tuple[Step, ...]
    rest: tuple[Step, ...]
    extents: Mapping[int, tuple[Extent, Extent]]
    output: int


def make_stage(graph: Graph, schedule: Schedule) -> Stage:
    """The stage of a schedule that `hwscale.schedules.refuse` lets pass; maps of ``graph`` in Python ints."""
    every, n = steps(graph), schedule.n_patch
    inside, rest = every[: schedule.split_idx], every[schedule.split_idx :]
    output = inside[-1].op.output
    axes = []
    for axis in (0, 1):
        whole = sides(graph, axis)
        needs = backwards(inside, output_need(whole[output], n), axis, whole)
        axes.append({tensor: extent(need, whole[tensor], n) for tensor, need in needs.items()})
    return Stage(inside, rest, {tensor: (axes[0][tensor], axes[1][tensor]) for tensor in axes[0]}, output)


def sides(graph: Graph, axis: int) -> list[int]:
    """Rows (``axis`` 0) or columns (1) of every tensor."""
    return [int(tensor.width if axis else tensor.height) for tensor in graph.tensors]


def output_need(whole: int, n_patch: int) -> Need:
    """The need of the stage's output: patches that lie side by side on a map of ``whole`` rows."""
    grain = whole // n_patch
    return Need(grain, (0, grain - 1), (whole - grain, whole - 1))


def backwards(inside: Sequence[Step], out: Need, axis: int, whole: Sequence[int]) -> dict[int, Need]:
    """The need of every map, by tensor, for that of the last op's output; ``whole`` as `sides`. Any run of ops will do that reads
    one map made before it."""
    found = {inside[-1].op.output: out}
    for step in reversed(inside):
        for tensor in step.op.inputs:
            need = found[step.op.output].through(step.along(axis), whole[tensor])
            found[tensor] = found[tensor].joined(need) if tensor in found else need
    return found


def extent(need: Need, whole: int, n_patch: int) -> Extent:
    """The extent of a map of ``whole`` rows that ``n_patch`` patches need so; of one patch what is on the map."""
    first, last = (rows[1] - rows[0] + 1 for rows in (need.first, need.last))
    passed = first if n_patch == 1 else first + last + (n_patch - 2) * need.side
    return Extent(whole, need.side, n_patch * need.side, passed)


def _joined(one: Range, other: Range) -> Range:
    return min(one[0], other[0]), max(one[1], other[1])
