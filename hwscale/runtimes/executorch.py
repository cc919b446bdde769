"""Runtime `executorch`: the arena that ExecuTorch plans ahead of time, as the largest sum of an op's inputs, its output
and what later ops still read.

Every output is a tensor of its own (`hwscale.runtimes.out_of_place`). One published point: MobileNetV2 (width 1.0, 224
px, int8) on a Cortex-M55 has an arena of 1,505,280 B, which is this sum to the byte. Its 57,933 B of RAM beside the
arena are not in it. Flash: 1 B per weight + 4 B per output channel, without the program's own data, kernels and code,
of which nothing is published.
"""

from __future__ import annotations

from collections.abc import Mapping

from hwscale.formulas.graph import Graph, Integer, total
from hwscale.runtimes.live_range import live_steps
from hwscale.runtimes.out_of_place import out_of_place
from hwscale.runtimes.runtime import Facts, Memory, Parts, Region, largest
from hwscale.runtimes.tensors import weights_and_biases


class ExecuTorch:
    """See the module docstring."""

    name = "executorch"
    meaning = "planned arena of ExecuTorch, int8, no op in place; weights and biases"
    evidence: Mapping[str, str] = {
        "ram": "estimated: equals the only published arena (MobileNetV2 1.0, 224 px); other RAM unknown",
        "flash": "estimated: weights and biases alone, compared with no program file; code unknown",
    }
    sources: tuple[str, ...] = ("pytorch/executorch#17651: memory of MobileNetV2 on Cortex-M55",)
    exact_plan = False
    rate_set: str | None = "executorch"
    strict_measure = False
    maps_decide = True

    def facts(self, graph: Graph) -> Facts:
        return ()

    def refuse(self, graph: Graph) -> str | None:
        return None

    def lower(self, graph: Graph, facts: Facts) -> Graph:
        return out_of_place(graph)

    def memory(self, lowered: Graph) -> Memory:
        return Memory((Region("arena", live_steps(lowered.ops), lambda sizes: total(list(sizes))),))

    def plan(self, lowered: Graph, external_input: bool) -> Parts:
        return largest(self.memory(lowered), lowered, external_input)

    def flash_bytes(self, lowered: Graph) -> Integer:
        return weights_and_biases(lowered)

    def shares(self, lowered: Graph) -> tuple[Integer, Integer]:
        return 0, self.flash_bytes(lowered)

    def base(self) -> tuple[int, int]:
        return 0, 0
