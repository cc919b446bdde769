"""What runtimes share that leave no gaps between tensors and whose Flash is told by weights and biases alone."""

from __future__ import annotations

from abc import ABC, abstractmethod

from hwscale.formulas.graph import Graph, Integer, total
from hwscale.runtimes.runtime import Facts, Memory, Parts, largest

BIAS_BYTES = 4


class Gapless(ABC):
    """Each region of `memory` as large as its largest term; 1 B per weight and 4 B per bias in Flash; every graph runs."""

    exact_plan = False
    maps_decide = True

    def facts(self, graph: Graph) -> Facts:
        return ()

    def refuse(self, graph: Graph) -> str | None:
        return None

    @abstractmethod
    def memory(self, lowered: Graph) -> Memory:
        """As in `hwscale.runtimes.runtime.Runtime`."""

    def plan(self, lowered: Graph, external_input: bool) -> Parts:
        return largest(self.memory(lowered), lowered, external_input)

    def flash_bytes(self, lowered: Graph) -> Integer:
        return weights_and_biases(lowered)

    def shares(self, lowered: Graph) -> tuple[Integer, Integer]:
        return 0, self.flash_bytes(lowered)

    def base(self) -> tuple[int, int]:
        return 0, 0


def weights_and_biases(graph: Graph) -> Integer:
    """1 B per int8 weight and 4 B per int32 bias."""
    return total([graph.weights(), BIAS_BYTES * graph.biases()])
