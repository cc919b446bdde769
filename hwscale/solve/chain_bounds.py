"""What every input size can earn at most: a chain with its prices, the steps its values come in, and bounds on its score."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwscale.problem import Problem
from hwscale.solve.chain import Stack, stacks, whole_peak
from hwscale.solve.completions import Completions, tabulate
from hwscale.solve.duals import Duals, Floats, Prices


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
    """One root of a stack: ``at`` is its place there; ``bound`` holds for its score.

    ``least`` (kinds, states) and ``lightest`` (states), per layer, are what any completion uses and is worth at least. ``cap`` is
    the largest value there can be under the limit on it; ``capped``: it is what binds.
    """

    stack: Stack
    at: int
    prices: Prices
    least: list[Floats]
    lightest: list[Floats]
    cap: int
    capped: bool
    table: Completions
    steps: Steps
    bound: float

    @property
    def root(self) -> int:
        """Its place in the group."""
        return self.stack.roots[self.at]


def chains(problem: Problem) -> list[Chain]:
    """Every root with its bound; those that hold nothing feasible left out."""
    found = []
    for stack in stacks(problem):
        duals = Duals(stack)
        least, lightest = duals.least(), duals.lightest()
        prices = duals.solve(least)
        table = tabulate(stack)
        for at, root in enumerate(stack.roots):
            if np.isfinite(prices.bound[at]) and (least[0][:, at, 0] <= stack.limits[:, at]).all():
                steps, cap = _steps(stack, at), int(stack.cap[at])
                if lightest[0][at, 0] > cap:
                    continue
                free = steps.floor(prices.bound[at] + noise(prices.bound[at]))
                most = np.array([min(free, steps.floor(cap))])
                mine = Prices(prices.price[:, at], most, [e[at] for e in prices.earnings])
                bound = score_bound(problem, stack, root, most[0])
                uses, light = [use[:, at] for use in least], [worth[at] for worth in lightest]
                found.append(Chain(stack, at, mine, uses, light, cap, free > cap, table, steps, bound))
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
