"""Label setting on chains of layers: every AtomNet at every resolution at once, finer widths, and MCUNet's default domain.

Warm: the space is laid out before, which is timed by itself, and the first call of each space is left out.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

from benchmarks.budgets import COUNT, SEED
from benchmarks.report import Line
from hwscale.domain import make_domain
from hwscale.objectives import find_objective
from hwscale.problem import Problem
from hwscale.solve import solve
from hwscale.solve.solution import Status
from hwscale.space import make_space
from hwscale.work import DENSE, Work

SECTION = "stage-wise networks: one warm solve, all resolutions jointly"
MEDIAN_BAR_S = 0.150
MAX_BAR_S = 0.500
FINE_BAR_S = 1.0
FINE_LEAST_PATHS = 1e10
REPEATS = 3
"""Of every solve; its median counts."""
KIB, MS = 1024, 10**12
"""Bytes; femtoseconds."""
WORKS_FS = {Work("macs", DENSE): 10**12 // 256_000, Work("macs", ("depthwise",)): round(10**12 / 91_000)}
"""256 and 91 kMAC/ms, the rates that the AtomNet paper prints for its STM32H7."""
PAPER = ((256, 1024, 275), (256, 1024, 405), (320, 1024, 367), (512, 2048, 490), (512, 2048, 836), (512, 2048, 1188))
"""The budgets of the AtomNet paper: RAM [KiB], Flash [KiB], latency [ms]."""
ENDS = {"ram": (64 * KIB, 512 * KIB), "flash": (512 * KIB, 2048 * KIB), "latency": (100 * MS, 1200 * MS)}
FINE = {
    "width0": "16:64:4",
    "width1": "16:64:4",
    "width2": "32:112:4",
    "width3": "48:128:4",
    "width4": "48:144:4",
    "width5": "64:160:4",
}
MCUNET = ({"ram": 320 * KIB, "flash": 1024 * KIB}, {"ram": 256 * KIB, "flash": 1024 * KIB, "latency": 500 * MS})

Limits = dict[str, int]


def paper_limits() -> list[Limits]:
    """The paper's budgets as limits [B, fs]."""
    return [{"ram": ram * KIB, "flash": flash * KIB, "latency": latency * MS} for ram, flash, latency in PAPER]


def limits(count: int = COUNT, seed: int = SEED) -> list[Limits]:
    """``count`` budgets: the paper's, then log-uniform ones of which every second limits latency."""
    source = random.Random(seed)
    drawn = paper_limits()
    for at in range(len(drawn), count):
        one = {name: round(math.exp(source.uniform(*map(math.log, ends)))) for name, ends in ENDS.items()}
        if at % 2 == 0:
            del one["latency"]
        drawn.append(one)
    return drawn[:count]


def problems(
    net: str, budgets: Sequence[Limits], domain: dict[str, Any] | None = None, runtime: str = "tensors"
) -> list[Problem]:
    """The budgets over one space with ImageNet's classes, for most MACs."""
    space = make_space(make_domain(net, domain=domain, classes=1000), runtime, works=tuple(WORKS_FS))
    return [Problem(space, find_objective("macs"), budget, WORKS_FS) for budget in budgets]


def measure(count: int = COUNT, seed: int = SEED) -> list[Line]:
    """The warm bars, and what informs about them."""
    started = time.perf_counter()
    asked = problems("atomnet", limits(count, seed))
    layout_s = time.perf_counter() - started
    taken, note = _solves(asked)
    lines = [
        Line(SECTION, "atomnet: paths of the domain", asked[0].space.size, "", 5e7, True),
        Line(SECTION, "atomnet: layout of the space, once", layout_s, "s"),
        Line(SECTION, "atomnet: median", median(taken), "s", MEDIAN_BAR_S, note=note),
        Line(SECTION, "atomnet: max", max(taken), "s", MAX_BAR_S),
    ]
    asked = problems("atomnet", paper_limits(), FINE)
    taken, note = _solves(asked)
    lines += [
        Line(SECTION, "atomnet, widths in steps of 4: paths", asked[0].space.size, "", FINE_LEAST_PATHS, True),
        Line(SECTION, "atomnet, widths in steps of 4: max", max(taken), "s", FINE_BAR_S, note=note),
    ]
    asked = problems("mcunet", MCUNET)
    taken, note = _solves(asked, repeats=1)
    lines.append(Line(SECTION, f"mcunet, {asked[0].space.size:.0e} paths: max", max(taken), "s", note=note))
    for net, budgets in (("atomnet", limits(count, seed)), ("mcunet", MCUNET)):
        taken, note = _solves(problems(net, budgets, runtime="tflm"), repeats=1)
        lines.append(Line(SECTION, f"{net}, runtime tflm, winners planned: max", max(taken), "s", note=note))
    return lines


def _solves(asked: Sequence[Problem], repeats: int = REPEATS) -> tuple[list[float], str]:
    """Seconds of each solve, and how it went, in one line."""
    solve(asked[-1])  # unmeasured: fills the caches of the space
    taken, proofs, infeasible = [], 0, 0
    for problem in asked:
        once = []
        for _ in range(repeats):
            started = time.perf_counter()
            found = solve(problem)
            once.append(time.perf_counter() - started)
        taken.append(median(once))
        infeasible += found is None
        proofs += found is not None and found.certificate.status is Status.OPTIMAL
    counts = f", {infeasible} infeasible" if infeasible else ""
    return taken, f"{len(asked)} budgets, {proofs} proven{counts}, median {median(taken) * 1e3:.0f} ms"
