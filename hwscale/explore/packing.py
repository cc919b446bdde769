"""Many arenas of one graph packed at once, as TensorFlow Lite Micro's greedy planner packs them.

`hwscale.solve.arena` packs arenas of any graphs. Where all rows are of one graph every buffer coexists with the same few others, and a
buffer is held against these alone: in a network that is nearly a chain a tenth of the work.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hwscale.runtimes.planner import ALIGNMENT_BYTES

Ints = npt.NDArray[np.int64]
ROWS = 2048
"""Arenas that are packed in one go, so that their arrays stay in the cache."""
FAR = 1 << 31


def packed_heads(sizes: Ints, first: Ints, last: Ints, order: Ints) -> Ints:
    """End of the highest buffer [B] per row of ``sizes`` (n, buffers) [B], each below 2^30.

    All rows have the same ``first`` and ``last`` op of each buffer, inclusive, and ``order``, different numbers below 2^20, the higher placed
    first among equal sizes.
    """
    used = np.flatnonzero(sizes.any(axis=0))
    sizes, first, last, order = sizes[:, used], first[used], last[used], order[used]
    meets = (first[:, None] <= last) & (first <= last[:, None])
    np.fill_diagonal(meets, False)
    most = int(meets.sum(axis=1).max(initial=0))
    beside = np.full((len(first), most), len(first))  # one place behind the last is never taken
    for at, row in enumerate(meets):
        others = np.flatnonzero(row)
        beside[at, : len(others)] = others
    aligned = (sizes + (ALIGNMENT_BYTES - 1)) // ALIGNMENT_BYTES * ALIGNMENT_BYTES
    found = np.zeros(len(sizes), np.int64)
    for start in range(0, len(sizes), ROWS):
        found[start : start + ROWS] = _packed(aligned[start : start + ROWS], order, beside)
    return found


def packed_alike(sizes: Ints, first: Ints, last: Ints, order: Ints) -> Ints:
    """The same where every argument has a row per arena: those of one structure together."""
    found = np.zeros(len(sizes), np.int64)
    empty = sizes == 0
    keys = np.concatenate([np.where(empty, -1, part) for part in (first, last, order)], axis=1).astype(np.int32)
    _, which, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    by_structure = np.split(np.argsort(which.reshape(-1), kind="stable"), np.cumsum(counts)[:-1])
    for rows in by_structure:
        one = rows[0]
        real = np.flatnonzero(~empty[one])
        found[rows] = packed_heads(sizes[np.ix_(rows, real)], first[one, real], last[one, real], order[one, real])
    return found


def _packed(sizes: Ints, order: Ints, beside: Ints) -> Ints:
    rows, buffers = sizes.shape
    turn = np.argsort(-((sizes << 20) + order), axis=1)
    every, width = np.arange(rows), buffers + 1
    # start and size of what is placed, in one number that sorts by start
    placed = np.full(rows * width, FAR << 31)
    head = np.zeros(rows, np.int64)
    for k in range(int((sizes > 0).sum(axis=1).max(initial=0))):
        buffer = turn[:, k]
        size = sizes[every, buffer]
        near = placed[beside[buffer] + (every * width)[:, None]]
        near.sort(axis=1)
        start, end = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
        open_rows = np.ones(rows, np.bool_)
        for other in near.T:
            from_ = other >> 31
            fits = from_ - end >= size
            start = np.where(open_rows & fits, end, start)
            open_rows &= ~fits
            if not open_rows.any():
                break
            end = np.where(from_ < FAR, np.maximum(end, from_ + (other & (FAR - 1))), end)
        start = np.where(open_rows, end, start)
        placed[buffer + every * width] = np.where(size > 0, (start << 31) + size, FAR << 31)
        head = np.maximum(head, start + size)
    return head
