"""What the end of a path adds at least, from every state on; of metrics also what it adds at most."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from hwscale.chain_space import ChainGroup
from hwscale.explore.rows import Ints
from hwscale.problem import LONGEST_FS, Problem
from hwscale.solve.rooms import UNLIMITED


@lru_cache(maxsize=256)
def _completions(group: ChainGroup, root: int, fs_per_unit: Any) -> tuple[dict[str, Ints], ...]:
    layers = group.layers
    none = np.zeros(len(layers[-1].states), np.int64)
    names = ("persistent", "flash", "latency", "least macs", "most macs", "least params", "most params")
    rest: dict[str, Ints] = dict.fromkeys(names, none)
    rest["regions"] = np.zeros((len(none), len(group.model.regions)), np.int64)
    found = [rest]
    for layer in reversed(layers[1:]):
        heads, real = np.maximum(layer.heads, 0), layer.heads >= 0
        latency = np.zeros(layer.heads.shape, np.int64)
        for work, fs in fs_per_unit:
            latency = latency + np.minimum(layer.works[work][root], LONGEST_FS // fs) * fs
        costs = {
            "persistent": layer.persistent,
            "flash": layer.flash,
            "latency": np.minimum(latency, LONGEST_FS),
            "macs": layer.macs[root],
            "params": layer.params,
        }
        before: dict[str, Ints] = {}
        for name in names:
            total = costs[name.removeprefix("least ").removeprefix("most ")] + rest[name][heads]
            if name.startswith("most"):
                before[name] = np.where(real, total, -1).max(axis=1)
            else:
                before[name] = np.minimum(np.where(real, total, UNLIMITED).min(axis=1), UNLIMITED)
        onward = np.maximum(layer.regions[:, root], np.moveaxis(rest["regions"][heads], 2, 0))
        before["regions"] = np.where(real, onward, UNLIMITED).min(axis=2).T
        rest = before
        found.append(rest)
    return tuple(reversed(found))


def completions(problem: Problem, group: ChainGroup, root: int) -> dict[int, dict[str, Ints]]:
    """By links done, per state, the least (and of metrics the most) that any end of the path adds."""
    found = _completions(group, root, tuple(problem.fs_per_unit.items()))
    return dict(enumerate(found, start=1))
