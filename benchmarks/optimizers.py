"""Black-box optimizers of other libraries, asked the questions of hwscale through the same exact cost function.

All search the same integer lattice (num_layers, resolution, index of alpha, indices of the boxes) and get the costs of as
many points at once as their library can ask for. Limits are handled as each library recommends; what that is, is said at each.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from hwscale.problem import Problem

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ABOVE_ALL_SCORES = 1e3
"""Added to every score, so that feasible points have a negative objective and infeasible ones a positive one."""
POPULATION = 100
TRIALS = 250
SAMPLES = 1_000_000
DE_GENERATIONS = 200
GA_GENERATIONS = 80
"""More did not help: it spends them on removing duplicates of what it has found."""
BLOCK = 1 << 17


class Search:
    """A problem as a black box over integer vectors; remembers the best feasible score that was ever asked for."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.evaluations = 0
        self.best = -np.inf
        groups = problem.space.groups
        places = {
            (root.branch["num_layers"], root.branch["resolution"]): (which, at)
            for which, group in enumerate(groups)
            for at, root in enumerate(group.roots)
        }
        layers, resolutions = (sorted({key[axis] for key in places}) for axis in (0, 1))
        if len(places) != sum(len(group.roots) for group in groups) or len(places) != len(layers) * len(resolutions):
            raise ValueError("a search needs exactly one root for each pair of num_layers and resolution")
        self._place = np.array([places[key] for key in product(layers, resolutions)], np.int64)
        most_alphas = max(int(group.counts.max()) for group in groups)
        self.sizes = (len(layers), len(resolutions), most_alphas, *groups[0].box_shape)
        """Number of values along each axis."""

    def evaluate(self, points: Ints) -> tuple[Floats, Floats]:
        """Scores, and cost / limit - 1 for each limit (rows x limits), of points given as rows."""
        self.evaluations += len(points)
        scores = np.empty(len(points))
        excess = np.empty((len(points), len(self.problem.limits)))
        place = self._place[points[:, 0] * self.sizes[1] + points[:, 1]]
        for which, group in enumerate(self.problem.space.groups):
            rows = np.flatnonzero(place[:, 0] == which)
            if len(rows) == 0:
                continue
            root = place[rows, 1]
            alpha = np.minimum(points[rows, 2], group.counts[root] - 1)
            costs = group.costs(root, alpha, tuple(points[rows, 3:].T))
            scores[rows] = self.problem.scores(costs, group.resolutions[root])
            for at, (name, limit) in enumerate(self.problem.limits.items()):
                excess[rows, at] = self.problem.metric(name, costs) / limit - 1
        feasible = (excess <= 0).all(axis=1)
        if feasible.any():
            self.best = max(self.best, float(scores[feasible].max()))
        return scores, excess

    def penalised(self, points: Ints) -> Floats:
        """To minimise: the summed relative excess where a limit is broken (positive), else the score (negative).

        Every feasible point beats every infeasible one, and among those the one nearer to the limits wins.
        """
        scores, excess = self.evaluate(points)
        violation = np.maximum(excess, 0).sum(axis=1)
        return np.where(violation > 0, violation, -(scores + ABOVE_ALL_SCORES))


def random_sampling(search: Search, evaluations: int, seed: int) -> None:
    """Uniform points of the lattice; infeasible ones are dropped."""
    source = np.random.default_rng(seed)
    for start in range(0, evaluations, BLOCK):
        count = min(BLOCK, evaluations - start)
        search.evaluate(np.stack([source.integers(0, size, count) for size in search.sizes], axis=1))


def differential_evolution(search: Search, evaluations: int, seed: int) -> None:
    """scipy: a whole generation at once, limits as a penalty; starts again where its population has collapsed."""
    from scipy.optimize import differential_evolution as minimise

    # the unit cube cut into cells did better than scipy's own `integrality` on these problems
    sizes = np.array(search.sizes)
    last = search.evaluations + evaluations
    while search.evaluations < last:
        minimise(
            lambda x: search.penalised(np.minimum((x.T * sizes).astype(np.int64), sizes - 1)),
            [(0, 1)] * len(sizes),
            popsize=POPULATION // len(sizes),
            maxiter=max((last - search.evaluations) // POPULATION - 1, 1),
            tol=0,
            polish=False,
            vectorized=True,
            updating="deferred",
            rng=seed,
        )
        seed += 1


def genetic(search: Search, evaluations: int, seed: int) -> None:
    """pymoo's GA with its integer operators; its selection puts feasible before infeasible."""
    from pymoo.algorithms.soo.nonconvex.ga import GA
    from pymoo.core.problem import Problem as Vectorized
    from pymoo.operators.crossover.sbx import SBX
    from pymoo.operators.mutation.pm import PM
    from pymoo.operators.repair.rounding import RoundingRepair
    from pymoo.operators.sampling.rnd import IntegerRandomSampling
    from pymoo.optimize import minimize

    class Lattice(Vectorized):  # type: ignore[misc]
        def __init__(self) -> None:
            last = np.array(search.sizes) - 1
            limits = len(search.problem.limits)
            super().__init__(n_var=len(last), n_obj=1, n_ieq_constr=limits, xl=0 * last, xu=last, vtype=int)

        def _evaluate(self, points: Ints, out: dict[str, Floats], *args: Any, **kwargs: Any) -> None:
            scores, out["G"] = search.evaluate(points.astype(np.int64))
            out["F"] = -scores

    operators = {
        "sampling": IntegerRandomSampling(),
        "crossover": SBX(vtype=float, repair=RoundingRepair()),
        "mutation": PM(vtype=float, repair=RoundingRepair()),
    }
    minimize(Lattice(), GA(pop_size=POPULATION, **operators), ("n_gen", max(evaluations // POPULATION, 1)), seed=seed)


def tpe(search: Search, evaluations: int, seed: int) -> None:
    """optuna's TPE, one point at a time as it must; limits through its constraints, which TPE models."""
    import optuna

    def ask(trial: optuna.Trial) -> float:
        point = [trial.suggest_int(str(axis), 0, size - 1) for axis, size in enumerate(search.sizes)]
        scores, excess = search.evaluate(np.array([point], np.int64))
        trial.set_user_attr("excess", excess[0].tolist())
        return float(scores[0])

    with warnings.catch_warnings():
        # constraints_func has been marked experimental for years
        warnings.simplefilter("ignore")
        loud = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            sampler = optuna.samplers.TPESampler(
                seed=seed, constraints_func=lambda trial: tuple(trial.user_attrs["excess"])
            )
            optuna.create_study(direction="maximize", sampler=sampler).optimize(ask, n_trials=evaluations)
        finally:
            optuna.logging.set_verbosity(loud)


@dataclass(frozen=True, slots=True)
class Baseline:
    """One black-box optimizer; ``package`` is what it needs, "" for none; slow ones answer only the first ``budgets``."""

    name: str
    package: str
    run: Callable[[Search, int, int], None]
    evaluations: int
    budgets: int | None = None


BASELINES = (
    Baseline("scipy differential_evolution", "scipy", differential_evolution, POPULATION * DE_GENERATIONS),
    Baseline("pymoo GA", "pymoo", genetic, POPULATION * GA_GENERATIONS),
    Baseline("optuna TPE", "optuna", tpe, TRIALS, 8),
    Baseline("random samples", "", random_sampling, SAMPLES),
)
