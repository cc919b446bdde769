"""Which candidates of a lattice the runtime can really pack within the RAM limit, many at once.

A greedy planner places the largest buffers first, and what comes later moves none of them: the end of the highest among the largest
few already bounds the whole arena, and most candidates that leave gaps are seen to exceed the limit by these alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hwscale.problem import Problem
from hwscale.runtimes.planner import ALIGNMENT_BYTES
from hwscale.solve.arena import least_heads
from hwscale.space import Group

Ints = npt.NDArray[np.int64]
FIRST = 20
"""Buffers that are placed for all candidates, before the rest is for those still in doubt."""


def packable(
    problem: Problem, group: Group, root: Ints, alpha: Ints, box: tuple[Ints, ...]
) -> npt.NDArray[np.bool_] | None:
    """Which candidates keep the RAM limit as planned; None where they must be planned one by one."""
    if "ram" not in problem.limits or not problem.space.runtime_plans:
        return None
    packed = group.buffers(root, alpha, box)
    if packed is None:
        return None
    sizes, persistent, lifetimes = packed
    sizes = (sizes.T + (ALIGNMENT_BYTES - 1)) // ALIGNMENT_BYTES * ALIGNMENT_BYTES
    room = problem.limits["ram"] - persistent
    first, last = np.array(lifetimes, np.int64).T
    kept: npt.NDArray[np.bool_] = room >= 0
    for count in (FIRST, sizes.shape[1]):
        rows = np.flatnonzero(kept)
        kept[rows] = _heads(sizes[rows], first, last, count) <= room[rows]
    return kept


def _heads(sizes: Ints, first: Ints, last: Ints, count: int) -> Ints:
    """End of the highest of the ``count`` buffers that are placed first [B]."""
    index = np.arange(sizes.shape[1])
    if count < sizes.shape[1]:
        turn = np.argsort(-((sizes << 20) + index), axis=1)
        sizes = sizes.copy()
        np.put_along_axis(sizes, turn[:, count:], 0, axis=1)
    first, last, index = (np.broadcast_to(values, sizes.shape) for values in (first, last, index))
    return least_heads(sizes, first, last, index, np.zeros(sizes.shape, np.bool_))
