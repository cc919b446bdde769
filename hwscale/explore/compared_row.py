"""One row of a comparison: the best of a family on a platform, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from hwscale.budget import show
from hwscale.errors import InfeasibleError
from hwscale.explore.needs import LABELS
from hwscale.explore.packed_fit import pack, unpack
from hwscale.result import Cost, Fit


class Verdict(StrEnum):
    """What came of a row; the values are what is printed."""

    FITS = "fits"
    MEETS = "meets"
    FAILS = "fails"
    UNDECIDED = "undecided"
    UNUSABLE = "unusable"
    """The question cannot be asked there: a bad descriptor, a runtime that cannot run the family, no known latency."""
    MISMATCH = "mismatch"
    """The network does not cost what was predicted."""


@dataclass(frozen=True)
class ComparedRow:
    """The best of ``family`` on ``platform``; all but ``reason`` is empty where there is none.

    ``utilisation``: share of each limit that is used [1]; ``binding`` as in `Fit`; ``status`` of the certificate; ``reached``: the largest
    count of each floor that was found within the limits; ``note``: how the configuration was chosen beside floors.
    """

    family: str
    platform: str
    verdict: Verdict
    reason: str = ""
    note: str = ""
    hyperparameters: Mapping[str, Any] | None = None
    cost: Cost | None = None
    least_ram_bytes: int | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    utilisation: Mapping[str, float] = field(default_factory=dict)
    binding: tuple[str, ...] = ()
    status: str = ""
    evidence: Mapping[str, str] = field(default_factory=dict)
    reached: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    usage: bool = field(default=False, repr=False)
    """Whether what was asked for is at fault, and not the platform."""
    found: Fit | bytes | None = field(default=None, repr=False, compare=False)

    @cached_property
    def fit(self) -> Fit | None:
        """The whole answer; None where there is none."""
        return unpack(self.found) if isinstance(self.found, bytes) else self.found

    @property
    def good(self) -> bool:
        """It fits and meets every need."""
        return self.verdict in (Verdict.FITS, Verdict.MEETS)

    def packed(self) -> ComparedRow:
        """The same, fit to be handed to another process."""
        return replace(self, found=pack(self.found) if isinstance(self.found, Fit) else self.found)

    def to_dict(self) -> dict[str, Any]:
        """Its JSON form: bytes and counts as integers."""
        whole = ("ram", "flash", "macs")
        return {
            "family": self.family,
            "platform": self.platform,
            "verdict": self.verdict.value,
            "reason": self.reason,
            "note": self.note,
            "hyperparameters": None if self.hyperparameters is None else dict(self.hyperparameters),
            "cost": None if self.cost is None else asdict(self.cost),
            "least_ram_bytes": self.least_ram_bytes,
            "limits": {name: int(limit) if name in whole else limit for name, limit in self.limits.items()},
            "utilisation": dict(self.utilisation),
            "binding": list(self.binding),
            "status": self.status,
            "evidence": dict(self.evidence),
            "reached": dict(self.reached),
            "seconds": self.seconds,
        }


def filled(fit: Fit, verdict: Verdict, **more: Any) -> ComparedRow:
    """The row of an answer."""
    used = {name: float(fit.cost.quantity(name, fit.latency_limit) or 0) / limit for name, limit in fit.limits.items()}
    known: dict[str, Any] = {
        "hyperparameters": fit.hyperparameters,
        "cost": fit.cost,
        "least_ram_bytes": fit.least_ram_bytes,
        "limits": dict(fit.limits),
        "utilisation": used,
        "binding": fit.binding,
        "status": fit.certificate.status.value,
        "evidence": {name: str(known) for name, known in fit.evidence.items()},
        "found": fit,
    }
    return ComparedRow(fit.family, fit.platform or "", verdict, **{**known, **more})


def shortfall(error: InfeasibleError) -> str:
    """Why nothing fits, in a few words."""
    needed, allowed = show(error.limit, error.needed), show(error.limit, error.allowed)
    return f"{LABELS[error.limit]}: needs {needed}, has {allowed}"
