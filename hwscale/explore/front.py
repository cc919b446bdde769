"""An exact front as data: every network that is the best answer to some budget, and what answers later questions from it."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from hwscale.budget import ROUNDING, parse_limits
from hwscale.errors import ConfigError, nearest
from hwscale.explore.choices import Choices
from hwscale.latency_model import FEMTO
from hwscale.problem import LONGEST_FS
from hwscale.result import Cost

Rows = npt.NDArray[np.int64]
FRONT_SCHEMA = "hwscale.front/1"
MINIMISED = ("ram", "flash", "latency")
"""Columns of which less is better; of the others more is."""


@dataclass(frozen=True, slots=True)
class Point:
    """One network of a front, its ``row``, its exact ``cost`` (latency estimated) and its ``score``; ``hyperparameters`` are exactly what
    `hwscale.build` takes."""

    row: int
    cost: Cost
    score: float
    resolution: float
    hyperparameters: dict[str, Any]


class Points(Sequence[Point]):
    """The points of a front, made when they are asked for."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def __len__(self) -> int:
        return len(self._front)

    @overload
    def __getitem__(self, at: int) -> Point: ...
    @overload
    def __getitem__(self, at: slice) -> list[Point]: ...
    def __getitem__(self, at: int | slice) -> Point | list[Point]:
        if isinstance(at, slice):
            return [self._front.point(row) for row in range(len(self))[at]]
        return self._front.point(range(len(self))[at])


