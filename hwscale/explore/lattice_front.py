"""Fronts of families of global multipliers: every candidate is evaluated, or lies in a box that is dominated as a whole.

Costs never fall along alpha and the boxes. So a box costs at least what its lowest corner costs and scores at most what its highest one
may: where a known candidate costs less and scores more, no candidate of the box is on the front.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from hwscale.candidate import LatticePoint
from hwscale.cost_terms import CostArrays
from hwscale.explore.packing import packed_heads
from hwscale.explore.pool import Pool
from hwscale.explore.ranking import metric
from hwscale.explore.rows import UNKNOWN, Ints, Rows
from hwscale.objectives import Objective
from hwscale.problem import Problem
from hwscale.space import Group, Space

CHUNK = 1 << 17
"""Candidates evaluated in one go."""
LEAF = 16
"""Candidates of a box that is evaluated whole."""
SAMPLE = 1 << 15
SEED = 1


class Lattice:
    """The candidates of a lattice space. ``bare`` is the same space without what its latency is made of, which is cheaper to price."""

    def __init__(self, problem: Problem, bare: Space, over: Sequence[str]) -> None:
        self.problem, self.over = problem, tuple(over)
        self.bare = bare if "latency" not in over else problem.lattice
        self.evaluations = 0

    def pool(self, goals: Sequence[Objective]) -> Pool:
        """All that may be on a front."""
        pool = Pool(goals, self.over, self, self._sample())
        for at, group in enumerate(self.bare.groups):
            for root, place in self._lines(group) if not group.boxes else self._places(pool, at, group):
                pool.take(self.rows(at, root, place))
        return pool

    def rows(self, at: int, root: Ints, place: Ints) -> Rows:
        """Candidates of group ``at``, priced."""
        costs = self._costs(self.bare.groups[at], root, place)
        planned = np.full(len(root), not self.problem.space.runtime_plans)
        return Rows(
            costs.ram_bytes,
            costs.flash_bytes,
            costs.ram_bytes.copy(),
            costs.flash_bytes.copy(),
            costs.macs,
            costs.params,
            self.problem.latency_fs(costs) if "latency" in self.over else np.full(len(root), UNKNOWN),
            self.bare.groups[at].resolutions[root],
            planned,
            np.full(len(root), at),
            root,
            place,
        )

    def _costs(self, group: Group, root: Ints, place: Ints) -> CostArrays:
        self.evaluations += len(root)
        return group.costs(root, place[:, 0], tuple(place.T[1:]))

    def _sample(self) -> Rows:
        rng = np.random.default_rng(SEED)
        parts = []
        for at, group in enumerate(self.bare.groups):
            count = min(group.size, 1 + SAMPLE * group.size // self.bare.size)
            root = rng.integers(0, len(group.roots), count)
            axes = [rng.integers(0, size, count) for size in group.box_shape]
            alpha = (rng.random(count) * group.counts[root]).astype(np.int64)
            parts.append(self.rows(at, root, np.stack([alpha, *axes], axis=1)))
        return Rows.joined(parts)

    def _lines(self, group: Group) -> Iterator[tuple[Ints, Ints]]:
        """Every alpha of every root, chunk by chunk: what a piece of a line costs at its ends says little."""
        root = np.repeat(np.arange(len(group.roots)), group.counts)
        alpha = np.arange(len(root)) - group.starts[root]
        for start in range(0, len(root), CHUNK):
            yield root[start : start + CHUNK], alpha[start : start + CHUNK, None]

    def _places(self, pool: Pool, at: int, group: Group) -> Iterator[tuple[Ints, Ints]]:
        """Places that no known candidate dominates by their box, root by root, chunk by chunk."""
        for root in range(len(group.roots)):
            shape = np.array([group.counts[root], *group.box_shape])
            low, high = np.zeros((1, len(shape)), np.int64), (shape - 1)[None]
            while len(low):
                kept = self._open(pool, at, root, low, high)
                low, high = low[kept], high[kept]
                small = (high - low + 1).prod(axis=1) <= LEAF
                for place in _chunks(low[small], high[small]):
                    yield np.full(len(place), root), place
                low, high = _halves(low[~small], high[~small])

    def _open(self, pool: Pool, at: int, root: int, low: Ints, high: Ints) -> Ints:
        """Which boxes may hold something of a front."""
        found = []
        for start in range(0, len(low), CHUNK):
            where = np.full(len(low[start : start + CHUNK]), root)
            least = self.rows(at, where, low[start : start + CHUNK])
            most = self.rows(at, where, high[start : start + CHUNK])
            if not self.problem.space.runtime_plans:
                for corner in (least, most):
                    pool.sieve.add(corner.costs(self.over), pool.scores(corner))
            bounds = [goal.bounds(metric(goal, most), most.resolution) for goal in pool.goals]
            found.append(start + np.flatnonzero(pool.sieve.passes(least.costs(self.over), bounds)))
        return np.concatenate(found)

    def plan(self, rows: Rows) -> tuple[Ints, Ints]:
        """RAM and Flash [B] as the runtime packs them."""
        ram, flash = rows.ram.copy(), rows.flash.copy()
        for at in rows.groups:
            some = np.flatnonzero(rows.group == at)
            for start in range(0, len(some), CHUNK // 16):
                part = some[start : start + CHUNK // 16]
                ram[part], flash[part] = self._planned(rows[part])
        return ram, flash

    def _planned(self, rows: Rows) -> tuple[Ints, Ints]:
        group = self.bare.groups[int(rows.group[0])]
        packed = group.buffers(rows.root, rows.place[:, 0], tuple(rows.place.T[1:]))
        if packed is not None and int(packed[0].max(initial=0)) < 1 << 30:
            sizes, persistent, lifetimes = packed
            first, last = np.array(lifetimes, np.int64).T
            return packed_heads(sizes.T, first, last, np.arange(len(first))) + persistent, rows.flash
        each = [self.candidate(rows, row).planned() for row in range(len(rows))]
        return np.array([plan["ram"] for plan in each]), np.array([plan["flash"] for plan in each])

    def tighten(self, rows: Rows) -> None:
        """The bounds are what they are."""

    def time(self, rows: Rows, some: Ints) -> None:
        """Fill in the latencies of some rows where they are not known yet."""
        bare = some[rows.latency[some] == UNKNOWN]
        for at in np.flatnonzero(np.bincount(rows.group[bare])):
            mine = bare[rows.group[bare] == at]
            if self.problem.fs_per_unit:
                part, group = rows[mine], self.problem.lattice.groups[int(at)]
                rows.latency[mine] = self.problem.latency_fs(self._costs(group, part.root, part.place))
            else:
                rows.latency[mine] = 0

    def candidate(self, rows: Rows, row: int) -> LatticePoint:
        """A row as a candidate."""
        return LatticePoint(
            int(rows.least_ram[row]),
            int(rows.least_flash[row]),
            int(rows.macs[row]),
            int(rows.params[row]),
            int(rows.latency[row]),
            self.problem.lattice.groups[int(rows.group[row])],
            int(rows.root[row]),
            int(rows.place[row, 0]),
            tuple(int(index) for index in rows.place[row, 1:]),
        )

    def ties(self, rows: Rows) -> list[Ints]:
        """What decides between equals, first things first, as `LatticePoint.tie_order` has it."""
        found: list[Ints] = []
        for position, by_group in enumerate(self._root_ranks):
            column = np.empty(len(rows), np.int64)
            for at in rows.groups:
                some = np.flatnonzero(rows.group == at)
                ranks = by_group[int(at)]
                column[some] = rows.place[some, -ranks] if isinstance(ranks, int) else ranks[rows.root[some]]
            found.append(column)
            if position == 1:  # behind num_layers and resolution comes alpha
                found.append(self._alpha_ranks(rows))
        return found

    def _alpha_ranks(self, rows: Rows) -> Ints:
        alphas = np.empty(len(rows))
        for at in rows.groups:
            group, some = self.bare.groups[int(at)], np.flatnonzero(rows.group == at)
            alphas[some] = group.alphas[group.starts[rows.root[some]] + rows.place[some, 0]]
        return np.unique(alphas, return_inverse=True)[1]

    @cached_property
    def _root_ranks(self) -> list[list[Ints | int]]:
        """Per position of the tie order but alpha's, per group: the ranks of its roots, or the place of a box, from the end."""
        groups = self.bare.groups
        family = groups[0].model.family
        names = [h.name for h in family.hyperparameters if h.name not in ("num_layers", "resolution", "alpha")]
        pinned: list[list[list[Any]]] = [
            [[root.branch.get("num_layers", 0) for root in group.roots] for group in groups],
            [group.resolutions.tolist() for group in groups],
        ]
        found: list[list[Ints | int]] = [_ranks(values) for values in pinned]
        boxes = list(groups[0].boxes)
        for name in names:
            if name in boxes:
                found.append([len(boxes) - boxes.index(name)] * len(groups))
            else:
                found.append(_ranks([[root.branch.get(name) for root in group.roots] for group in groups]))
        for option in family.options:
            found.append(_ranks([[repr(root.branch[option.name]) for root in group.roots] for group in groups]))
        return found


