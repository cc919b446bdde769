"""Where in a chain the planner leaves gaps: the windows that a search has learned to watch, and what they are known to need.

Every network that was found and then could not be planned shows where the gaps are: the shortest windows that need too much by
themselves. From then on every path of that root is held against the windows at those places, in this search and in later ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from hwscale.chain_space import ChainGroup
from hwscale.problem import Problem
from hwscale.solve.windows import Ints, has_windows, least_arena, least_arenas, link_arcs

LONGEST = 4
"""Links of a window. Paths that differ within one cannot be compared before its end, so that long ones cost more than they save."""
TABLE = 60_000
"""Windows at one place that are all planned at once; where there are more, each when it is met."""

Window = tuple[int, int]
"""First and last link."""


@dataclass(slots=True)
class Watch:
    """The windows of one root that are watched; what is ``known`` of those at each place, numbers, ascending, and arenas [B]; and
    the ``most`` that any there needs."""

    group: ChainGroup
    root: int
    windows: list[Window] = field(default_factory=list)
    known: dict[Window, tuple[Ints, Ints]] = field(default_factory=dict)
    most: dict[Window, int] = field(default_factory=dict)

    def learn(self, ways: tuple[int, ...], limit: int) -> bool:
        """Watch the shortest windows of a path that need more than ``limit`` [B] less what persists, of the links alone; False if
        there are no new ones."""
        spare, state = limit, 0
        for layer, way in zip(self.group.layers, ways, strict=True):
            spare -= int(layer.persistent[state, way])
            state = int(layer.heads[state, way])
        longest = min(LONGEST, len(ways))
        if least_arenas(self.group, self.root, ways, longest).max() <= spare:
            return False  # nor does any part of these
        for length in range(1, longest + 1):
            starts = np.flatnonzero(least_arenas(self.group, self.root, ways, length) > spare)
            windows = [(int(at), int(at) + length - 1) for at in starts]
            if new := [window for window in windows if window not in self.windows]:
                self.windows = sorted([*self.windows, *new])
                return True
        return False

    def binding(self, spare: int) -> list[Window]:
        """The windows that may need more than ``spare`` [B]."""
        for window in self.windows:
            if window not in self.most:
                numbers = self.all(window)
                self.most[window] = 2**61 if numbers is None else int(self.arenas(window, numbers).max())
        return [window for window in self.windows if self.most[window] > spare]

    def arenas(self, window: Window, numbers: Ints) -> Ints:
        """What windows, by number, need of the arena at least [B]."""
        wanted, place = np.unique(numbers, return_inverse=True)
        numbers, arenas = self.known.get(window, (wanted[:0], wanted[:0]))
        new = np.setdiff1d(wanted, numbers, assume_unique=True)
        if len(new):
            found = least_arena(self.group, self.root, window[0], *self.decoded(window, new))
            at = np.searchsorted(numbers, new)
            numbers, arenas = np.insert(numbers, at, new), np.insert(arenas, at, found)
            self.known[window] = numbers, arenas
        return np.asarray(arenas[np.searchsorted(numbers, wanted)][place])

    def all(self, window: Window) -> Ints | None:
        """The numbers of all windows at a place, ascending; None if there are too many."""
        numbers = states = np.arange(len(self.group.layers[window[0]].heads))
        for at in range(window[0], window[1] + 1):
            heads, like = self.group.layers[at].heads, self.like(window, at)
            own = (heads >= 0) & (like == np.arange(heads.shape[1]))
            if own.sum(axis=1)[states].sum() > TABLE:
                return None
            row, way = np.nonzero(own[states])
            numbers, states = self.numbered(window, numbers[row], at, states[row], way), heads[states[row], way]
        return numbers

    def like(self, window: Window, at: int) -> Ints:
        """Per state and way the first way through link ``at`` with the same buffers, for all that the window may tell."""
        arcs = link_arcs(self.group, self.root, at)
        return arcs.like if at == window[1] else arcs.onward

    def numbered(self, window: Window, number: Ints, at: int, state: Ints, way: Ints) -> Ints:
        """The number of a window that goes on through link ``at``, from that of its links before: equal where all buffers are. One
        without links has the number of the state that enters."""
        like = self.like(window, at)
        return np.asarray(number * like.shape[1] + like[state, way])

    def decoded(self, window: Window, numbers: Ints) -> tuple[Ints, Ints]:
        """The states that enter (n,) and the ways (n, links) of windows by number."""
        ways = []
        for at in range(window[1], window[0] - 1, -1):
            numbers, way = np.divmod(numbers, self.group.layers[at].heads.shape[1])
            ways.append(way)
        return numbers, np.stack(ways[::-1], axis=1)


def watched(problem: Problem, group: ChainGroup, root: int) -> Watch | None:
    """The watch of a root; None where there is no limit that a plan can break, or a planner that is not understood."""
    return _watch(group, root) if "ram" in problem.limits and has_windows(group) else None


def lessons(problem: Problem) -> int:
    """How many windows are watched in all: what was bounded while there were less may be bounded more tightly."""
    watches = (watched(problem, group, root) for group in problem.chains.groups for root in range(len(group.roots)))
    return sum(len(watch.windows) for watch in watches if watch is not None)


def windows(group: ChainGroup, root: int) -> tuple[Window, ...]:
    """Those that are watched by now."""
    return tuple(_watch(group, root).windows) if has_windows(group) else ()


@lru_cache(maxsize=1024)
def least_regions(group: ChainGroup, root: int, windows: tuple[Window, ...]) -> tuple[Ints, ...]:
    """Per layer what every path that takes an arc needs at least of the memory regions [B] (regions, states, ways): what the arc
    needs by itself, or more by the ``windows`` that it lies in."""
    found = [layer.regions[:, root] for layer in group.layers]
    for window in windows:
        watch = _watch(group, root)
        numbers = watch.all(window)
        if numbers is None:
            continue
        arenas = watch.arenas(window, numbers)
        state, ways = watch.decoded(window, numbers)
        for at, way in enumerate(ways.T, start=window[0]):
            like, heads = watch.like(window, at), group.layers[at].heads
            least = np.full(heads.shape, 2**61)
            np.minimum.at(least, (state, way), arenas)
            least = np.take_along_axis(least, like, 1)
            raised = np.maximum(found[at][0], np.where(least < 2**61, least, 0))
            found[at] = np.concatenate([raised[None], found[at][1:]])
            state = heads[state, way]
    return tuple(found)


@lru_cache(maxsize=1024)
def _watch(group: ChainGroup, root: int) -> Watch:
    return Watch(group, root)


def forget() -> None:
    """Unlearn every window."""
    _watch.cache_clear()
