"""A front by brute force over a reduced domain, with the columns and methods that plots read of a front."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np

import hwscale
from hwscale.objectives import find_objective

AXES = {"alpha": (0.4, 0.6, 0.8, 1.0, 1.3), "gamma": (2, 3), "num_layers": (3, 5), "resolution": (48, 96, 160)}


@dataclass(frozen=True)
class ReducedFront:
    """``values`` are the hyperparameters, one dict a row; every column as in a front."""

    columns: Mapping[str, np.ndarray]
    values: tuple[dict[str, Any], ...]
    budget: Mapping[str, int]
    candidates: int
    family: str = "xinet"
    platform: str | None = "stm32h743"
    runtime: str = "tflm"
    objective: str = "balanced"
    costs: tuple[str, ...] = ("ram", "flash", "latency")
    method: str = "brute force"
    seconds: float = 1.25
    evidence: Mapping[str, str] = ()  # type: ignore[assignment]
    digest: str = "0123456789ab"
    input_shape: tuple[int, int, int] | None = None
    in_channels: int = 3
    classes: int = 10
    external_input: bool = False

    def __len__(self) -> int:
        return len(self.values)

    def hyperparameters(self, row: int) -> dict[str, Any]:
        return self.values[row]

    def best(self, limits: Mapping[str, Any] | None = None) -> Any:
        """The row with the largest score within the budget; None if nothing fits."""
        fits = np.ones(len(self), bool)
        for name, most in (self.budget if limits is None else limits).items():
            fits &= self.columns[name] <= most
        rows = np.flatnonzero(fits)
        return SimpleNamespace(row=int(rows[np.argmax(self.columns["score"][rows])])) if len(rows) else None

    def thinned(self, x: str, y: str, epsilon: float = 0.005) -> np.ndarray:
        """Every second row, and those of the staircase."""
        return np.array(sorted({*range(0, len(self), 2), *self.staircase(x, y).tolist()}))

    def staircase(self, x: str, y: str) -> np.ndarray:
        """Rows that no other beats in x (less) and y (more), by rising x."""
        xs, ys = self.columns[x], self.columns[y]
        kept = [
            row
            for row in range(len(self))
            if not ((xs <= xs[row]) & (ys >= ys[row]) & ((xs < xs[row]) | (ys > ys[row]))).any()
        ]
        return np.array(sorted(kept, key=lambda row: (xs[row], ys[row])))


def reduced_front(**changed: Any) -> ReducedFront:
    """The networks of `AXES` that no other beats in RAM, Flash, latency and score."""
    goal = find_objective("balanced")
    rows: list[dict[str, float]] = []
    values: list[dict[str, Any]] = []
    evidence: Mapping[str, Any] = {}
    for chosen in product(*AXES.values()):
        knobs = dict(zip(AXES, chosen, strict=True)) | {"beta": 1.0}
        try:
            report = hwscale.cost("xinet", knobs, platform="stm32h743")
        except hwscale.ConfigError:
            continue  # a map that the runtime cannot pool
        cost, evidence = report.cost, report.evidence
        assert cost.latency_s is not None
        score = goal.score(cost.macs, knobs["resolution"])
        numbers = {"ram": cost.ram_bytes, "flash": cost.flash_bytes, "macs": cost.macs, "params": cost.params}
        rows.append({**numbers, "latency": cost.latency_s, "resolution": float(knobs["resolution"]), "score": score})
        values.append(knobs)
    table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    against = np.array([table["ram"], table["flash"], table["latency"], -table["score"]])
    kept = [at for at in range(len(rows)) if not _beaten(against, at)]
    kept.sort(key=lambda at: (table["ram"][at], table["flash"][at], -table["score"][at]))
    given = {
        "columns": {name: column[kept] for name, column in table.items()},
        "values": tuple(values[at] for at in kept),
        "budget": {"ram": 524288, "flash": 2097152},
        "candidates": len(rows),
        "evidence": {name: str(known) for name, known in evidence.items()},
    }
    return ReducedFront(**{**given, **changed})


def _beaten(costs: np.ndarray, at: int) -> bool:
    no_worse = (costs <= costs[:, at : at + 1]).all(axis=0)
    better = (costs < costs[:, at : at + 1]).any(axis=0)
    return bool((no_worse & better).any())
