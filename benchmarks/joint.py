"""Network and schedule chosen together over whole default domains.

Warm: the question was asked once before, so that the spaces are laid out; a search learns nothing from another.
"""

from __future__ import annotations

import time
from statistics import median

import hwscale
from benchmarks.report import Line

SECTION = "network and schedule together, whole domains"
BAR_S = 5.0
REPEATS = 3
"""Of every question; the median counts."""
QUESTIONS: tuple[tuple[str, str, str, dict[str, str], float | None], ...] = (
    ("mcunet", "tensors", "stm32f412", {}, BAR_S),
    ("mcunet", "tensors", "stm32f746", {}, BAR_S),
    ("mcunet", "tinyengine", "stm32f746", {}, None),
    ("mcunet", "tinyengine", "stm32f746", {"latency": "200 ms", "ram": "128 KiB"}, None),
    ("atomnet", "tensors", "stm32f412", {}, None),
    ("mobilenet_v2", "tinyengine", "stm32f412", {}, None),
    ("mobilenet_v2", "tinyengine", "stm32f746", {"latency": "300 ms", "ram": "128 KiB"}, None),
    ("phinet", "tensors", "stm32f412", {}, None),
    ("xinet", "tensors", "stm32f412", {"macs": "60M", "ram": "96 KiB"}, None),
)
"""Family, runtime, platform, limits beside or in place of the platform's, bar [s]."""


def measure() -> list[Line]:
    """One line per question; the bar is missed, too, by an answer that is not proven."""
    lines = []
    for family, runtime, platform, limits, bar in QUESTIONS:
        runs = []
        for at in range(1 + REPEATS):
            started = time.perf_counter()
            found = hwscale.fit(family, platform, limits=limits, runtime=runtime, schedule="any", verify="none")
            runs.append((time.perf_counter() - started) if at else 0.0)
        proof = found.certificate
        taken = median(runs[1:]) if bar is None or proof.status == "optimal" else float("inf")
        name = f"{family} in {runtime} on {platform}" + "".join(f", {key} {value}" for key, value in limits.items())
        note = f"{proof.status.value}, gap {proof.gap:.3g}, {found.plan.name}, {proof.domain_size:.3g} pairs"
        lines.append(Line(SECTION, name, taken, "s", bar, note=note))
    return lines
