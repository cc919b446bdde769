"""A stage-wise problem as arrays: per input size the arcs of its layers, what they are worth and what they use.

The metric that the objective reads is maximised up to the objective's turning point, and minimised above it. What caps the metric
itself, that point or a limit, is no resource: priced like one it would make all paths alike. Nor is RAM: a path's is the
largest of its arcs', so a limit on it strikes out arcs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwscale.chain_model import Layer
from hwscale.chain_space import ChainGroup
from hwscale.problem import LONGEST_FS, Problem

Ints = npt.NDArray[np.int64]
UNLIMITED = 2**61


@dataclass(frozen=True, slots=True)
class Stack:
    """Several roots of a group, arcs per layer: ``value``, ``ram`` and ``latency`` (roots, states, ways), ``flash``
    (states, ways), ``resources`` (kinds, roots, states, ways), ``allowed`` where a way exists and fits on its own; ``limits`` (kinds, roots).

    ``rising``: value is the metric, else its negative. ``cap`` (roots,) is the largest value allowed.
    """

    group: ChainGroup
    roots: tuple[int, ...]
    rising: bool
    heads: tuple[Ints, ...]
    value: tuple[Ints, ...]
    ram: tuple[Ints, ...]
    latency: tuple[Ints, ...]
    flash: tuple[Ints, ...]
    resources: tuple[Ints, ...]
    allowed: tuple[npt.NDArray[np.bool_], ...]
    limits: Ints
    cap: Ints


def stacks(problem: Problem) -> Iterator[Stack]:
    """All roots of a problem: below the turning point, and above it where a network can get there."""
    for group in problem.chains.groups:
        peaks = [
            whole_peak(peak) for peak in np.atleast_1d(problem.objective.turning_points(np.array(group.resolutions)))
        ]
        priced = [costs(problem, layer) for layer in group.layers]
        most = sum(cost[problem.objective.metric].max(axis=(1, 2)) for cost in priced)
        below = tuple(range(len(group.roots)))
        above = tuple(root for root in below if most[root] > peaks[root])
        for roots, rising in ((below, True), (above, False)):
            if roots:
                yield _stack(problem, group, roots, rising, priced, [peaks[root] for root in roots])


def _stack(
    problem: Problem,
    group: ChainGroup,
    roots: tuple[int, ...],
    rising: bool,
    priced: list[dict[str, Ints]],
    peaks: list[int],
) -> Stack:
    rows = list(roots)
    metric, sign = problem.objective.metric, 1 if rising else -1
    limits = {name: limit for name, limit in problem.limits.items() if name != "ram"}
    if "flash" in limits:
        limits["flash"] -= group.model.base_flash
    most = limits.pop(metric, UNLIMITED) if rising else UNLIMITED
    kinds = list(limits)
    allowed, resources = [], []
    for layer, cost in zip(group.layers, priced, strict=True):
        fits = (layer.heads >= 0)[None] & (cost["ram"][rows] <= problem.limits.get("ram", UNLIMITED))
        for name, limit in limits.items():
            fits &= cost[name][rows] <= limit  # which also keeps sums of labels from overflowing
        allowed.append(fits)
        used = [cost[name][rows] for name in kinds]
        resources.append(np.array(used, np.int64).reshape(len(used), *fits.shape))
    bounds = [[limit] * len(rows) for limit in limits.values()]
    return Stack(
        group,
        roots,
        rising,
        tuple(np.maximum(layer.heads, 0) for layer in group.layers),
        tuple(sign * cost[metric][rows] for cost in priced),
        tuple(cost["ram"][rows] for cost in priced),
        tuple(cost["latency"][rows] for cost in priced),
        tuple(layer.flash for layer in group.layers),
        tuple(resources),
        tuple(allowed),
        np.array(bounds, np.int64).reshape(len(bounds), len(rows)),
        np.array([min(peak, most) if rising else -peak - 1 for peak in peaks], np.int64),
    )


def costs(problem: Problem, layer: Layer) -> dict[str, Ints]:
    """Costs of every way by metric, all of shape (roots, states, ways)."""
    return {
        "ram": layer.ram,
        "flash": np.broadcast_to(layer.flash, layer.ram.shape),
        "macs": layer.macs,
        "params": np.broadcast_to(layer.params, layer.ram.shape),
        "latency": np.minimum(problem.kinds_fs(layer.kinds, layer.ram.shape), LONGEST_FS),
    }


def whole_peak(peak: Any) -> int:
    """The largest whole metric not past a turning point."""
    return math.floor(min(float(peak), float(UNLIMITED)))
