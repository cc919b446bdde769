"""What one op reads of its input for a part of its output, along one axis: the step of every halo recursion.

A window of k moves by s over a map with b zeros in front. Outputs lo to hi read lo s - b to hi s - b + k - 1, and o
neighbouring outputs read (o - 1) s + k (mit-han-lab/tinyengine@47bb283:code_generator/PatchBasedUtil.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hwscale.formulas.graph import Graph, Op

Range = tuple[int, int]
"""First and last row (or column) of a map, both inclusive."""

POINTS = frozenset({"add", "mul", "batch_norm", "pointwise"})


@dataclass(frozen=True, slots=True)
class Window:
    """``kernel`` [px] moved by ``stride`` [px]; ``before`` zeros in front of the map."""

    kernel: int = 1
    stride: int = 1
    before: int = 0

    def side(self, out: int) -> int:
        """Input rows under ``out`` neighbouring output rows, those outside the map counted."""
        return (out - 1) * self.stride + self.kernel

    def reads(self, out: Range) -> Range:
        """Input rows under a range of output rows; they may lie outside the map."""
        first = out[0] * self.stride - self.before
        return first, first + self.side(out[1] - out[0] + 1) - 1


def clipped(rows: Range, side: int) -> Range:
    """What of a range lies on a map of ``side`` rows."""
    return max(rows[0], 0), min(rows[1], side - 1)


@dataclass(frozen=True, slots=True)
class Step:
    """An executed op with its windows over rows and columns; None of an op that no patch can be cut through."""

    op: Op
    windows: tuple[Window, Window] | None

    def along(self, axis: int) -> Window:
        """The window over rows (0) or columns (1)."""
        assert self.windows is not None
        return self.windows[axis]


def steps(graph: Graph) -> tuple[Step, ...]:
    """The ops that count for `split_idx`: paddings belong to the op behind them, pools that change nothing are left out.

    The maps of ``graph`` are Python ints, its channels anything.
    """
    source: dict[int, int] = {}
    zeros: dict[int, tuple[int, int]] = {}
    found = []
    for op in graph.ops:
        if op.kind == "pad" or op.identity:
            source[op.output] = source.get(op.inputs[0], op.inputs[0])
            zeros[op.output] = _before(graph, op) if op.kind == "pad" else (0, 0)
        else:
            inputs = tuple(source.get(tensor, tensor) for tensor in op.inputs)
            found.append(Step(replace(op, inputs=inputs), _windows(graph, op, zeros.get(op.inputs[0], (0, 0)))))
    return tuple(found)


def _before(graph: Graph, op: Op) -> tuple[int, int]:
    """Rows and columns that a padding puts in front; of an odd number of them one more is behind."""
    x, y = graph.tensors[op.inputs[0]], graph.tensors[op.output]
    return (y.height - x.height) // 2, (y.width - x.width) // 2


def _windows(graph: Graph, op: Op, zeros: tuple[int, int]) -> tuple[Window, Window] | None:
    x, y = graph.tensors[op.inputs[0]], graph.tensors[op.output]
    if op.kind in POINTS and op.stride == 1 and op.kernel == 1 and not any(zeros):
        same = all((graph.tensors[t].height, graph.tensors[t].width) == (y.height, y.width) for t in op.inputs)
        return (Window(), Window()) if same else None
    if op.kind not in ("conv2d", "depthwise", "max_pool", "pointwise"):
        return None
    rows = _in_front(op, x.height) + zeros[0]
    columns = _in_front(op, x.width) + zeros[1]
    return Window(op.kernel, op.stride, rows), Window(op.kernel, op.stride, columns)


def _in_front(op: Op, side: int) -> int:
    """Zeros in front of a map: as many as behind, or with SAME half of what ceil(side / stride) outputs lack, rounded down."""
    if not op.same:
        return op.padding
    return max((-(-side // op.stride) - 1) * op.stride + op.kernel - side, 0) // 2
