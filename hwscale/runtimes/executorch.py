"""Runtime `executorch`: the arena that ExecuTorch plans ahead of time, as the largest sum of an op's inputs, its output
and what later ops still read.

Every output is a tensor of its own (`hwscale.runtimes.out_of_place`). One published point: MobileNetV2 (width 1.0, 224
px, int8) on a Cortex-M55 has an arena of 1,505,280 B, which is this sum to the byte. Its 57,933 B of RAM beside the
arena are not in it. Flash: 1 B per weight + 4 B per output channel, without the program's own data, kernels and code,
of which nothing is published.
"""

from __future__ import annotations

from collections.abc import Mapping

from hwscale.formulas.graph import Graph, total
from hwscale.runtimes.gapless import Gapless
from hwscale.runtimes.live_range import live_steps
from hwscale.runtimes.out_of_place import out_of_place
from hwscale.runtimes.runtime import Facts, Memory, Region


class ExecuTorch(Gapless):
    """See the module docstring."""

    name = "executorch"
    meaning = "planned arena of ExecuTorch, int8, no op in place; weights and biases"
    evidence: Mapping[str, str] = {
        "ram": "estimated: equals the only published arena (MobileNetV2 1.0, 224 px); other RAM unknown",
        "flash": "estimated: weights and biases alone, compared with no program file; code unknown",
    }
    sources: tuple[str, ...] = ("pytorch/executorch#17651: memory of MobileNetV2 on Cortex-M55",)
    rate_set: str | None = "executorch"
    strict_measure = False

    def lower(self, graph: Graph, facts: Facts) -> Graph:
        return out_of_place(graph)

    def memory(self, lowered: Graph) -> Memory:
        return Memory((Region("arena", live_steps(lowered.ops), lambda sizes: total(list(sizes))),))
