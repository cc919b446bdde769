"""The cost of a model that is nobody's family, as printed: its ops, its peak, and a row per runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hwscale.foreign.runtimes import RuntimeCost

SCHEMA = "hwscale.model-cost/1"


@dataclass(frozen=True, slots=True)
class ModelOp:
    """One op: MACs, elements of weights and biases, bytes that it reads from Flash, bytes of activations alive while it runs."""

    name: str
    kind: str
    macs: int
    weights: int
    biases: int
    flash_bytes: int
    live_bytes: int


@dataclass(frozen=True, slots=True)
class PeakTensor:
    """A tensor alive at the peak: made by ``op`` ("input" for the image), ``shape`` without the batch, (C, H, W) for a map."""

    op: str
    shape: tuple[int, ...]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ModelCost:
    """A whole model.

    ``input_shape`` without the batch, (C, H, W) for an image. ``totals`` by name: macs, weights, ram_bytes (the peak), flash_bytes
    (constants of a file, weights and biases of a module), of a file also file_bytes and stripped_bytes, of a module params.
    ``ram_rule`` says what counts at the peak. ``unknown_ops`` have no price: where there is one, ``at_least`` says so of every number.
    ``regions`` are those of the platform by name [B], 0 for a bank that it keeps from the arena.
    """

    source: str
    input_shape: tuple[int, ...]
    platform: str | None
    regions: Mapping[str, int]
    ops: tuple[ModelOp, ...]
    totals: Mapping[str, int]
    peak_op: str
    peak_tensors: tuple[PeakTensor, ...]
    ram_rule: str
    runtimes: tuple[RuntimeCost, ...]
    unknown_ops: tuple[str, ...]

    @property
    def at_least(self) -> bool:
        return bool(self.unknown_ops)

    def to_dict(self) -> dict[str, Any]:
        """What ``hwscale cost MODEL --json`` prints."""
        return {
            "schema": SCHEMA,
            "source": self.source,
            "input_shape": list(self.input_shape),
            "platform": self.platform,
            "regions": dict(self.regions),
            "ops": [asdict(op) for op in self.ops],
            "totals": {**self.totals, "at_least": self.at_least},
            "peak": {
                "op": self.peak_op,
                "rule": self.ram_rule,
                "live": [{**asdict(tensor), "shape": list(tensor.shape)} for tensor in self.peak_tensors],
            },
            "runtimes": [_row(row) for row in self.runtimes],
            "unknown_ops": list(self.unknown_ops),
        }


def _row(row: RuntimeCost) -> dict[str, Any]:
    low = {} if row.ram_low_bytes is None else {"ram_low_bytes": row.ram_low_bytes}
    return {
        "name": row.name,
        "ram_bytes": row.ram_bytes,
        **low,
        "flash_bytes": row.flash_bytes,
        "evidence": dict(row.evidence),
        "at_least": row.at_least,
        "reason": row.reason,
        "fits": dict(row.fits),
    }
