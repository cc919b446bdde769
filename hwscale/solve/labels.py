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
from hwscale.solve.chain import Ints
from hwscale.solve.chain_bounds import Chain, chains, least_value, noise, score_bound
from hwscale.solve.completions import Partial, join
from hwscale.solve.dominance import undominated
from hwscale.solve.duals import Floats
from hwscale.solve.solution import Incumbent, Solution, Status, proven

ULPS = 1e-14
"""Relative difference between scores of one metric: vector and scalar logarithms differ by a few units in the last place."""
BEAM = 400
"""Labels per state in the first pass, which only looks for a good incumbent."""
CELLS = 1 << 20
"""Labels times ways looked at in one go."""
WORK = 4_000_000
"""Labels that the exact passes examine in all before they narrow to a beam: a few seconds."""
LABELS = (20_000, 200_000)
"""Labels per layer that the exact passes keep: the second is for what the first could not close. What that one drops stays in the
bound, and the gap is printed."""


@dataclass(frozen=True, slots=True)
class _Labels(Partial):
    """Partial paths, ordered as ties are broken; besides, what each promises if nothing capped the value, and per layer the parent's
    place and the way taken."""

    earned: Floats
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
            self.earned[rows],
            trail,
        )

    def best(self, keep: int) -> tuple[_Labels, float]:
        """The ``keep`` most promising labels, in their order, and the largest promise among the others (-inf: none).

        Where a limit caps the metric itself very many promise alike: of those, some of every state and value, the ones that would
        earn most without the cap.
        """
        if len(self.state) <= keep:
            return self, -math.inf
        cut = np.partition(self.promise, -keep)[-keep]
        above, tied = np.flatnonzero(self.promise > cut), np.flatnonzero(self.promise == cut)
        tied = tied[np.lexsort((self.value[tied], self.state[tied]))]
        bins = np.arange(len(tied)) * (keep - len(above)) // len(tied)
        order = np.lexsort((np.arange(len(tied)), -self.earned[tied], bins))
        chosen = tied[order[np.append(True, np.diff(bins[order]) != 0)]]
        rest = np.ones(len(self.state), np.bool_)
        rest[above], rest[chosen] = False, False
        return self[np.sort(np.concatenate([above, chosen]))], float(self.promise[rest].max())

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
    incumbent, nodes, spent = Incumbent(problem), 0, 0
    priced = sorted(chains(problem), key=lambda chain: -chain.bound)
    # a bound on what may be left of each chain
    rest = {id(chain): chain.bound for chain in priced}
    for most in (None, *LABELS):
        for n, chain in enumerate(priced):
            if chain.bound < incumbent.threshold:
                break
            closed = rest[id(chain)] < incumbent.threshold
            # what is left can only tie: the wide pass is not for that
            ties = most == LABELS[-1] and rest[id(chain)] <= incumbent.score
            if closed or ties:
                continue
            still = sum(other.bound >= incumbent.threshold for other in priced[n:])
            ways, examined, dropped = _search(problem, chain, incumbent, most, (WORK - spent) // still)
            nodes += examined
            if most is not None:
                spent += examined
                rest[id(chain)] = min(dropped, rest[id(chain)])
            if ways is not None:
                found = path(problem, chain.stack.group, chain.root, ways)
                incumbent.offer(problem.score(found), found)
    left = max(rest.values(), default=-math.inf)
    best = incumbent.best()
    if best is None:
        if left > -math.inf:
            raise ConfigError(
                f"no network was found, but {problem.space.size:.3g} candidates are too many to prove that there is none; "
                "narrow the domain"
            )
        return None
    arcs = sum(len(g.roots) * int((layer.heads >= 0).sum()) for g in problem.chains.groups for layer in g.layers)
    solution = proven(problem, best, "labels", arcs, nodes, started)
    score = solution.certificate.objective
    if left <= score + ULPS * max(1.0, abs(score)):
        return solution
    return replace(
        solution, certificate=replace(solution.certificate, status=Status.FEASIBLE, bound=left, gap=left - score)
    )


def _search(
    problem: Problem, chain: Chain, incumbent: Incumbent, most: int | None, allowance: int
) -> tuple[tuple[int, ...] | None, int, float]:
    """The best path found, how many labels were examined, and a bound on the score of all that were dropped.

    ``most`` labels are kept per layer, undominated ones only; None keeps a beam. Past ``allowance`` labels it narrows to that.
    """
    stack, at, prices = chain.stack, chain.at, chain.prices
    wanted = least_value(problem, chain, incumbent.threshold)
    none = np.zeros(1, np.int64)
    start = np.zeros((len(stack.limits), 1), np.int64)
    labels = _Labels(none, none, start, np.zeros((3, 1), np.int64), np.array([np.inf]), np.array([np.inf]), [])
    examined, dropped = 0, -math.inf
    for step, heads in enumerate(stack.heads[: chain.table.start]):
        narrow = most is None or examined > allowance
        keep = BEAM * (1 + int(heads.max())) if most is None or narrow else most
        parts, held = [], 0
        if not len(labels.state):
            return None, examined, -math.inf if dropped == -math.inf else chain.bound
        rows = max(1, CELLS // heads.shape[1])
        for begin in range(0, len(labels.state), rows):
            part = _extended(chain, labels, np.arange(begin, min(begin + rows, len(labels.state))), step, wanted)
            examined += len(part.state)
            parts.append(part)
            held += len(part.state)
            if held > 8 * keep and begin + rows < len(labels.state):
                merged, lost = _joined(parts).best(4 * keep)
                parts, held, dropped = [merged], len(merged.state), max(dropped, lost)
        labels = _joined(parts)
        if most is not None:
            labels = labels[undominated(labels.state, labels.value, labels.used, labels.ties, capped=chain.capped)]
        labels, lost = labels.best(keep)
        dropped = max(dropped, lost)
    found = join(labels, chain.table, at, stack.limits[:, at], (wanted, chain.cap), noise(float(prices.bound[0])))
    left = -math.inf
    if dropped > -math.inf:
        left = score_bound(problem, stack, chain.root, min(chain.steps.floor(dropped), float(prices.bound[0])))
    if found is None:
        return None, examined, left
    label, end, met = found
    return labels.ways(label) + chain.table.ways(end), examined + met, left


def _extended(chain: Chain, labels: _Labels, rows: Ints, step: int, wanted: float) -> _Labels:
    """Every way that ``rows`` of the labels can go through layer ``step`` and still keep the limits and reach ``wanted``."""
    stack, at, prices = chain.stack, chain.at, chain.prices
    limits, price = stack.limits[:, at], prices.price
    state = labels.state[rows]
    head = stack.heads[step][state]
    used = labels.used[:, rows, None] + stack.resources[step][:, at][:, state]
    value = labels.value[rows, None] + stack.value[step][at, state]
    earned = value - np.tensordot(price, used, 1) + prices.earnings[step + 1][head] + float((limits * price).sum())
    promise = chain.steps.floor(np.minimum(earned + noise(float(prices.bound[0])), chain.cap))
    fits = stack.allowed[step][at, state] & (promise >= wanted) & (value + chain.lightest[step + 1][head] <= chain.cap)
    for kind, limit in enumerate(limits):
        fits &= used[kind] + chain.least[step + 1][kind][head] <= limit
    row, way = np.nonzero(fits)
    arc = (state[row], way)
    latency = np.minimum(labels.ties[0, rows[row]] + stack.latency[step][at][arc], LONGEST_FS)
    ram = np.maximum(labels.ties[1, rows[row]], stack.ram[step][at][arc])
    flash = labels.ties[2, rows[row]] + stack.flash[step][arc]
    return _Labels(
        head[row, way],
        value[row, way],
        used[:, row, way],
        np.stack([latency, ram, flash]),
        promise[row, way],
        earned[row, way],
        [*labels.trail, (rows[row], way)],
    )


def _joined(parts: list[_Labels]) -> _Labels:
    """Labels of one layer in one: the order of the parts is that of the ties."""
    if len(parts) == 1:
        return parts[0]
    parent, way = (np.concatenate([part.trail[-1][side] for part in parts]) for side in (0, 1))
    return _Labels(
        np.concatenate([part.state for part in parts]),
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.used for part in parts], axis=1),
        np.concatenate([part.ties for part in parts], axis=1),
        np.concatenate([part.promise for part in parts]),
        np.concatenate([part.earned for part in parts]),
        [*parts[0].trail[:-1], (parent, way)],
    )
