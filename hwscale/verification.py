"""Predicted against measured, in total and op by op; sees both sides only as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hwscale.errors import VerificationError
from hwscale.ledger import NetworkRecord, OpRecord

_TOTALS = ("params", "macs", "ram_bytes", "flash_bytes")
_PER_OP = ("macs", "weights", "live_bytes")


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity on both sides [B for *_bytes, count otherwise]; ``predicted_op`` and ``measured_op`` name an op's row."""

    quantity: str
    predicted: int
    measured: int
    predicted_op: str = ""
    measured_op: str = ""
    tolerance: int = 0

    @property
    def ok(self) -> bool:
        """Equal to the last unit, or no further apart than the ``tolerance``."""
        return abs(self.predicted - self.measured) <= self.tolerance


@dataclass(frozen=True, slots=True)
class Verification:
    """Outcome of a comparison.

    ``backend`` is what measured ("torch", "tflm", "vela", or "none"), ``runtime`` whose prediction it was held against; ``ok`` None if
    nothing was measured, else whether every row is equal or within its tolerance, and nothing is uncounted; ``rows`` the totals; ``mismatches`` the ops that differ; ``ops`` how many were compared.
    """

    backend: str
    ok: bool | None
    rows: tuple[Row, ...] = ()
    mismatches: tuple[Row, ...] = ()
    ops: int = 0
    uncounted: tuple[str, ...] = ()
    runtime: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    disagreement: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As in `--json`."""
        rows = [
            {"quantity": row.quantity, "predicted": row.predicted, "measured": row.measured, "tolerance": row.tolerance}
            for row in self.rows
        ]
        return {
            "backend": self.backend,
            "runtime": self.runtime,
            "ok": self.ok,
            "rows": rows,
            "ops": self.ops,
            "mismatches": [
                {
                    "quantity": row.quantity,
                    "predicted": row.predicted,
                    "measured": row.measured,
                    "predicted_op": row.predicted_op,
                    "measured_op": row.measured_op,
                }
                for row in self.mismatches
            ],
            "uncounted": list(self.uncounted),
            "figures": dict(self.figures),
            "notes": list(self.notes),
        }

    def require(self) -> Verification:
        """Itself; VerificationError naming the first differences if it is not ok."""
        if self.ok is False:
            raise VerificationError(self._sentence())
        return self

    def _sentence(self) -> str:
        if self.uncounted:
            return (
                f"verification ({self.backend}) cannot price {', '.join(self.uncounted)}; the totals are not comparable"
            )
        wrong = [self.disagreement.rstrip(".")] if self.disagreement else []
        wrong += [
            f"{row.quantity}: predicted {row.predicted}, measured {row.measured}" for row in self.rows if not row.ok
        ]
        wrong += [
            f"{row.predicted_op or 'no op'} / {row.measured_op or 'no op'} {row.quantity}: "
            f"predicted {row.predicted}, measured {row.measured}"
            for row in self.mismatches[:3]
        ]
        return f"verification ({self.backend}) failed: {'; '.join(wrong)}"


NOT_VERIFIED = Verification("none", None)


def compare(predicted: NetworkRecord, measured: NetworkRecord, backend: str, runtime: str = "") -> Verification:
    """Totals must be equal, and so must MACs, weights and live bytes of every op with weights, in order."""
    rows = tuple(Row(name, getattr(predicted, name), getattr(measured, name)) for name in _TOTALS)
    ours, theirs = _weighted(predicted), _weighted(measured)
    missing = OpRecord("", "", 0, 0, 0)
    mismatches: list[Row] = []
    for at in range(max(len(ours), len(theirs))):
        mine = ours[at] if at < len(ours) else missing
        other = theirs[at] if at < len(theirs) else missing
        for name in _PER_OP:
            row = Row(name, getattr(mine, name), getattr(other, name), mine.name, other.name)
            if not row.ok:
                mismatches.append(row)
    ok = all(row.ok for row in rows) and not mismatches and not measured.uncounted
    return Verification(backend, ok, rows, tuple(mismatches), len(ours), measured.uncounted, runtime)


def _weighted(record: NetworkRecord) -> list[OpRecord]:
    return [op for op in record.ops if op.macs > 0]
