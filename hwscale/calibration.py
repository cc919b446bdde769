"""From measured latencies to the coefficients of an operator model, with the error that it makes on what it has not seen.

Coefficients minimise the sum of squared relative errors and are never negative (non-negative least squares), so that a model is
additive and never falls where a network grows. How many of them data support is decided by leaving networks out: a rung of the
ladder is climbed only if that lowers the left-out error by a twentieth. The error that is published comes from leaving every
network out once more, the choice of the rung included.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from hwscale.errors import ConfigError
from hwscale.latency_model import LatencyModel, Term, geometric_interval, mac_shares
from hwscale.ledger import OpRecord
from hwscale.work import DENSE, KERNELS, Work

Floats = npt.NDArray[np.float64]
Rung = tuple[Work, ...] | tuple[Term, ...]
"""Works with a coefficient each, or a whole model with one for all of it."""

_DENSE, _DEPTHWISE = Work("macs", DENSE), Work("macs", ("depthwise",))
NETWORK_RUNGS: tuple[Rung, ...] = (
    (Work("macs", KERNELS),),
    (_DENSE, _DEPTHWISE),
    (_DENSE, _DEPTHWISE, Work("elements", KERNELS)),
    (_DENSE, _DEPTHWISE, Work("elements", KERNELS), Work("ops", KERNELS)),
)
"""What whole networks can tell apart, coarse to fine: kinds of dense op have nearly the same shares in all of them."""

FEWEST = 3
"""Networks, or shapes of one operator, below which nothing can be left out and fitted without."""
FEWEST_ALIKE = 2
"""The same where one factor on another model is all that is asked: each of two is predicted from the other."""

ALONE, FOLDS = 32, 16
"""Networks up to which each is left out alone; more are left out a sixteenth at a time, or thousands would take days."""

GAIN = 0.95
COVERAGE = 0.9


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured latency: of a whole network, or of a single op.

    ``ops`` are what the runtime executed, with ``macs`` and ``elements`` (`hwscale.work`); samples of one ``network`` are left
    out together when the error is estimated. ``row`` is the line of the file that it came from, 0 for none; ``half_digit_s`` half
    of the last digit that was printed [s], which is as much as the latency may really be off.
    """

    name: str
    network: str
    ops: tuple[OpRecord, ...]
    latency_s: float
    source: str = ""
    row: int = 0
    half_digit_s: float = 0.0


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a fit without a sample's network says of it [s], and the ends of its interval."""

    sample: Sample
    predicted_s: float
    interval_s: tuple[float, float]

    @property
    def error(self) -> float:
        """predicted / measured - 1."""
        return self.predicted_s / self.sample.latency_s - 1

    @property
    def covered(self) -> bool:
        """Does the interval hold a latency that prints as the measured one?"""
        low, high = self.interval_s
        return low - self.sample.half_digit_s <= self.sample.latency_s <= high + self.sample.half_digit_s


@dataclass(frozen=True, slots=True)
class Calibration:
    """``terms`` with their coefficients, ``interval`` of measured / predicted that holds 90 % of networks left out, and every
    sample as predicted without its network, in the order of the samples; ``seen`` as in `LatencyModel`, empty for single ops."""

    terms: tuple[Term, ...]
    interval: tuple[float, float]
    left_out: tuple[LeftOut, ...]
    samples: tuple[Sample, ...]
    seen: Mapping[str, float]

    @property
    def left_out_error(self) -> float:
        """Mean of |predicted / measured - 1| over samples left out."""
        return float(np.mean([abs(one.error) for one in self.left_out]))

    @property
    def networks(self) -> int:
        """How many could be left out: different networks, or shapes of single ops."""
        return len({sample.network for sample in self.samples})

    def predict(self, ops: Sequence[OpRecord]) -> float:
        """Latency of ops [s]."""
        return sum(term.work.of(ops) * term.seconds for term in self.terms)


