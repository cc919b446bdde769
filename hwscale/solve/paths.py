"""Every path of a stage-wise space, block by block: the oracle of the other solvers, and the solver for targets and floors.

A block is one way through the first layers with every way through the rest, priced in one go. With pruning, a block is passed
over if even its cheapest ends break a limit, or its dearest reach no floor or no better score.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hwscale.chain_space import ChainGroup, decoded
from hwscale.cost_terms import CostArrays, Ints
from hwscale.errors import ConfigError
from hwscale.problem import Problem, path
from hwscale.solve.solution import TOLERANCE, Incumbent, Solution, proven

BLOCK = 1 << 15
"""Ends of a block, about."""
LARGEST = 1_000_000_000
"""Paths that are looked at one by one, at most."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Every way from layer ``start`` to the end for one root: ``costs[state]``; ``radix`` holds the ways of each layer."""

    start: int
    costs: tuple[CostArrays, ...]
    allowed: tuple[Ints, ...]
    radix: tuple[int, ...]

    def ways(self, at: int) -> tuple[int, ...]:
        """The way through each layer of end number ``at``."""
        return decoded(at, self.radix)


@lru_cache(maxsize=64)
def ends(group: ChainGroup, root: int) -> Ends:
    """Ends of about `BLOCK` ways for one root of a group."""
    nothing = np.zeros(1, np.int64)
    kinds = sorted({kind for layer in group.layers for kind in layer.kinds})
    none = CostArrays(nothing, nothing, nothing, nothing, dict.fromkeys(kinds, nothing))
    found = Ends(
        len(group.layers), (none,) * len(group.layers[-1].states), (nothing + 1,) * len(group.layers[-1].states), ()
    )
    while found.start and len(found.costs[0].macs) * group.layers[found.start - 1].heads.shape[1] <= BLOCK:
        layer = group.layers[found.start - 1]
        costs, allowed = [], []
        for state, heads in enumerate(layer.heads):
            parts = []
            for way, head in enumerate(heads):
                rest = found.costs[max(int(head), 0)]
                parts.append(
                    CostArrays(
                        np.maximum(layer.ram[root, state, way], rest.ram_bytes),
                        layer.flash[state, way] + rest.flash_bytes,
                        layer.macs[root, state, way] + rest.macs,
                        layer.params[state, way] + rest.params,
                        {
                            kind: (layer.kinds[kind][root, state, way] if kind in layer.kinds else 0) + macs
                            for kind, macs in rest.macs_by_kind.items()
                        },
                    )
                )
            costs.append(CostArrays.joined(parts))
            allowed.append(np.concatenate([found.allowed[max(int(h), 0)] * (h >= 0) for h in heads]))
        found = Ends(found.start - 1, tuple(costs), tuple(allowed), (layer.heads.shape[1], *found.radix))
    return found


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
                costs = _sum(begun, rest.costs[state])
                evaluations += len(costs.macs)
                fits = problem.within_limits(costs) & problem.above_floors(costs) & (rest.allowed[state] > 0)
                rows = np.flatnonzero(fits)
                if len(rows):
                    _offer(problem, incumbent, group, root, ways, rest, costs, rows)
    best = incumbent.best()
    return None if best is None else proven(problem, best, method, evaluations, nodes, started)


def _starts(group: ChainGroup, root: int, until: int) -> Iterator[tuple[tuple[int, ...], int, CostArrays]]:
    """Every way through the layers before ``until``: the ways, the state they lead to, and their cost (one row)."""
    base = np.array([group.model.base_flash])
    nothing = np.zeros(1, np.int64)
    stack: list[tuple[tuple[int, ...], int, CostArrays]] = [((), 0, CostArrays(nothing, base, nothing, nothing, {}))]
    while stack:
        ways, state, costs = stack.pop()
        if len(ways) == until:
            yield ways, state, costs
            continue
        layer = group.layers[len(ways)]
        for way in reversed(range(layer.heads.shape[1])):
            head = int(layer.heads[state, way])
            if head >= 0:
                arc = CostArrays(
                    layer.ram[root, state, way : way + 1],
                    layer.flash[state, way : way + 1],
                    layer.macs[root, state, way : way + 1],
                    layer.params[state, way : way + 1],
                    {kind: macs[root, state, way : way + 1] for kind, macs in layer.kinds.items()},
                )
                stack.append(((*ways, way), head, _sum(costs, arc)))


def _sum(one: CostArrays, other: CostArrays) -> CostArrays:
    kinds = dict.fromkeys((*one.macs_by_kind, *other.macs_by_kind))
    return CostArrays(
        np.maximum(one.ram_bytes, other.ram_bytes),
        one.flash_bytes + other.flash_bytes,
        one.macs + other.macs,
        one.params + other.params,
        {kind: np.asarray(one.macs_by_kind.get(kind, 0) + other.macs_by_kind.get(kind, 0)) for kind in kinds},
    )


def _extremes(costs: CostArrays, allowed: np.typing.NDArray[np.bool_]) -> CostArrays | None:
    """Two rows, the least and the most of every cost; None if no end exists."""
    rows = np.flatnonzero(allowed)
    if not len(rows):
        return None

    def both(values: Ints) -> Ints:
        return np.array([values[rows].min(), values[rows].max()])

    kinds = {kind: both(macs) for kind, macs in costs.macs_by_kind.items()}
    return CostArrays(both(costs.ram_bytes), both(costs.flash_bytes), both(costs.macs), both(costs.params), kinds)


def _hopeless(
    problem: Problem, incumbent: Incumbent, begun: CostArrays, room: CostArrays | None, resolution: float
) -> bool:
    assert room is not None
    both = _sum(begun, room)
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
    top = float(scores.max())
    if top < incumbent.threshold:
        return
    near = rows[scores >= top - TOLERANCE * max(1.0, abs(top))]
    if not problem.keeps_ties:
        near = near[:1]
    for row in near:
        found = path(problem, group, root, ways + rest.ways(int(row)))
        incumbent.offer(problem.score(found), found)
