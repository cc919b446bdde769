"""The graph that a runtime sees of a schedule: patches in place of the stage's maps, and what is kept from patch to patch.

RAM while the stage runs = the whole output of the stage, which the patches fill, + the live tensors of one patch + what a
streaming schedule keeps; afterwards the live tensors of the ops that are left, beside buffers that stay reserved. The rules of the
runtime find both in one graph (mit-han-lab/tinyengine@47bb283:
code_generator/PatchBasedUtil.py, InputResizer.py, CodeGenerator.py). The image lies outside, read patch by patch; its patch counts.
"""

from __future__ import annotations

from dataclasses import replace

from hwscale.formulas.graph import HOLD, Graph, Op, Tensor
from hwscale.schedules.geometry import make_stage
from hwscale.schedules.line_buffers import line_buffers
from hwscale.schedules.macs import positions, staged_macs
from hwscale.schedules.schedule import Schedule

OUTPUT = "stage output"


def scheduled(graph: Graph, schedule: Schedule, *, least: bool = False) -> Graph:
    """The graph of a schedule that `hwscale.schedules.refuse` lets pass; ``least`` with the least line buffers that there can be.

    Maps of ``graph`` in Python ints, channels in any reading. MACs are those executed, over all patches; sizes are those of one
    patch. The image, tensor 0, is one patch too. Ops of kind HOLD keep alive what lives longer than its readers.
    """
    if schedule.plain:
        return graph
    stage = make_stage(graph, schedule)
    made = Graph(list(graph.tensors), idle_params=graph.idle_params)
    for index, (rows, columns) in stage.extents.items():
        made.tensors[index] = _sized(graph.tensors[index], rows.patch, columns.patch)
    output = graph.tensors[stage.output]
    whole = made.tensor(output.channels, output.height, output.width).index
    _hold(made, OUTPUT, whole)
    kept = [
        (b.name, made.tensor(b.channels, 1, b.pixels).index) for b in line_buffers(graph, schedule, stage, least=least)
    ]
    for name, tensor in kept:
        _hold(made, name, tensor)
    for step in stage.steps:
        pixels = positions(schedule.discipline, *stage.extents[step.op.output])
        made.ops.append(replace(step.op, macs=staged_macs(step.op, pixels)))
    for step in stage.rest:
        inputs = tuple(whole if tensor == stage.output else tensor for tensor in step.op.inputs)
        made.ops.append(replace(step.op, inputs=inputs))
    for name, tensor in kept if stage.rest else [*kept, (OUTPUT, whole)]:
        _hold(made, name, tensor)
    return made


def _sized(x: Tensor, height: int, width: int) -> Tensor:
    area = height * width
    return Tensor(x.index, x.channels, height, width, area, x.channels * area)


def _hold(graph: Graph, name: str, tensor: int) -> None:
    """Append a reader that keeps a tensor alive up to here, and names it."""
    graph.ops.append(Op(name, HOLD, (tensor,), graph.tensor(0, 1, 1).index))
