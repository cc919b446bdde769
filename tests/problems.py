"""Named problems, shared by the solver tests: small spaces that `exhaustive` finishes in a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hwscale.domain import make_domain
from hwscale.objectives import BAND, balanced, find_objective
from hwscale.problem import Problem
from hwscale.space import make_space
from hwscale.work import KERNELS, Work, per_mac

KIB = 1024
PHINET = {
    "alpha": (0.1, 1.5),
    "beta": "0.5:1.5:0.25",
    "t_zero": "2:6:0.5",
    "num_layers": [7, 8],
    "resolution": [64, 96, 128],
}
RATES_FS = {
    **per_mac({"conv2d": 2_500_000, "pointwise": 2_900_000, "depthwise": 10_900_000, "fully_connected": 4_000_000}),
    Work("elements", KERNELS): 21_000_000,
    Work("ops", KERNELS): 90_000_000_000,
}
"""An operator model of the size of a microcontroller's: 2.5 ns a MAC, 21 ns an element, 90 us an op."""
WORKS = tuple(RATES_FS)


def phinet(objective: str, limits: dict[str, int], **domain: object) -> Problem:
    space = make_space(make_domain("phinet", domain={**PHINET, **domain}), "tensors", works=WORKS)
    return Problem(space, find_objective(objective), limits, RATES_FS)


def xinet(objective: str, limits: dict[str, int], **domain: object) -> Problem:
    small = {"alpha": (0.25, 1.5), "gamma": [3, 4], "num_layers": [5, 6], "resolution": [96, 128], **domain}
    space = make_space(make_domain("xinet", domain=small), "tensors", works=WORKS)
    return Problem(space, find_objective(objective), limits, RATES_FS)


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "phinet, RAM and Flash bind": lambda: phinet("macs", {"ram": 128 * KIB, "flash": 256 * KIB}),
    "phinet, balanced": lambda: phinet("balanced", {"ram": 128 * KIB, "flash": 256 * KIB}),
    "phinet, RAM alone": lambda: phinet("balanced", {"ram": 96 * KIB}),
    "phinet, Flash alone": lambda: phinet("params", {"flash": 100 * KIB}),
    "phinet, latency binds": lambda: phinet("macs", {"ram": 512 * KIB, "latency": 50 * 10**12}),
    "phinet, MACs are the limit and the objective": lambda: phinet("macs", {"macs": 5_000_000}),
    "phinet, one candidate a line": lambda: phinet("macs", {"ram": 128 * KIB}, alpha="0.35"),
    "phinet, divisor 8": lambda: phinet("macs", {"ram": 160 * KIB, "flash": 400 * KIB}, divisor=[8]),
    "phinet, tiny alpha, residual in block 0": lambda: phinet("macs", {"ram": 24 * KIB}, alpha=(0.01, 0.2)),
    "phinet, objective turns inside the domain": lambda: Problem(
        phinet("macs", {}).space, balanced(r0=2000.0, c=3.0), {"ram": 400 * KIB}, RATES_FS
    ),
    "phinet, the band of published practice binds": lambda: Problem(
        phinet("macs", {}).space, replace(balanced(), band=BAND), {"ram": 400 * KIB}, RATES_FS
    ),
    "xinet, RAM and Flash bind": lambda: xinet("macs", {"ram": 100 * KIB, "flash": 300 * KIB}),
    "xinet, balanced": lambda: xinet("balanced", {"ram": 100 * KIB}),
    "xinet, beta free": lambda: xinet("macs", {"ram": 100 * KIB, "flash": 300 * KIB}, beta="0.5:2:0.25"),
    "xinet, latency binds": lambda: xinet("balanced", {"latency": 80 * 10**12}),
    "xinet, without skip and attention": lambda: xinet("macs", {"ram": 64 * KIB}, skip=[False], attention=[False]),
}
