"""A law of published accuracy, and the constants of `balanced` that it implies.

    logit(top-1) = o - A (rho / 300)^-p - B (r / 224)^-q,    rho = M / (r / 224)^2

M [millions] are MACs, r [px] is the input side, rho what the network would cost at 224 px. Fitted to one grid by least
squares on the logits. It is a description of that grid, and a guess beyond it.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

import hwscale
from benchmarks.accuracy_grid import GRIDS, Floats, Grid, load


def law(grid: Grid) -> Floats:
    """(o, A, p, B, q) fitted to ``grid``."""
    from scipy.optimize import least_squares

    millions, r = grid.costs["macs"] / 1e6, grid.sides / 224
    logits = np.log(grid.top1 / (100 - grid.top1))

    def error(parameters: Floats) -> Floats:
        o, a, p, b, q = parameters
        fitted: Floats = o - a * (millions / r**2 / 300) ** -p - b * r**-q
        return fitted - logits

    return np.asarray(least_squares(error, [3.0, 1.0, 0.3, 1.0, 0.5], xtol=1e-12, ftol=1e-12, max_nfev=10_000).x)


def constants(grid: Grid) -> tuple[float, float, float]:
    """(r0, c, exponent of r_path) that the law of a grid implies.

    At 100 M MACs the law peaks at r0; there c is its curvature in ln r over twice its slope in ln MACs. Along the ridge
    r grows with MACs to the power p / (q + 2p).
    """
    _, a, p, b, q = law(grid)

    def level(log_macs: float, log_r: float) -> float:
        r = math.exp(log_r) / 224
        return -a * (math.exp(log_macs) / 1e6 / r**2 / 300) ** -p - b * r**-q

    def ridge(log_macs: float) -> float:
        return max(np.linspace(math.log(32), math.log(1024), 20_001).tolist(), key=lambda log_r: level(log_macs, log_r))

    at, step = math.log(1e8), 0.05
    top = ridge(at)
    curvature = -(level(at, top + step) - 2 * level(at, top) + level(at, top - step)) / step**2
    slope = (level(at + step, ridge(at + step)) - level(at - step, ridge(at - step))) / (2 * step)
    return math.exp(top), curvature / 2 / slope, p / (q + 2 * p)


@cache
def widened(name: str) -> Grid:
    """The family of a grid far beyond what was published, its top-1 by the law of the grid."""
    o, a, p, b, q = law(load(name))
    net = GRIDS[name][0]
    values = [(n / 20, r) for n in range(2, 51) for r in range(32, 257, 16)]
    priced = [
        hwscale.cost(net, {"alpha": alpha, "resolution": r}, classes=1000, runtime="tensors").cost
        for alpha, r in values
    ]
    costs = {"ram": "ram_bytes", "flash": "flash_bytes", "macs": "macs", "params": "params"}
    arrays = {key: np.array([getattr(cost, field) for cost in priced], np.float64) for key, field in costs.items()}
    sides = np.array([float(r) for _, r in values])
    logits = o - a * (arrays["macs"] / 1e6 / (sides / 224) ** 2 / 300) ** -p - b * (sides / 224) ** -q
    return Grid(name, arrays, sides, 100 / (1 + np.exp(-logits)))