def _ranks(values: list[list[Any]]) -> list[Ints | int]:
    """The place of every value among all, ascending."""
    every = sorted({value for row in values for value in row})
    rank = {value: at for at, value in enumerate(every)}
    return [np.array([rank[value] for value in row], np.int64) for row in values]


def _halves(low: Ints, high: Ints) -> tuple[Ints, Ints]:
    """Every axis cut in two where it has more than one index."""
    for axis in range(low.shape[1]):
        middle = (low[:, axis] + high[:, axis]) // 2
        upper = high[:, axis] > middle
        left_high, right_low = high.copy(), low[upper].copy()
        left_high[:, axis] = middle
        right_low[:, axis] = middle[upper] + 1
        low, high = np.concatenate([low, right_low]), np.concatenate([left_high, high[upper]])
    return low, high


def _chunks(low: Ints, high: Ints) -> Iterator[Ints]:
    """Every place in the boxes."""
    sizes = (high - low + 1).prod(axis=1)
    for start in range(0, len(low), CHUNK // LEAF):
        part = slice(start, start + CHUNK // LEAF)
        count = sizes[part]
        box = np.repeat(np.arange(len(count)), count)
        flat = np.arange(len(box)) - np.repeat(np.cumsum(count) - count, count)
        place = np.empty((len(box), low.shape[1]), np.int64)
        for axis in range(low.shape[1] - 1, -1, -1):
            side = (high[part, axis] - low[part, axis] + 1)[box]
            flat, index = np.divmod(flat, side)
            place[:, axis] = low[part, axis][box] + index
        yield place
