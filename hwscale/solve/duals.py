"""Lagrangian relaxation of a resource-constrained longest path: bounds on what any completion can still earn.

Prices on the resources turn every arc's value into value - price . resources, and a plain longest path bounds the constrained
one, whatever the prices. The bound is convex in them: bisection finds its minimum for one resource, the ellipsoid method for
several. All roots of a group are priced at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwscale.solve.chain import Stack

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
STEPS = {1: 30, 2: 60, 3: 110, 4: 160}
"""Evaluations spent on the prices of so many resources."""

DEAREST = 1e-6
"""Share of a limit that is never worth more than all value."""


@dataclass(slots=True)
class Prices:
    """``price`` (kinds, roots), the ``bound`` it proves per root, and per layer and root what the best completion from each
    state earns, ``earnings[l]`` (roots, states), the last layer's after the end."""

    price: Floats
    bound: Floats
    earnings: list[Floats]


class Duals:
    """The priced problem of a `Stack`."""

    def __init__(self, stack: Stack) -> None:
        self.heads = stack.heads
        self.value = [np.where(ok, value, -np.inf) for value, ok in zip(stack.value, stack.allowed, strict=True)]
        self.resources = [resources.astype(np.float64) for resources in stack.resources]
        self.limits = stack.limits.astype(np.float64)
        self.roots = len(stack.rooms)
        self.ends = 1 + int(self.heads[-1].max())
        self._row = np.arange(self.roots)
        self.hopeless = np.zeros(self.roots, np.bool_)

    def least(self) -> list[Floats]:
        """Per layer the smallest use of each resource on any completion (kinds, roots, states); inf where there is none."""
        found = [np.zeros((len(self.limits), self.roots, self.ends))]
        for heads, value, resources in zip(*map(reversed, (self.heads, self.value, self.resources)), strict=True):
            used = np.where(value > -np.inf, resources, np.inf) + found[0][:, :, heads]
            found.insert(0, used.min(axis=3))
        return found

    def lightest(self) -> list[Floats]:
        """Per layer the smallest value of any completion (roots, states); inf where there is none."""
        found = [np.zeros((self.roots, self.ends))]
        for heads, value in zip(*map(reversed, (self.heads, self.value)), strict=True):
            found.insert(0, (np.where(value > -np.inf, value, np.inf) + found[0][:, heads]).min(axis=2))
        return found

    def evaluate(self, price: Floats) -> tuple[Prices, Floats]:
        """Bound and completions at ``price`` (kinds, roots), and what the priced optimum uses (kinds, roots)."""
        earnings = [np.zeros((self.roots, self.ends))]
        choices: list[Ints] = []
        for heads, value, resources in zip(*map(reversed, (self.heads, self.value, self.resources)), strict=True):
            gain = value + earnings[0][:, heads]
            for at, used in enumerate(resources):
                gain = gain - price[at][:, None, None] * used
            best = gain.argmax(axis=2)
            choices.insert(0, best)
            earnings.insert(0, np.take_along_axis(gain, best[:, :, None], 2)[:, :, 0])
        used = np.zeros((len(self.limits), self.roots))
        state = np.zeros(self.roots, np.int64)
        for heads, resources, best in zip(self.heads, self.resources, choices, strict=True):
            way = best[self._row, state]
            used += resources[:, self._row, state, way]
            state = heads[state, way]
        bound = earnings[0][:, 0] + (self.limits * price).sum(axis=0)
        return Prices(price, bound, earnings), used

    def solve(self, least: list[Floats]) -> Prices:
        """The lowest bound found, each root with its own prices; ``least`` as `least()` returns it.

        At the best prices no resource costs more than all value over what its limit leaves above the smallest use, which
        brackets them.
        """
        kinds = len(self.limits)
        best, _used = self.evaluate(np.zeros((kinds, self.roots)))
        spare = self.limits - least[0][:, :, 0]
        self.hopeless = ~np.isfinite(best.bound) | (spare < 0).any(axis=0)
        if kinds == 0 or self.hopeless.all():
            return best
        worth = np.where(self.hopeless, 1.0, np.maximum(best.bound - self._lowest(), 1.0))
        # a price at which a limit is worth far more than all value would drown that in rounding
        spare = np.maximum(spare, np.maximum(self.limits * DEAREST, 1.0))
        highest = worth / np.where(self.hopeless, 1.0, spare)
        best = self._bisected(best, highest) if kinds == 1 else self._shrunk(best, highest)
        return self.evaluate(best.price)[0]

    def _lowest(self) -> Floats:
        """A lower bound on the value of any path."""
        return np.asarray(sum(np.where(v > -np.inf, v, np.inf).min(axis=(1, 2)).clip(max=0) for v in self.value))

    def _bisected(self, best: Prices, highest: Floats) -> Prices:
        """One price: the bound is lowest where the use crosses the limit."""
        low, high = np.zeros_like(highest), highest
        for _ in range(STEPS[1]):
            middle = (low + high) / 2
            trial, used = self.evaluate(middle)
            best = _lower(best, trial, trial.bound < best.bound)
            over = used > self.limits
            low, high = np.where(over, middle, low), np.where(over, high, middle)
        return best

    def _shrunk(self, best: Prices, highest: Floats) -> Prices:
        """Several prices: the ellipsoid method with deep cuts, on prices as shares of ``highest``."""
        kinds = len(self.limits)
        centre = np.full((self.roots, kinds), 0.5)
        shape = np.repeat(np.eye(kinds)[None] * kinds / 4, self.roots, axis=0)
        scale, lowest = highest.T, self._lowest()
        for _ in range(STEPS[min(kinds, max(STEPS))]):
            trial, used = self.evaluate((np.maximum(centre, 0) * scale).T)
            outside = centre < 0
            inside = ~np.any(outside, axis=1)
            best = _lower(best, trial, inside & (trial.bound < best.bound))
            self.hopeless = self.hopeless | (
                best.bound < lowest - 1.0
            )  # no path is worth as little: none keeps the limits
            slope = np.where(inside[:, None], (self.limits - used).T * scale, -1.0 * outside)
            reach = np.sqrt(np.einsum("ri,rij,rj->r", slope, shape, slope).clip(min=0))
            moving = ~self.hopeless & (reach > 1e-9)  # else the slope is flat: the minimum
            if not moving.any():
                break
            reach = np.where(moving, reach, 1.0)
            behind = np.where(moving, trial.bound, 0.0) - np.where(moving, best.bound, 0.0)
            depth = np.clip(np.where(inside, behind, -(centre * outside).sum(axis=1)) / reach, 0.0, 0.9)
            step = np.where(moving[:, None], np.einsum("rij,rj->ri", shape, slope) / reach[:, None], 0.0)
            centre = centre - ((1 + kinds * depth) / (kinds + 1))[:, None] * step
            shrink = (kinds**2 / (kinds**2 - 1) * (1 - depth**2))[:, None, None]
            along = (2 * (1 + kinds * depth) / ((kinds + 1) * (1 + depth)))[:, None, None]
            smaller = shrink * (shape - along * step[:, :, None] * step[:, None, :])
            shape = np.where(moving[:, None, None], smaller, shape)
        return best


def _lower(best: Prices, trial: Prices, better: npt.NDArray[np.bool_]) -> Prices:
    price = np.where(better, trial.price, best.price)
    return Prices(price, np.where(better, trial.bound, best.bound), best.earnings)
