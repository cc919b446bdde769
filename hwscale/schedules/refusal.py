"""What cannot be executed patch by patch, and why."""

from __future__ import annotations

from collections.abc import Sequence

from hwscale.formulas.graph import Graph
from hwscale.schedules.schedule import Schedule
from hwscale.schedules.windows import Step, clipped, steps

RUNTIMES = ("tensors", "tinyengine")
"""Runtimes whose memory rules are known for patches."""


def refuse_runtime(schedule: Schedule, runtime: str) -> str | None:
    """Why a runtime has no such schedule; None if it has."""
    if schedule.name == "layer" or runtime in RUNTIMES:
        return None
    return f"runtime {runtime} executes op by op only; schedule {schedule.name} is known of {' and '.join(RUNTIMES)}"


def refuse(graph: Graph, schedule: Schedule) -> str | None:
    """Why a graph with maps in Python ints cannot be executed so; None if it can."""
    n, split = schedule.n_patch, schedule.split_idx
    if schedule.name == "layer":
        return None if (n, split) == (1, 0) else "schedule layer has neither n_patch nor split_idx"
    every = steps(graph)
    if n < 1:
        return f"n_patch={n}: there must be at least one patch"
    if not 1 <= split <= len(every):
        return f"split_idx={split}: the network has {len(every)} ops, so it must be 1 to {len(every)}"
    inside, rest = every[:split], every[split:]
    return _uncut(inside) or _crossing(inside, rest) or _uneven(graph, inside, n) or _unread(graph, inside)


def _uncut(inside: Sequence[Step]) -> str | None:
    for step in inside:
        op = step.op
        if step.windows is None:
            what = {
                "average_pool": "a global or adaptive pool",
                "mul": "a gate",
                "add": "an ADD of maps of different sizes",
            }
            why = what.get(op.kind, op.kind.replace("_", " "))
            return f"{op.name} ({why}) needs more of its input than a patch; split_idx must end before it"
    return None


def _crossing(inside: Sequence[Step], rest: Sequence[Step]) -> str | None:
    """A map of the stage, other than its output, that is still needed behind it."""
    last = inside[-1].op
    maps = {0: "the image", **{step.op.output: f"the output of {step.op.name}" for step in inside[:-1]}}
    for step in rest:
        for tensor in step.op.inputs:
            if tensor in maps:
                return (
                    f"{step.op.name} behind the split reads {maps[tensor]}, of which there are only patches; "
                    f"move split_idx, now behind {last.name}"
                )
    read = {tensor for step in inside for tensor in step.op.inputs}
    idle = next((step.op.name for step in inside[:-1] if step.op.output not in read), None)
    return None if idle is None else f"nothing reads the output of {idle}"


def _uneven(graph: Graph, inside: Sequence[Step], n_patch: int) -> str | None:
    last = inside[-1].op
    x = graph.tensors[last.output]
    if x.height % n_patch or x.width % n_patch:
        sides = x.height if x.height == x.width else f"{x.height} x {x.width}"
        return f"n_patch={n_patch} does not divide the side of the map behind {last.name}, {sides}"
    return None


def _unread(graph: Graph, inside: Sequence[Step]) -> str | None:
    """Rows or columns that execution op by op computes and no patch needs: a pool drops the odd one, a stride skips some."""
    for step in inside:
        op, x = step.op, graph.tensors[step.op.inputs[0]]
        y = graph.tensors[op.output]
        for axis, side, out in ((0, x.height, y.height), (1, x.width, y.width)):
            window = step.along(axis)
            if window.kernel < window.stride or clipped(window.reads((0, out - 1)), side) != (0, side - 1):
                return f"{op.name} does not read all of its input of {x.height} x {x.width}; choose another resolution"
    return None