def calibrate(
    samples: Sequence[Sample], rungs: tuple[Rung, ...] | None = None, like: LatencyModel | None = None
) -> Calibration:
    """Fit whole networks together, or single ops kind by kind where every sample is one; with ``rungs`` all of them on these.

    ``like`` is a model of the same library elsewhere: the first rung is then that model x one factor, which takes fewer
    measurements than coefficients of its own. Raises ConfigError if there is too little to leave anything out, and says what to measure.
    """
    single = rungs is None and like is None and bool(samples) and all(len(sample.ops) == 1 for sample in samples)
    ladder = rungs or NETWORK_RUNGS
    if like is not None:
        ladder = (like.terms, *ladder[1:])
    parts: list[tuple[list[Sample], tuple[Rung, ...]]] = [(list(samples), ladder)]
    if single:
        kinds = sorted({sample.ops[0].kind for sample in samples})
        parts = [([s for s in samples if s.ops[0].kind == kind], operator_rungs(kind)) for kind in kinds]
    _check(samples, parts, single=single, fewest=FEWEST if like is None else FEWEST_ALIKE)
    terms: list[Term] = []
    left_out: dict[int, LeftOut] = {}
    errors: list[tuple[float, int]] = []
    for part, steps in parts:
        table = _Table(part, steps)
        rung = table.choose()
        coefficients = table.fit(rung)
        terms += table.terms(rung, coefficients)
        free = len(table.networks) - int((coefficients > 0).sum())
        for sample, one in zip(part, table.left_out(), strict=True):
            left_out[id(sample)] = one
            errors.append((math.log(one.predicted_s / sample.latency_s), free))
    networks = len({sample.network for sample in samples})
    width = half_width([error for error, _ in errors], networks, max(1, min(free for _, free in errors)))
    seen: dict[str, float] = {} if like is None else dict(like.seen)  # whose networks told its terms apart
    for shares in () if single else (mac_shares(sample.ops) for sample in samples):
        seen |= {kind: max(share, seen.get(kind, 0.0)) for kind, share in shares.items()}
    ordered = tuple(left_out[id(sample)] for sample in samples)
    return Calibration(tuple(terms), geometric_interval(width), ordered, tuple(samples), seen)


def operator_rungs(kind: str) -> tuple[tuple[Work, ...], ...]:
    """What measurements of one kind of op can tell apart: MACs, where it has any, then elements, then the call."""
    quantities = ("macs", "elements", "ops") if kind in (*KERNELS, "grouped") else ("elements", "ops")
    return tuple(accumulate(((Work(quantity, (kind,)),) for quantity in quantities), lambda a, b: (*a, *b)))


def half_width(errors: Sequence[float], networks: int, free: int) -> float:
    """Half the width of an interval in ln(measured / predicted) that holds `COVERAGE` of new networks: Student's t on the root mean
    square of the left-out errors, ``free`` degrees of freedom; infinite without any."""
    from scipy.special import stdtrit

    if not errors:
        return math.inf
    spread = math.sqrt(sum(error**2 for error in errors) / len(errors))
    return float(stdtrit(free, (1 + COVERAGE) / 2)) * spread * math.sqrt(1 + 1 / networks)


def _check(
    samples: Sequence[Sample], parts: Sequence[tuple[list[Sample], tuple[Rung, ...]]], *, single: bool, fewest: int
) -> None:
    if not samples:
        raise ConfigError("there is no measurement to calibrate on; measure what `hwscale calibrate --plan` lists")
    wanted = []
    for part, _ in parts:
        have = len({sample.network for sample in part})
        if have < fewest:
            what = f"shapes of {part[0].ops[0].kind}" if single else "networks"
            wanted.append(f"{fewest - have} more {what} (it has {have})")
    if wanted:
        raise ConfigError(
            f"the measurements do not determine a model: measure {', '.join(wanted)}; `hwscale calibrate --plan` lists shapes"
        )


def _columns(rung: Rung, ops: Sequence[OpRecord]) -> list[float]:
    """What each coefficient of a rung multiplies."""
    if isinstance(rung[0], Term):
        return [sum(term.work.of(ops) * term.seconds for term in rung if isinstance(term, Term))]
    return [float(work.of(ops)) for work in rung if isinstance(work, Work)]


