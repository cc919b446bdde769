"""The relaxed problem: rounding dropped, log-variables, scipy's SLSQP per root; then exact repair on the lattice.

In x = (log alpha, log of each box) every cost is a posynomial, so the feasible set is convex; maximising MACs over it is not,
hence no global guarantee. Dropping floors makes costs *larger*, so the smooth optimum may lie below the true one: it is never a
bound and the answer is never called optimal. Its use: an independent cross-check, and local multipliers, the
elasticities d ln(metric) / d ln(limit) at the smooth optimum.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from hwscale.candidate import LatticePoint
from hwscale.errors import ConfigError
from hwscale.formulas.rounding import RELAXED
from hwscale.problem import Problem, candidates
from hwscale.solve.line import Lines
from hwscale.solve.solution import Certificate, Incumbent, Solution, Status
from hwscale.space import Group

Floats = npt.NDArray[np.float64]
REACH = (-16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16)
"""Lattice steps that the exact repair tries along each axis, from the smooth optimum on."""
ROUNDS = 12


@dataclass(frozen=True, slots=True)
class _Smooth:
    """Smooth optimum of one root: box values, multipliers by limit."""

    group: Group
    root: int
    box: tuple[float, ...]
    multipliers: dict[str, float]


def solve(problem: Problem) -> Solution | None:
    """The best lattice point near the smooth optima, feasible exactly and never claimed best; None if none was found."""
    if problem.floors:
        raise ConfigError("solver nlp takes limits, not targets; use solver auto")
    started = time.perf_counter()
    tops = [
        top
        for group in problem.lattice.groups
        for root in range(len(group.roots))
        if (top := _smooth(problem, group, root))
    ]
    incumbent, lines = Incumbent(problem), Lines(problem)
    for group in problem.lattice.groups:
        mine = [top for top in tops if top.group is group]
        if mine:
            _repair(problem, group, mine, incumbent, lines)
    best = incumbent.best()
    if best is None:
        return None
    space = problem.space
    assert isinstance(best, LatticePoint)
    own = [top for top in tops if top.group is best.group and top.root == best.root]
    certificate = Certificate(
        Status.FEASIBLE,
        problem.score(best),
        None,
        None,
        lines.evaluations,
        len(tops),
        space.size,
        problem.digest,
        "nlp (scipy SLSQP on the relaxed problem, exact repair)",
        time.perf_counter() - started,
        own[0].multipliers if own else {},
    )
    return Solution(best, certificate)


def multipliers(problem: Problem, values: Mapping[str, Any], height: int, width: int) -> dict[str, float]:
    """d ln(objective metric) / d ln(limit) by limit, at the smooth optimum of the root that holds ``values``, for an input of ``height`` x
    ``width`` [px]; empty where that optimum lies outside the limits."""
    for group in problem.lattice.groups:
        for at, root in enumerate(group.roots):
            same = all(values.get(name) == value for name, value in root.branch.items())
            alphas = float(root.alphas[0]) <= values["alpha"] <= float(root.ends[-1])
            if same and alphas and (root.height, root.width) == (height, width):
                found = _smooth(problem, group, at)
                return {} if found is None else found.multipliers
    return {}


def _repair(problem: Problem, group: Group, tops: list[_Smooth], incumbent: Incumbent, lines: Lines) -> None:
    """Exact pattern search on the lattice, from every smooth optimum of a group at once."""
    roots = np.array([top.root for top in tops])
    lattices = list(group.boxes.values())
    centre = np.array(
        [[int(np.argmin(np.abs(v - at))) for v, at in zip(lattices, top.box, strict=True)] for top in tops], np.int64
    ).reshape(len(tops), len(lattices))
    last = np.array(group.box_shape, np.int64) - 1
    steps = list(product(REACH, repeat=len(lattices)))
    pattern = np.array(steps, np.int64).reshape(len(steps), len(lattices))
    for _ in range(ROUNDS):
        box = np.clip(centre[:, None, :] + pattern, 0, last).reshape(len(tops) * len(steps), len(lattices))
        root = np.repeat(roots, len(pattern))
        alpha, costs = lines.largest(group, root, box, group.counts[root] - 1)
        over = np.flatnonzero(problem.past_peak(costs, group.resolutions[root]) & (alpha >= 0))
        if len(over):
            alpha[over] = lines.before_peak(group, root[over], box[over], alpha[over])
            costs = lines.costs(group, root, np.maximum(alpha, 0), box)
        score = np.where(alpha >= 0, problem.scores(costs, group.resolutions[root]), -np.inf).reshape(len(tops), -1)
        chosen = score.argmax(axis=1)
        rows = np.arange(len(tops)) * len(pattern) + chosen
        rows = rows[alpha[rows] >= 0]
        for candidate in candidates(problem, group, root[rows], alpha[rows], tuple(box[rows].T), costs[rows]):
            incumbent.offer(problem.score(candidate), candidate)
        moved = box.reshape(len(tops), len(pattern), len(lattices))[np.arange(len(tops)), chosen]
        if (moved == centre).all():
            return
        centre = moved


class _Costs:
    """Logarithms of the relaxed costs of one root over its limits, at log-variables."""

    def __init__(self, problem: Problem, group: Group, root: int) -> None:
        self.problem = problem
        self.model = group.model
        self.root = group.roots[root]
        self.names = ["alpha", *group.boxes]
        family = self.model.family
        self.fixed = {
            h.name: float(self.root.branch[h.name]) for h in family.hyperparameters if h.axis == "branch" and h.knob
        }
        exact = {"alpha": float(self.root.alphas[-1]), **self.fixed}
        exact |= {name: float(lattice[0]) for name, lattice in group.boxes.items()}
        graph, self.structure = self.model.graph(exact, self.root.height, self.root.width)
        self.facts = self.model.runtime.facts(graph)
        self.turn = float(problem.objective.turning_points(group.resolutions[root]))
        self._at: dict[bytes, tuple[float, Floats, tuple[str, ...]]] = {}

    def __call__(self, x: Floats) -> tuple[float, Floats, tuple[str, ...]]:
        """(ln of the objective's metric, ln(limit / cost) per constraint, limit of each: "" for the turning point)."""
        key = x.tobytes()
        if key not in self._at:
            knobs: dict[str, Any] = dict(zip(self.names, np.exp(x).tolist(), strict=True)) | self.fixed
            settings, family = self.model.settings, self.model.family
            widths = family.widths(settings, knobs, RELAXED)
            graph = family.graph(settings, widths, self.root.height, self.root.width, self.structure)
            terms = self.model.terms(graph, self.facts)
            values: list[tuple[str, float]] = []
            for name in self.problem.limits:
                if name == "ram":
                    beside = sum(max(size for _, size in rows) for _, rows in terms.regions[1:]) + terms.persistent
                    values += [("ram", float(size + beside)) for _, size in terms.ram_terms]
                elif name == "latency":
                    rates = self.problem.fs_per_unit
                    values.append((name, float(sum(terms.works[work] * fs for work, fs in rates.items()))))
                else:
                    values.append(
                        (name, float({"flash": terms.flash_bytes, "macs": terms.macs, "params": terms.params}[name]))
                    )
            metric = terms.macs if self.problem.objective.metric == "macs" else terms.params
            slack = [math.log(self.problem.limits[name] / value) for name, value in values]
            slack.append(math.log(self.turn / metric))  # beyond the turning point more of the metric scores less
            self._at[key] = math.log(metric), np.array(slack), (*(name for name, _ in values), "")
        return self._at[key]


def _smooth(problem: Problem, group: Group, root: int) -> _Smooth | None:
    """The smooth optimum of one root; None if it lies outside the limits."""
    costs = _Costs(problem, group, root)
    ranges = [(costs.root.alphas[0], costs.root.ends[-1]), *((v[0], v[-1]) for v in group.boxes.values())]
    low, high = (np.log([float(r[side]) for r in ranges]) for side in (0, 1))
    found: Sequence[float] = ()
    x = low
    if costs(low)[1][-1] > 0:  # else even the smallest network is past the turning point, and the best of the root
        x, found = _ascend(costs, low, high)
    _, slack, names = costs(x)
    if (slack[:-1] < -0.05).any():  # less is left to the exact repair: floors make the true cost a few percent smaller
        return None
    multipliers: dict[str, float] = {}
    for name, value in zip(names, found, strict=False):
        if name:
            multipliers[name] = multipliers.get(name, 0.0) + float(value)
    return _Smooth(group, root, tuple(np.exp(x[1:]).tolist()), multipliers)


def _ascend(costs: _Costs, low: Floats, high: Floats) -> tuple[Floats, Sequence[float]]:
    """Smooth optimum between the bounds, and the multiplier of each constraint there."""
    from scipy.optimize import minimize

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # SLSQP may step outside bounds by an ulp and clips itself
        result = minimize(
            lambda x: -costs(x)[0],
            np.append(low[0], (low[1:] + high[1:]) / 2),
            method="SLSQP",
            bounds=list(zip(low, high, strict=True)),
            constraints=[{"type": "ineq", "fun": lambda x: costs(x)[1]}],
            options={"maxiter": 60, "ftol": 1e-7},
        )
    return np.clip(result.x, low, high), getattr(result, "multipliers", ())
