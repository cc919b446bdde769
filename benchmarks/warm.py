"""What one call of `hwscale.fit` costs in a running Python process, over the random budgets."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import hwscale
from benchmarks.budgets import COUNT, PLATFORM, SEED, Limits, random_limits
from benchmarks.report import Line

SECTION = "warm call of hwscale.fit(..., verify='none')"
WARM_UP = 5
REPEATS = 3
"""Of every measured call; its median counts."""
PHINET_BAR_S = 0.150
XINET_REPEAT_BAR_S = 0.005
XINET_BETA_BAR_S = 1.0
XINET_BETA = {"beta": "0.5:2:0.05"}
PHINET_LEAST_POINTS = 3e7


@dataclass(frozen=True, slots=True)
class Calls:
    """Seconds per budget, of them inside the solver; how many budgets were infeasible, candidates of the domain."""

    call_s: list[float]
    solver_s: list[float]
    evaluations: list[int]
    infeasible: int
    domain_size: int

    @property
    def note(self) -> str:
        """What else is worth knowing, in one line."""
        parts = [
            f"max {max(self.call_s) * 1e3:.1f} ms",
            f"{len(self.call_s)} budgets",
            f"{self.domain_size:.3g} points",
        ]
        if self.solver_s:
            parts.append(f"solver {median(self.solver_s) * 1e3:.1f} ms, {median(self.evaluations):.0f} evaluations")
        if self.infeasible:
            parts.append(f"{self.infeasible} infeasible")
        return ", ".join(parts)


def measure(count: int = COUNT, seed: int = SEED) -> list[Line]:
    """The warm bars of both families, and what informs about them."""
    lines = []
    for objective in ("balanced", "macs"):
        calls = _calls("phinet", count, seed, objective=objective)
        lines += [
            Line(SECTION, f"phinet, {objective}: median", median(calls.call_s), "s", PHINET_BAR_S, note=calls.note),
        ]
        if objective == "balanced":
            size = Line(SECTION, "phinet: points of the domain", calls.domain_size, "", PHINET_LEAST_POINTS, True)
            lines.insert(0, size)
    calls = _calls("xinet", count, seed)
    lines.append(
        Line(SECTION, "xinet, repeat query: median", median(calls.call_s), "s", XINET_REPEAT_BAR_S, note=calls.note)
    )
    calls = _calls("xinet", count, seed, platform=hwscale.load_platform(PLATFORM))
    lines.append(
        Line(SECTION, "xinet, repeat query, platform loaded before", median(calls.call_s), "s", note=calls.note)
    )
    calls = _calls("xinet", count, seed, domain=XINET_BETA)
    name = f"xinet, beta={XINET_BETA['beta']}: median"
    lines.append(Line(SECTION, name, median(calls.call_s), "s", XINET_BETA_BAR_S, note=calls.note))
    return lines


def _calls(
    net: str,
    count: int,
    seed: int,
    *,
    objective: str = "balanced",
    domain: Mapping[str, Any] | None = None,
    platform: Any = PLATFORM,
) -> Calls:
    """Every budget asked ``REPEATS`` times, its median kept; other budgets before, so that no measured call is the first."""

    def ask(limits: Limits) -> hwscale.Fit | None:
        try:
            return hwscale.fit(net, platform, limits=limits, domain=domain, objective=objective, verify="none")
        except hwscale.InfeasibleError:
            return None

    for limits in random_limits(WARM_UP, seed + 1):
        ask(limits)
    taken, solver_s, evaluations, infeasible, size = [], [], [], 0, 0
    for limits in random_limits(count, seed):
        once = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            found = ask(limits)
            once.append(time.perf_counter() - started)
        taken.append(median(once))
        if found is None:
            infeasible += 1
        else:
            solver_s.append(found.certificate.seconds)
            evaluations.append(found.certificate.evaluations)
            size = found.certificate.domain_size
    return Calls(taken, solver_s, evaluations, infeasible, size)
