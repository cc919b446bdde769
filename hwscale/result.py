"""What `fit` and `cost` return: the answer, its evidence, and their `--json` form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwscale.configuration import Configuration, LiveTensor
from hwscale.ledger import OpRecord
from hwscale.problem import Problem
from hwscale.schedules import LAYER, Schedule
from hwscale.solve.solution import Certificate
from hwscale.timing import LatencyEvidence
from hwscale.verification import NOT_VERIFIED, Verification
from hwscale.work import Work

if TYPE_CHECKING:
    from torch import nn

    from hwscale.exchange import Bottleneck
    from hwscale.explore.what_if import WhatIf
    from hwscale.lowering_tax import Tax
    from hwscale.neighbours import Neighbour

Evidence = str | LatencyEvidence
"""How a number is known."""

FIT_SCHEMA = "hwscale.fit/1"
COST_SCHEMA = "hwscale.cost/1"


@dataclass(frozen=True, slots=True)
class Cost:
    """Exact integers: ``ram_bytes`` peak [B], ``flash_bytes`` [B], ``macs``, ``params``; estimates or None: ``latency_s`` [s],
    ``energy_j`` [J] and the intervals that hold them in 9 of 10 cases; that of energy is latency's, as power is one number."""

    ram_bytes: int
    flash_bytes: int
    macs: int
    params: int
    latency_s: float | None = None
    energy_j: float | None = None
    latency_interval_s: tuple[float, float] | None = None
    energy_interval_j: tuple[float, float] | None = None

    def quantity(self, limit: str, latency_limit: str = "expected") -> float | None:
        """The cost that a limit bounds: of latency and energy the upper end where the limit is on the "worst"."""
        interval = {"latency": self.latency_interval_s, "energy": self.energy_interval_j}.get(limit)
        if latency_limit == "worst" and interval:
            return interval[1]
        return {
            "ram": self.ram_bytes,
            "flash": self.flash_bytes,
            "macs": self.macs,
            "latency": self.latency_s,
            "energy": self.energy_j,
        }[limit]


@dataclass(frozen=True)
class CostReport:
    """Cost of one configuration, op by op; ``peak_op`` is where RAM peaks and ``live`` what is alive there; ``usable`` is the
    platform's RAM and Flash, where one is named [B]; ``ram_parts`` what the RAM is for [B], ``least_ram_bytes`` its lower
    end where it is only bounded; ``layer_macs`` are those of execution op by op, whatever the ``schedule``, and ``additions`` those of
    ADDs, executed, one per element, which the tables of TinyEngine and StreamNet count as MACs and ``cost`` does not."""

    configuration: Configuration
    runtime: str
    platform: str | None
    cost: Cost
    ops: tuple[OpRecord, ...]
    peak_op: str
    live: tuple[LiveTensor, ...]
    evidence: Mapping[str, Evidence]
    usable: Mapping[str, int]
    external_input: bool = False
    fs_per_unit: Mapping[Work, int] = field(default_factory=dict)
    ram_parts: tuple[tuple[str, int], ...] = ()
    least_ram_bytes: int | None = None
    schedule: Schedule = LAYER
    layer_macs: int = 0
    additions: int = 0

    def bottlenecks(self) -> tuple[Bottleneck, ...]:
        """The RAM-bound and the Flash-bound stage, and the block exchanges that the numbers favour there; op by op."""
        from hwscale.exchange import bottlenecks

        return bottlenecks(self.configuration, self.runtime, self.external_input, self.fs_per_unit)

    @property
    def recomputation(self) -> float:
        """Executed MACs over those of execution op by op, at least 1."""
        return self.cost.macs / self.layer_macs if self.layer_macs else 1.0

    @property
    def macc(self) -> int:
        """MACs in X-CUBE-AI's convention: one more per output channel of every op (AtomNet, Table 1)."""
        return sum(op.macc for op in self.ops)

    def __getattr__(self, name: str) -> Any:
        # report.ram_bytes reads as report.cost.ram_bytes: the numbers are what one came for
        if name in Cost.__slots__:
            return getattr(self.cost, name)
        raise AttributeError(name)

    def to_dict(self) -> dict[str, Any]:
        """What ``hwscale cost --json`` prints."""
        return {
            "schema": COST_SCHEMA,
            "family": self.configuration.family,
            "platform": self.platform,
            "runtime": self.runtime,
            "hyperparameters": described(self.configuration),
            "input_shape": list(self.configuration.input_shape),
            "classes": self.configuration.classes,
            "schedule": self.schedule.name,
            "n_patch": self.schedule.n_patch,
            "split_idx": self.schedule.split_idx,
            "cost": asdict(self.cost),
            "ram_parts": dict(self.ram_parts),
            "least_ram_bytes": self.least_ram_bytes,
            "layer_macs": self.layer_macs,
            "recomputation": self.recomputation,
            "additions": self.additions,
            "macc": self.macc,
            "evidence": _evidence(self.evidence),
            "usable": dict(self.usable),
            "peak_op": self.peak_op,
            "live": [asdict(tensor) for tensor in self.live],
            "ops": [asdict(op) for op in self.ops],
        }


