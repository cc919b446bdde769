"""How well the RAM of a schedule is known; the figures are those of docs/schedules.md."""

from __future__ import annotations

from hwscale.schedules.schedule import Schedule

_PRINTED = {
    "patch": "estimated: 7 of 10 published rows equal to the printed KiB, two 2 % below, one 24 % below",
    "patch+": "estimated: as schedule patch, no row of its own is published",
    "stream1d": "estimated, unverified: no memory of it is published",
    "stream2d": "estimated: mean error 3.8 % on the ten published rows that the rule of the line buffers was chosen on",
}
_COUNTED = {
    "patch": "exact",
    "patch+": "exact",
    "stream1d": "estimated: line buffers unverified",
    "stream2d": "estimated: line buffers by a rule that was chosen on ten published rows",
}


def ram_evidence(schedule: Schedule, runtime: str) -> str:
    """Exact or estimated, and on what, for a schedule of patches in a runtime."""
    known = (_PRINTED if runtime == "tinyengine" else _COUNTED)[schedule.name]
    least = "; the lower end has the least line buffers that there can be" if schedule.streams else ""
    return f"{known}{least}"
