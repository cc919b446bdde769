"""A stage-wise problem as arrays: per input size the arcs of its layers, what they are worth and what they use.

The metric that the objective reads is maximised up to the objective's turning point, and minimised above it. What caps the metric
itself, that point or a limit, is no resource: priced like one it would make all paths alike. Of RAM only what persists is one;
what the memory regions need strikes out arcs, see `hwscale.solve.rooms`.
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
from hwscale.solve.rooms import UNLIMITED, Room, persistent_range, whole_room
from hwscale.solve.shared import limits_left
from hwscale.solve.watch import least_regions, windows

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stack:
    """Several rooms of a group, one row each, and their arcs per layer: ``value`` and ``latency`` (rows, states, ways),
    ``regions`` (regions, rows, states, ways), ``persistent`` and ``flash`` (states, ways), ``resources`` (kinds, rows, states,
    ways), ``allowed`` where a way exists and fits on its own; ``limits`` (kinds, rows).

    ``rising``: value is the metric, else its negative. ``cap`` (rows,) is the largest value allowed. ``ram`` [B] is what regions
    and what persists may need together, in rooms that are not exact.
    """

    group: ChainGroup
    rooms: tuple[Room, ...]
    rising: bool
    heads: tuple[Ints, ...]
    value: tuple[Ints, ...]
    regions: tuple[Ints, ...]
    persistent: tuple[Ints, ...]
    latency: tuple[Ints, ...]
    flash: tuple[Ints, ...]
    resources: tuple[Ints, ...]
    allowed: tuple[npt.NDArray[np.bool_], ...]
    limits: Ints
    cap: Ints
    ram: int

    @property
    def roots(self) -> tuple[int, ...]:
        """Of each row its root's place in the group."""
        return tuple(room.root for room in self.rooms)

    @property
    def spare(self) -> int:
        """What the regions may need at most [B]."""
        return self.ram - persistent_range(self.group)[0]


def stacks(problem: Problem) -> Iterator[Stack]:
    """All roots of a problem: below the turning point, and above it where a network can get there."""
    for group in problem.chains.groups:
        found = [whole_room(group, root, limits_left(problem, group).get("ram")) for root in range(len(group.roots))]
        rooms = [room for room in found if room is not None]
        most = sum(costs(problem, layer)[problem.objective.metric].max(axis=(1, 2)) for layer in group.layers)
        above = [room for room in rooms if most[room.root] > _peak(problem, group, room.root)]
        yield from stacked(problem, group, rooms, rising=True)
        yield from stacked(problem, group, above, rising=False)


def stacked(problem: Problem, group: ChainGroup, rooms: list[Room], *, rising: bool) -> Iterator[Stack]:
    """The rooms of a group in stacks of equal resources."""
    for bound in (False, True):
        alike = [room for room in rooms if (room.persistent < UNLIMITED) == bound]
        if alike:
            yield _stack(problem, group, tuple(alike), rising, bound)


def _stack(problem: Problem, group: ChainGroup, rooms: tuple[Room, ...], rising: bool, bound: bool) -> Stack:
    rows = [room.root for room in rooms]
    metric, sign = problem.objective.metric, 1 if rising else -1
    limits = limits_left(problem, group)
    ram = limits.pop("ram", UNLIMITED)
    most = limits.pop(metric, UNLIMITED) if rising else UNLIMITED
    sides = [[limit] * len(rows) for limit in limits.values()]
    if bound:
        sides.append([room.persistent for room in rooms])
    tops = np.array([room.most for room in rooms]).T[:, :, None, None]
    priced = [costs(problem, layer) for layer in group.layers]
    raised = [least_regions(group, root, windows(group, root)) for root in rows]
    allowed, resources = [], []
    for at, (layer, cost) in enumerate(zip(group.layers, priced, strict=True)):
        used = [cost[name][rows] for name in limits]
        if bound:
            used.append(np.broadcast_to(layer.persistent, (len(rows), *layer.persistent.shape)))
        needs = np.stack([need[at] for need in raised], axis=1)
        fits = (layer.heads >= 0)[None] & (needs <= tops).all(axis=0)
        for use, side in zip(used, sides, strict=True):
            fits &= use <= np.array(side)[:, None, None]  # which also keeps sums of labels from overflowing
        allowed.append(fits)
        resources.append(np.array(used, np.int64).reshape(len(used), *fits.shape))
    peaks = [_peak(problem, group, root) for root in rows]
    return Stack(
        group,
        rooms,
        rising,
        tuple(np.maximum(layer.heads, 0) for layer in group.layers),
        tuple(sign * cost[metric][rows] for cost in priced),
        tuple(layer.regions[:, rows] for layer in group.layers),
        tuple(layer.persistent for layer in group.layers),
        tuple(cost["latency"][rows] for cost in priced),
        tuple(layer.flash for layer in group.layers),
        tuple(resources),
        tuple(allowed),
        np.array(sides, np.int64).reshape(len(sides), len(rows)),
        np.array([min(peak, most) if rising else -peak - 1 for peak in peaks], np.int64),
        ram,
    )


def _peak(problem: Problem, group: ChainGroup, root: int) -> int:
    return whole_peak(problem.objective.turning_points(np.array([group.resolutions[root]]))[0])


def costs(problem: Problem, layer: Layer) -> dict[str, Ints]:
    """Costs that add up, of every way by metric, all of shape (roots, states, ways)."""
    shape = layer.macs.shape
    return {
        "flash": np.broadcast_to(layer.flash, shape),
        "macs": layer.macs,
        "executed": layer.macs if layer.executed is None else layer.executed,
        "params": np.broadcast_to(layer.params, shape),
        "latency": np.minimum(problem.works_fs(layer.works, shape), LONGEST_FS),
    }


def whole_peak(peak: Any) -> int:
    """The largest whole metric not past a turning point."""
    return math.floor(min(float(peak), float(UNLIMITED)))
