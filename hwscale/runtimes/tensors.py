"""Runtime `tensors`: nothing but live int8 tensors, a lower bound for runtimes that hold a convolution's input and output apart.

RAM: largest sum of live tensors over the ops; activations, BN, add and mul in place; weights, scratch and code not counted.
`tensors` folds the stem's zero padding into the convolution and drops pools that change nothing; `tensors-strict` holds
both as buffers. Flash: 1 B per weight after BN folding + 4 B (int32 bias) per output channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hwscale.formulas.graph import Graph, total
from hwscale.runtimes.gapless import Gapless
from hwscale.runtimes.live_range import live_steps
from hwscale.runtimes.padding import pad, same_pads
from hwscale.runtimes.runtime import Facts, Memory, Region


class Tensors(Gapless):
    """See the module docstring; ``strict`` counts paddings and identity pools as buffers of their own."""

    def __init__(self, name: str, *, strict: bool) -> None:
        self.name = name
        self.strict_measure = strict
        self.meaning = "peak of live int8 tensors" + (", padding and identity pools held" if strict else "")
        self.evidence: Mapping[str, str] = {"ram": "exact", "flash": "exact"}
        self.sources: tuple[str, ...] = ()
        self.rate_set: str | None = None

    def facts(self, graph: Graph) -> Facts:
        return _uneven(graph) if self.strict_measure else super().facts(graph)

    def lower(self, graph: Graph, facts: Facts) -> Graph:
        return _padded(graph, facts) if self.strict_measure else folded(graph)

    def memory(self, lowered: Graph) -> Memory:
        return Memory((Region("tensors", live_steps(lowered.ops), lambda sizes: total(list(sizes))),))


def _uneven(graph: Graph) -> Facts:
    """The SAME convolutions whose zeros differ from side to side, which a torch convolution cannot add itself."""
    found = []
    for op in graph.ops:
        if op.same:
            top, bottom, left, right = pads = same_pads(graph.tensors[op.inputs[0]], op.kernel, op.stride)
            if (top, left) != (bottom, right):
                found.append((op.name, pads))
    return tuple(found)


def _padded(graph: Graph, facts: Facts) -> Graph:
    """The graph with a padding of its own in front of those."""
    pads = dict(facts)
    if not pads:
        return graph
    made = Graph(list(graph.tensors))
    for op in graph.ops:
        if op.name in pads:
            x = pad(made, f"{op.name}.pad", graph.tensors[op.inputs[0]], pads[op.name])
            op = replace(op, inputs=(x.index,))
        made.ops.append(op)
    return made


def folded(graph: Graph) -> Graph:
    """The graph without paddings, which the next convolution does itself, and without pools that change nothing."""
    same: dict[int, int] = {}
    ops = []
    for op in graph.ops:
        inputs = tuple(same.get(tensor, tensor) for tensor in op.inputs)
        if op.kind == "pad" or op.identity:
            same[op.output] = inputs[0]
        else:
            ops.append(replace(op, inputs=inputs))
    return Graph(graph.tensors, ops)
