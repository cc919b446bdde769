"""The labels of one layer: partial paths with what they promise, and the trail that led to each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hwscale.solve.chain import Ints
from hwscale.solve.completions import Partial
from hwscale.solve.duals import Floats


@dataclass(frozen=True, slots=True)
class Labels(Partial):
    """Partial paths, ordered as ties are broken; besides, what each promises if nothing capped the value, and per layer the parent's
    place and the way taken."""

    earned: Floats
    trail: list[tuple[Ints, Ints]]

    def __getitem__(self, rows: Ints) -> Labels:
        parent, way = self.trail[-1]
        trail = [*self.trail[:-1], (parent[rows], way[rows])]
        return Labels(
            self.state[rows],
            self.value[rows],
            self.used[:, rows],
            self.ties[:, rows],
            self.promise[rows],
            self.arena[rows],
            self.traits[rows],
            self.earned[rows],
            trail,
        )

    def best(self, keep: int) -> tuple[Ints, float]:
        """The ``keep`` most promising labels, in their order, and the largest promise among the others (-inf: none).

        Where a limit caps the metric itself very many promise alike: of those, some of every state and value, the ones that would
        earn most without the cap.
        """
        if len(self.state) <= keep:
            return np.arange(len(self.state)), -math.inf
        cut = np.partition(self.promise, -keep)[-keep]
        above, tied = np.flatnonzero(self.promise > cut), np.flatnonzero(self.promise == cut)
        tied = tied[np.lexsort((self.value[tied], self.state[tied]))]
        bins = np.arange(len(tied)) * (keep - len(above)) // len(tied)
        order = np.lexsort((np.arange(len(tied)), -self.earned[tied], bins))
        chosen = tied[order[np.append(True, np.diff(bins[order]) != 0)]]
        rest = np.ones(len(self.state), np.bool_)
        rest[above], rest[chosen] = False, False
        return np.sort(np.concatenate([above, chosen])), float(self.promise[rest].max())

    def ways(self, row: int) -> tuple[int, ...]:
        """The path that ended in a label."""
        found = []
        for parent, way in reversed(self.trail):
            found.append(int(way[row]))
            row = int(parent[row])
        return tuple(reversed(found))


def start(kinds: int, regions: int) -> Labels:
    """The path without links."""
    none = np.zeros(1, np.int64)
    used, ties, hope = np.zeros((kinds, 1), np.int64), np.zeros((3 + regions, 1), np.int64), np.array([np.inf])
    return Labels(none, none, used, ties, hope, none, none, hope, [])


def joined(parts: list[Labels]) -> Labels:
    """Labels of one layer in one: the order of the parts is that of the ties."""
    if len(parts) == 1:
        return parts[0]
    parent, way = (np.concatenate([part.trail[-1][side] for part in parts]) for side in (0, 1))
    return Labels(
        np.concatenate([part.state for part in parts]),
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.used for part in parts], axis=1),
        np.concatenate([part.ties for part in parts], axis=1),
        np.concatenate([part.promise for part in parts]),
        np.concatenate([part.arena for part in parts]),
        np.concatenate([part.traits for part in parts]),
        np.concatenate([part.earned for part in parts]),
        [*parts[0].trail[:-1], (parent, way)],
    )
