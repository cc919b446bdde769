"""The answer's neighbours on the front: the proven best at the next smaller and the next larger resolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hwscale.chain_space import ChainSpace
from hwscale.errors import ConfigError
from hwscale.execution import Scheduled
from hwscale.joint_space import make_joint_space
from hwscale.problem import Problem
from hwscale.solve import solve
from hwscale.space import Space, make_space


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Best configuration with the resolution held one step away; ``objective`` is its score."""

    hyperparameters: Mapping[str, Any]
    objective: float
    ram_bytes: int
    flash_bytes: int
    macs: int


def neighbours(problem: Problem, resolution: int) -> tuple[Neighbour, ...]:
    """Proven best on either side of ``resolution`` [px], one of several in the domain; a side where nothing can be built or fits is left out."""
    domain = problem.space.domain
    sides = domain["resolution"]
    assert isinstance(sides, tuple)  # a whole number: never an interval
    at = sides.index(resolution)
    found = []
    for side in sides[max(0, at - 1) : at] + sides[at + 1 : at + 2]:
        axes = tuple((name, (side,) if name == "resolution" else values) for name, values in domain.axes)
        try:
            asked = replace(domain, axes=axes), problem.space.runtime, problem.space.external_input
            works = tuple(problem.fs_per_unit)
            space: Space | ChainSpace
            if isinstance(problem.space, Scheduled):
                space = make_joint_space(*asked, works, problem.space.execution)
            else:
                space = make_space(*asked, works)
        except ConfigError:
            continue
        solution = solve(replace(problem, space=space))
        if solution is not None:
            best = solution.best
            score = solution.certificate.objective
            planned = best.planned()
            found.append(Neighbour(best.hyperparameters, score, planned["ram"], planned["flash"], best.macs))
    return tuple(found)
