"""Schedules: how a network's ops are executed on patches of its maps, and what that costs; `SCHEDULES` is the registry."""

from __future__ import annotations

from hwscale.schedules.macs import executed, executed_macs, stage_macs
from hwscale.schedules.memory import scheduled
from hwscale.schedules.refusal import refuse, refuse_runtime
from hwscale.schedules.schedule import LAYER, SCHEDULES, Schedule, make_schedule

__all__ = [
    "LAYER",
    "SCHEDULES",
    "Schedule",
    "executed",
    "executed_macs",
    "make_schedule",
    "refuse",
    "refuse_runtime",
    "scheduled",
    "stage_macs",
]
