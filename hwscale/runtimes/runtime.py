"""The contract of a runtime: the ops it really executes, what its memory holds at each, what it stores in Flash.

Readings: a rule only adds, multiplies and rounds up tensor sizes, so it works on ints, arrays and symbols alike. What it must
know of sizes to choose its ops (does this convolution need a PAD?) it asks of ints first: `Runtime.facts`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from hwscale.formulas.graph import Graph, Integer, Tensor

Facts = tuple[Any, ...]
"""What decides a lowering beside the ops themselves; graphs with equal ops and equal facts are lowered alike."""

Parts = tuple[tuple[str, int], ...]
"""RAM [B] by name of what it is for; the sum is what the runtime needs."""

Steps = tuple[tuple[str, tuple[int, ...]], ...]
"""Per executed op its name and the tensors, by index, that are in memory while it runs."""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the RAM that is used anew by every op: as large as its neediest op.

    ``size`` maps the sizes of the tensors of one step to bytes; it never falls where a size grows.
    """

    name: str
    steps: Steps
    size: Callable[[Sequence[Integer]], Integer]

    def without(self, tensor: int) -> Region:
        """The region with one tensor kept elsewhere."""
        steps = tuple((name, tuple(t for t in live if t != tensor)) for name, live in self.steps)
        return Region(self.name, steps, self.size)

    def terms(self, sizes: Sequence[Integer]) -> tuple[tuple[str, Integer], ...]:
        """Per op its bytes, from the sizes of all tensors."""
        return tuple((name, self.size([sizes[t] for t in live])) for name, live in self.steps)

    def peaks(self, tensors: Sequence[Tensor], *, plan: bool = False) -> tuple[Integer, ...]:
        """The bytes of the ops that can need most: sizes among those of another op cannot, whatever they are.

        With ``plan``, where the winner is planned all the same, ops that hold one map and else only single pixels are left out too:
        they set the peak of no network but those of a few pixels, and cost a third of the arithmetic.
        """
        every = [live for _, live in self.steps]
        rows = [live for live in every if not (plan and len(live) > 1 and _maps(tensors, live) == 1)] or every
        distinct = {tuple(sorted(_identity(tensors[t].size) for t in live)): live for live in rows}
        counts = {keys: Counter(keys) for keys in distinct}
        kept: list[tuple[int, ...]] = []
        for keys in sorted(distinct, key=len, reverse=True):
            if not any(counts[keys] <= counts[other] for other in kept):
                kept.append(keys)
        return tuple(self.size([tensors[t].size for t in distinct[keys]]) for keys in kept)


def _maps(tensors: Sequence[Tensor], live: Sequence[int]) -> int:
    """How many of the tensors have more than a pixel."""
    return sum(not (isinstance(tensors[t].area, int) and tensors[t].area == 1) for t in live)


def _identity(size: Integer) -> int:
    """Equal for sizes that are one and the same, in whatever reading: recorded values are shared."""
    return -1 - size if isinstance(size, int) else id(size)


@dataclass(frozen=True, slots=True)
class Memory:
    """RAM = the sum of the regions' sizes and of what persists, ``persistent`` [B]."""

    regions: tuple[Region, ...]
    persistent: Integer = 0


class Runtime(Protocol):
    """One runtime, in one version; `hwscale.runtimes.tensors` is the plain example, `hwscale.runtimes.tflm` the full one.

    ``evidence`` says per quantity ("ram", "flash"): exact, bounded or estimated, and by what. ``exact_plan``: `plan` may
    exceed the sum of the regions, so that a search must plan what it finds. ``rate_set`` names the throughput rows to read on
    a platform, None its default set. ``maps_decide``: what `refuse` says depends on maps alone, not on where a residual is.
    ``strict_measure``: a trace holds paddings and identity pools as buffers too.
    """

    name: str
    meaning: str
    evidence: Mapping[str, str]
    sources: tuple[str, ...]
    exact_plan: bool
    maps_decide: bool
    rate_set: str | None
    strict_measure: bool

    def facts(self, graph: Graph) -> Facts:
        """Of a graph in Python ints."""

    def refuse(self, graph: Graph) -> str | None:
        """Why it cannot run a graph (in Python ints); None if it can."""

    def lower(self, graph: Graph, facts: Facts) -> Graph:
        """The ops that it executes. Tensors of the input and of ops that stay keep their sizes."""

    def memory(self, lowered: Graph) -> Memory:
        """The memory rule: RAM, or where `exact_plan` a lower bound that is seldom exceeded."""

    def plan(self, lowered: Graph, external_input: bool) -> Parts:
        """RAM of a lowered graph in Python ints, exactly as the runtime packs it."""

    def flash_bytes(self, lowered: Graph) -> Integer:
        """The Flash rule [B]."""

    def shares(self, lowered: Graph) -> tuple[Integer, Integer]:
        """(persistent RAM, Flash) [B] of a part of a network: with `base` the parts add up to the whole, or to a little less."""

    def base(self) -> tuple[int, int]:
        """(persistent RAM, Flash) [B] of a network without ops."""


@runtime_checkable
class Bounded(Protocol):
    """A runtime that only bounds its RAM: `Runtime.plan` is the upper end."""

    def ram_interval(self, lowered: Graph, external_input: bool = False) -> tuple[int, int]:
        """The least and the most RAM [B] of a lowered graph in Python ints."""


Lifetimes = tuple[tuple[int, int], ...]
"""Per tensor the first and the last op, counted from 1, that it lives at; 0 is before the first."""


@runtime_checkable
class Greedy(Protocol):
    """A runtime whose one region is what TensorFlow Lite Micro's greedy planner makes of its tensors, each rounded up to 16 B."""

    def lifetimes(self, lowered: Graph) -> Lifetimes:
        """When each tensor lives: the ops alone decide it, in whatever reading."""


def least_ram(runtime: Runtime, lowered: Graph, external_input: bool) -> int | None:
    """The lower end of the RAM [B] where a runtime only bounds it; None where it says what it needs."""
    return runtime.ram_interval(lowered, external_input)[0] if isinstance(runtime, Bounded) else None


def largest(memory: Memory, lowered: Graph, external_input: bool) -> Parts:
    """The plan of a runtime that leaves no gaps: each region as large as its largest term."""
    sizes = [tensor.size for tensor in lowered.tensors]
    regions = [region.without(0) if external_input else region for region in memory.regions]
    parts = [(region.name, int(max(size for _, size in region.terms(sizes)))) for region in regions]
    return tuple(parts) + ((("persistent", int(memory.persistent)),) if memory.persistent else ())
