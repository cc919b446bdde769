"""Best-first branch and bound on exact box corners, for spaces whose costs are nondecreasing along alpha and the boxes.

A node is a box of lattice indices under one root. At its lower corner the largest feasible alpha is found by a bracketed
search on exact costs; no point of the box can take a larger one. At its upper corner that alpha bounds every metric of the
box, hence the objective. Corners are exact integers, so nothing is lost to rounding and the proof is complete when no open
bound reaches the incumbent. Small boxes are solved as lines: one (box point) x all alphas, exactly.

Boxes are popped in batches, best bound first. Ties are kept (a box is dropped only if its bound is *below* the incumbent),
so the answer obeys the tie order.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwscale.cost_terms import CostArrays
from hwscale.problem import Problem
from hwscale.solve.line import Lines
from hwscale.solve.solution import Incumbent, Solution, proven
from hwscale.space import Group

Ints = npt.NDArray[np.int64]
BATCH = 400
LEAF = 64


@dataclass(slots=True)
class _Boxes:
    """Open boxes of one group: root, inclusive index ranges per axis (rows x axes), alpha ceiling, bound."""

    root: Ints
    low: Ints
    high: Ints
    ceiling: Ints
    bound: npt.NDArray[np.float64]

    def __getitem__(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> _Boxes:
        return _Boxes(self.root[rows], self.low[rows], self.high[rows], self.ceiling[rows], self.bound[rows])

    def joined(self, other: _Boxes) -> _Boxes:
        return _Boxes(
            np.concatenate([self.root, other.root]),
            np.concatenate([self.low, other.low]),
            np.concatenate([self.high, other.high]),
            np.concatenate([self.ceiling, other.ceiling]),
            np.concatenate([self.bound, other.bound]),
        )


def solve(problem: Problem) -> Solution | None:
    """The proven best candidate; None if nothing is feasible."""
    started = time.perf_counter()
    incumbent = Incumbent(problem)
    evaluations, nodes = searched(problem, incumbent)
    best = incumbent.best()
    return None if best is None else proven(problem, best, "quadtree", evaluations, nodes, started)


def searched(problem: Problem, incumbent: Incumbent) -> tuple[int, int]:
    """Offer the best candidates; how many were evaluated, and boxes bounded."""
    search = _Search(problem, incumbent)
    search.run()
    return search.lines.evaluations, search.nodes


class _Search:
    def __init__(self, problem: Problem, incumbent: Incumbent) -> None:
        self.problem = problem
        self.incumbent = incumbent
        self.lines = Lines(problem)
        self.nodes = 0
        self.open: dict[int, _Boxes] = {}

    def run(self) -> None:
        for at, group in enumerate(self.problem.lattice.groups):
            roots = np.arange(len(group.roots))
            axes = len(group.box_shape)
            last = np.array(group.box_shape, np.int64).reshape(1, axes) - 1
            whole = _Boxes(
                roots,
                np.zeros((len(roots), axes), np.int64),
                np.repeat(last, len(roots), axis=0),
                group.counts - 1,
                np.full(len(roots), np.inf),
            )
            self.open[at] = self._bounded(group, whole)
        while True:
            picked = self._pick()
            if not picked:
                return
            for at, boxes in picked.items():
                group = self.problem.lattice.groups[at]
                cells = np.prod(boxes.high - boxes.low + 1, axis=1, dtype=np.int64)
                small = cells <= LEAF
                if small.any():
                    self._lines(group, boxes[small])
                if not small.all():
                    children = self._bounded(group, _split(boxes[~small]))
                    self.open[at] = self.open[at].joined(children)

    def _pick(self) -> dict[int, _Boxes]:
        """Take the best open boxes of all groups, at most BATCH; drop what cannot win."""
        threshold = self.incumbent.threshold
        self.open = {at: boxes[boxes.bound >= threshold] for at, boxes in self.open.items()}
        bounds = np.concatenate([boxes.bound for boxes in self.open.values()])
        if len(bounds) == 0:
            return {}
        cut = np.partition(bounds, len(bounds) - BATCH)[len(bounds) - BATCH] if len(bounds) > BATCH else -np.inf
        picked = {}
        for at, boxes in self.open.items():
            take = boxes.bound >= cut
            if take.any():
                picked[at] = boxes[take]
                self.open[at] = boxes[~take]
        return picked

    def _bounded(self, group: Group, boxes: _Boxes) -> _Boxes:
        """Boxes with their alpha ceiling and bound; those that hold nothing feasible or nothing good enough left out."""
        self.nodes += len(boxes.root)
        best_alpha, at_low = self.lines.largest(group, boxes.root, boxes.low, boxes.ceiling)
        boxes.ceiling = best_alpha
        kept = best_alpha >= 0
        boxes, at_low = boxes[kept], at_low[kept]
        if len(boxes.root) == 0:
            return boxes
        self._offer(group, boxes.root, boxes.ceiling, boxes.low, at_low)
        flat = (boxes.low == boxes.high).all(axis=1)
        at_high = at_low if flat.all() else self.lines.costs(group, boxes.root, boxes.ceiling, boxes.high)
        boxes.bound = self.problem.bounds(at_high, group.resolutions[boxes.root])
        return boxes[(boxes.bound >= self.incumbent.threshold) & self.problem.above_floors(at_high)]

    def _lines(self, group: Group, boxes: _Boxes) -> None:
        """Every lattice point of small boxes as a line in alpha."""
        root, box, ceiling = _points(boxes)
        alpha, costs = self.lines.largest(group, root, box, ceiling)
        kept = np.flatnonzero(alpha >= 0)
        root, box, alpha, costs = root[kept], box[kept], alpha[kept], costs[kept]
        for row in self._offer(group, root, alpha, box, costs):
            self._whole_line(group, int(root[row]), int(alpha[row]), box[row])
        over = np.flatnonzero(self.problem.past_peak(costs, group.resolutions[root]))
        if len(over):
            self._peaks(group, root[over], alpha[over], box[over])

    def _peaks(self, group: Group, root: Ints, high: Ints, box: Ints) -> None:
        """Offer the two alphas around the peak of lines whose score falls again before ``high``, not below the floors."""
        before = self.lines.before_peak(group, root, box, high)
        floor = np.zeros_like(before)
        if self.problem.floors:
            floor = self.lines.first(group, root, box, high, self.problem.above_floors)
        for alpha in (np.maximum(before, floor), np.maximum(np.minimum(before + 1, high), floor)):
            for row in self._offer(group, root, alpha, box, self.lines.costs(group, root, alpha, box)):
                self._whole_line(group, int(root[row]), int(high[row]), box[row])

    def _whole_line(self, group: Group, root: int, last: int, box: Ints) -> None:
        """Offer every alpha up to ``last`` of one line, best first: one that should have won cannot be planned within the limits."""
        alpha = np.arange(last + 1)
        where, boxes = np.full(last + 1, root), np.repeat(box[None], last + 1, axis=0)
        self._offer(group, where, alpha, boxes, self.lines.costs(group, where, alpha, boxes))

    def _offer(self, group: Group, root: Ints, alpha: Ints, box: Ints, costs: CostArrays) -> Ints:
        """Hand feasible points to the incumbent; those that could win, but for their plan."""
        rows = np.flatnonzero(self.problem.above_floors(costs)) if self.problem.floors else np.arange(len(root))
        if not len(rows):
            return rows
        return self.incumbent.offer_rows(group, root, alpha, tuple(box.T), costs, rows)


def _split(boxes: _Boxes) -> _Boxes:
    """Halve every axis that has more than one index: up to 2^axes children."""
    parts = [(boxes.root, boxes.low, boxes.high, boxes.ceiling, boxes.bound)]
    for axis in range(boxes.low.shape[1]):
        halves = []
        for root, low, high, ceiling, bound in parts:
            middle = (low[:, axis] + high[:, axis]) // 2
            upper = high[:, axis] > middle
            left_high, right_low = high.copy(), low.copy()
            left_high[:, axis] = middle
            right_low[:, axis] = middle + 1
            halves.append((root, low, left_high, ceiling, bound))
            halves.append((root[upper], right_low[upper], high[upper], ceiling[upper], bound[upper]))
        parts = halves
    return _Boxes(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _points(boxes: _Boxes) -> tuple[Ints, Ints, Ints]:
    """(root, box indices, alpha ceiling) of every lattice point."""
    while boxes.low.shape[1] and (boxes.low != boxes.high).any():
        boxes = _split(boxes)
    return boxes.root, boxes.low, boxes.ceiling
