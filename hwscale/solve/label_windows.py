"""Labels held against the windows of their chain: what they need of the arena, what they can still earn, which may be compared."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hwscale.solve.chain import Ints
from hwscale.solve.chain_bounds import Chain
from hwscale.solve.duals import Floats
from hwscale.solve.label_set import Labels
from hwscale.solve.watch import Watch, Window

Arcs = tuple[Ints, Ints]
"""States and ways, one each per row."""


@dataclass(slots=True)
class LabelWindows:
    """Of one search: the chain, the watch that its windows come from, and the states of the labels that were kept, by layer."""

    chain: Chain
    watch: Watch | None
    states: list[Ints] = field(default_factory=list)

    def arena(self, labels: Labels, source: Ints, arc: Arcs, layer: int) -> Ints:
        """What labels ``source`` need at least of the arena [B] once they went through ``layer`` by ``arc``."""
        found = labels.arena[source]
        for window in self.chain.ahead.windows:
            if window[1] == layer:
                assert self.watch is not None
                found = np.maximum(found, self.watch.arenas(window, self._going_on(labels, window, source, arc, layer)))
        return found

    def earnings(self, labels: Labels, source: Ints, arc: Arcs, layer: int, head: Ints, arena: Ints) -> Floats:
        """What completions earn of labels that went through ``layer`` to ``head`` and need ``arena`` [B]."""
        ahead = self.chain.ahead
        charge = ahead.charge(arena)
        found = np.minimum(ahead.charged[layer + 1][head], ahead.free[layer + 1][head] - charge)
        for window in ahead.windows:
            if (window, layer + 1) in ahead.within:
                free, charged = ahead.inside(window, layer + 1, self._going_on(labels, window, source, arc, layer))
                found = np.minimum(found, np.minimum(charged, free - charge))
        return found

    def classes(self, labels: Labels, layer: int) -> list[Ints]:
        """Numbers by which labels at a layer must agree, so that none is dropped that can be planned for one that cannot."""
        found = []
        if begun := [window for window in self.chain.ahead.windows if window[0] < layer <= window[1]]:
            found.append(self._begun(labels, min(begun), layer))  # and with it what they have of the others
        over = np.maximum(labels.arena - sum(self.chain.room.most), 0)
        return [*found, over] if over.any() else found

    def _going_on(self, labels: Labels, window: Window, source: Ints, arc: Arcs, layer: int) -> Ints:
        assert self.watch is not None
        return self.watch.numbered(window, self._begun(labels, window, layer)[source], layer, *arc)

    def _begun(self, labels: Labels, window: Window, layer: int) -> Ints:
        """The number of what labels at a layer have of a window."""
        assert self.watch is not None
        first, rows = window[0], [np.arange(len(labels.state))]
        for parent, _ in reversed(labels.trail[first:layer]):
            rows.append(parent[rows[-1]])
        before = rows.pop()
        number = self.states[first][before] if first < layer else labels.state
        for at in range(first, layer):
            after = rows.pop()
            number = self.watch.numbered(window, number, at, self.states[at][before], labels.trail[at][1][after])
            before = after
        return number
