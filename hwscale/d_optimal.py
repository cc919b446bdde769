"""Which rows of a linear model to measure: D-optimal designs, exact and continuous.

The information of a set of rows is the sum of x x'; its determinant is the inverse square of the volume in which the
coefficients lie, given errors of one size. An exact design has whole rows, each at most once; the continuous one gives
every row a share of the measurements and bounds what any exact one can reach, per measurement (Kiefer and Wolfowitz
1960; exchange: Fedorov 1972).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STARTS = 16
"""Random sets from which the exchange is started too: it ends in a local optimum."""
RIDGE = 1e-9
GAIN = 1e-9
LARGEST_CONDITION = 1e6
"""Of rows scaled column by column, above which columns count as dependent."""


def log_det(rows: Floats) -> float:
    """ln det of the information of ``rows`` (n, p); -inf if it is singular."""
    sign, value = np.linalg.slogdet(rows.T @ rows)
    return float(value) if sign > 0 else -math.inf


def determined(rows: Floats) -> bool:
    """Can all coefficients be told apart by ``rows`` (n, p)?"""
    lengths = np.linalg.norm(rows, axis=0)
    return len(rows) >= rows.shape[1] and bool(lengths.all()) and np.linalg.cond(rows / lengths) < LARGEST_CONDITION


def exact_design(rows: Floats, count: int, seed: int = 0) -> Ints:
    """``count`` of ``rows`` (n, p), ascending, whose information has the largest determinant that exchanging finds.

    Starts from a greedy set and from `STARTS` random ones; no exchange of one row for another improves what is
    returned.
    """
    source = np.random.default_rng(seed)
    starts = [_greedy(rows, count)]
    starts += [source.choice(len(rows), count, replace=False) for _ in range(STARTS)]
    found = [_exchanged(rows, start) for start in starts]
    return max(found, key=lambda chosen: log_det(rows[chosen]))


def _greedy(rows: Floats, count: int) -> Ints:
    ridge = np.eye(rows.shape[1]) * RIDGE * float((rows**2).mean())
    chosen: list[int] = []
    for _ in range(count):
        leverage = _leverage(rows, rows[chosen].T @ rows[chosen] + ridge)
        leverage[chosen] = -math.inf
        chosen.append(int(leverage.argmax()))
    return np.array(chosen)


def _exchanged(rows: Floats, start: Ints) -> Ints:
    """Exchange the best pair for as long as the determinant grows."""
    chosen = np.sort(start)
    ridge = np.eye(rows.shape[1]) * RIDGE * float((rows**2).mean())
    while True:
        inverse = np.linalg.inv(rows[chosen].T @ rows[chosen] + ridge)
        every = np.einsum("ni,ij,nj->n", rows, inverse, rows)
        inner = every[chosen][:, None]
        cross = rows[chosen] @ inverse @ rows.T
        # det changes by 1 + d(in) - d(out) - (d(in) d(out) - d(in, out)^2)
        ratio = (1 + every) * (1 - inner) + cross**2
        ratio[:, chosen] = 0
        leaving, entering = np.unravel_index(int(ratio.argmax()), ratio.shape)
        if ratio[leaving, entering] <= 1 + GAIN:
            return chosen
        chosen = np.sort(np.append(np.delete(chosen, leaving), entering))


def continuous_design(rows: Floats, tolerance: float = 1e-6, most: int = 20_000) -> tuple[Floats, float]:
    """Shares of the measurements of each row of the D-optimal continuous design, and ln det of its information per
    measurement.

    Shares move from the least to the most informative row (vertex exchange, Boehning 1986) until no row is more
    informative than p (1 + ``tolerance``), which at the optimum none is.
    """
    n, p = rows.shape
    shares = np.zeros(n)
    shares[exact_design(rows, min(n, p + 1))] = 1 / min(n, p + 1)
    for _ in range(most):
        information = (rows * shares[:, None]).T @ rows
        inverse = np.linalg.inv(information)
        leverage = np.einsum("ni,ij,nj->n", rows, inverse, rows)
        gaining = int(leverage.argmax())
        if leverage[gaining] <= p * (1 + tolerance):
            break
        held = np.flatnonzero(shares)
        losing = int(held[leverage[held].argmin()])
        cross = float(rows[gaining] @ inverse @ rows[losing])
        room = 2 * (leverage[gaining] * leverage[losing] - cross**2)
        best = (leverage[gaining] - leverage[losing]) / room if room > 0 else math.inf
        moved = min(best, shares[losing])
        shares[gaining] += moved
        shares[losing] = shares[losing] - moved if moved < shares[losing] else 0.0
    return shares, log_det(rows * np.sqrt(shares)[:, None])


def efficiency(rows: Floats, chosen: Ints) -> float:
    """Information per measurement over that of the continuous optimum, (det / det*)^(1/p), at most 1."""
    _, best = continuous_design(rows)
    return math.exp((log_det(rows[chosen] / math.sqrt(len(chosen))) - best) / rows.shape[1])


def _leverage(rows: Floats, information: Floats) -> Floats:
    found: Floats = np.einsum("ni,ij,nj->n", rows, np.linalg.inv(information), rows)
    return found
