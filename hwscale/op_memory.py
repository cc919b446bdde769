"""What of the RAM each op needs under a schedule: the bars of a memory profile."""

from __future__ import annotations

from dataclasses import dataclass

from hwscale.formulas.graph import HOLD, Graph
from hwscale.runtimes.runtime import Runtime
from hwscale.schedules import Schedule, scheduled
from hwscale.schedules.memory import OUTPUT


@dataclass(frozen=True, slots=True)
class OpMemory:
    """Bytes while one op runs: ``live`` tensors of its own, and what is ``kept`` for other patches: the whole output of
    the stage and the line buffers. ``reserved`` is the same for every op: buffers of the runtime and gaps that its
    placement leaves.

    ``staged``: the op runs patch by patch. The largest `total_bytes` of a network is its RAM.
    """

    name: str
    live_bytes: int
    kept_bytes: int
    reserved_bytes: int
    staged: bool

    @property
    def total_bytes(self) -> int:
        return self.live_bytes + self.kept_bytes + self.reserved_bytes


def ram_bytes(graph: Graph, schedule: Schedule, runtime: Runtime) -> int:
    """RAM of a legal schedule as the runtime packs it [B], the image or its patch counted; maps in Python ints."""
    lowered = lowered_graph(graph, schedule, runtime)
    return sum(size for _, size in runtime.plan(lowered, False))


def op_memory(graph: Graph, schedule: Schedule, runtime: Runtime) -> tuple[OpMemory, ...]:
    """One record per executed op."""
    lowered = lowered_graph(graph, schedule, runtime)
    region = runtime.memory(lowered).regions[0]
    sizes = [tensor.size for tensor in lowered.tensors]
    needs = [int(size) for _, size in region.terms(sizes)]
    reserved = sum(size for _, size in runtime.plan(lowered, False)) - max(needs)
    held = {} if schedule.plain else {op.inputs[0]: op.name for op in lowered.ops if op.kind == HOLD}
    found: list[OpMemory] = []
    for op, (_, live), need in zip(lowered.ops, region.steps, needs, strict=True):
        if op.kind == HOLD:
            continue
        staged = len(found) < schedule.split_idx
        # behind the split the output of the stage is a map like any other
        kept = [t for t in live if t in held and (staged or held[t] != OUTPUT)]
        of_others = int(region.size([sizes[t] for t in kept])) if kept else 0
        found.append(OpMemory(op.name, need - of_others, of_others, reserved, staged and not schedule.plain))
    return tuple(found)


def lowered_graph(graph: Graph, schedule: Schedule, runtime: Runtime) -> Graph:
    """What the runtime executes under a schedule."""
    made = scheduled(graph, schedule)
    return runtime.lower(made, runtime.facts(made))
