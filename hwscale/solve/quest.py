"""The quest for the best path of one chain: from what its bound promises downwards.

A search for paths of at least some value meets the fewer labels the higher that is. So a quest first asks for values just below the
bound, and lower only where there are none: it ends near the best value, however poor the networks known before. What the runtime
cannot plan shows windows to watch, or is passed over; then the same values are searched again, since others may have been
dropped for being no better.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from hwscale.problem import Problem, path
from hwscale.solve.chain_bounds import Chain, informed, least_value, score_bound
from hwscale.solve.extras import extras
from hwscale.solve.label_search import Effort, Search
from hwscale.solve.passed_over import Ways
from hwscale.solve.solution import Incumbent
from hwscale.solve.watch import watched

PASSED_OVER = 200
"""Paths of a chain that are planned in vain before the rest of it is left open."""
ROUGHLY = (3, 40)
"""After so many a search reckons with every byte, see `hwscale.solve.extras`; after the second where it is long, for it gets longer."""
LONG = 50_000
"""Labels that such a search examines."""
FIRST = 30_000
"""Labels that a quest may examine to close a chain at once."""
SLICES = 32
"""If that is not enough, it asks for the highest of so many parts of the values in question, then for more."""
GROWTH = ((30_000, 4.0), (150_000, 2.0), (math.inf, 1.5))
"""How many times more, by how many labels that took."""


@dataclass(slots=True)
class Quest:
    """``top``: no path is worth more but those that were offered, are passed over or are among the ``dropped``, whose scores that
    bounds. ``stretch`` of values to ask for next (0: all), with the effort of which ``tier``; ``over``: more would not help."""

    problem: Problem
    chain: Chain
    incumbent: Incumbent
    top: float = math.inf
    dropped: float = -math.inf
    stretch: float = 0.0
    tier: int = 0
    over: bool = False
    passed_over: set[Ways] = field(default_factory=set)
    examined: int = 0
    _precise: bool = False

    @property
    def bound(self) -> float:
        """No path of the chain that was not offered scores more."""
        return max(self.dropped, self._score(self.top))

    @property
    def open(self) -> bool:
        """May it still find something?"""
        return not self.over and self.bound > -math.inf and self.bound >= self.incumbent.threshold

    def beam(self, effort: Effort) -> None:
        """Offer a good path."""
        known = None
        while known != (known := (self._inform(), self._precise)) and self.bound > -math.inf:
            if self.bound < self.incumbent.threshold:
                break
            self._search(self._least(), effort)
        self.passed_over.clear()

    def step(self, efforts: tuple[Effort, ...]) -> None:
        """Search the next values with the effort that these take."""
        self._inform()
        least, effort = self._least(), efforts[self.tier]
        top = min(self.top, float(self.chain.prices.bound[0]))
        if top < least:
            self.top = -math.inf
            return
        if self.stretch == 0.0:
            effort = effort.within(FIRST)
        wanted = max(least, self.chain.steps.floor(top - self.stretch)) if self.stretch else least
        search, missed = self._search(wanted, effort)
        if len(self.passed_over) >= PASSED_OVER:
            self.over = True
        elif missed:
            return
        elif search.dropped == -math.inf:
            self.top = -math.inf if wanted <= least else float(self.chain.steps.floor(wanted - 0.5))
            self.stretch *= next(growth for most, growth in GROWTH if search.examined <= most)
        elif self.stretch == 0.0:
            self.stretch = max((top - least) / SLICES, 1.0)
        elif self.tier + 1 < len(efforts) and not search.tired:
            self.tier += 1
        else:
            self.dropped, self.top, self.over = max(self.dropped, min(search.left(), self.bound)), wanted, True

    def _search(self, wanted: float, effort: Effort) -> tuple[Search, bool]:
        """Offer the best path of at least this value that can be planned; was there a better one that cannot?"""
        group, root = self.chain.stack.group, self.chain.root
        watch = watched(self.problem, group, root)
        precise, passed_over = extras(group) if self._precise else None, frozenset(self.passed_over)
        search, missed = Search(self.problem, self.chain, wanted, effort, watch, passed_over, precise), False
        for ways in search.paths():
            found = path(self.problem, group, root, ways)
            if self.incumbent.offer(self.problem.score(found), found):
                break
            missed = True
            if watch is not None and watch.learn(ways, self.chain.stack.ram):
                break
            self.passed_over.add(ways)
            self._precise = len(self.passed_over) >= ROUGHLY[search.examined > LONG]
            if len(self.passed_over) >= effort.tries or (
                self._precise and precise is None and extras(group) is not None
            ):
                break
        self.examined += search.examined
        return search, missed

    def _inform(self) -> int:
        """Let the chain know all windows that are watched; how many these are."""
        self.chain = informed(self.problem, self.chain)
        return len(self.chain.ahead.windows)

    def _least(self) -> float:
        """The smallest value that can still win."""
        lightest = float(self.chain.lightest[0][0])
        return max(least_value(self.problem, self.chain, self.incumbent.threshold), lightest)

    def _score(self, value: float) -> float:
        value = min(value, float(self.chain.prices.bound[0]))
        if value == -math.inf or self.chain.bound == -math.inf:
            return -math.inf
        return score_bound(self.problem, self.chain.stack, self.chain.root, value)
