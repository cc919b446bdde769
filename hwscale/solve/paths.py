"""Every path of a stage-wise space, block by block: the oracle of the other solvers, and the solver for targets and floors.

A block is one way through the first layers with every way through the rest, priced in one go. With pruning, a block is passed
over if even its cheapest ends break a limit, or its dearest reach no floor or no better score.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from hwscale.chain_model import Layer
from hwscale.chain_space import ChainGroup, decoded
from hwscale.cost_terms import CostArrays, Ints
from hwscale.errors import ConfigError
from hwscale.problem import Problem, path
from hwscale.solve.solution import Incumbent, Solution, proven

BLOCK = 1 << 15
"""Ends of a block, about."""
LARGEST = 1_000_000_000
"""Paths that are looked at one by one, at most."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Stretches of paths, one row each: what they cost, RAM apart, and what of it each region needs (regions, n) and what persists."""

    costs: CostArrays
    regions: Ints
    persistent: Ints

    def __getitem__(self, rows: Any) -> Bundle:
        return Bundle(self.costs[rows], self.regions[:, rows], self.persistent[rows])

    def joined_with(self, other: Bundle) -> Bundle:
        """Each row with that of the other; one of the two may have a single row."""
        mine, theirs = self.costs, other.costs
        regions, persistent = np.maximum(self.regions, other.regions), self.persistent + other.persistent
        costs = CostArrays(
            regions.sum(axis=0) + persistent,
            mine.flash_bytes + theirs.flash_bytes,
            mine.macs + theirs.macs,
            mine.params + theirs.params,
            {work: np.asarray(units + theirs.works[work]) for work, units in mine.works.items()},
        )
        return Bundle(costs, regions, persistent)


@dataclass(frozen=True, slots=True)
class Ends:
    """Every way from layer ``start`` to the end for one root: ``costs[state]``; ``radix`` holds the ways of each layer."""

    start: int
    costs: tuple[Bundle, ...]
    allowed: tuple[Ints, ...]
    radix: tuple[int, ...]

    def ways(self, at: int) -> tuple[int, ...]:
        """The way through each layer of end number ``at``."""
        return decoded(at, self.radix)


@lru_cache(maxsize=64)
def ends(group: ChainGroup, root: int) -> Ends:
    """Ends of about `BLOCK` ways for one root of a group."""
    nothing = np.zeros(1, np.int64)
    none = _empty(group, nothing, nothing)
    found = Ends(
        len(group.layers), (none,) * len(group.layers[-1].states), (nothing + 1,) * len(group.layers[-1].states), ()
    )
    while found.start and len(found.costs[0].persistent) * group.layers[found.start - 1].heads.shape[1] <= BLOCK:
        layer = group.layers[found.start - 1]
        costs, allowed = [], []
        for state, heads in enumerate(layer.heads):
            parts = [
                _arc(layer, root, state, way).joined_with(found.costs[max(int(head), 0)])
                for way, head in enumerate(heads)
            ]
            costs.append(
                Bundle(
                    CostArrays.joined([part.costs for part in parts]),
                    np.concatenate([part.regions for part in parts], axis=1),
                    np.concatenate([part.persistent for part in parts]),
                )
            )
            allowed.append(np.concatenate([found.allowed[max(int(h), 0)] * (h >= 0) for h in heads]))
        found = Ends(found.start - 1, tuple(costs), tuple(allowed), (layer.heads.shape[1], *found.radix))
    return found


def _empty(group: ChainGroup, flash: Ints, persistent: Ints) -> Bundle:
    """A path without arcs."""
    nothing = np.zeros(1, np.int64)
    costs = CostArrays(persistent, flash, nothing, nothing, dict.fromkeys(group.model.works, nothing))
    return Bundle(costs, np.zeros((len(group.model.regions), 1), np.int64), persistent)


def _arc(layer: Layer, root: int, state: int, way: int) -> Bundle:
    """One way through a layer."""
    one = slice(way, way + 1)
    costs = CostArrays(
        layer.persistent[state, one],  # RAM comes with the other end
        layer.flash[state, one],
        layer.macs[root, state, one],
        layer.params[state, one],
        {work: units[root, state, one] for work, units in layer.works.items()},
    )
    return Bundle(costs, layer.regions[:, root, state, one], layer.persistent[state, one])


