"""Stage-wise networks as mixed integer linear programs in PuLP: the textbook model, and a cross-check of label setting.

Per input size one binary variable per arc, which is one way through one layer from one state: one arc leaves the input, and what
enters a state leaves it. Every cost but RAM adds up, so a limit on it is one row, in shares of the limit. RAM is what persists,
which adds up too, and per memory region the largest of the path: one variable that is at least what each layer's arc needs. The metric that the objective reads is maximised up to the objective's turning
point, and minimised above it where a network can get there. A model for each size is solved faster than one for all, and a size
is passed over where even the dearest arc of every layer makes no winner.

Among networks of equal score any may be returned: only `labels`, `paths` and `exhaustive` keep the documented tie order.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwscale.chain_model import Layer
from hwscale.chain_space import ChainGroup
from hwscale.errors import ConfigError
from hwscale.problem import Problem, path
from hwscale.solve.pulp_backend import BACKENDS, TOLERANCE, Backend, Program
from hwscale.solve.solution import Incumbent, Solution, proven

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Arc:
    """``way`` through ``layer`` from ``state`` to ``head``: its exact metric, its share of each additive limit, and of the RAM limit
    what each region needs and what persists, () without that limit."""

    layer: int
    state: int
    way: int
    head: int
    metric: int
    shares: tuple[float, ...]
    ram: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Goal:
    """The most of the metric for one root, and at most ``most``; or, where that is given, the least but at least ``least``.

    No score there is above ``bound``.
    """

    group: ChainGroup
    root: int
    bound: float
    most: int | None = None
    least: int | None = None


def solve(problem: Problem) -> Solution | None:
    """A best path; None if nothing is feasible. ConfigError on floors and targets, and without a MILP solver."""
    return solve_with(problem, BACKENDS)


def solve_with(problem: Problem, backends: Sequence[str]) -> Solution | None:
    """`solve` by the first of ``backends`` that is installed."""
    if problem.floors or not problem.keeps_ties:
        raise ConfigError("solver milp takes limits, not targets; use solver auto")
    started = time.perf_counter()
    backend = Backend(backends)
    incumbent, evaluations, nodes = Incumbent(problem), 0, 0
    for goal in sorted(_goals(problem), key=lambda goal: -goal.bound):
        if goal.bound < incumbent.threshold:
            break
        priced, models = _reach(problem, goal, backend, incumbent)
        evaluations, nodes = evaluations + priced, nodes + models
    best = incumbent.best()
    return None if best is None else proven(problem, best, backend.method, evaluations, nodes, started)


def _goals(problem: Problem) -> Iterator[Goal]:
    for group in problem.chains.groups:
        for root, resolution in enumerate(group.resolutions):
            dearest = sum(int(_metric(problem, layer, root).max()) for layer in group.layers)
            bound = float(problem.objective.bounds(dearest, resolution))
            peak = math.floor(problem.objective.turning_points(resolution))
            if dearest <= peak:
                yield Goal(group, root, bound)
            else:
                yield Goal(group, root, bound, most=peak)
                yield Goal(group, root, bound, least=peak + 1)


def _reach(problem: Problem, goal: Goal, backend: Backend, incumbent: Incumbent) -> tuple[int, int]:
    """Offer the best path of a goal; how many arcs were priced, and how many models solved for it."""
    arcs = list(_arcs(problem, goal.group, goal.root))
    if not any(arc.layer == 0 for arc in arcs):
        return len(arcs), 0
    sign = 1 if goal.least is None else -1
    # whole numbers as small as they get: then the solver knows by how much at least a better path is better
    unit = math.gcd(*(arc.metric for arc in arcs)) or 1
    regions = max(len(arcs[0].ram) - 1, 0)
    program = Program(backend, [sign * (arc.metric // unit) for arc in arcs], amounts=regions)
    _flow(program, arcs, len(goal.group.layers))
    _memory(program, arcs, regions)
    for kind in range(len(arcs[0].shares)):
        program.at_most([(n, arc.shares[kind]) for n, arc in enumerate(arcs)], 1.0)
    if goal.most is not None:
        program.at_most([(n, arc.metric / max(goal.most, 1)) for n, arc in enumerate(arcs)], min(goal.most, 1))
    if goal.least is not None:
        program.at_most([(n, -arc.metric / goal.least) for n, arc in enumerate(arcs)], -1.0)
    best, solved = -math.inf, 0
    while True:
        solved += 1
        taken = program.solve()
        if taken is None:
            return len(arcs), solved
        promised = sum(value * sign * arc.metric for value, arc in zip(taken, arcs, strict=False))
        chosen = _walk(arcs, taken)
        found = path(problem, goal.group, goal.root, tuple(arcs[n].way for n in chosen))
        within = all(found.metric(name) <= limit for name, limit in problem.limits.items())
        if within and incumbent.offer(problem.score(found), found):
            best = max(best, sign * found.metric(problem.objective.metric))
        if promised < best + unit / 2:
            return len(arcs), solved
        # the solver used its tolerances: the path breaks a limit by rounding, or is worth less than was promised; or its plan does
        program.at_most([(n, 1.0) for n in chosen], len(chosen) - 1)


def _arcs(problem: Problem, group: ChainGroup, root: int) -> Iterator[Arc]:
    """Every arc of a root that fits on its own; none if the constant part of Flash does not."""
    limits = {name: limit for name, limit in problem.limits.items() if name != "ram"}
    if "flash" in limits:
        limits["flash"] -= group.model.base_flash
    if min(limits.values(), default=0) < 0:
        return
    ram = problem.limits["ram"] - group.model.base_persistent if "ram" in problem.limits else None
    if ram is not None and ram <= 0:
        return
    for number, layer in enumerate(group.layers):
        fits = np.asarray(layer.heads >= 0)
        needs = np.zeros((0, *fits.shape))
        if ram is not None:
            needs = np.concatenate([layer.regions[:, root], layer.persistent[None]]) / ram
            fits = fits & (needs.sum(axis=0) <= 1)
        shares = [_cost(problem, layer, root, name) / max(limit, 0.5) for name, limit in limits.items()]
        for share in shares:
            fits &= share <= 1 + TOLERANCE
        metric = _metric(problem, layer, root)
        for state, way in np.argwhere(fits).tolist():
            used = tuple(float(share[state, way]) for share in shares)
            room = tuple(needs[:, state, way].tolist())
            yield Arc(number, state, way, int(layer.heads[state, way]), int(metric[state, way]), used, room)


def _cost(problem: Problem, layer: Layer, root: int, name: str) -> Floats:
    """One additive cost of every way through a layer, as floats: latencies [fs] may be longer than integers hold."""
    if name == "latency":
        parts = [layer.works[work][root] * float(fs) for work, fs in problem.fs_per_unit.items()]
        return np.asarray(sum(parts, np.zeros(layer.heads.shape)))
    exact = {"flash": layer.flash, "params": layer.params, "macs": layer.macs[root]}[name]
    return np.asarray(exact, np.float64)


def _metric(problem: Problem, layer: Layer, root: int) -> npt.NDArray[np.int64]:
    return layer.macs[root] if problem.objective.metric == "macs" else layer.params


def _memory(program: Program, arcs: list[Arc], regions: int) -> None:
    """Every region is as large as what each layer's arc needs of it; with what persists they keep the RAM limit."""
    if not regions:
        return
    for layer in range(1 + max(arc.layer for arc in arcs)):
        for region in range(regions):
            needs = [(n, arc.ram[region]) for n, arc in enumerate(arcs) if arc.layer == layer and arc.ram[region]]
            program.at_most([*needs, (len(arcs) + region, -1.0)], 0.0)
    kept = [(n, arc.ram[-1]) for n, arc in enumerate(arcs) if arc.ram[-1]]
    program.at_most([*kept, *((len(arcs) + region, 1.0) for region in range(regions))], 1.0)


def _flow(program: Program, arcs: list[Arc], layers: int) -> None:
    """One arc leaves the input; what enters a state leaves it."""
    program.equal([(n, 1.0) for n, arc in enumerate(arcs) if arc.layer == 0], 1.0)
    states: dict[tuple[int, int], list[tuple[int, float]]] = {}
    for n, arc in enumerate(arcs):
        if arc.layer > 0:
            states.setdefault((arc.layer, arc.state), []).append((n, 1.0))
        if arc.layer + 1 < layers:
            states.setdefault((arc.layer + 1, arc.head), []).append((n, -1.0))
    for terms in states.values():
        program.equal(terms, 0.0)


def _walk(arcs: list[Arc], taken: list[float]) -> list[int]:
    """The arcs of the path that a solution takes, in the order of the layers."""
    leaving: dict[tuple[int, int], list[int]] = {}
    for n, arc in enumerate(arcs):
        leaving.setdefault((arc.layer, arc.state), []).append(n)
    found: list[int] = []
    onward = leaving.get((0, 0))
    while onward:
        at = max(onward, key=taken.__getitem__)
        found.append(at)
        onward = leaving.get((arcs[at].layer + 1, arcs[at].head))
    return found
