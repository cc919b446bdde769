"""What more of a limit buys: exact arcs, the next budget that buys anything, and the price in the relaxed problem.

Every arc and every breakpoint is a problem solved again with one limit raised, all others unchanged: see
`hwscale.explore.raised_limit`. The problem is the one that the fit settled on, with its objective: one that fell back to no band keeps
none, and a limit on the worst case keeps the interval that holds for the fit's own network.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from hwscale.budget import LARGEST_COUNT, Budget
from hwscale.candidate import Candidate
from hwscale.chain_space import ChainSpace
from hwscale.configuration import pinned
from hwscale.execution import Scheduled
from hwscale.explore.raised_limit import Better, RaisedLimit, caps
from hwscale.latency_model import FEMTO
from hwscale.problem import LONGEST_FS, Problem
from hwscale.solve.solution import Status
from hwscale.solve.watch import forget

if TYPE_CHECKING:
    from hwscale.result import Fit

SHARES = (0.01, 0.05, 0.2)
"""How much the arcs raise a limit."""
REACH = 1.0
"""How far a breakpoint is looked for: up to twice the limit."""
PATIENCE_S = 30.0
"""Time after which the search for one limit's breakpoint starts no other trial, and states a bracket [s]."""
LONG_S = 10.0
"""A fit that took longer is not solved a dozen times more unless asked for by name: `--explain` leaves the what-ifs out [s]."""
UNITS = {"ram": "B", "flash": "B", "macs": "MACs", "latency": "s", "energy": "J"}


@dataclass(frozen=True, slots=True)
class Arc:
    """The limit raised by ``share`` to ``budget`` [unit of the limit]: what the score and, in percent, the objective's metric gain, and the
    best then. Where nothing is gained, these are the fit's own. ``proven``: it is the best, not only the best found."""

    share: float
    budget: float
    score_gain: float
    metric_gain_percent: float
    hyperparameters: Mapping[str, Any]
    proven: bool


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """The smallest ``budget`` at which the best is better, ``extra`` more than now [unit of the limit], and what it buys.

    ``whole`` is the budget as the integer that decides: bytes, MACs, or fs for latency and energy. ``at_least``: no smaller budget buys
    anything; equal to ``budget`` where ``exact``, below it where a search proved too little or ran out of patience.
    """

    budget: float
    extra: float
    whole: int
    at_least: float
    exact: bool
    score_gain: float
    metric_gain_percent: float
    hyperparameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What more of one limit buys; ``budget`` is the limit now, in ``unit``, ``metric`` what the objective reads.

    ``breakpoint`` is None where nothing is bought up to ``reach`` [unit of the limit]; ``spent`` says that no budget buys anything, however
    large, and ``held_by`` names the limit that stands at the same cost and would have to be raised too (latency and energy). ``proven``
    says whether "nothing" is. ``multiplier``: a local estimate, percent of the metric per percent of the limit at the smooth optimum
    of the relaxed problem; None where it has none. It is no bound and says nothing of steps.
    """

    quantity: str
    budget: float
    unit: str
    metric: str
    arcs: tuple[Arc, ...]
    breakpoint: Breakpoint | None
    reach: float
    spent: bool
    held_by: str | None
    proven: bool
    multiplier: float | None

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        return asdict(self)


def what_ifs(fit: Fit, *, patience_s: float = PATIENCE_S) -> tuple[WhatIf, ...]:
    """What more of each limit of ``fit`` buys, in the order of its limits; none beside targets.

    A fit that is not proven best is solved again first; what is then better with the same limits is not for sale, and is left out of
    the gains.
    """
    if fit.targets:
        return ()
    forget()  # the same question gives the same answer, whatever was asked before
    start = _Start.of(fit)
    prices = _multipliers(fit)
    return tuple(_what_if(start, name, prices, patience_s) for name in fit.limits)


def too_long(fit: Fit) -> bool:
    """Whether one solve took so long that what-ifs would take minutes."""
    return not fit.targets and fit.certificate.seconds > LONG_S


@dataclass(frozen=True, slots=True)
class _Start:
    """Where the arcs start: the problem, the best now, and how its integers read in the user's units."""

    fit: Fit
    problem: Problem
    score: float
    metric: int
    hyperparameters: Mapping[str, Any]
    proven: bool
    budget: Budget

    @classmethod
    def of(cls, fit: Fit) -> _Start:
        cost, problem = fit.cost, fit.problem
        power_w = cost.energy_j / cost.latency_s if cost.energy_j and cost.latency_s else None
        interval = cost.latency_interval_s if fit.latency_limit == "worst" else None
        budget = Budget(fit.limits, power_w, interval[1] / cost.latency_s if interval and cost.latency_s else 1.0)
        metric = fit.layer_macs if problem.objective.metric == "macs" else cost.params
        proven, score = True, fit.certificate.objective
        hyperparameters: Mapping[str, Any] = fit.hyperparameters
        if fit.certificate.status != Status.OPTIMAL:
            from hwscale.solve import solve

            again = solve(problem)
            assert again is not None  # the fit itself is feasible
            proven = again.certificate.status is Status.OPTIMAL
            if again.certificate.objective > score:
                score, hyperparameters = again.certificate.objective, _described(fit, again.best)
                metric = again.best.metric(problem.objective.metric)
        return cls(fit, problem, score, metric, hyperparameters, proven, budget)

    def quantity(self, name: str, whole: int) -> float:
        """A metric's integer in the unit of the limit called ``name``."""
        if name not in ("latency", "energy"):
            return whole
        return whole / FEMTO * self.budget.stretch * ((self.budget.power_w or math.nan) if name == "energy" else 1.0)

    def percent(self, better: Better) -> float:
        """What a network has more of the objective's metric [%]."""
        return 100 * (better.candidate.metric(self.problem.objective.metric) / self.metric - 1)


