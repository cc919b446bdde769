"""The ops of a `Fit` or a `CostReport` as plots take them: memory and time of each, beside the totals they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwscale.latency_model import FEMTO
from hwscale.ledger import OpRecord
from hwscale.result import CostReport, Fit
from hwscale.work import Work, latency_fs


@dataclass(frozen=True, slots=True)
class OpRow:
    """One executed op: ``ram_bytes`` = what lives while it runs + ``rest_bytes``, which every op has: what persists, buffers, gaps;
    ``latency_s`` by the operator model, None where there is none."""

    number: int
    op: OpRecord
    live_bytes: int
    rest_bytes: int
    latency_s: float | None

    @property
    def ram_bytes(self) -> int:
        """RAM while the op runs [B]."""
        return self.live_bytes + self.rest_bytes

    @property
    def mac_per_s(self) -> float | None:
        """Multiply-accumulates per second; None without MACs or time."""
        return self.op.macs / self.latency_s if self.op.macs and self.latency_s else None

    @property
    def macs_per_byte(self) -> float | None:
        """MACs per byte of the int8 maps that it reads and writes, weights not counted; None without MACs or maps counted."""
        return self.op.macs / self.op.elements if self.op.macs and self.op.elements else None


@dataclass(frozen=True)
class OpTable:
    """All ops in order of execution; ``budget_bytes`` is the limit on RAM, ``rates`` fs per unit of each work of the operator model."""

    rows: tuple[OpRow, ...]
    ram_bytes: int
    peak_op: str
    budget_bytes: int | None
    latency_s: float | None
    rates: Mapping[Work, int]
    no_time: str
    title: str
    ram_title: str

    @property
    def peak(self) -> OpRow:
        """The op whose RAM is that of the network."""
        return max(self.rows, key=lambda row: (row.ram_bytes, row.op.name == self.peak_op))


def op_table(result: Fit | CostReport) -> OpTable:
    """The ops of a result, priced as the result is."""
    if isinstance(result, Fit):
        plan, rates = result.plan, result.problem.fs_per_unit
        record = result.configuration.record(result.runtime, result.external_input, plan)
        ops, budget = record.ops, result.limits.get("ram")
    else:
        plan, rates = result.schedule, result.fs_per_unit
        ops, budget = result.ops, result.usable.get("ram")
    reason = ""
    if result.cost.latency_s is None:
        reason, rates = str(result.evidence.get("latency", "no platform was named")), {}
    elif not plan.plain:
        # on patches an op is called once per patch on maps with a halo: the operator model is of whole ops
        reason, rates = f"the operator model is of schedule layer, and this is {plan.name}", {}
    rest = result.cost.ram_bytes - max(op.live_bytes for op in ops)
    rows = tuple(
        OpRow(at, op, op.live_bytes, rest, latency_fs([op], rates) / FEMTO if rates else None)
        for at, op in enumerate(ops, start=1)
    )
    where = f" on {result.platform}" if result.platform else ""
    return OpTable(
        rows,
        result.cost.ram_bytes,
        result.peak_op,
        None if budget is None else int(budget),
        result.cost.latency_s,
        rates,
        reason.removeprefix("none: "),
        f"{result.configuration.family}{where}, runtime {result.runtime}",
        known_title(result, "ram", "RAM"),
    )


def known_title(result: Fit | CostReport, name: str, label: str) -> str:
    """The title of an axis of KiB that says so where the quantity is not exact."""
    words = {"bounded": f"{label}, upper end [KiB]", "estimated": f"{label}, estimated [KiB]"}
    return words.get(known_as(result, name), f"{label} [KiB]")


def known_as(result: Fit | CostReport, name: str) -> str:
    """exact, bounded, estimated or none: how a quantity is known."""
    found = str(result.evidence.get(name, "exact"))
    return next((word for word in ("bounded", "estimated", "none") if found.startswith(word)), "exact")


def hyperparameter_words(values: Mapping[str, Any], whole: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Hyperparameters as `--fix` takes them, stages and blocks gathered under one name."""
    from hwscale.stage_names import gathered

    return gathered(values, whole)
