"""Stage-wise networks: label setting on a resource-constrained longest path, pruned by Lagrangian bounds.

Per input size the best network is the path of most MACs (or parameters) whose Flash and latency stay within the limits; see
`hwscale.solve.chain`. `hwscale.solve.duals` bounds what any completion can still earn. A beam of the most promising labels
finds a good incumbent; the exact pass then keeps every label that can still match it, less the dominated ones. The last
layers are tabulated and met in the middle, see `hwscale.solve.completions`. Sizes come in the order of their bounds, and the
search ends at the first that cannot win.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np

from hwscale.errors import ConfigError
from hwscale.problem import LONGEST_FS, Problem, path
from hwscale.solve.chain import Ints, Stack, stacks
from hwscale.solve.completions import Completions, Middle, join, tabulate
from hwscale.solve.dominance import undominated
from hwscale.solve.duals import Duals, Floats, Prices
from hwscale.solve.solution import TOLERANCE, Incumbent, Solution, Status, proven

BEAM = 400
"""Labels per state in the first pass, which only looks for a good incumbent."""
LABELS = (20_000, 200_000)
"""Labels per layer that the exact passes keep: the second is for what the first could not close. What that one drops stays in the
bound, and the gap is printed."""


@dataclass(frozen=True, slots=True)
class Chain:
    """One root of a stack: ``at`` is its place there; ``bound`` holds for its score."""

    stack: Stack
    at: int
    prices: Prices
    least: list[Floats]
    table: Completions
    bound: float

    @property
    def root(self) -> int:
        """Its place in the group."""
        return self.stack.roots[self.at]


@dataclass(slots=True)
class _Labels:
    """Partial paths, ordered as ties are broken: state, value, resources (kinds, n), what breaks ties (latency, RAM, Flash so
    far; 3, n), an upper bound on the value of any completion, and per layer the parent's place and the way taken."""

    state: Ints
    value: Ints
    used: Ints
    ties: Ints
    promise: Floats
    trail: list[tuple[Ints, Ints]]

    def __getitem__(self, rows: Ints) -> _Labels:
        parent, way = self.trail[-1]
        trail = [*self.trail[:-1], (parent[rows], way[rows])]
        return _Labels(
            self.state[rows],
            self.value[rows],
            self.used[:, rows],
            self.ties[:, rows],
            self.promise[rows],
            trail,
        )

    def ways(self, row: int) -> tuple[int, ...]:
        """The path that ended in a label."""
        found = []
        for parent, way in reversed(self.trail):
            found.append(int(way[row]))
            row = int(parent[row])
        return tuple(reversed(found))


def solve(problem: Problem) -> Solution | None:
    """The best path; None if nothing is feasible. "feasible", with a gap, only if the exact pass had to drop labels."""
    if problem.floors or not problem.keeps_ties:
        raise ConfigError("solver labels takes limits, not targets; use solver auto")
    started = time.perf_counter()
    incumbent, nodes = Incumbent(problem), 0
    chains = sorted(_chains(problem), key=lambda chain: -chain.bound)
    # a bound on what may be left of each chain
    rest = {id(chain): chain.bound for chain in chains}
    for most in (None, *LABELS):
        for chain in chains:
            if chain.bound < incumbent.threshold:
                break
            if rest[id(chain)] < incumbent.threshold:
                continue
            ways, examined, dropped = _search(problem, chain, incumbent, most)
            nodes += examined
            if most is not None:
                rest[id(chain)] = dropped
            if ways is not None:
                found = path(problem, chain.stack.group, chain.root, ways)
                incumbent.offer(problem.score(found), found)
    left = max(rest.values(), default=-math.inf)
    best = incumbent.best()
    if best is None:
        return None
    arcs = sum(len(g.roots) * int((layer.heads >= 0).sum()) for g in problem.chains.groups for layer in g.layers)
    solution = proven(problem, best, "labels", arcs, nodes, started)
    score = solution.certificate.objective
    if left <= score + TOLERANCE * max(1.0, abs(score)):
        return solution
    return replace(
        solution, certificate=replace(solution.certificate, status=Status.FEASIBLE, bound=left, gap=left - score)
    )