def _what_if(start: _Start, name: str, prices: Mapping[str, float], patience_s: float) -> WhatIf:
    problem = start.problem
    metric = "latency" if name == "energy" else name
    most, held_by = _most(start, name, metric)
    binds = start.budget.limiting(metric) == name
    now = problem.limits[metric]
    bare: dict[str, Any] = {
        "quantity": name,
        "budget": start.budget.limits[name],
        "unit": UNITS[name],
        "metric": problem.objective.metric,
        "multiplier": prices.get(metric) if binds else None,
    }
    if most <= now:
        arcs = tuple(_arc(start, name, share, None, start.proven) for share in SHARES)
        return WhatIf(
            **bare, arcs=arcs, breakpoint=None, reach=bare["budget"], spent=True, held_by=held_by, proven=True
        )
    raised = RaisedLimit(problem, metric, start.score, most, time.monotonic() + patience_s)
    reach = caps(problem.limits, metric, REACH, most)
    found = {share: raised.best(caps(problem.limits, metric, share, most)) for share in sorted(SHARES, reverse=True)}
    arcs = tuple(_arc(start, name, share, *found[share]) for share in SHARES)
    better, proven, spent = None, True, False
    if found[SHARES[-1]][0] is None:
        better, proven = raised.best(reach)
        if better is None and most > reach:
            without, sure = raised.lifted()
            spent = proven and sure and without is None
    first = raised.first_better()
    at = None
    if first is not None:
        won, exact = first.found, start.proven and first.at_least == first.found.need
        at = Breakpoint(
            start.quantity(name, won.need),
            start.quantity(name, won.need) - start.budget.limits[name],
            won.need,
            start.quantity(name, first.at_least),
            exact,
            won.score - start.score,
            start.percent(won),
            _described(start.fit, won.candidate),
        )
    ended = start.quantity(name, reach)
    sure = proven and start.proven
    return WhatIf(**bare, arcs=arcs, breakpoint=at, reach=ended, spent=spent, held_by=held_by, proven=sure)


def _most(start: _Start, name: str, metric: str) -> tuple[int, str | None]:
    """The largest budget that raising one limit gives a metric: latency and energy may both bound it; and which one then holds it."""
    if metric != "latency":
        return LARGEST_COUNT, None
    other = "latency" if name == "energy" else "energy"
    if other not in start.budget.limits:
        return LONGEST_FS - 1, None
    alone = Budget({other: start.budget.limits[other]}, start.budget.power_w, start.budget.stretch)
    limits = start.problem.limits
    whole = limits[metric] if start.budget.limiting(metric) == other else alone.metrics()[metric]
    return whole, other


def _arc(start: _Start, name: str, share: float, better: Better | None, proven: bool) -> Arc:
    budget = start.budget.limits[name] * (1 + share)
    if name in ("ram", "flash", "macs"):
        budget = caps({name: int(start.budget.limits[name])}, name, share, LARGEST_COUNT)
    proven = proven and start.proven
    if better is None:
        return Arc(share, budget, 0.0, 0.0, start.hyperparameters, proven)
    score = better.score - start.score
    return Arc(share, budget, score, start.percent(better), _described(start.fit, better.candidate), proven)


def _described(fit: Fit, candidate: Candidate) -> Mapping[str, Any]:
    """What `hwscale.build` takes, as `Fit.hyperparameters` has it."""
    return replace(fit, configuration=pinned(fit.problem.space.domain, candidate.values)).hyperparameters


def _multipliers(fit: Fit) -> Mapping[str, float]:
    """By metric, at the answer's own root; none for stage-wise families and schedules of patches, whose relaxed problem is another."""
    if isinstance(fit.problem.space, ChainSpace | Scheduled):
        return {}
    from hwscale.solve.relaxed import multipliers

    _, height, width = fit.input_shape
    return multipliers(fit.problem, fit.configuration.values, height, width)
