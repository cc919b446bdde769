"""The stage-wise problem in OR-tools CP-SAT: whole numbers throughout, one model per input size."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from ortools.sat.python import cp_model

from hwscale.chain_model import Layer
from hwscale.chain_space import ChainGroup
from hwscale.problem import Problem


def solve_cp_sat(problem: Problem) -> tuple[int, int]:
    """The most MACs within the limits, and how many branches that took; for objective macs and a feasible problem."""
    roots = [(group, root) for group in problem.chains.groups for root in range(len(group.roots))]
    best, branches = 0, 0
    for group, root in sorted(roots, key=lambda at: -sum(int(layer.macs[at[1]].max()) for layer in at[0].layers)):
        model, macs = _model(problem, group, root)
        model.add(macs > best)
        model.maximize(macs)
        solver = cp_model.CpSolver()
        solver.parameters.random_seed = 1
        status = solver.solve(model)
        branches += solver.num_branches
        if status == cp_model.OPTIMAL:
            best = round(solver.objective_value)
        elif status != cp_model.INFEASIBLE:
            raise RuntimeError(f"CP-SAT ended with {solver.status_name(status)}")
    return best, branches


def _model(problem: Problem, group: ChainGroup, root: int) -> tuple[Any, Any]:
    """The model of one root, and its MACs."""
    model = cp_model.CpModel()
    limits = {name: limit for name, limit in problem.limits.items() if name != "ram"}
    limits["flash"] = limits.get("flash", 2**52) - group.model.base_flash
    used: dict[str, list[Any]] = {name: [] for name in (*limits, "macs")}
    entering: dict[int, list[Any]] = {}
    for number, layer in enumerate(group.layers):
        costs = {name: _cost(problem, layer, root, name) for name in used}
        fits = (layer.heads >= 0) & (layer.ram[root] <= problem.limits.get("ram", 2**52))
        for name, limit in limits.items():
            fits &= costs[name] <= limit
        inward, outward = defaultdict(list), defaultdict(list)
        for state, way in np.argwhere(fits).tolist():
            arc = model.new_bool_var("")
            outward[state].append(arc)
            inward[int(layer.heads[state, way])].append(arc)
            for name, terms in used.items():
                terms.append(int(costs[name][state, way]) * arc)
        if number == 0:
            model.add_exactly_one(outward[0])
        for state in () if number == 0 else {*entering, *outward}:
            model.add(sum(entering.get(state, ())) == sum(outward[state]))
        entering = inward
    for name, limit in limits.items():
        model.add(sum(used[name]) <= limit)
    return model, sum(used["macs"])


def _cost(problem: Problem, layer: Layer, root: int, name: str) -> Any:
    if name == "latency":
        return sum(layer.works[work][root] * fs for work, fs in problem.fs_per_unit.items()) + 0 * layer.flash
    return {"flash": layer.flash, "params": layer.params, "macs": layer.macs[root]}[name]