@dataclass(frozen=True, eq=False)
class Front:
    """Every network that is the best answer to some budget of ``costs``.

    ``columns``, a row per point, by rising RAM, then Flash, then falling score: "ram", "flash" [B], "macs", "params" int64, "latency" [s] where
    the platform has rates, "resolution" [px] = sqrt(H W), "score", and where the objective has a band "in_band", whether the resolution is within it. ``budget``: usable "ram" and "flash" of
    the platform [B]. ``candidates`` is the size of the domain that ``digest`` names, ``seconds`` what it took. ``evidence`` says of each quantity, and of
    the "front" itself, whether it is exact. ``latency_fs`` [fs] and ``ranks`` (places in the order of preference, by objective, -1: not on
    that front) decide as `hwscale.fit` does; ``power_w`` [W] turns limits on energy into limits on latency.
    """

    family: str
    platform: str | None
    runtime: str
    objective: str
    costs: tuple[str, ...]
    columns: Mapping[str, npt.NDArray[Any]]
    budget: Mapping[str, int]
    candidates: int
    method: str
    seconds: float
    evidence: Mapping[str, str]
    digest: str
    choices: Choices
    ranks: Mapping[str, Rows]
    latency_fs: Rows
    power_w: float | None
    input_shape: tuple[int, int, int] | None
    in_channels: int
    classes: int
    external_input: bool

    def __len__(self) -> int:
        return len(self.columns["ram"])

    def __iter__(self) -> Iterator[Point]:
        return iter(self.points)

    @property
    def points(self) -> Points:
        """The points, in the order of the columns."""
        return Points(self)

    def hyperparameters(self, row: int) -> dict[str, Any]:
        """Exactly what `hwscale.build` takes: hyperparameters, and the options that differ from their defaults."""
        return self.choices.at(row)

    def point(self, row: int) -> Point:
        """The point in one row."""
        ram, flash, macs, params = (int(self.columns[name][row]) for name in ("ram", "flash", "macs", "params"))
        latency_s = float(self.columns["latency"][row]) if "latency" in self.columns else None
        energy_j = None if latency_s is None or self.power_w is None else latency_s * self.power_w
        score, resolution = (float(self.columns[name][row]) for name in ("score", "resolution"))
        return Point(
            row, Cost(ram, flash, macs, params, latency_s, energy_j), score, resolution, self.hyperparameters(row)
        )

    def best(self, limits: Mapping[str, Any] | None = None) -> Point | None:
        """The answer of `hwscale.fit` to these limits, which replace the platform's; None if nothing on the front keeps them.

        Words and units are those of ``fit(limits=...)``. ConfigError for a limit on what is not among ``costs``.
        """
        metrics = self._metrics(limits)
        fits = np.ones(len(self), np.bool_)
        for name, limit in metrics.items():
            fits &= (self.latency_fs if name == "latency" else self.columns[name]) <= limit
        for name, ranks in self.ranks.items():
            rows = np.flatnonzero(fits & (ranks >= 0))
            if len(rows):
                row = int(rows[ranks[rows].argmin()])
                # nothing that fits lies within the band: then it does not choose either
                if name != "banded" or self.columns["in_band"][row]:
                    return self.point(row)
        return None

    def _metrics(self, limits: Mapping[str, Any] | None) -> dict[str, int]:
        """Integers by cost, as `hwscale.budget.Budget.metrics` has them."""
        if limits is not None and not isinstance(limits, Mapping):
            raise ConfigError(f"limits: got {limits!r}, but it must be a dict such as {{'ram': '256 KiB'}}")
        given: dict[str, float | None] = {**self.budget, **parse_limits(limits)}
        found: dict[str, int] = {}
        for name, value in given.items():
            cost = "latency" if name == "energy" else name
            if value is None:
                continue
            if cost not in self.costs:
                over = "make it with over=('ram', 'flash', 'latency')" if cost == "latency" else "use hwscale.fit"
                raise ConfigError(f"limit {name}: this front is over {', '.join(self.costs)} alone; {over}")
            if cost == "latency":
                if name == "energy" and self.power_w is None:
                    raise ConfigError(
                        f"limit energy: the power of {self.platform or 'no platform'} is not known; drop it"
                    )
                seconds = value / (self.power_w or math.nan) if name == "energy" else value
                limit = max(1, math.floor(min(seconds * FEMTO * ROUNDING, LONGEST_FS - 1)))
                found[cost] = min(found.get(cost, limit), limit)
            else:
                found[cost] = int(value)
        return found

    def thinned(self, x: str, y: str, epsilon: float = 0.005) -> Rows:
        """Rows to draw, by rising x: every point lies within relative ``epsilon`` of one of them, in x and y, that is at least as good in x."""
        if not 0 < epsilon < 1:
            raise ConfigError(f"epsilon: got {epsilon}, but it is a share between 0 and 1, such as 0.005")
        across, up = self._column(x), self._column(y)
        step = math.log1p(epsilon) * (1 - 1e-9)
        order = np.lexsort((np.arange(len(self)), -_better(y) * up, -_better(x) * across))
        cells = np.stack([_cell(across, step), _cell(up, step)])[:, order]
        _, first = np.unique(cells, axis=1, return_index=True)
        rows = order[first]
        return np.asarray(rows[np.lexsort((rows, across[rows]))])

    def staircase(self, x: str, y: str) -> Rows:
        """Rows that no other beats in the two named columns alone, by rising x."""
        across, up = self._column(x), self._column(y)
        order = np.lexsort((np.arange(len(self)), -_better(y) * up, -_better(x) * across))
        if not len(order):
            return order
        value = _better(y) * up[order]
        record = np.append(True, value[1:] > np.maximum.accumulate(value)[:-1])
        rows = order[record]
        return np.asarray(rows if _better(x) < 0 else rows[::-1])

    def _column(self, name: str) -> npt.NDArray[np.float64]:
        if name not in self.columns:
            if name == "latency":
                raise ConfigError(
                    f"column latency: {self.evidence.get('latency', 'it is not known')}; name a platform with rates"
                )
            raise ConfigError(f"unknown column {name!r}; {nearest(str(name), list(self.columns))}")
        return np.asarray(self.columns[name], np.float64)

    def to_dict(self) -> dict[str, Any]:
        """What ``hwscale pareto --json`` prints."""
        return {**self.header(), "points": [asdict(point) for point in self.points]}

    def header(self) -> dict[str, Any]:
        """All but the points."""
        return {
            "schema": FRONT_SCHEMA,
            "family": self.family,
            "platform": self.platform,
            "runtime": self.runtime,
            "objective": self.objective,
            "costs": list(self.costs),
            "budget": dict(self.budget),
            "input_shape": None if self.input_shape is None else list(self.input_shape),
            "in_channels": self.in_channels,
            "input_buffer": "external" if self.external_input else "counted",
            "classes": self.classes,
            "power_w": self.power_w,
            "candidates": self.candidates,
            "method": self.method,
            "seconds": self.seconds,
            "evidence": dict(self.evidence),
            "digest": self.digest,
        }

    def to_csv(self) -> str:
        """A line per point: costs with their units, then hyperparameters."""
        units = {"ram": "ram_bytes", "flash": "flash_bytes", "latency": "latency_s", "resolution": "resolution_px"}
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*(units.get(name, name) for name in self.columns), *self.choices.names])
        numbers = [column.tolist() for column in self.columns.values()]
        for row, values in enumerate(zip(*numbers, strict=True)):
            chosen = self.hyperparameters(row)
            writer.writerow([*values, *(chosen.get(name, "") for name in self.choices.names)])
        return text.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write the front to an .npz file, which `hwscale.load_front` reads; ConfigError if it cannot be written."""
        from hwscale.explore.front_file import save

        return save(self, path)


def _better(name: str) -> float:
    """Which way a column gets better: 1 up, -1 down."""
    return -1.0 if name in MINIMISED else 1.0


def _cell(values: npt.NDArray[np.float64], step: float) -> npt.NDArray[np.float64]:
    """Numbers of cells in which all values have one sign and lie within a ratio of exp(step)."""
    sizes = np.abs(values)
    logs = np.floor(np.log(np.where(sizes > 0, sizes, 1.0)) / step)
    # one number for sign and cell: logarithms of floats lie well within 800
    span = 2000.0 / step
    return np.asarray(np.where(sizes > 0, logs + np.sign(values) * span, 0.0))
