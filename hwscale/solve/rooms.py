"""How the RAM of a stage-wise network is shared out: what its memory regions may need, and what may persist.

RAM is a sum over regions of the largest on the path, and of what persists along it. Only a largest is no resource of a path; so
its paths are parted by what the regions need. A `Room` bounds every region, which strikes out arcs, and leaves the rest of the
limit to what persists, which is a resource like Flash. Rooms that promise enough are split until they are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from hwscale.chain_space import ChainGroup
from hwscale.cost_terms import Ints
from hwscale.solve.watch import Window, least_regions, windows

UNLIMITED = 2**61
PARTS = 4
"""Rooms that one is split into."""


@dataclass(frozen=True, slots=True)
class Room:
    """Paths of one root whose regions need at most ``most`` [B], by region, and that keep at most ``persistent`` [B] for good.

    ``first`` and ``last`` are the places of the bounds among the sizes that the region can have. ``exact``: each of these paths
    keeps the RAM limit; in another room some that are too large are among them, and none that fits is missing.
    """

    root: int
    first: tuple[int, ...]
    last: tuple[int, ...]
    most: tuple[int, ...]
    persistent: int
    exact: bool


def whole_room(group: ChainGroup, root: int, limit: int | None) -> Room | None:
    """All paths of a root that may fit ``limit`` [B], less what persists without links (None: any); None if none does."""
    levels = _levels(group, root)
    if limit is None:
        last = tuple(len(sizes) - 1 for sizes in levels)
        return Room(root, (0,) * len(levels), last, (UNLIMITED,) * len(levels), UNLIMITED, True)
    return _room(group, root, limit, [0] * len(levels), [len(sizes) - 1 for sizes in levels])


def split(group: ChainGroup, room: Room, limit: int) -> Iterator[Room]:
    """Rooms that hold every path of ``room`` that fits ``limit`` [B], as `whole_room` takes it."""
    levels = _levels(group, room.root)
    spreads = [int(sizes[b] - sizes[a]) for sizes, a, b in zip(levels, room.first, room.last, strict=True)]
    region = spreads.index(max(spreads))
    first, last = room.first[region], room.last[region]
    # up to here nothing that persists can break the limit
    beside = sum(int(sizes[b]) for n, (sizes, b) in enumerate(zip(levels, room.last, strict=True)) if n != region)
    free = limit - persistent_range(group)[1] - beside
    cut = int(np.searchsorted(levels[region], free, side="right")) - 1
    if first <= cut < last:
        pieces = [(first, cut), (cut + 1, last)]
    else:
        edges = np.unique(np.linspace(first, last + 1, min(PARTS, last + 1 - first) + 1).astype(int))
        pieces = [(int(a), int(b) - 1) for a, b in pairwise(edges)]
    for a, b in pieces:
        lower, upper = list(room.first), list(room.last)
        lower[region], upper[region] = a, b
        part = _room(group, room.root, limit, lower, upper)
        if part is not None:
            yield part


def _room(group: ChainGroup, root: int, limit: int, first: list[int], last: list[int]) -> Room | None:
    levels = _levels(group, root)
    least, most = persistent_range(group)
    floor = sum(int(sizes[a]) for sizes, a in zip(levels, first, strict=True))
    left = limit - floor
    if left < least:
        return None
    for n, sizes in enumerate(levels):  # no region can have more than what the others leave at their least
        cap = int(np.searchsorted(sizes, left - least + sizes[first[n]], side="right")) - 1
        last[n] = min(last[n], cap)
    tops = tuple(int(sizes[b]) for sizes, b in zip(levels, last, strict=True))
    free = sum(tops) - floor + most <= left
    exact = free or first == last
    return Room(root, tuple(first), tuple(last), tops, UNLIMITED if most <= left else left, exact)


def _levels(group: ChainGroup, root: int) -> tuple[Ints, ...]:
    """Per region the sizes that it can have on a path of a root, ascending: none below what every path needs."""
    return _sizes(group, root, windows(group, root))


@lru_cache(maxsize=1024)
def _sizes(group: ChainGroup, root: int, windows: tuple[Window, ...]) -> tuple[Ints, ...]:
    found, needs = [], least_regions(group, root, windows)
    for region in range(len(group.model.regions)):
        levels = [need[region][layer.heads >= 0] for need, layer in zip(needs, group.layers, strict=True)]
        sizes = np.unique(np.concatenate(levels))
        found.append(sizes[sizes >= _bottleneck(group, needs, region)])
    return tuple(found)


def _bottleneck(group: ChainGroup, needs: tuple[Ints, ...], region: int) -> int:
    """The least that a region needs on any path."""
    rest: Ints = np.zeros(len(group.layers[-1].states), np.int64)
    for layer, need in zip(reversed(group.layers), reversed(needs), strict=True):
        onward = np.maximum(need[region], rest[np.maximum(layer.heads, 0)])
        rest = np.where(layer.heads >= 0, onward, UNLIMITED).min(axis=1)
    return int(rest[0])


@lru_cache(maxsize=256)
def persistent_range(group: ChainGroup) -> tuple[int, int]:
    """The least and the most that persists on any path [B], less what persists without links."""
    least: Ints = np.zeros(len(group.layers[-1].states), np.int64)
    most = least
    for layer in reversed(group.layers):
        heads, real = np.maximum(layer.heads, 0), layer.heads >= 0
        least = np.where(real, layer.persistent + least[heads], UNLIMITED).min(axis=1)
        most = np.where(real, layer.persistent + most[heads], -1).max(axis=1)
    return int(least[0]), int(most[0])
