"""Many arenas planned at once by TensorFlow Lite Micro's greedy planner, also where only a part of a network is known.

`hwscale.runtimes.planner` is the rule, one arena at a time: largest buffer first, of equal sizes the highest index, each into the
lowest gap among the buffers, already placed, that it coexists with. Of a part of a network some buffers also meet buffers that are
not in it: those that cross its ends. A buffer is settled if none that is placed before it and coexists with it crosses or is
unsettled: then it stands at the same place in every network that holds the part. The others stand no lower than the settled ones
let them, since another obstacle never lowers a first fit. So the end of the highest buffer bounds the whole arena from below.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
FAR = 2**61
ROWS = 4096
"""Arenas that are planned in one go, so that their arrays stay in the cache."""


def least_heads(sizes: Ints, first: Ints, last: Ints, order: Ints, crossing: Flags) -> Ints:
    """Per row what an arena needs at least [B] that holds these buffers and others that only meet the ``crossing`` ones.

    All (rows, buffers): aligned ``sizes`` [B] (0: no buffer), the ops that a buffer lives from and to, both inclusive, and
    ``order``, a different number below 2^20 for each, the higher placed first among equal sizes. Where nothing crosses it is exact.
    """
    found = np.zeros(len(sizes), np.int64)
    for begin in range(0, len(sizes), ROWS):
        rows = slice(begin, begin + ROWS)
        found[rows] = _planned(sizes[rows], first[rows], last[rows], order[rows], crossing[rows])
    return found


def _planned(sizes: Ints, first: Ints, last: Ints, order: Ints, crossing: Flags) -> Ints:
    turn = np.argsort(-((sizes << 20) + order), axis=1)
    sizes, first, last = (np.take_along_axis(values, turn, 1) for values in (sizes, first, last))
    outside = np.take_along_axis(crossing, turn, 1)
    starts, settled = np.zeros_like(sizes), np.zeros_like(outside)
    head = np.zeros(len(sizes), np.int64)
    for k in range(int((sizes > 0).sum(axis=1).max(initial=0))):
        size, before = sizes[:, k : k + 1], slice(0, k)
        meets = (first[:, before] <= last[:, k : k + 1]) & (first[:, k : k + 1] <= last[:, before])
        settled[:, k] = ~outside[:, k] & ~(meets & ~settled[:, before]).any(axis=1)
        meets &= settled[:, before]
        start = np.where(meets, starts[:, before], FAR)
        upwards = np.argsort(start, axis=1)
        start = np.take_along_axis(start, upwards, 1)
        end = np.where(start < FAR, start + np.take_along_axis(sizes[:, before], upwards, 1), 0)
        free = np.zeros((len(sizes), k + 1), np.int64)
        np.maximum.accumulate(end, axis=1, out=free[:, 1:])
        fits = np.ones((len(sizes), k + 1), np.bool_)
        fits[:, :k] = start - free[:, :k] >= size
        starts[:, k] = np.take_along_axis(free, fits.argmax(axis=1)[:, None], 1)[:, 0]
        head = np.maximum(head, starts[:, k] + size[:, 0])
    return head