class _Table:
    """Samples of one ladder as numbers: per rung a matrix of units / latency, whose best combination is 1 in every row."""

    def __init__(self, samples: Sequence[Sample], rungs: Sequence[Rung]) -> None:
        self.samples = list(samples)
        self.rungs = list(rungs)
        self.measured = np.array([sample.latency_s for sample in samples])
        networks = dict.fromkeys(sample.network for sample in samples)
        groups = {name: str(at % FOLDS) if len(networks) > ALONE else name for at, name in enumerate(networks)}
        self.names = np.array([groups[sample.network] for sample in samples])
        self.networks = list(dict.fromkeys(self.names.tolist()))
        self.units = [np.array([_columns(rung, sample.ops) for sample in samples]) for rung in rungs]

    def fit(self, rung: int, rows: Any = slice(None)) -> Floats:
        """Seconds per unit of each work of a rung, from the samples in ``rows``."""
        from scipy.optimize import nnls

        shares = self.units[rung][rows] / self.measured[rows][:, None]
        scale = np.maximum(shares.max(axis=0), 1e-300)  # works differ by ten orders of magnitude
        found: Floats = nnls(shares / scale, np.ones(len(shares)))[0] / scale
        return found

    def terms(self, rung: int, coefficients: Floats) -> list[Term]:
        """The coefficients above zero as terms of a model."""
        works = self.rungs[rung]
        if isinstance(works[0], Term):
            factor = float(coefficients[0])
            return [Term(term.work, term.seconds * factor) for term in works if isinstance(term, Term)]
        found = zip(works, coefficients.tolist(), strict=True)
        return [Term(work, seconds) for work, seconds in found if isinstance(work, Work) and seconds > 0]

    def choose(self, rows: npt.NDArray[np.bool_] | None = None) -> int:
        """The rung that samples in ``rows`` support."""
        rows = np.ones(len(self.samples), np.bool_) if rows is None else rows
        best, least = 0, math.inf
        if len(set(self.names[rows])) < 2:
            return best
        for rung, works in enumerate(self.rungs):
            if rung and len(set(self.names[rows])) < len(works) + 2:
                break  # a network left out would leave fewer than one more than there are coefficients
            error = float(np.mean(np.abs(np.expm1(self.errors(rung, rows)))))
            if error < GAIN * least:
                best, least = rung, error
        return best

    def errors(self, rung: int, rows: npt.NDArray[np.bool_]) -> Floats:
        """ln(predicted / measured) of the samples in ``rows``, each by a fit to those of other networks."""
        found = np.zeros(len(self.samples))
        for network in dict.fromkeys(self.names[rows].tolist()):
            of = self.names == network
            predicted = self.units[rung][of] @ self.fit(rung, rows & ~of)
            found[of] = np.log(np.maximum(predicted, 1e-15) / self.measured[of])
        return found[rows]

    def left_out(self) -> list[LeftOut]:
        """Every sample as predicted without its network, the choice of the rung included, with an interval from the same
        procedure on the others."""
        found: list[LeftOut | None] = [None] * len(self.samples)
        whole = np.ones(len(self.samples), np.bool_)
        for network, predicted, terms in self._without_each(whole):
            others = self.names != network
            inner = [
                math.log(second_s / measured_s)
                for one, seconds, _ in self._without_each(others)
                for second_s, measured_s in zip(seconds, self.measured[others & (self.names == one)], strict=True)
            ]
            count = len(self.networks) - 1
            low, high = geometric_interval(half_width(inner, count, max(1, count - terms)))
            for at, predicted_s in zip(np.flatnonzero(~others), predicted, strict=True):
                found[at] = LeftOut(self.samples[at], predicted_s, (low * predicted_s, high * predicted_s))
        return [one for one in found if one is not None]

    def _without_each(self, rows: npt.NDArray[np.bool_]) -> Iterator[tuple[str, list[float], int]]:
        """Each network among ``rows``, its samples as predicted [s] by a model of the others, and that model's coefficients."""
        networks = dict.fromkeys(self.names[rows].tolist())
        for network in networks if len(networks) > 1 else ():
            of = self.names == network
            rung = self.choose(rows & ~of)
            coefficients = self.fit(rung, rows & ~of)
            predicted = np.maximum(self.units[rung][rows & of] @ coefficients, 1e-15)
            yield network, predicted.tolist(), int((coefficients > 0).sum())
