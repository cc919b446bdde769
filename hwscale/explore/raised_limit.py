"""One problem with one limit raised: the best then, and the smallest budget at which the best is better than now.

V(b), the best score with budget b for one metric and all else unchanged, never falls as b grows, for the feasible set only grows.
Let v be the score now, at budget L, and b* the smallest budget with V(b*) > v, by more than rounding (`STRICTLY`). Three facts make `first_better` exact:

1. If V(t) = v is proven, then V(s) = v for every s <= t: b* > t.
2. If a network that scores more than v needs r of the metric, then V(r) > v: b* <= r.
3. The search holds t < b* <= r. Once t = r - 1, b* = r, as budgets are whole numbers of bytes, MACs or femtoseconds.

A trial at the middle halves the interval. After one that failed the next is r - 1: it ends the search or lowers r. So at most two trials
are spent per halving, 2 log2(r - L) + 2 in all, and mostly far fewer, for r is what a network needs and not the budget tried. Trials
that prove nothing leave t where it is, and then the result is a bracket.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hwscale.candidate import Candidate
from hwscale.chain_space import ChainSpace
from hwscale.errors import ConfigError
from hwscale.joint_space import JointSpace
from hwscale.problem import Problem
from hwscale.solve import solve
from hwscale.solve.solution import STRICTLY, Incumbent, Status


@dataclass(frozen=True, slots=True)
class Better:
    """A network that scores more than now, and what it needs of the raised metric; ``proven`` best within the budget tried."""

    candidate: Candidate
    score: float
    need: int
    proven: bool


@dataclass(frozen=True, slots=True)
class FirstBetter:
    """``found`` needs the smallest budget known to buy anything; none below ``at_least`` does. Exact where the two are equal."""

    found: Better
    at_least: int
    trials: int


class RaisedLimit:
    """``problem`` with the limit on ``metric`` raised, never beyond ``most``; ``score`` is that of the best now.

    After ``deadline`` [time.monotonic] `first_better` starts no further trial.
    """

    def __init__(self, problem: Problem, metric: str, score: float, most: int, deadline: float = math.inf) -> None:
        self.problem, self.metric, self.score, self.most = problem, metric, score, most
        self.limit = problem.limits[metric]
        self.deadline = deadline
        self.flat = self.limit
        """The largest budget that is proven to buy nothing."""
        self._known: list[tuple[int, Better]] = []

    def best(self, budget: int) -> tuple[Better | None, bool]:
        """The best at ``budget``, by the tie order too, None where it is no better than now; and whether that is proven."""
        if (budget := min(budget, self.most)) <= self.flat:
            return None, True
        for tried, known in self._known:
            # what is best within more, and fits into less, is best there
            if known.need <= budget <= tried and known.proven:
                return known, True
        found, proven = self._solved(self._raised(budget))
        if found is not None:
            self._known.append((budget, found))
        elif proven:
            self.flat = budget
        return found, proven

    def lifted(self) -> tuple[Better | None, bool]:
        """The best without the limit, None where it is no better than now; and whether that is proven."""
        limits = {name: limit for name, limit in self.problem.limits.items() if name != self.metric}
        return self._solved(replace(self.problem, limits=limits))

    def first_better(self) -> FirstBetter | None:
        """The smallest budget that buys anything, from what `best` has found so far; None if that is nothing."""
        if not self._known:
            return None
        found = min((known for _, known in self._known), key=lambda known: known.need)
        tried, trials, halve = self.flat, 0, True
        while found.need - tried > 1 and time.monotonic() < self.deadline:
            budget = (tried + found.need) // 2 if halve else found.need - 1
            better, proven = self._solved(self._raised(budget), ties=False)
            trials += 1
            if better is not None:
                found, halve = better, True
                continue
            tried, halve = budget, False
            if proven and self.flat < budget:
                self.flat = budget
        return FirstBetter(found, min(self.flat + 1, found.need), trials)

    def _raised(self, budget: int) -> Problem:
        return replace(self.problem, limits={**self.problem.limits, self.metric: budget})

    def _solved(self, problem: Problem, *, ties: bool = True) -> tuple[Better | None, bool]:
        """The best that is better than now, None where none is known; and whether that is proven. Without ``ties`` any equal one will do."""
        space = problem.space
        if isinstance(space, ChainSpace) and not isinstance(space, JointSpace) and not problem.floors:
            from hwscale.solve.labels import ULPS, searched

            # what scores less than now does not count, which cuts most of the search
            incumbent = Incumbent(problem)
            incumbent.score, incumbent.keeps_ties = self.score, ties
            left = searched(problem, incumbent)[1]
            best = incumbent.best()
            found = None if best is None else self._judged(problem, best, True)
            if found is not None and left <= found.score + ULPS * max(1.0, abs(found.score)):
                return found, True
            if found is None and left <= self._bar:
                return None, True
        try:
            solution = solve(problem)
        except ConfigError:  # the search gave up: nothing is found, and nothing proven
            return None, False
        if solution is None:
            return None, True
        proven = solution.certificate.status is Status.OPTIMAL
        return self._judged(problem, solution.best, proven), proven

    def _judged(self, problem: Problem, candidate: Candidate, proven: bool) -> Better | None:
        score = problem.score(candidate)
        if score <= self._bar:
            return None
        # a limit holds for what the search counts and for what the runtime plans
        need = max(candidate.metric(self.metric), problem.needed(candidate, self.metric))
        return Better(candidate, score, need, proven)

    @property
    def _bar(self) -> float:
        return self.score + STRICTLY * max(1.0, abs(self.score))


def caps(limits: Mapping[str, int], metric: str, share: float, most: int) -> int:
    """The limit on a metric raised by ``share``, in thousandths exactly, at most to ``most``."""
    return min(limits[metric] + limits[metric] * round(1000 * share) // 1000, most)
