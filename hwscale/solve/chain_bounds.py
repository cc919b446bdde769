"""What every input size can earn at most: a chain with its prices, the steps its values come in, and bounds on its score."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hwscale.chain_space import ChainGroup
from hwscale.problem import Problem
from hwscale.solve.chain import Stack, stacked, stacks, whole_peak
from hwscale.solve.completions import Completions, tabulate
from hwscale.solve.duals import Duals, Floats, Prices
from hwscale.solve.foresight import Foresight, foresee
from hwscale.solve.rooms import Room, split
from hwscale.solve.shared import limits_left
from hwscale.solve.watch import watched


@dataclass(frozen=True, slots=True)
class Steps:
    """The values that paths can have at all: ``base`` and whole multiples of ``width`` around it (0: only ``base``)."""

    base: int
    width: int

    def floor(self, value: Any) -> Any:
        """The largest of them not above ``value``."""
        width = max(self.width, 1)
        return self.base + np.floor((value - self.base) / width) * width


@dataclass(frozen=True, slots=True)
class Chain:
    """One row of a stack: ``at`` is its place there; ``bound`` holds for its score.

    ``least`` (kinds, states), ``lightest`` and ``persistent`` (states), per layer, are what any completion uses, is worth and
    keeps for good at least. ``cap`` is
    the largest value there can be under the limit on it; ``capped``: it is what binds.
    """

    stack: Stack
    at: int
    prices: Prices
    least: list[Floats]
    lightest: list[Floats]
    persistent: list[Floats]
    cap: int
    capped: bool
    table: Completions
    steps: Steps
    bound: float
    ahead: Foresight

    @property
    def root(self) -> int:
        """Its place in the group."""
        return self.room.root

    @property
    def room(self) -> Room:
        """Which paths of the root are meant."""
        return self.stack.rooms[self.at]


def chains(problem: Problem) -> list[Chain]:
    """Every root with its bound; those that hold nothing feasible left out."""
    return bounded(problem, stacks(problem))


def refined(problem: Problem, open_chains: list[Chain]) -> list[Chain]:
    """Rooms that are not exact in the smaller rooms that they are split into."""
    split_up: dict[tuple[int, bool], tuple[ChainGroup, list[Room]]] = {}
    for chain in open_chains:
        group, rising = chain.stack.group, chain.stack.rising
        smaller = split(group, chain.room, limits_left(problem, group)["ram"])
        split_up.setdefault((id(group), rising), (group, []))[1].extend(smaller)
    stacks = (
        stack
        for (_, rising), (group, rooms) in split_up.items()
        for stack in stacked(problem, group, rooms, rising=rising)
    )
    return bounded(problem, stacks)


def bounded(problem: Problem, stacks: Iterable[Stack]) -> list[Chain]:
    """The rows of the stacks with their bounds; those that hold nothing feasible left out."""
    found = []
    for stack in stacks:
        duals = Duals(stack)
        least, lightest = duals.least(), duals.lightest()
        prices = duals.solve(least)
        table = tabulate(stack, _untabled(problem, stack, stack.roots))
        persistent = _least_persistent(stack)
        for at in range(len(stack.rooms)):
            if np.isfinite(prices.bound[at]) and (least[0][:, at, 0] <= stack.limits[:, at]).all():
                cap = int(stack.cap[at])
                if lightest[0][at, 0] > cap:
                    continue
                mine = Prices(prices.price[:, at], prices.bound[at : at + 1], [e[at] for e in prices.earnings])
                uses, light = [use[:, at] for use in least], [worth[at] for worth in lightest]
                kept = [use[at] for use in persistent]
                steps = _steps(stack, at)
                ahead = foresee(stack, at, mine, _spare(stack, kept), watched(problem, stack.group, stack.roots[at]))
                chain = Chain(stack, at, mine, uses, light, kept, cap, False, table, steps, math.inf, ahead)
                found.append(_promising(problem, chain))
    return [chain for chain in found if chain.bound > -math.inf]


def informed(problem: Problem, chain: Chain) -> Chain:
    """The chain with all windows that bind by now."""
    watch = watched(problem, chain.stack.group, chain.root)
    if watch is None or chain.ahead.windows == tuple(watch.binding(chain.stack.spare)):
        return chain
    start = _untabled(problem, chain.stack, [chain.root])
    table = chain.table if start <= chain.table.start else tabulate(chain.stack, start)
    ahead = foresee(chain.stack, chain.at, chain.prices, _spare(chain.stack, chain.persistent), watch)
    return _promising(problem, replace(chain, table=table, ahead=ahead))


def _promising(problem: Problem, chain: Chain) -> Chain:
    """The chain with the bound that its prices and its windows prove."""
    stack, steps = chain.stack, chain.steps
    free = float(chain.ahead.charged[0][0] + (stack.limits[:, chain.at] * chain.prices.price).sum())
    if free == -math.inf:
        return replace(chain, bound=free)
    free = float(steps.floor(free + noise(free)))
    most = min(free, float(steps.floor(chain.cap)))
    prices = replace(chain.prices, bound=np.array([most]))
    bound = score_bound(problem, stack, chain.root, most)
    return replace(chain, prices=prices, capped=free > chain.cap, bound=bound)


def _spare(stack: Stack, persistent: list[Floats]) -> float:
    """What the arena of a row may need, from what its completions keep at least."""
    return float(stack.ram - persistent[0][0])


def _untabled(problem: Problem, stack: Stack, roots: Iterable[int]) -> int:
    """The first link that no binding window reaches."""
    watches = [watched(problem, stack.group, root) for root in roots]
    ends = [last for watch in watches if watch is not None for _, last in watch.binding(stack.spare)]
    return 1 + max(ends, default=-1)


def _least_persistent(stack: Stack) -> list[Floats]:
    """Per layer the least that any completion keeps for good (rows, states); inf where there is none."""
    found = [np.zeros((len(stack.rooms), 1 + int(stack.heads[-1].max())))]
    for heads, persistent, allowed in zip(*map(reversed, (stack.heads, stack.persistent, stack.allowed)), strict=True):
        found.insert(0, (np.where(allowed, persistent, np.inf) + found[0][:, heads]).min(axis=2))
    return found


def _steps(stack: Stack, at: int) -> Steps:
    """Values along a path: layer by layer those of the arcs that are allowed, which differ by multiples of something."""
    base, differences = 0, [0]
    for value, allowed in zip(stack.value, stack.allowed, strict=True):
        values = np.unique(value[at][allowed[at]])
        if len(values):
            base += int(values[0])
            differences.append(int(np.gcd.reduce(values - values[0])))
    return Steps(base, int(np.gcd.reduce(differences)))


def score_bound(problem: Problem, stack: Stack, root: int, bound: float) -> float:
    """Upper bound on the score of a root whose value, a whole number, is at most ``bound``."""
    whole = math.floor(bound + noise(bound))
    resolution = np.array([stack.group.resolutions[root]])
    if stack.rising:
        return float(problem.objective.bounds(np.array([float(whole)]), resolution)[0])
    # a bound may promise a metric below the turning point, where there are no such networks and the score is lower again
    peak = whole_peak(problem.objective.turning_points(resolution)[0])
    return float(problem.objective.scores(np.array([float(max(-whole, peak + 1))]), resolution)[0])


def least_value(problem: Problem, chain: Chain, threshold: float) -> float:
    """The smallest value whose score reaches ``threshold`` at this root; -inf if any does."""
    if threshold == -math.inf:
        return 0.0 if chain.stack.rising else -math.inf
    low, high = 0.0, float(chain.prices.bound[0]) + 1.0
    if not chain.stack.rising:
        low, high = -(2.0**53), float(chain.prices.bound[0])
    if score_bound(problem, chain.stack, chain.root, low) >= threshold:
        return -math.inf
    while high - low > 0.5:
        middle = (low + high) / 2
        if score_bound(problem, chain.stack, chain.root, middle) >= threshold:
            high = middle
        else:
            low = middle
    return math.floor(low)


def noise(value: float) -> float:
    """What float sums of integers of this size may be off by, with room to spare."""
    return 1e-9 * max(1.0, abs(value)) + 1e-3
