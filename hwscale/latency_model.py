"""The operator model of a runtime on a part: latency as a sum of works, how well that is known, and from whom it is borrowed.

latency = sum over terms of units x seconds per unit, see `hwscale.work`. Nothing in it is exact: a model carries the number of
measurements behind it, the error on networks left out of its fit, and an interval that holds 90 % of measured / predicted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from hwscale.ledger import OpRecord
from hwscale.work import Work

FEMTO = 10**15
"""Latency is summed in whole femtoseconds, so that a limit on it is decided on integers too."""


MARGIN = 0.1
"""By how much the share of one kind of op may exceed what was measured before a network counts as of another make."""


@dataclass(frozen=True, slots=True)
class Term:
    """Seconds per unit of one work, above zero."""

    work: Work
    seconds: float


@dataclass(frozen=True)
class LatencyModel:
    """``name`` is the library whose kernels were measured, with its version; ``runtimes`` those of hwscale that it answers for.

    ``measured_on`` names the platform at ``clock_hz``. ``n`` measurements of ``networks`` different networks (or operators) are
    behind it; ``left_out_error`` is the mean of |predicted / measured - 1| for networks left out of the fit, None where nothing
    was left out. ``interval`` is the range of measured / predicted to expect in 9 of 10 networks. ``seen`` is the largest
    share of a network's MACs that each kind of op had among the measured ones; without it, every kind was measured on its own.
    ``borrowed`` says what was done to use it elsewhere, "" for nothing.
    """

    name: str
    runtimes: tuple[str, ...]
    measured_on: str
    clock_hz: int
    terms: tuple[Term, ...]
    n: int
    networks: int
    left_out_error: float | None
    interval: tuple[float, float]
    source: str
    status: str
    note: str = ""
    seen: Mapping[str, float] = field(default_factory=dict)
    borrowed: str = ""

    @cached_property
    def fs_per_unit(self) -> Mapping[Work, int]:
        """Whole femtoseconds per unit, at least one."""
        return {term.work: max(1, round(term.seconds * FEMTO)) for term in self.terms}

    @property
    def covers(self) -> frozenset[str]:
        """Operator kinds that have a price."""
        return frozenset(kind for term in self.terms for kind in term.work.operators)

    def unseen(self, ops: Collection[OpRecord]) -> tuple[str, ...]:
        """Kinds of op that do more of a network's MACs than of any measured one, by more than `MARGIN`."""
        shares = mac_shares(ops)
        return tuple(kind for kind in shares if self.seen and shares[kind] > self.seen.get(kind, 0.0) + MARGIN)

    def scaled(self, clock_hz: int) -> LatencyModel:
        """The same kernels at another clock: as many cycles."""
        factor = self.clock_hz / clock_hz
        terms = tuple(Term(term.work, term.seconds * factor) for term in self.terms)
        return replace(self, terms=terms, clock_hz=clock_hz)

    def widened(self, factor: float, borrowed: str) -> LatencyModel:
        """Known less well by ``factor`` on either side, and why."""
        low, high = self.interval
        whole = "; ".join(part for part in (self.borrowed, borrowed) if part)
        return replace(self, interval=(low / factor, high * factor), borrowed=whole)


def mac_shares(ops: Collection[OpRecord]) -> dict[str, float]:
    """Share of the MACs by kind of op."""
    macs = Counter[str]()
    for op in ops:
        macs[op.kind] += op.macs
    return {kind: count / macs.total() for kind, count in macs.items() if count}


def geometric_interval(half_width: float) -> tuple[float, float]:
    """measured / predicted within exp(-w) .. exp(w)."""
    return math.exp(-half_width), math.exp(half_width)
