"""What has passed the sieve so far, settled now and then: planned as far as the fronts need it, and reduced to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from hwscale.errors import ConfigError
from hwscale.explore.dominance import foremost
from hwscale.explore.ranking import equals, metric, ranked
from hwscale.explore.rows import Flags, Floats, Ints, Rows
from hwscale.explore.sieve import Sieve
from hwscale.objectives import Objective

MOST = 1 << 17
"""Rows that are held before they are settled."""
LOT = 1 << 17
"""Rows that are planned whether they are on a front or not, where plans leave gaps: that costs less than many rounds."""
MOST_POINTS = 2_000_000
"""Points of a front: what they take while it is made fits 1 GiB."""


class Source(Protocol):
    """Where the candidates come from."""

    def plan(self, rows: Rows) -> tuple[Ints, Ints]:
        """RAM and Flash [B] of rows as the runtime really plans them."""

    def tighten(self, rows: Rows) -> None:
        """Raise the bounds of rows that are not planned as far as is cheap."""

    def time(self, rows: Rows, some: Ints) -> None:
        """Fill in the latencies of some rows where they are not known yet."""

    def ties(self, rows: Rows) -> list[Ints]:
        """What decides between rows of equal score, latency, RAM and Flash, first things first: the smaller comes first."""


class Pool:
    """Candidates that may be on a front. ``sample`` says where the candidates of the domain are."""

    def __init__(self, goals: Sequence[Objective], over: Sequence[str], source: Source, sample: Rows) -> None:
        self.goals, self.over, self.source = tuple(goals), tuple(over), source
        self.sieve = Sieve(goals, sample.costs(over))
        self.plans = self.exceeded = 0
        self.excess = (0, 0)
        self._held: list[Rows] = []
        self._count = self._settled = 0
        self.take(sample)
        if not sample.planned.all():
            self._settle()  # so that the sieve knows something

    def scores(self, rows: Rows) -> list[Floats]:
        """By objective."""
        return [goal.scores(metric(goal, rows), rows.resolution) for goal in self.goals]

    def take(self, rows: Rows) -> None:
        """Add candidates, but for those that the sieve keeps back."""
        costs, scores = rows.costs(self.over), self.scores(rows)
        known = rows.planned
        if known.any():
            self.sieve.add(costs[:, known], [score[known] for score in scores])
        kept = self.sieve.passes(costs, scores)
        self._held.append(rows[kept])
        self._count += int(kept.sum())
        if self._count > self._settled + MOST:
            self._reduce()

    def _reduce(self) -> None:
        """Let go of what is dominated by now."""
        rows = self._passing()
        self._held, self._count, self._settled = [rows], len(rows), len(rows)
        if not rows.planned.all() or len(rows) > 8 * MOST:
            self._settle()

    def _passing(self) -> Rows:
        rows = Rows.joined(self._held)
        return rows[self.sieve.passes(rows.costs(self.over), self.scores(rows))]

    def finish(self) -> tuple[Rows, list[Ints]]:
        """The rows on any of the fronts, and per objective which they are, best first."""
        return self._settle()

    def _settle(self) -> tuple[Rows, list[Ints]]:
        """Plan what would be on a front until all that is there is planned: what is left out is dominated by its bound alone."""
        rows = self._passing()
        self.source.tighten(rows)
        # latency only decides between equal scores
        self.source.time(rows, equals(self.goals, rows))
        orders = [ranked(goal, rows, self.source.ties) for goal in self.goals]
        found = self._fronts(rows, orders)
        while len(bare := _bare(rows, found)):
            if not self._plan(rows, bare):
                break  # all is as it was when the fronts were drawn
            # what a planned row dominates is out for good; of the rest all that a few seconds allow is planned at once
            alive = np.zeros(len(rows), np.bool_)
            for order in self._fronts(rows, orders, rows.planned):
                alive[order] = True
            place = np.cumsum(alive) - 1
            orders = [place[order[alive[order]]] for order in orders]
            rows = rows[alive]
            bare = np.flatnonzero(~rows.planned)
            if len(bare) <= LOT:
                self._plan(rows, bare)
            found = self._fronts(rows, orders)
        on = np.unique(np.concatenate(found))
        kept = rows[on]
        self.source.time(kept, np.arange(len(kept)))
        self._held, self._count, self._settled = [kept], len(kept), len(kept)
        if len(kept) > MOST_POINTS:
            raise ConfigError(
                f"the front over {', '.join(self.over)} has more than {MOST_POINTS:,} points so far; fix resolution, narrow the domain, or "
                "leave latency out of over"
            )
        return kept, [np.searchsorted(on, order) for order in found]

    def _fronts(self, rows: Rows, orders: Sequence[Ints], solid: Flags | None = None) -> list[Ints]:
        """Per objective the rows on its front, best first."""
        costs = rows.costs(self.over)
        return [order[foremost(costs[:, order], None if solid is None else solid[order])] for order in orders]

    def _plan(self, rows: Rows, bare: Ints) -> bool:
        """Plan rows; does one of them need more than its bound?"""
        if not len(bare):
            return False
        ram, flash = self.source.plan(rows[bare])
        above, more = ram - rows.ram[bare], flash - rows.flash[bare]
        worse = (above != 0) | (more != 0)
        self.plans += len(bare)
        self.exceeded += int(worse.sum())
        self.excess = (max(self.excess[0], int(above.max())), max(self.excess[1], int(more.max())))
        rows.ram[bare], rows.flash[bare], rows.planned[bare] = ram, flash, True
        self.sieve.add(rows[bare].costs(self.over), self.scores(rows[bare]))
        return bool(worse.any())


def _bare(rows: Rows, found: Sequence[Ints]) -> Ints:
    on = np.unique(np.concatenate(found))
    return on[~rows.planned[on]]
