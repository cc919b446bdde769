"""Label setting through one chain: partial paths, layer by layer, that can still reach a wanted value within the limits.

Where the runtime plans, a search also drops what cannot be planned (`hwscale.solve.watch`), and single paths that were found and
passed over. Labels are then compared only within a class whose paths fare alike in the planner whatever follows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from hwscale.problem import LONGEST_FS, Problem
from hwscale.solve.chain import Ints
from hwscale.solve.chain_bounds import Chain, noise, score_bound
from hwscale.solve.completions import join, memory
from hwscale.solve.dominance import undominated
from hwscale.solve.duals import Floats
from hwscale.solve.extras import Extras, joint
from hwscale.solve.label_set import Labels, joined, start
from hwscale.solve.label_windows import LabelWindows
from hwscale.solve.passed_over import Followed, Ways
from hwscale.solve.rooms import UNLIMITED
from hwscale.solve.shared import limits_left
from hwscale.solve.watch import Watch

CELLS = 1 << 20
"""Labels times ways looked at in one go."""


@dataclass(frozen=True, slots=True)
class Effort:
    """Labels that a search keeps per layer: ``most`` undominated ones, or a ``beam`` of so many per state, dominated or not. It
    gives up past ``patience`` examined labels, and past so many paths, ``tries``, that were planned in vain."""

    most: int | None = None
    beam: int = 0
    patience: float = math.inf
    tries: int = 1

    def within(self, patience: float) -> Effort:
        """The same, at most so long."""
        return replace(self, patience=min(patience, self.patience))


@dataclass(slots=True)
class Search:
    """One pass through a chain for paths of a value of at least ``wanted``.

    ``watch``: where the windows of the chain come from; ``passed_over``: paths that are known and not wanted; ``extras``: what to
    reckon with to the byte. ``examined`` counts labels, ``dropped`` is the largest promise among those that were not kept for want of room; ``tired``: it gave up.
    """

    problem: Problem
    chain: Chain
    wanted: float
    effort: Effort
    watch: Watch | None = None
    passed_over: frozenset[Ways] = frozenset()
    extras: Extras | None = None
    examined: int = 0
    dropped: float = -math.inf
    windows: LabelWindows = field(init=False)

    def __post_init__(self) -> None:
        self.windows = LabelWindows(self.chain, self.watch)
        self.wanted = max(self.wanted, -float(UNLIMITED))  # else what can reach no value would do

    def paths(self) -> Iterator[Ways]:
        """Best value first, those of one value in the order of ties; not all of those that others dominate."""
        labels = self._labels()
        if labels is None:
            return
        chain, stack = self.chain, self.chain.stack
        slack = noise(float(chain.prices.bound[0]))
        check = None
        if not chain.room.exact or labels.arena.any() or self.extras is not None:
            check = partial(
                self._kept, labels, None if self.extras is None else self.extras.completions(chain.table.start)
            )
        cap = chain.cap
        while True:
            found = join(labels, chain.table, chain.at, stack.limits[:, chain.at], (self.wanted, cap), slack, check)
            if found is None:
                return
            self.examined += found.examined
            for label, end in zip(found.label.tolist(), found.end.tolist(), strict=True):
                ways = labels.ways(label) + chain.table.ways(end)
                if ways not in self.passed_over:
                    yield ways
            cap = int(found.value) - 1

    @property
    def tired(self) -> bool:
        """Did it give up?"""
        return self.examined > self.effort.patience

    def _kept(self, labels: Labels, traits: Ints | None, row: Ints, end: Ints) -> npt.NDArray[np.bool_]:
        """Which pairs of a label and a completion keep the limits on RAM and Flash, by all that is known of their plans."""
        chain = self.chain
        regions, persistent = memory(labels, row, chain.table, chain.at, end)
        needed = np.maximum(regions, labels.arena[row]) + persistent
        if self.extras is None or traits is None:
            return np.asarray(needed <= chain.stack.ram)
        state = labels.state[row]
        both = joint(labels.traits[row], traits[state, end])
        flash = labels.ties[-1, row] + chain.table.flash[state, end] + self.extras.flash_bytes(both)
        limit = limits_left(self.problem, chain.stack.group).get("flash", UNLIMITED)
        return np.asarray((needed + self.extras.ram(both, persistent) <= chain.stack.ram) & (flash <= limit))

    def left(self) -> float:
        """A bound on the score of all that was dropped."""
        if self.dropped == -math.inf:
            return -math.inf
        chain = self.chain
        value = min(chain.steps.floor(self.dropped), float(chain.prices.bound[0]))
        return score_bound(self.problem, chain.stack, chain.root, value)

    def _labels(self) -> Labels | None:
        """Those that reach the table of completions; None if there are none."""
        stack = self.chain.stack
        labels = start(len(stack.limits), len(stack.regions[0]))
        followed = Followed.start(self.passed_over)
        for step, heads in enumerate(stack.heads[: self.chain.table.start]):
            most = self.effort.most
            keep = self.effort.beam * (1 + int(heads.max())) if most is None else most
            if self.tired:
                self.dropped = math.inf
            if self.tired or not len(labels.state):
                return None
            self.windows.states.append(labels.state)
            labels = self._extended(labels, step, keep)
            followed = followed.through(labels, step, heads.shape[1])
            if most is not None:
                classes = [*self.windows.classes(labels, step + 1), *followed.classes(labels)]
                if self.extras is not None:
                    classes += [labels.traits, labels.ties[-2] % 16]
                state, used = _numbered(labels.state, classes), self._used(labels)
                kept = undominated(state, labels.value, used, labels.ties, capped=self.chain.capped)
                labels, followed = labels[kept], followed.among(kept)
            kept, lost = labels.best(keep)
            labels, followed = labels[kept], followed.among(kept)
            self.dropped = max(self.dropped, lost)
        return labels

    def _extended(self, labels: Labels, step: int, keep: int) -> Labels:
        """Every way that the labels can go through layer ``step`` and still keep the limits and reach what is wanted."""
        parts: list[Labels] = []
        held, rows = 0, max(1, CELLS // self.chain.stack.heads[step].shape[1])
        for begin in range(0, len(labels.state), rows):
            part = self._extend(labels, np.arange(begin, min(begin + rows, len(labels.state))), step)
            self.examined += len(part.state)
            parts.append(part)
            held += len(part.state)
            if held > 8 * keep and begin + rows < len(labels.state):
                merged = joined(parts)
                kept, lost = merged.best(4 * keep)
                parts, held, self.dropped = [merged[kept]], len(kept), max(self.dropped, lost)
        return joined(parts)

    def _extend(self, labels: Labels, rows: Ints, step: int) -> Labels:
        chain = self.chain
        stack, at, prices = chain.stack, chain.at, chain.prices
        limits, price = stack.limits[:, at], prices.price
        state = labels.state[rows]
        head = stack.heads[step][state]
        used = labels.used[:, rows, None] + stack.resources[step][:, at][:, state]
        value = labels.value[rows, None] + stack.value[step][at, state]
        begun = value - np.tensordot(price, used, 1) + float((limits * price).sum())
        earned = begun + chain.ahead.charged[step + 1][head]
        fits = stack.allowed[step][at, state] & (self._promise(earned) >= self.wanted)
        fits &= value + chain.lightest[step + 1][head] <= chain.cap
        for kind, limit in enumerate(limits):
            fits &= used[kind] + chain.least[step + 1][kind][head] <= limit
        row, way = np.nonzero(fits)
        source, arc, head, earned = rows[row], (state[row], way), head[row, way], earned[row, way]
        regions = np.maximum(labels.ties[1:-2, source], stack.regions[step][:, at][:, *arc])
        persistent = labels.ties[-2, source] + stack.persistent[step][arc]
        arena = self.windows.arena(labels, source, arc, step)
        flash = labels.ties[-1, source] + stack.flash[step][arc]
        traits = labels.traits[source]
        if self.extras is not None:
            traits = joint(traits, self.extras.traits[step][arc])
        if not chain.room.exact or chain.ahead.windows or self.extras is not None:
            needed = np.maximum(regions.sum(axis=0), arena)
            earned = np.minimum(
                earned, begun[row, way] + self.windows.earnings(labels, source, arc, step, head, needed)
            )
            needed = needed + persistent + chain.persistent[step + 1][head]
            if self.extras is not None:
                needed = needed + self.extras.least_ram(traits)
            kept = needed <= stack.ram
            kept &= self._promise(earned) >= self.wanted
            row, way, source, head, earned = row[kept], way[kept], source[kept], head[kept], earned[kept]
            arc, arena, regions, persistent = (state[row], way), arena[kept], regions[:, kept], persistent[kept]
            flash, traits = flash[kept], traits[kept]
        latency = np.minimum(labels.ties[0, source] + stack.latency[step][at][arc], LONGEST_FS)
        return Labels(
            head,
            value[row, way],
            used[:, row, way],
            np.concatenate([latency[None], regions, persistent[None], flash[None]]),
            self._promise(earned),
            arena,
            traits,
            earned,
            [*labels.trail, (source, way)],
        )

    def _used(self, labels: Labels) -> Ints:
        """Resources; and what persists, where it is none but less is left for it than the room leaves."""
        room = self.chain.room
        free = self.extras is None and labels.arena.max(initial=0) <= sum(room.most)
        return labels.used if room.persistent < UNLIMITED or free else np.concatenate([labels.used, labels.ties[-2:-1]])

    def _promise(self, earned: Floats) -> Floats:
        """The value that labels may reach which earn so much."""
        chain = self.chain
        found: Floats = chain.steps.floor(np.minimum(earned + noise(float(chain.prices.bound[0])), chain.cap))
        return found


def _numbered(state: Ints, classes: list[Ints]) -> Ints:
    """One number per row for the state and all its classes."""
    found = state
    for part in classes:
        if (1 + int(found.max(initial=0))) * (1 + int(part.max(initial=0))) >= UNLIMITED:
            found, part = (np.unique(numbers, return_inverse=True)[1] for numbers in (found, part))
        found = found * (1 + part.max(initial=0)) + part
    return np.unique(found, return_inverse=True)[1] if classes else found
