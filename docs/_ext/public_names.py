"""The names of `hwscale`, in the order of its registry, and what its functions return."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable

import hwscale

RESULTS = {
    "hwscale.result": ("Fit", "Cost", "CostReport"),
    "hwscale.solve.solution": ("Certificate", "Status"),
    "hwscale.verification": ("Verification", "Row"),
    "hwscale.timing": ("LatencyEvidence",),
    "hwscale.configuration": ("Configuration", "LiveTensor"),
    "hwscale.ledger": ("OpRecord",),
    "hwscale.neighbours": ("Neighbour",),
    "hwscale.lowering_tax": ("Tax",),
    "hwscale.exchange": ("Bottleneck", "Exchange"),
    "hwscale.explore.front": ("Front", "Point"),
    "hwscale.explore.what_if": ("WhatIf", "Arc", "Breakpoint"),
    "hwscale.explore.compare": ("Comparison",),
    "hwscale.explore.compared_row": ("ComparedRow", "Verdict"),
    "hwscale.foreign.report": ("ModelCost", "ModelOp", "PeakTensor"),
    "hwscale.schedule_choices": ("ScheduleChoices",),
    "hwscale.schedules.schedule": ("Schedule",),
    "hwscale.closed_form": ("Formula",),
    "hwscale.platform": ("Platform", "RateSet"),
    "hwscale.calibrated": ("Calibrated",),
}
"""Classes of results by the module that holds them."""


def _names(wanted: Callable[[object], bool]) -> list[str]:
    return [name for names in hwscale._HOMES.values() for name in names if wanted(getattr(hwscale, name))]


def functions() -> str:
    """One entry per public function."""
    return _sections((f"hwscale.{name}", f"autofunction:: hwscale.{name}", "") for name in _names(inspect.isfunction))


def errors() -> str:
    """One entry per error class."""
    found = _names(lambda thing: inspect.isclass(thing) and issubclass(thing, Exception))
    return _sections((name, f"autoexception:: hwscale.errors.{name}", "show-inheritance") for name in found)


def results() -> str:
    """One entry per class of results."""
    return _sections(
        (name, f"autoclass:: {module}.{name}", "members") for module, names in RESULTS.items() for name in names
    )


def _sections(entries: Iterable[tuple[str, str, str]]) -> str:
    lines: list[str] = []
    for title, directive, option in entries:
        lines += [
            f"## {title}",
            "",
            "```{eval-rst}",
            f".. {directive}",
            *([f"   :{option}:"] if option else []),
            "```",
            "",
        ]
    return "\n".join(lines)
