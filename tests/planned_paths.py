"""Paths of stage-wise spaces under TensorFlow Lite Micro, for the tests of their solvers and of what these know of its planner."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from problems import RATES_FS, WORKS

from hwscale.candidate import Path
from hwscale.chain_space import ChainGroup, ChainSpace
from hwscale.domain import make_domain
from hwscale.objectives import find_objective
from hwscale.problem import Problem, path
from hwscale.space import make_space


def space_of(net: str, fix: dict[str, Any], domain: dict[str, Any], external: bool = False) -> ChainSpace:
    space = make_space(make_domain(net, fix, domain), "tflm", external, WORKS)
    assert isinstance(space, ChainSpace)
    return space


def every_path(space: ChainSpace) -> list[Path]:
    problem, found = Problem(space, find_objective("macs"), {}, RATES_FS), []
    for group in space.groups:
        for root in range(len(group.roots)):
            begun: list[tuple[tuple[int, ...], int]] = [((), 0)]
            while begun:
                ways, state = begun.pop()
                if len(ways) == len(group.layers):
                    found.append(path(problem, group, root, ways))
                    continue
                heads = group.layers[len(ways)].heads[state]
                begun += [((*ways, int(way)), int(heads[way])) for way in np.flatnonzero(heads >= 0)]
    assert len(found) == space.size
    return found


def random_path(space: ChainSpace, rng: random.Random) -> tuple[ChainGroup, int, tuple[int, ...], list[int]]:
    group = rng.choice(space.groups)
    ways: list[int] = []
    states, state = [], 0
    for layer in group.layers:
        states.append(state)
        ways.append(int(rng.choice(np.flatnonzero(layer.heads[state] >= 0))))
        state = int(layer.heads[state, ways[-1]])
    return group, rng.randrange(len(group.roots)), tuple(ways), states