def solve(problem: Problem) -> Solution | None:
    """The best path, floors and targets included; None if nothing is feasible."""
    return _scan(problem, "paths", prune=True)


def enumerate_all(problem: Problem) -> Solution | None:
    """The best path of a plain enumeration."""
    return _scan(problem, "exhaustive", prune=False)


def _scan(problem: Problem, method: str, *, prune: bool) -> Solution | None:
    if problem.space.size > LARGEST:
        raise ConfigError(
            f"looking at every path takes at most {LARGEST:,} of them, but the domain has {problem.space.size:.3g}; narrow it "
            "with fix or domain, as --fix kernel=3 --fix expand=4 --fix uniform_width=true, or give limits instead of targets"
        )
    started = time.perf_counter()
    incumbent, evaluations, nodes = Incumbent(problem), 0, 0
    for group in problem.chains.groups:
        for root, resolution in enumerate(group.resolutions):
            rest = ends(group, root)
            rooms = [_extremes(costs, ok > 0) for costs, ok in zip(rest.costs, rest.allowed, strict=True)]
            for ways, state, begun in _starts(group, root, rest.start):
                nodes += 1
                if rooms[state] is None or (prune and _hopeless(problem, incumbent, begun, rooms[state], resolution)):
                    continue
                costs = begun.joined_with(rest.costs[state]).costs
                evaluations += len(costs.macs)
                fits = problem.within_limits(costs) & problem.above_floors(costs) & (rest.allowed[state] > 0)
                rows = np.flatnonzero(fits)
                if len(rows):
                    _offer(problem, incumbent, group, root, ways, rest, costs, rows)
    best = incumbent.best()
    return None if best is None else proven(problem, best, method, evaluations, nodes, started)


def _starts(group: ChainGroup, root: int, until: int) -> Iterator[tuple[tuple[int, ...], int, Bundle]]:
    """Every way through the layers before ``until``: the ways, the state they lead to, and their cost (one row)."""
    base = _empty(group, np.array([group.model.base_flash]), np.array([group.model.base_persistent]))
    stack: list[tuple[tuple[int, ...], int, Bundle]] = [((), 0, base)]
    while stack:
        ways, state, costs = stack.pop()
        if len(ways) == until:
            yield ways, state, costs
            continue
        layer = group.layers[len(ways)]
        for way in reversed(range(layer.heads.shape[1])):
            head = int(layer.heads[state, way])
            if head >= 0:
                stack.append(((*ways, way), head, costs.joined_with(_arc(layer, root, state, way))))


def _extremes(ends: Bundle, allowed: np.typing.NDArray[np.bool_]) -> Bundle | None:
    """Two rows, the least and the most of every cost; None if no end exists."""
    rows = np.flatnonzero(allowed)
    if not len(rows):
        return None

    def both(values: Ints) -> Ints:
        return np.stack([values[..., rows].min(axis=-1), values[..., rows].max(axis=-1)], axis=-1)

    costs = ends.costs
    works = {work: both(units) for work, units in costs.works.items()}
    totals = CostArrays(both(costs.ram_bytes), both(costs.flash_bytes), both(costs.macs), both(costs.params), works)
    return Bundle(totals, both(ends.regions), both(ends.persistent))


def _hopeless(problem: Problem, incumbent: Incumbent, begun: Bundle, room: Bundle | None, resolution: float) -> bool:
    assert room is not None
    both = begun.joined_with(room).costs
    if not problem.within_limits(both)[0] or not problem.above_floors(both)[1]:
        return True
    return bool(problem.bounds(both[1:], np.array([resolution]))[0] < incumbent.threshold)


def _offer(
    problem: Problem,
    incumbent: Incumbent,
    group: ChainGroup,
    root: int,
    ways: tuple[int, ...],
    rest: Ends,
    costs: CostArrays,
    rows: Ints,
) -> None:
    """Offer the best of the feasible ``rows``; of equal ones those that the tie order may prefer."""
    scores = problem.scores(costs[rows], group.resolutions[root])
    for at in np.argsort(-scores, kind="stable"):
        if scores[at] < incumbent.threshold:
            return
        found = path(problem, group, root, ways + rest.ways(int(rows[at])))
        incumbent.offer(problem.score(found), found)