def _chains(problem: Problem) -> list[Chain]:
    """Every root with its bound; those that hold nothing feasible left out."""
    found = []
    for stack in stacks(problem):
        duals = Duals(stack)
        least = duals.least()
        prices = duals.solve(least)
        table = tabulate(stack)
        for at, root in enumerate(stack.roots):
            if np.isfinite(prices.bound[at]) and (least[0][:, at, 0] <= stack.limits[:, at]).all():
                mine = Prices(prices.price[:, at], prices.bound[at : at + 1], [e[at] for e in prices.earnings])
                bound = _score(problem, stack, root, prices.bound[at])
                found.append(Chain(stack, at, mine, [use[:, at] for use in least], table, bound))
    return found


def _score(problem: Problem, stack: Stack, root: int, bound: float) -> float:
    """Upper bound on the score of a root whose value, a whole number, is at most ``bound``."""
    whole = math.floor(bound + _noise(bound))
    metric = np.array([float(whole if stack.rising else -whole)])
    resolution = np.array([stack.group.resolutions[root]])
    if stack.rising:
        return float(problem.objective.bounds(metric, resolution)[0])
    return float(problem.objective.scores(np.maximum(metric, 1.0), resolution)[0])


def _least_value(problem: Problem, chain: Chain, threshold: float) -> float:
    """The smallest value whose score reaches ``threshold`` at this root; -inf if any does."""
    if threshold == -math.inf:
        return -math.inf
    low, high = 0.0, float(chain.prices.bound[0]) + 1.0
    if not chain.stack.rising:
        low, high = -(2.0**53), float(chain.prices.bound[0])
    if _score(problem, chain.stack, chain.root, low) >= threshold:
        return -math.inf
    while high - low > 0.5:
        middle = (low + high) / 2
        if _score(problem, chain.stack, chain.root, middle) >= threshold:
            high = middle
        else:
            low = middle
    return math.floor(low)


def _search(
    problem: Problem, chain: Chain, incumbent: Incumbent, most: int | None
) -> tuple[tuple[int, ...] | None, int, float]:
    """The best path found, how many labels were examined, and a bound on the score of all that were dropped."""
    stack, at, prices = chain.stack, chain.at, chain.prices
    least_value = _least_value(problem, chain, incumbent.threshold)
    limits, price = stack.limits[:, at], prices.price
    spare = float((limits * price).sum())
    none = np.zeros(1, np.int64)
    start = np.zeros((len(limits), 1), np.int64)
    labels = _Labels(none, none, start, np.zeros((3, 1), np.int64), np.array([np.inf]), [])
    examined, dropped = 0, -math.inf
    for step, heads in enumerate(stack.heads[: chain.table.start]):
        state, ways = labels.state, np.arange(heads.shape[1])
        head = heads[state]
        used = labels.used[:, :, None] + stack.resources[step][:, at][:, state]
        value = labels.value[:, None] + stack.value[step][at, state]
        earned = value - np.tensordot(price, used, 1) + prices.earnings[step + 1][head] + spare
        fits = stack.allowed[step][at, state] & (earned + _noise(float(prices.bound[0])) >= least_value)
        for kind, limit in enumerate(limits):
            fits &= used[kind] + chain.least[step + 1][kind][head] <= limit
        row, way = np.nonzero(fits)
        examined += len(row)
        arc = (state[row], way)
        latency = np.minimum(labels.ties[0, row] + stack.latency[step][at][arc], LONGEST_FS)
        ram = np.maximum(labels.ties[1, row], stack.ram[step][at][arc])
        flash = labels.ties[2, row] + stack.flash[step][arc]
        labels = _Labels(
            head[row, way],
            value[row, way],
            used[:, row, way],
            np.stack([latency, ram, flash]),
            earned[row, way],
            [*labels.trail, (row, ways[way])],
        )
        keep = BEAM * (1 + int(heads.max()))
        if most is not None:
            labels = labels[undominated(labels.state, labels.value, labels.used, labels.ties)]
            keep = most
        if len(labels.state) > keep:
            best = np.argpartition(-labels.promise, keep)
            lost = float(labels.promise[best[keep:]].max())
            dropped = max(dropped, _score(problem, stack, chain.root, min(lost, float(prices.bound[0]))))
            labels = labels[np.sort(best[:keep])]
    noise = _noise(float(prices.bound[0]))
    middle = Middle(labels.state, labels.value, labels.used, labels.ties, labels.promise)
    found = join(middle, chain.table, at, limits, least_value, noise)
    if found is None:
        return None, examined, dropped
    label, end, met = found
    return labels.ways(label) + chain.table.ways(end), examined + met, dropped


def _noise(value: float) -> float:
    """What float sums of integers of this size may be off by, with room to spare."""
    return 1e-9 * max(1.0, abs(value)) + 1e-3
