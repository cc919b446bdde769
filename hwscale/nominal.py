"""What an op takes before anything of it has been measured: enough to say which ops are worth measuring.

Errors of measurements are relative, so how much a shape says of a coefficient is its share of that shape's latency, and
shares need some latency to begin with. Where true coefficients are up to 3 times these or a third, a plan still tells
0.75 to 1 times as much per timing as one that knew them.
"""

from __future__ import annotations

from dataclasses import dataclass

from hwscale.latency_model import LatencyModel
from hwscale.ledger import OpRecord
from hwscale.work import KERNELS, QUANTITIES, Work

SECONDS = {"macs": 5e-9, "elements": 20e-9, "ops": 100e-6}
"""Per unit, where no model knows better: an int8 kernel on a Cortex-M7."""


@dataclass(frozen=True)
class Nominal:
    """``model`` where there is one, and `SECONDS` for the works that it does not know, in proportion to its MACs."""

    model: LatencyModel | None = None

    @property
    def factor(self) -> float:
        """The model's seconds per MAC over those of `SECONDS`; 1 without a model."""
        known = (self._known(Work("macs", (kind,))) for kind in KERNELS)
        return next((seconds / SECONDS["macs"] for seconds in known if seconds), 1.0)

    def seconds(self, work: Work) -> float:
        """Per unit of a work of one operator, above zero."""
        return self._known(work) or self.factor * SECONDS[work.quantity]

    def latency_s(self, op: OpRecord) -> float:
        """Of one op [s]."""
        works = [Work(quantity, (op.kind,)) for quantity in QUANTITIES]
        return sum(self.seconds(work) * work.of([op]) for work in works)

    def _known(self, work: Work) -> float:
        terms = self.model.terms if self.model else ()
        return sum(
            term.seconds
            for term in terms
            if term.work.quantity == work.quantity and set(work.operators) <= set(term.work.operators)
        )

    def __str__(self) -> str:
        f = self.factor
        rest = f"{SECONDS['elements'] * 1e9 * f:.3g} ns/element, {SECONDS['ops'] * 1e6 * f:.3g} us/op"
        if self.model is None:
            return f"{SECONDS['macs'] * 1e9:.3g} ns/MAC, {rest} (built in)"
        return f"{self.model.name} on {self.model.measured_on}, and {rest} where it says nothing"
