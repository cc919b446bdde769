"""MACs that a schedule executes, op by op: polynomials in the channels, whose numbers the geometry gives.

An op has ``op.weights`` MACs per pixel that it computes. hwscale counts no arithmetic of an ADD; TinyEngine counts one MAC per
element of its output (mit-han-lab/tinyengine@47bb283:code_generator/operators/add.py), and so do the tables of StreamNet:
`additions`. ("StreamNet: Memory-Efficient Streaming Tiny Deep Learning Inference on the Microcontroller", supplement, Tables 1, 2.)
"""

from __future__ import annotations

from dataclasses import dataclass

from hwscale.formulas.graph import Graph, Integer, Op, total
from hwscale.schedules.geometry import Extent, Stage, make_stage
from hwscale.schedules.schedule import Discipline, Schedule
from hwscale.schedules.windows import steps

WINDOWED = frozenset({"conv2d", "pointwise", "depthwise"})


@dataclass(frozen=True, slots=True)
class ExecutedOp:
    """``macs`` in hwscale's convention and ``additions`` of an ADD, both executed; ``staged``: it runs patch by patch.

    ``elements`` of the maps that it reads and writes over all patches, and its ``calls``, are what its latency hangs on too.
    """

    name: str
    macs: Integer
    additions: Integer
    staged: bool
    kind: str
    elements: Integer
    calls: Integer = 1


def positions(discipline: Discipline, rows: Extent, columns: Extent) -> Integer:
    """Output pixels that an op of the stage computes in all, over a map of these extents."""
    return getattr(rows, discipline.rows) * getattr(columns, discipline.columns)


def staged_macs(op: Op, pixels: Integer) -> Integer:
    """MACs of an op that computes ``pixels`` output pixels."""
    return op.weights * pixels if op.kind in WINDOWED else 0


def executed(graph: Graph, schedule: Schedule) -> tuple[ExecutedOp, ...]:
    """Every op with what it executes. Channels of ``graph`` in any reading, its maps in Python ints."""
    if schedule.plain:
        return tuple(_whole(graph, step.op, staged=at < schedule.split_idx) for at, step in enumerate(steps(graph)))
    stage = make_stage(graph, schedule)
    staged = staged_ops(graph, stage, schedule.discipline, schedule.n_patch**2)
    return (*staged, *(_whole(graph, step.op, staged=False) for step in stage.rest))


def staged_ops(graph: Graph, stage: Stage, discipline: Discipline, patches: Integer) -> list[ExecutedOp]:
    """The ops of a stage with what they execute over all ``patches``."""
    found = []
    for step in stage.steps:
        op, pixels = step.op, positions(discipline, *stage.extents[step.op.output])
        additions = graph.tensors[op.output].channels * pixels if op.kind == "add" else 0
        touched = total(
            [
                graph.tensors[tensor].channels * positions(discipline, *stage.extents[tensor])
                for tensor in (*op.inputs, op.output)
            ]
        )
        found.append(ExecutedOp(op.name, staged_macs(op, pixels), additions, True, op.kind, touched, patches))
    return found


def executed_macs(graph: Graph, schedule: Schedule) -> Integer:
    """MACs of the whole network, ADDs not counted."""
    return total([op.macs for op in executed(graph, schedule)])


def stage_macs(graph: Graph, schedule: Schedule, *, additions: bool = False) -> Integer:
    """MACs of the first `Schedule.split_idx` ops, with one per element of an ADD if asked for."""
    staged = [op for op in executed(graph, schedule) if op.staged]
    return total([op.macs for op in staged] + [op.additions for op in staged if additions])


def _whole(graph: Graph, op: Op, *, staged: bool) -> ExecutedOp:
    additions = graph.tensors[op.output].size if op.kind == "add" else 0
    touched = total([graph.tensors[tensor].size for tensor in (*op.inputs, op.output)])
    return ExecutedOp(op.name, op.macs, additions, staged, op.kind, touched)
