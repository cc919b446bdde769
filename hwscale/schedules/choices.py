"""Every way to cut a network into patches, and which of them no other beats.

A cut is legal where `hwscale.schedules.refuse` lets it pass: split_idx from 1 to the number of ops, n_patch among the
divisors, above 1, of both sides of the map behind the split ("MCUNetV2: Memory-Efficient Patch-based Inference for Tiny
Deep Learning", NeurIPS 2021, searches the same two numbers).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import gcd, isqrt

from hwscale.errors import ConfigError, nearest
from hwscale.formulas.graph import Graph
from hwscale.schedules.refusal import refuse
from hwscale.schedules.schedule import SCHEDULES, Schedule
from hwscale.schedules.windows import steps

PATCHED = tuple(name for name in SCHEDULES if name != "layer")
ANY = "any"
"""All of `PATCHED`."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A schedule and what it costs: ``ram_bytes`` as the runtime packs it [B], executed ``macs``, and ``overhead``, the
    share of MACs above those of execution op by op. ``behind`` names the last op on patches, "" of `layer`."""

    schedule: Schedule
    behind: str
    ram_bytes: int
    macs: int
    overhead: float

    @property
    def order(self) -> tuple[int, int, int]:
        """How ties are decided: fewer patches, then fewer ops on patches, then the simpler schedule."""
        plan = self.schedule
        return plan.n_patch, plan.split_idx, tuple(SCHEDULES).index(plan.name)

    def text(self) -> str:
        """In words, as "patch, 4 x 4 patches of the first 13 ops"."""
        plan = self.schedule
        if plan.plain:
            return plan.name
        ops = "op" if plan.split_idx == 1 else f"{plan.split_idx} ops"
        return f"{plan.name}, {plan.n_patch} x {plan.n_patch} patches of the first {ops}"


def named(schedule: str) -> tuple[str, ...]:
    """The schedules that a user's word stands for; ConfigError for one without patches."""
    if schedule == ANY:
        return PATCHED
    if schedule not in PATCHED:
        raise ConfigError(f"schedule {schedule!r} has no patches to choose; {nearest(str(schedule), (ANY, *PATCHED))}")
    return (schedule,)


def cuts(graph: Graph) -> tuple[tuple[int, int], ...]:
    """Every legal (n_patch, split_idx) of a graph with maps in Python ints."""
    found = []
    for at, step in enumerate(steps(graph), start=1):
        if refuse(graph, Schedule("patch", 1, at)) is None:
            x = graph.tensors[step.op.output]
            found += [(n, at) for n in _divisors(gcd(x.height, x.width)) if n > 1]
    return tuple(found)


def uncut(graph: Graph) -> str:
    """Why a graph has no `cuts`, by its first op."""
    if not (every := steps(graph)):
        return "it has no op"
    x = graph.tensors[every[0].op.output]
    sides = f"the map behind {every[0].op.name} has sides of {x.height} x {x.width}, which no n_patch divides"
    return refuse(graph, Schedule("patch", 1, 1)) or sides


def pareto(choices: Iterable[Choice]) -> tuple[Choice, ...]:
    """Those that no other beats in RAM or MACs without losing in the other, by rising MACs; of equals the first by
    `Choice.order`."""
    kept: list[Choice] = []
    for choice in sorted(choices, key=lambda c: (c.macs, c.ram_bytes, c.order)):
        if not kept or choice.ram_bytes < kept[-1].ram_bytes:
            kept.append(choice)
    return tuple(kept)


def _divisors(number: int) -> list[int]:
    small = [n for n in range(1, isqrt(number) + 1) if number % n == 0]
    return sorted({*small, *(number // n for n in small)})
