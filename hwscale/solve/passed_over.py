"""Paths that were found and cannot be planned: a search leaves them out, and drops nothing for being no better than they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hwscale.solve.chain import Ints
from hwscale.solve.label_set import Labels

Ways = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Followed:
    """The paths whose first links are those of a label, each with the place of that label."""

    paths: tuple[Ways, ...]
    labels: tuple[int, ...]

    @staticmethod
    def start(paths: Iterable[Ways]) -> Followed:
        """All of them follow the label without links."""
        found = tuple(sorted(paths))
        return Followed(found, (0,) * len(found))

    def through(self, labels: Labels, layer: int, ways: int) -> Followed:
        """One layer of ``ways`` later, where ``labels`` are."""
        if not self.paths:
            return self
        parent, way = labels.trail[-1]
        return self._found(
            parent * ways + way, [n * ways + p[layer] for n, p in zip(self.labels, self.paths, strict=True)]
        )

    def among(self, rows: Ints) -> Followed:
        """Where only ``rows`` of the labels are left."""
        return self._found(rows, list(self.labels)) if self.paths else self

    def classes(self, labels: Labels) -> list[Ints]:
        """Numbers by which labels must agree to be compared: one that such a path follows stands alone."""
        if not self.paths:
            return []
        rows = np.unique(self.labels)
        found = np.zeros(len(labels.state), np.int64)
        found[rows] = 1 + np.arange(len(rows))
        return [found]

    def _found(self, numbers: Ints, wanted: list[int]) -> Followed:
        """Those whose number is among ``numbers``, which ascend."""
        places = np.searchsorted(numbers, wanted).tolist()
        kept = [
            (path, place)
            for path, place, number in zip(self.paths, places, wanted, strict=True)
            if place < len(numbers) and numbers[place] == number
        ]
        return Followed(tuple(path for path, _ in kept), tuple(place for _, place in kept))
