"""Latency of patches and streams in TinyEngine: the operator model of execution op by op, the stage times a factor per schedule.

The factors are published stage latencies (StreamNet, supplementary, Table 3: STM32F767, 10 networks, 4 schedules) over what the
model of `tinyengine` says of the MACs and map elements that the stage executes there; docs/schedules.md has them row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hwscale.schedules import Schedule
from hwscale.schedules.macs import ExecutedOp
from hwscale.stage_work import StageRates, counted
from hwscale.timing import Timing

RUNTIME = "tinyengine"


@dataclass(frozen=True, slots=True)
class StageFactor:
    """``factor`` on the stage, the mean error on networks left out of it, and what ``widened`` makes an interval hold 9 of 10."""

    factor: float
    left_out_error: float
    widened: float


FACTORS = {
    "patch": StageFactor(1.301, 0.018, 1.049),
    "patch+": StageFactor(1.291, 0.015, 1.04),
    "stream1d": StageFactor(1.492, 0.048, 1.101),
    "stream2d": StageFactor(1.949, 0.124, 1.332),
}
NETWORKS = 10


def schedule_timing(timing: Timing, schedule: Schedule, runtime: str) -> Timing:
    """What is known of a runtime's latency under a schedule of patches: the same, known less well, or nothing and the reason."""
    if runtime != RUNTIME or (timing.model is not None and not timing.model.name.startswith(RUNTIME)):
        reason = f"latency of schedule {schedule.name} is measured of TinyEngine's kernels only"
        return Timing(None, None, reason, reason)
    if timing.model is None:
        return timing
    known = FACTORS[schedule.name]
    text = (
        f"its stage x {known.factor:.2f}, as StreamNet's latencies on STM32F767 have it ({NETWORKS} networks, left-out error "
        f"{100 * known.left_out_error:.1f} %)"
    )
    return replace(timing, model=timing.model.widened(known.widened, text))


def scheduled_latency_s(timing: Timing, schedule: Schedule, ops: Sequence[ExecutedOp]) -> float | None:
    """Latency of what a schedule executes [s]; None where it is unknown."""
    if timing.model is None:
        return None
    factor = FACTORS[schedule.name].factor
    return sum(
        stage_seconds(timing, [op for op in ops if op.staged == staged]) * (factor if staged else 1.0)
        for staged in (True, False)
    )


def stage_seconds(timing: Timing, ops: Sequence[ExecutedOp]) -> float:
    """What the operator model says of executed ops, patches or not [s]."""
    assert timing.model is not None
    return sum(term.seconds * int(counted(ops, term.work)) for term in timing.model.terms)


def stage_rates(timing: Timing, runtime: str, latency_limit: str) -> tuple[StageRates, ...]:
    """How much longer the work of each schedule takes, as `scheduled_latency_s` has it; none where that is unknown. ``latency_limit``
    "worst" also holds for the upper end of its wider interval."""
    known = []
    for name, factor in FACTORS.items():
        if schedule_timing(timing, Schedule(name, 2, 1), runtime).model is None:
            return ()
        wider = factor.widened if latency_limit == "worst" else 1.0
        known.append(StageRates(name, factor.factor * wider, wider))
    return tuple(known)
