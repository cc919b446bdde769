"""Latencies that cannot be in the unit of their column: rows that the others contradict a thousandfold, and whole files.

A row is compared with a robust fit (Cauchy loss on ln(predicted / measured)) of MACs, elements and calls to the other rows of its
kind: it is a slip where they differ by more than `THRESHOLD`, halfway to 1000. The worst goes first, then the rest is asked anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hwscale.calibration import Sample
from hwscale.work import KERNELS

Floats = npt.NDArray[np.float64]

THRESHOLD = math.sqrt(1000)
FEWEST = 4
"""Rows of a kind below which it is not clear which one is wrong."""
LOSS_SCALE = 0.3
"""ln(predicted / measured) from where a row pulls the fit less and less."""
ALONE = 32
"""Rows up to which each is compared with a fit without it; one of more can hardly pull a fit to itself."""
TOLERANCE = {"ftol": 1e-4, "xtol": 1e-3, "gtol": 1e-4}
FASTEST, SLOWEST = 1000.0, 1e-4
"""MAC per cycle that no core with its own multipliers does."""


def slips(samples: Sequence[Sample]) -> dict[int, float]:
    """Measured / what the other rows of its kind say, for the samples, by place, where that is about 1000 or 1 / 1000."""
    kinds: dict[str, list[int]] = {}
    for at, sample in enumerate(samples):
        kinds.setdefault(kind_of(sample), []).append(at)
    found: dict[int, float] = {}
    for places in kinds.values():
        rows = [samples[at] for at in places]
        found |= {places[row]: ratio for row, ratio in _slips(_units(rows), _latencies(rows)).items()}
    return found


def kind_of(sample: Sample) -> str:
    """Of the op, or "network"."""
    return sample.ops[0].kind if len(sample.ops) == 1 else "network"


def macs_per_cycle(samples: Sequence[Sample], clock_hz: int) -> float | None:
    """The median over samples that multiply; None without one."""
    macs = np.array([float(sum(op.macs for op in sample.ops)) for sample in samples])
    speeds = macs / _latencies(samples) / clock_hz
    return float(np.median(speeds[macs > 0])) if (macs > 0).any() else None


def _latencies(samples: Sequence[Sample]) -> Floats:
    return np.array([sample.latency_s for sample in samples])


def _units(samples: Sequence[Sample]) -> Floats:
    """MACs, elements and calls of each sample; of a network those of its kernels."""
    rows = []
    for sample in samples:
        ops = sample.ops if len(sample.ops) == 1 else [op for op in sample.ops if op.kind in KERNELS]
        rows.append([float(sum(op.macs for op in ops)), float(sum(op.elements for op in ops)), float(len(ops))])
    return np.array(rows)


def _slips(units: Floats, latencies: Floats) -> Mapping[int, float]:
    """By row, the worst first."""
    found: dict[int, float] = {}
    rows = list(range(len(latencies)))
    while len(rows) >= FEWEST:
        ratios = _ratios(units[rows], latencies[rows])
        worst = int(np.argmax(np.abs(np.log(ratios))))
        if abs(math.log(ratios[worst])) <= math.log(THRESHOLD):
            break
        found[rows.pop(worst)] = float(ratios[worst])
    return found


def _ratios(units: Floats, latencies: Floats) -> Floats:
    """Measured / predicted of each row, by a fit to the others."""
    whole = _fit(units, latencies)
    if len(latencies) > ALONE:
        return latencies / (units @ whole)
    found = np.empty(len(latencies))
    for row in range(len(latencies)):
        others = np.arange(len(latencies)) != row
        found[row] = latencies[row] / float(units[row] @ _fit(units[others], latencies[others], whole))
    return found


def _fit(units: Floats, latencies: Floats, start: Floats | None = None) -> Floats:
    """Seconds per unit, above zero, from the best of several starts: each work alone explaining the median row, and all alike."""
    from scipy.optimize import least_squares

    scale = np.array([np.median(latencies / np.maximum(column, 1.0)) for column in units.T])
    shares = np.maximum(units * scale / latencies[:, None], 1e-30)

    def residuals(logs: Floats) -> Floats:
        return np.asarray(np.log(shares @ np.exp(logs)))

    def slopes(logs: Floats) -> Floats:
        parts = shares * np.exp(logs)
        return np.asarray(parts / parts.sum(axis=1, keepdims=True))

    starts = [np.where(np.arange(units.shape[1]) == work, 0.0, -5.0) for work in range(units.shape[1])]
    starts.append(np.full(units.shape[1], -1.0))
    if start is not None:
        starts.append(np.clip(np.log(start / scale), -25.0, 25.0))
    bounds = (-30.0, 30.0)
    runs: list[Any] = [
        least_squares(residuals, at, slopes, bounds=bounds, loss="cauchy", f_scale=LOSS_SCALE, max_nfev=50, **TOLERANCE)
        for at in starts
    ]
    return np.asarray(np.exp(min(runs, key=lambda run: float(run.cost)).x) * scale)
