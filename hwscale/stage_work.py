"""What the latency of a schedule of patches is made of: the work that the stage executes, all patches together, and that behind it.

Both are counted as of execution op by op (`hwscale.work`). A unit of the stage takes longer by a factor, see
`hwscale.schedule_timing`, so that the two are told apart by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hwscale.formulas.graph import Integer, total
from hwscale.schedules.macs import ExecutedOp
from hwscale.work import Work

BEHIND = "behind"
"""The stage of works that a schedule executes op by op."""


@dataclass(frozen=True, slots=True)
class StageRates:
    """How much longer a unit of work takes under ``schedule`` than op by op: in the ``stage``, and ``behind`` it."""

    schedule: str
    stage: float
    behind: float = 1.0


def scaled(fs_per_unit: Mapping[Work, int], rates: StageRates) -> dict[Work, int]:
    """fs per unit under a schedule."""
    inside = {replace(work, stage=rates.schedule): round(fs * rates.stage) for work, fs in fs_per_unit.items()}
    return inside | {replace(work, stage=BEHIND): round(fs * rates.behind) for work, fs in fs_per_unit.items()}


def units(ops: Sequence[ExecutedOp], works: Iterable[Work], schedule: str) -> dict[Work, Integer]:
    """Each work of executed ops, in the stage of ``schedule`` and behind it, in whatever reading the ops have."""
    found: dict[Work, Integer] = {}
    for work in works:
        for stage, staged in ((schedule, True), (BEHIND, False)):
            found[replace(work, stage=stage)] = counted([op for op in ops if op.staged == staged], work)
    return found


def counted(ops: Iterable[ExecutedOp], work: Work) -> Integer:
    """One work of executed ops."""
    chosen = [op for op in ops if op.kind in work.operators]
    if work.quantity == "ops":
        return total([op.calls for op in chosen])
    return total([op.macs if work.quantity == "macs" else op.elements for op in chosen])
