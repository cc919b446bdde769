"""What a solver returns: the best candidate and a certificate of why it is the best."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from hwscale.candidate import Candidate
from hwscale.cost_terms import CostArrays, Ints
from hwscale.problem import Problem, candidates
from hwscale.solve.lattice_plans import packable
from hwscale.space import Group

TOLERANCE = 1e-9
"""Relative slack on float scores while searching: vector and scalar logarithms differ by a few ulp, so nothing within it is
discarded before the exact comparison at the end."""


STRICTLY = 1e-13
"""Relative difference from which a score is better: above rounding, and below what one MAC makes."""

SMALLEST, LARGEST = 16, 4096
"""Candidates that are packed at once: few at first, as the best one mostly fits."""
PATIENCE = 8
"""Plans that broke a limit before candidates are packed many at once: on most networks none does."""


class Status(StrEnum):
    """Whether the answer is proven best; the values are what the certificate prints."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"


@dataclass(frozen=True, slots=True)
class Certificate:
    """Why the answer is the best over the declared domain and cost model.

    ``objective`` is its score; ``bound`` a proven upper bound on every candidate, None where nothing is proven; ``gap`` =
    bound - objective. ``evaluations`` counts exact cost evaluations, ``nodes`` boxes examined, ``domain_size`` the candidates
    that the claim covers, ``domain_hash`` names the domain. ``multipliers`` are local elasticities of the relaxed problem,
    d ln(objective metric) / d ln(limit), where the solver has them: never a bound.
    """

    status: Status
    objective: float
    bound: float | None
    gap: float | None
    evaluations: int
    nodes: int
    domain_size: int
    domain_hash: str
    method: str
    seconds: float
    multipliers: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Solution:
    """The winner and its certificate."""

    best: Candidate
    certificate: Certificate


class Incumbent:
    """The best candidates so far: all within `TOLERANCE` of the best score, compared exactly at the end.

    Each is planned before it is kept, unless ``plan`` is False: then the caller does it. ``keeps_ties`` may be set to False where from
    then on only a better score counts, and ``problem`` to one of the same objective and limits that prices what is offered next.
    """

    def __init__(self, problem: Problem, *, plan: bool = True) -> None:
        self.problem = problem
        self.keeps_ties = problem.keeps_ties
        self._plan = plan
        self._gaps = 0
        self.score = -np.inf
        self._kept: list[tuple[float, Candidate]] = []

    @property
    def threshold(self) -> float:
        """A bound below it cannot hold a better candidate, nor an equal one where ties are kept for the tie rule."""
        if self.score == -np.inf:
            return -np.inf
        slack = TOLERANCE * max(1.0, abs(self.score))
        if self.problem.keeps_ties and not self.keeps_ties:
            return float(self.score + STRICTLY * max(1.0, abs(self.score)))
        return float(self.score - slack if self.problem.keeps_ties else self.score + slack)

    def offer(self, score: float, candidate: Candidate) -> bool:
        """Keep ``candidate`` if it can still win; False if it could, but its plan breaks a limit."""
        if score < self.threshold:
            return True
        if self._plan and not self.problem.fits(candidate):
            self._gaps += 1
            return False
        self.score = max(self.score, score)
        self._kept.append((score, candidate))
        if len(self._kept) > 4096 or not self.problem.keeps_ties:
            self._kept = self._live()
        return True

    def offer_rows(
        self, group: Group, root: Ints, alpha: Ints, box: tuple[Ints, ...], costs: CostArrays, rows: Ints
    ) -> Ints:
        """Offer the best of the feasible ``rows``, ties included, going down until one is kept; those whose plan broke a limit."""
        scores = self.problem.scores(costs[rows], group.resolutions[root[rows]])
        top = float(scores.max())
        if top < self.threshold:
            return rows[:0]
        if self._gaps > PATIENCE:
            packed = self._packed(group, root, alpha, box, rows, scores)
            if packed is not None:
                self._offer_each(group, root, alpha, box, costs, packed[0])
                return packed[1]
        near = scores >= top - TOLERANCE * max(1.0, abs(top))
        broken = self._offer_each(group, root, alpha, box, costs, rows[near])
        if not broken:
            return rows[:0]
        rest, scores = rows[~near], scores[~near]
        for at in np.argsort(-scores, kind="stable"):
            if scores[at] < self.threshold:
                break
            broken += self._offer_each(group, root, alpha, box, costs, rest[at : at + 1])
        return np.array(broken, np.int64)

    def _packed(
        self, group: Group, root: Ints, alpha: Ints, box: tuple[Ints, ...], rows: Ints, scores: npt.NDArray[np.float64]
    ) -> tuple[Ints, Ints] | None:
        """The best of ``rows`` that can be packed, ties included, and those no worse that cannot; None if each must be planned alone."""
        order, at, size = np.argsort(-scores, kind="stable"), 0, SMALLEST
        kept, lost, least = [rows[:0]], [rows[:0]], self.threshold
        while at < len(order):
            batch = order[at : at + size]
            batch = batch[scores[batch] >= least]
            if not len(batch):
                break
            some = rows[batch]
            fits = packable(self.problem, group, root[some], alpha[some], tuple(axis[some] for axis in box))
            if fits is None:
                return None
            if fits.any():
                top = float(scores[batch[fits]].max())
                least = max(least, top - TOLERANCE * max(1.0, abs(top)))
            near = scores[batch] >= least
            kept.append(some[fits & near])
            lost.append(some[~fits & near])
            at, size = at + size, min(4 * size, LARGEST)
        return np.concatenate(kept), np.concatenate(lost)

    def _offer_each(
        self, group: Group, root: Ints, alpha: Ints, box: tuple[Ints, ...], costs: CostArrays, rows: Ints
    ) -> list[int]:
        """Offer all ``rows``; those whose plan broke a limit."""
        at = tuple(axis[rows] for axis in box)
        offered = candidates(self.problem, group, root[rows], alpha[rows], at, costs[rows])
        kept = [self.offer(self.problem.score(candidate), candidate) for candidate in offered]
        return [int(row) for row, ok in zip(rows, kept, strict=True) if not ok]

    def _live(self) -> list[tuple[float, Candidate]]:
        slack = TOLERANCE * max(1.0, abs(self.score))
        return [(score, candidate) for score, candidate in self._kept if score >= self.score - slack]

    def best(self) -> Candidate | None:
        """The winner by exact score and tie order; None if nothing was offered."""
        live = [candidate for _, candidate in self._live()]
        return min(live, key=self.problem.rank) if live else None


def proven(problem: Problem, best: Candidate, method: str, evaluations: int, nodes: int, started: float) -> Solution:
    """A Solution whose search left no candidate out."""
    score = problem.score(best)
    space = problem.space
    certificate = Certificate(
        Status.OPTIMAL,
        score,
        score,
        0.0,
        evaluations,
        nodes,
        space.size,
        problem.digest,
        method,
        time.perf_counter() - started,
    )
    return Solution(best, certificate)
