"""What-ifs of a fit, and the comparison of families on all built-in platforms over two processes.

A comparison starts its processes afresh: loading hwscale and laying out the search spaces is part of what is timed.
"""

from __future__ import annotations

import time
from collections import Counter
from statistics import median

import hwscale
from benchmarks.report import Line

SECTION = "what-ifs of a fit, and all platforms side by side"
PLATFORM = "stm32h743"
WHAT_IF_BARS_S = {"xinet": 2.0, "atomnet": 2.0, "phinet": 10.0, "mobilenet_v2": None, "mcunet": None}
REPEATS = 3
"""Of every fit's what-ifs; the median counts."""
COMPARE_BAR_S = 30.0
JOBS = 2
TOGETHER = (("phinet", "xinet", "atomnet"), ("mobilenet_v2",), ("mcunet",))
"""Families compared at once; the first group has the bar."""


def measure() -> list[Line]:
    """The bars of what-ifs and of the comparison."""
    lines = []
    for family, bar in WHAT_IF_BARS_S.items():
        fit = hwscale.fit(family, PLATFORM, verify="none")
        runs = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            found = fit.what_ifs()
            runs.append(time.perf_counter() - started)
        taken = median(runs)
        exact = sum(one.breakpoint is None or one.breakpoint.exact for one in found)
        note = f"{len(found)} limits, {exact} of the next steps exact"
        lines.append(Line(SECTION, f"{family} on {PLATFORM}: every what-if", taken, "s", bar, note=note))
    for at, families in enumerate(TOGETHER):
        started = time.perf_counter()
        rows = hwscale.compare(families, jobs=JOBS).rows
        taken = time.perf_counter() - started
        verdicts = Counter(row.status or row.verdict.value for row in rows)
        note = f"{len(rows)} rows: " + ", ".join(f"{count} {word}" for word, count in verdicts.items())
        name = f"{', '.join(families)} on all platforms, {JOBS} processes"
        lines.append(Line(SECTION, name, taken, "s", None if at else COMPARE_BAR_S, note=note))
    return lines