@dataclass(frozen=True)
class Fit:
    """The best configuration that fits.

    ``limits`` and ``slack`` (limit - cost) by name, in bytes, MACs, s, J; ``binding`` names the limits that the next wider
    network at this resolution would break; ``targets`` and ``distance`` (cost / target - 1) in hardware-aware scaling.
    ``ram_parts`` says what the RAM is for [B], ``least_ram_bytes`` is its lower end where
    the runtime only bounds it. ``restriction`` is what narrowed the domain beyond its declaration. ``evidence`` says of each quantity: exact, bounded or estimated (with its source). ``latency_limit``: limits on
    latency and energy hold for what is "expected", or for the "worst", the upper end of the interval. ``schedule``, ``n_patch`` and
    ``split_idx`` say how it is executed; ``cost`` has the MACs executed, and ``layer_macs`` are those that the objective counts.
    """

    configuration: Configuration
    platform: str | None
    runtime: str
    schedule: str
    objective: str
    external_input: bool
    cost: Cost
    evidence: Mapping[str, Evidence]
    limits: Mapping[str, float]
    binding: tuple[str, ...]
    reserve: Mapping[str, int]
    margin: float
    certificate: Certificate
    warnings: tuple[str, ...]
    problem: Problem = field(repr=False)
    restriction: str = ""
    targets: Mapping[str, float] = field(default_factory=dict)
    ram_parts: tuple[tuple[str, int], ...] = ()
    least_ram_bytes: int | None = None
    latency_limit: str = "expected"
    n_patch: int = 1
    split_idx: int = 0
    layer_macs: int = 0
    verification: Verification = NOT_VERIFIED

    @property
    def plan(self) -> Schedule:
        """The schedule with its numbers."""
        return Schedule(self.schedule, self.n_patch, self.split_idx)

    @cached_property
    def _peak(self) -> tuple[str, tuple[LiveTensor, ...]]:
        return self.configuration.peak(self.runtime, self.external_input, self.plan)

    @property
    def peak_op(self) -> str:
        """The op at which RAM peaks."""
        return self._peak[0]

    @property
    def live(self) -> tuple[LiveTensor, ...]:
        """The tensors alive at the peak, largest first."""
        return self._peak[1]

    @property
    def family(self) -> str:
        """The network family."""
        return self.configuration.family

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Exactly what `hwscale.build` takes: hyperparameters, and the options that differ from their defaults."""
        return described(self.configuration)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.configuration.input_shape

    def neighbours(self) -> tuple[Neighbour, ...]:
        """The proven best at the next smaller and the next larger resolution of the domain; none beside targets."""
        from hwscale.neighbours import neighbours

        if self.targets or self.problem.space.domain.input_size is not None:
            return ()
        return neighbours(self.problem, self.configuration.values["resolution"])

    def what_ifs(self) -> tuple[WhatIf, ...]:
        """What more of each limit buys: arcs, the next breakpoint, a local price; solved again, so seconds. None beside targets."""
        from hwscale.explore.what_if import what_ifs

        return what_ifs(self)

    def bottlenecks(self) -> tuple[Bottleneck, ...]:
        """The RAM-bound and the Flash-bound stage, and the block exchanges that the numbers favour there."""
        from hwscale.exchange import bottlenecks

        return bottlenecks(self.configuration, self.runtime, self.external_input, self.problem.fs_per_unit)

    @property
    def excluded(self) -> tuple[str, ...]:
        """Why parts of the domain hold no candidate: one reason each, the first of its kind."""
        kinds: dict[str, str] = {}
        for reason in self.problem.space.refused:
            kinds.setdefault(re.sub(r"\d+", "", reason.partition(": ")[2]), reason)
        return tuple(kinds.values())

    def taxes(self) -> tuple[Tax, ...]:
        """What padding and activation of the reference network cost in this runtime, see `hwscale.lowering_tax.taxes`."""
        from hwscale.lowering_tax import taxes

        return taxes(self.configuration, self.runtime, self.external_input)

    @property
    def slack(self) -> dict[str, float]:
        """What is left of each limit, in its unit."""
        return {
            name: limit - float(self.cost.quantity(name, self.latency_limit) or 0)
            for name, limit in self.limits.items()
        }

    @property
    def distance(self) -> dict[str, float]:
        """How far the answer lies from each target: cost / target - 1."""
        return {
            name: float(self.cost.quantity(name, self.latency_limit) or 0) / target - 1
            for name, target in self.targets.items()
        }

    def build(self) -> nn.Module:
        """The network as a torch module with fresh weights."""
        from hwscale.builder import build

        return build(
            self.family, self.hyperparameters, input_shape=self.input_shape, classes=self.configuration.classes
        )

    def save(self, directory: str | Path) -> Path:
        """Write ``fit.json`` and ``weights.pt`` (a torch state_dict) to a new directory; see `hwscale.archive.save`."""
        from hwscale.archive import save

        return save(self, directory)

    def to_dict(self) -> dict[str, Any]:
        """What ``--json`` prints: integers for bytes and counts, SI units for the rest."""
        certificate = asdict(self.certificate)
        certificate["status"] = self.certificate.status.value
        whole = ("ram", "flash", "macs")
        return {
            "schema": FIT_SCHEMA,
            "family": self.family,
            "platform": self.platform,
            "runtime": self.runtime,
            "schedule": self.schedule,
            "n_patch": self.n_patch,
            "split_idx": self.split_idx,
            "layer_macs": self.layer_macs,
            "objective": self.objective,
            "hyperparameters": self.hyperparameters,
            "input_shape": list(self.input_shape),
            "input_buffer": "external" if self.external_input else "counted",
            "classes": self.configuration.classes,
            "cost": asdict(self.cost),
            "ram_parts": dict(self.ram_parts),
            "least_ram_bytes": self.least_ram_bytes,
            "evidence": _evidence(self.evidence),
            "limits": {name: int(value) if name in whole else value for name, value in self.limits.items()},
            "latency_limit": self.latency_limit,
            "slack": {name: int(value) if name in whole else value for name, value in self.slack.items()},
            "binding": list(self.binding),
            "reserve": dict(self.reserve),
            "margin": self.margin,
            "targets": dict(self.targets),
            "distance": self.distance,
            "certificate": certificate,
            "peak_op": self.peak_op,
            "live": [asdict(tensor) for tensor in self.live],
            "restriction": self.restriction,
            "excluded": list(self.excluded),
            "warnings": list(self.warnings),
            "verification": self.verification.to_dict(),
        }


def _evidence(evidence: Mapping[str, Evidence]) -> dict[str, Any]:
    return {name: found if isinstance(found, str) else found.to_dict() for name, found in evidence.items()}


def described(configuration: Configuration) -> dict[str, Any]:
    """Hyperparameters, then the options that differ from their defaults; of a preset its name, resolution and what differs."""
    from hwscale.configuration import configure
    from hwscale.formulas import find_family

    defaults = {option.name: option.default for option in find_family(configuration.family).options}
    changed = {name: value for name, value in configuration.options.items() if value != defaults[name]}
    found = configuration.hyperparameters | changed
    if configuration.preset is None:
        return found
    start = configure(configuration.family, {"preset": configuration.preset}).values
    kept = {name: value for name, value in found.items() if name == "resolution" or value != start[name]}
    return {"preset": configuration.preset, **kept}
