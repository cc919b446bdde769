"""The factors of `hwscale.schedule_timing`: StreamNet's stage latencies over what the operator model of TinyEngine says of them.

Data: tests/data/streamnet_table1.csv and streamnet_table3.csv. `benchmarks.schedules` puts the tables into docs/schedules.md.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import mean

import hwscale
from benchmarks.fidelity_tables import table
from hwscale.calibration import half_width
from hwscale.configuration import configure
from hwscale.platform import load_platform
from hwscale.runtimes import find_runtime
from hwscale.schedule_timing import StageFactor, stage_seconds
from hwscale.schedules import executed, make_schedule
from hwscale.timing import make_timing

DATA = Path(__file__).parents[1] / "tests" / "data"
PLATFORM = "stm32f767"
NAMES = ("patch", "patch+", "stream1d", "stream2d")


@dataclass(frozen=True, slots=True)
class StageLatency:
    """One published latency of a stage, and the model's without a factor [s]."""

    model: str
    schedule: str
    published_s: float
    modelled_s: float

    @property
    def ratio(self) -> float:
        return self.published_s / self.modelled_s


@dataclass(frozen=True, slots=True)
class NetworkLatency:
    """One published latency of a whole network, ours and its interval [s]."""

    model: str
    schedule: str
    published_s: float
    predicted_s: float
    interval_s: tuple[float, float]

    @property
    def error(self) -> float:
        return self.predicted_s / self.published_s - 1

    @property
    def inside(self) -> bool:
        return self.interval_s[0] <= self.published_s <= self.interval_s[1]


@cache
def stages() -> tuple[StageLatency, ...]:
    """Table 3: ten networks, four schedules."""
    timing = make_timing(load_platform(PLATFORM), find_runtime("tinyengine"))
    found = []
    for row in _rows("streamnet_table3.csv"):
        chosen = configure("mcunet", {"preset": row["preset"]})
        graph = chosen.model("tinyengine", False).graph(chosen.knobs, *chosen.input_shape[1:])[0]
        plan = make_schedule(row["schedule"], int(row["n_patch"]), int(row["split_idx"]))
        ops = [op for op in executed(graph, plan) if op.staged]
        found.append(StageLatency(row["model"], plan.name, float(row["stage_ms"]) / 1e3, stage_seconds(timing, ops)))
    return tuple(found)


@cache
def networks() -> tuple[NetworkLatency, ...]:
    """Table 1: `patch` on patches that no factor has seen, `stream2d` on those of Table 3 with the rest of the network."""
    found = []
    for row in _rows("streamnet_table1.csv"):
        cost = hwscale.cost(
            "mcunet",
            {"preset": row["preset"]},
            runtime="tinyengine",
            platform=PLATFORM,
            schedule=row["schedule"],
            n_patch=int(row["n_patch"]),
            split_idx=int(row["split_idx"]),
        ).cost
        assert cost.latency_s is not None
        assert cost.latency_interval_s is not None
        published_s = float(row["latency_ms"]) / 1e3
        found.append(
            NetworkLatency(row["model"], row["schedule"], published_s, cost.latency_s, cost.latency_interval_s)
        )
    return tuple(found)


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def left_out(schedule: str) -> dict[str, float]:
    """By network, predicted / published - 1 with the factor of the other nine."""
    logs = {row.model: math.log(row.ratio) for row in stages() if row.schedule == schedule}
    whole = sum(logs.values())
    return {name: math.exp((whole - log) / (len(logs) - 1) - log) - 1 for name, log in logs.items()}


def factor(schedule: str) -> StageFactor:
    """The geometric mean of the ratios, its error left out, and how much an interval has to widen to hold 9 of 10 networks."""
    errors = left_out(schedule)
    logs = [math.log(row.ratio) for row in stages() if row.schedule == schedule]
    width = half_width([math.log1p(error) for error in errors.values()], len(logs), len(logs) - 1)
    return StageFactor(
        round(math.exp(mean(logs)), 3), round(mean(map(abs, errors.values())), 3), round(math.exp(width), 3)
    )


def network_error(schedule: str) -> float:
    """Mean of |predicted / published - 1| over whole networks."""
    return mean(abs(row.error) for row in networks() if row.schedule == schedule)


def stage_table() -> str:
    """Published over modelled latency of each stage, and the factors."""
    lines = []
    for model in dict.fromkeys(row.model for row in stages()):
        own = [row for row in stages() if row.model == model]
        cells = (f"{1e3 * row.published_s:.0f} / {1e3 * row.modelled_s:.0f} = {row.ratio:.2f}" for row in own)
        lines.append([model, *cells])
    known = [factor(name) for name in NAMES]
    lines.append(["**factor**", *(f"**{one.factor:.3f}**" for one in known)])
    lines.append(["left-out error", *(f"{100 * one.left_out_error:.1f} %" for one in known)])
    return table(["network", *NAMES], lines)


def network_table() -> str:
    """Whole networks, published and ours."""
    lines = []
    for row in networks():
        milliseconds = (f"{1e3 * row.published_s:.0f}", f"{1e3 * row.predicted_s:.0f}", f"{100 * row.error:+.1f} %")
        lines.append([row.model, row.schedule, *milliseconds, "yes" if row.inside else "no"])
    for name in ("patch", "stream2d"):
        lines.append([f"**MAPE, {name}**", "", "", "", f"**{100 * network_error(name):.1f} %**", ""])
    return table(["network", "schedule", "published [ms]", "ours [ms]", "error", "inside its interval"], lines)
