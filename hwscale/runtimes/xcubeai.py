"""Runtimes `xcubeai-7.3`, `-8.1`, `-10.0` and `st-edge-ai-3.0`: weights in Flash exactly, activations in an interval.

Flash: 1 B per int8 weight + 4 B (int32 bias) per output channel, what ST's tables call weights; code comes on top.

Activation RAM follows no published rule and differs by version. It lies between two sums of live int8 tensors:

* at least what is alive between two ops (`hwscale.runtimes.out_of_place.between_ops`): the tools let a convolution
  write over what it has read, and nothing that runs op by op can need less. Nothing is fitted.
* at most ``factor`` x the largest sum of an op's inputs, its output and what later ops still read, none in place, +
  ``scratch_bytes``.

Both numbers of a version are fitted on ST's model zoo (MobileNetV1, V2 and ResNet-8 on STM32H7, input and output
buffers included): the scratch is the least multiple of 8 KiB that covers networks below 64 KiB, the factor then the
least multiple of 1/20, at least 1. 7.3 and 8.1 share them. The upper end decides what fits. docs/fidelity.md holds
every row, and what the same fit predicts for a network left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hwscale.formulas.graph import Graph, Integer, total
from hwscale.runtimes.gapless import Gapless
from hwscale.runtimes.live_range import live_steps
from hwscale.runtimes.out_of_place import between_ops, out_of_place
from hwscale.runtimes.runtime import Facts, Memory, Region

KIB = 1024
ZOO = "STMicroelectronics/stm32ai-modelzoo"


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of one version.

    ``factor`` (numerator, denominator) and ``scratch_bytes`` as in the module docstring, fitted on ``rows`` published
    networks. ``runtime_ram_bytes`` and ``code_flash_bytes``: (low, high) that ST prints beside activations and weights
    for MobileNets; they are in no total here.
    """

    title: str
    factor: tuple[int, int]
    scratch_bytes: int
    rows: int
    runtime_ram_bytes: tuple[int, int]
    code_flash_bytes: tuple[int, int]
    rate_set: str
    commit: str


PROFILES: Mapping[str, Profile] = {
    "xcubeai-7.3": Profile(
        title="X-CUBE-AI 7.3",
        factor=(1, 1),
        scratch_bytes=8 * KIB,
        rows=6,
        runtime_ram_bytes=(16 * KIB, 37 * KIB),
        code_flash_bytes=(61 * KIB, 123 * KIB),
        rate_set="x-cube-ai 7.3/8.0 class",
        commit="1732c2027b",
    ),
    "xcubeai-8.1": Profile(
        title="X-CUBE-AI 8.1",
        factor=(1, 1),
        scratch_bytes=8 * KIB,
        rows=7,
        runtime_ram_bytes=(14 * KIB, 33 * KIB),
        code_flash_bytes=(61 * KIB, 116 * KIB),
        rate_set="x-cube-ai 7.3/8.0 class",
        commit="ff424ea597",
    ),
    "xcubeai-10.0": Profile(
        title="X-CUBE-AI 10.0",
        factor=(6, 5),
        scratch_bytes=16 * KIB,
        rows=13,
        runtime_ram_bytes=(14 * KIB, 31 * KIB),
        code_flash_bytes=(58 * KIB, 192 * KIB),
        rate_set="x-cube-ai 10.0",
        commit="6f10965e",
    ),
    "st-edge-ai-3.0": Profile(
        title="ST Edge AI Core 3.0",
        factor=(1, 1),
        scratch_bytes=16 * KIB,
        rows=11,
        runtime_ram_bytes=(0, 4 * KIB),
        code_flash_bytes=(29 * KIB, 133 * KIB),
        rate_set="st-edge-ai 3.0",
        commit="7f3764d5",
    ),
}


class XCubeAI(Gapless):
    """See the module docstring; ``name`` is one of `PROFILES`."""

    def __init__(self, name: str) -> None:
        profile = PROFILES[name]
        low, high = (size // KIB for size in profile.code_flash_bytes)
        self.name = name
        self.profile = profile
        self.meaning = f"upper end of the activation RAM of {profile.title}; weights in Flash"
        self.evidence: Mapping[str, str] = {
            "ram": f"bounded: interval seen on {profile.rows} MobileNets and ResNet-8, unknown elsewhere; runtime RAM on top",
            "flash": f"exact for the weights; code on top, bounded on MobileNets: {low} to {high} KiB",
        }
        self.sources: tuple[str, ...] = (f"{ZOO}@{profile.commit}: image_classification (tables of memory footprint)",)
        self.rate_set: str | None = profile.rate_set
        self.strict_measure = False

    def lower(self, graph: Graph, facts: Facts) -> Graph:
        return out_of_place(graph)

    def memory(self, lowered: Graph) -> Memory:
        region = Region("activations, upper end", live_steps(lowered.ops), self._upper)
        return Memory((region,), self.profile.scratch_bytes)

    def ram_interval(self, lowered: Graph, external_input: bool = False) -> tuple[int, int]:
        """(low, high) of the activation RAM [B] of a lowered graph in Python ints; `plan` adds up to ``high``."""
        high = sum(size for _, size in self.plan(lowered, external_input))
        return between_ops(lowered, external_input), high

    def base(self) -> tuple[int, int]:
        return self.profile.scratch_bytes, 0

    def _upper(self, sizes: Sequence[Integer]) -> Integer:
        """``factor`` x the sum, rounded up; the relaxed reading's real sizes are not rounded."""
        numerator, denominator = self.profile.factor
        live = total(list(sizes))
        if numerator == denominator:
            return live
        if isinstance(live, float):
            return live * numerator / denominator
        if hasattr(live, "free_symbols"):
            import sympy

            return sympy.ceiling(numerator * live / denominator)
        return (numerator * live + (denominator - 1)) // denominator
