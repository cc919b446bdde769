"""What a chain can still earn where windows of it are watched: no completion goes through a window that leaves too little memory.

The dual problem of `hwscale.solve.duals` knows no windows. At its prices, though, the best way through the links of one is found by
looking at each that there is: those whose arena breaks the limit earn nothing, and a larger arena leaves less to what persists, which
has a price. That may be charged once on a path, for the arena is one; so it is charged for one window, whichever tells most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hwscale.solve.chain import Ints, Stack
from hwscale.solve.duals import Floats, Prices
from hwscale.solve.rooms import UNLIMITED
from hwscale.solve.watch import Watch, Window


@dataclass(frozen=True, slots=True)
class Foresight:
    """Per layer and state what a completion earns at most, ``free`` of the price of the memory that its regions need or ``charged``
    with it; and inside ``windows``, by window and layer, the same by number of its links so far: numbers, ascending, and what
    they earn, free and charged.

    Each byte that regions need beyond ``floor`` costs ``price``.
    """

    windows: tuple[Window, ...]
    free: list[Floats]
    charged: list[Floats]
    within: Mapping[tuple[Window, int], tuple[Ints, Floats, Floats]]
    price: float
    floor: float

    def charge(self, arena: Ints) -> Floats:
        """The price of an arena."""
        return np.asarray(self.price * np.maximum(arena - self.floor, 0.0))

    def inside(self, window: Window, layer: int, numbers: Ints) -> tuple[Floats, Floats]:
        """What completions of labels at a layer inside a window earn, free and charged."""
        known, free, charged = self.within[window, layer]
        at = np.searchsorted(known, numbers)
        return free[at], charged[at]


def foresee(stack: Stack, at: int, prices: Prices, spare: float, watch: Watch | None) -> Foresight:
    """Of row ``at`` at its own ``prices``; no arena exceeds ``spare`` [B]."""
    room, price, earnings = stack.rooms[at], prices.price, prices.earnings
    bound = room.persistent < UNLIMITED
    cost, floor = (float(price[-1]), float(stack.ram - room.persistent)) if bound else (0.0, 0.0)
    windows = () if watch is None else tuple(watch.binding(stack.spare))
    plain = Foresight(windows, earnings, earnings, {}, cost, floor)
    if watch is None or not windows:
        return plain
    gains = [
        np.where(allowed[at], value[at] - np.tensordot(price, resources[:, at], 1), -np.inf)
        for value, resources, allowed in zip(stack.value, stack.resources, stack.allowed, strict=True)
    ]
    hard, charged = list(earnings), list(earnings)
    within: dict[tuple[Window, int], tuple[Ints, Floats, Floats]] = {}
    for window in sorted(windows, reverse=True):
        first, last = window
        numbers = watch.all(window)
        if numbers is None:
            continue
        arenas = watch.arenas(window, numbers)
        states, ways = _decoded(watch, window, numbers)
        fits = np.where(arenas <= spare, 0.0, -np.inf)
        like, arc = watch.like(window, last), (states[-1], ways[-1])
        free, later = (
            _most(like, gains[last] + rest[last + 1][stack.heads[last]])[arc] + fits for rest in (hard, charged)
        )
        earned = np.stack([free, later, free - plain.charge(arenas)])
        rows = np.arange(len(numbers))
        for layer in range(last, first - 1, -1):
            # the links of the window before this one, and the best that follows
            numbers, start = np.unique(numbers // gains[layer].shape[1], return_index=True)
            earned, rows = np.maximum.reduceat(earned, start, axis=1), rows[start]
            if layer > first:
                within[window, layer] = numbers, earned[0], earned[1:].min(axis=0)
                arc = states[layer - 1 - first][rows], ways[layer - 1 - first][rows]
                earned = earned + _most(watch.like(window, layer - 1), gains[layer - 1])[arc]
        for rest, most in ((hard, earned[0]), (charged, earned[1:].min(axis=0))):
            rest[first] = rest[first].copy()
            rest[first][numbers] = np.minimum(rest[first][numbers], most)  # numbers of no links are those of states
            for layer in range(first - 1, -1, -1):
                rest[layer] = np.minimum(rest[layer], (gains[layer] + rest[layer + 1][stack.heads[layer]]).max(axis=1))
    return Foresight(windows, hard, charged, within, cost, floor)


def _decoded(watch: Watch, window: Window, numbers: Ints) -> tuple[list[Ints], list[Ints]]:
    """Per link of a window the states that enter it and the ways, of windows by number."""
    state, ways = watch.decoded(window, numbers)
    states = [state]
    for at, way in enumerate(ways.T[:-1], start=window[0]):
        states.append(watch.group.layers[at].heads[states[-1], way])
    return states, list(ways.T)


def _most(like: Ints, gain: Floats) -> Floats:
    """The largest gain among ways that are alike, at the first of them."""
    found = np.full(gain.shape, -np.inf)
    np.maximum.at(found, (np.arange(len(gain))[:, None], like), gain)
    return found
