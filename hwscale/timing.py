"""What is known of a network's latency and energy on a platform: which measurements speak for it, and how far they may be off.

For a runtime on a platform, the first of these that there is:

1. its own operator model, fitted on measurements of this part (`hwscale.latency_file`);
2. its model of another part with the same core, scaled by the clock and widened by `TRANSFER`;
3. rates of its operators from the descriptor's [[throughput]], as wide as such rates have been seen to be off (`LITERATURE`);
4. the default of the platform, widened by what runtimes with optimised kernels differ (`ANOTHER_RUNTIME`), unless the runtime is
   `tensors`, which stands for no runtime in particular.

Without any there is no number, and the reason is kept.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hwscale.errors import PlatformError, nearest
from hwscale.latency_file import built_in_models, latency_models
from hwscale.latency_model import FEMTO, LatencyModel, Term
from hwscale.ledger import OpRecord
from hwscale.platform import Platform, RateSet
from hwscale.platform_keys import LAYER_OPERATORS, STATUSES
from hwscale.runtimes.runtime import Runtime
from hwscale.work import Work, latency_fs

TRANSFER = 1.25
"""90 % of networks run within this factor of what another part with the same core says, scaled by the clock: docs/latency.md."""

LITERATURE = 1.67
"""The largest error of operator rates from papers on networks measured elsewhere, 16 comparisons: docs/latency.md."""

UNSEEN = 1.33
"""The largest error on a network of other kinds of op than those of the fit, leaving out the only one of its make: docs/latency.md."""

ANOTHER_RUNTIME = 2.4
"""The largest ratio of two runtimes with optimised kernels on one network and part, 28 comparisons: docs/latency.md."""


@dataclass(frozen=True)
class LatencyEvidence:
    """What stands behind a latency: ``is`` "estimated" or "none"; ``text`` says it all in a sentence.

    ``library`` and ``measured_on`` name the kernels and the platform, ``n`` the measurements of ``networks`` networks behind
    them, ``left_out_error`` the mean relative error on networks left out of the fit, ``interval`` the range of measured /
    predicted to expect in 9 of 10 cases, ``borrowed`` what was done to use them here.
    """

    known: bool
    text: str
    library: str = ""
    measured_on: str = ""
    n: int = 0
    networks: int = 0
    left_out_error: float | None = None
    interval: tuple[float, float] | None = None
    source: str = ""
    status: str = ""
    borrowed: str = ""

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        if not self.known:
            return {"is": "none", "text": self.text}
        names = (
            "library",
            "measured_on",
            "n",
            "networks",
            "left_out_error",
            "interval",
            "source",
            "status",
            "borrowed",
        )
        found = {name: getattr(self, name) for name in names}
        return {"is": "estimated", "text": self.text} | found | {"interval": list(self.interval or ())}


@dataclass(frozen=True)
class Timing:
    """The operator model to use, None where nothing is known, and power [W]; why a number is missing."""

    model: LatencyModel | None = None
    power_w: float | None = None
    no_latency: str = "no platform was named"
    no_energy: str = "no platform was named"

    @property
    def fs_per_unit(self) -> Mapping[Work, int]:
        """fs per unit of each work; empty where latency is unknown."""
        return self.model.fs_per_unit if self.model else {}

    @property
    def interval(self) -> tuple[float, float]:
        """Range of measured / predicted to expect in 9 of 10 cases; (1, 1) where latency is unknown."""
        return self.model.interval if self.model else (1.0, 1.0)

    def latency_s(self, ops: Collection[OpRecord]) -> float | None:
        """Latency of the ops that a runtime executes [s]; None where unknown."""
        return latency_fs(ops, self.fs_per_unit) / FEMTO if self.model else None

    def covering(self, kinds: Collection[str]) -> Timing:
        """The same for networks that run these kinds of op: nothing, if one of them has no price."""
        missing = sorted(set(kinds) - self.model.covers) if self.model else []
        if not missing or self.model is None:
            return self
        reason = (
            f"{self.model.name!r} on {self.model.measured_on} has no rate of {missing[0]!r}, only of: "
            f"{', '.join(sorted(self.model.covers))}"
        )
        return Timing(None, None, reason, reason)

    def for_network(self, ops: Collection[OpRecord]) -> Timing:
        """The same, known less well if the network is of another make than those that were measured."""
        unseen = self.model.unseen(ops) if self.model else ()
        if self.model is None or not unseen:
            return self
        reason = f"more of its MACs are {', '.join(unseen)} than in any measured network, so widened x {UNSEEN:g}"
        return replace(self, model=self.model.widened(UNSEEN, reason))

    def evidence(self) -> LatencyEvidence:
        """What stands behind the latency."""
        model = self.model
        if model is None:
            return LatencyEvidence(False, f"none: {self.no_latency}")
        return LatencyEvidence(
            True,
            f"estimated: {_sentence(model)}",
            model.name,
            model.measured_on,
            model.n,
            model.networks,
            model.left_out_error,
            model.interval,
            model.source,
            model.status,
            model.borrowed,
        )


def _sentence(model: LatencyModel) -> str:
    low, high = model.interval
    parts = [f"{model.name} on {model.measured_on}"]
    if model.left_out_error is not None:
        what = "networks" if model.seen else "shapes of op"
        parts.append(f"{model.networks} {what}, left-out error {100 * model.left_out_error:.1f} %")
    else:
        parts.append(f"rates of single operators ({model.status})")
    if model.borrowed:
        parts.append(model.borrowed)
    return ", ".join(parts) + f"; 90 % within {100 * (low - 1):+.0f} .. {100 * (high - 1):+.0f} %"


def make_timing(platform: Platform | None, runtime: Runtime, rates: str | None = None) -> Timing:
    """What is known of a runtime on a platform; ``rates`` names a model or a rate set of the platform to use instead.

    PlatformError for a name that the platform does not have, or a latency file that cannot be used.
    """
    if platform is None:
        return Timing()
    try:
        model = _named(platform, rates) if rates is not None else _best(platform, runtime)
    except _UnknownError as unknown:
        return Timing(None, None, str(unknown), str(unknown))
    try:
        return Timing(model, platform.power_w())
    except PlatformError as error:
        return Timing(model, no_energy=str(error))


class _UnknownError(Exception):
    """Why there is no model."""


def _best(platform: Platform, runtime: Runtime) -> LatencyModel:
    own = [_at_clock(platform, model) for model in latency_models(platform)]
    found = next((model for model in own if runtime.name in model.runtimes), None)
    if found is None and runtime.rate_set is not None:
        found = _borrowed(platform, runtime.name) or _rates(platform, runtime.rate_set)
    if found is not None:
        return found
    stand_in = own[0] if own else _rates(platform, None)
    if stand_in is None:
        raise _UnknownError(
            f"{platform.name}: nothing is known of its latency; measure it with hwscale calibrate, or add [[throughput]] rows to "
            f"{platform.origin.name}"
        )
    if runtime.rate_set is None:
        return stand_in
    reason = f"in place of {runtime.name}, of which nothing is known here, and widened x {ANOTHER_RUNTIME:g}"
    return stand_in.widened(ANOTHER_RUNTIME, reason)


def _borrowed(platform: Platform, runtime: str) -> LatencyModel | None:
    """The runtime's model on the built-in part with the same core and the nearest clock."""
    core = core_of(platform)
    known = [
        (abs(other.clock_hz / platform.clock_hz - 1), other.name, other, model)
        for other, model in built_in_models()
        if runtime in model.runtimes and core and core_of(other) == core and other.name != platform.name
    ]
    if not known:
        return None
    model = min(known, key=lambda one: one[:2])[-1]
    return _moved(platform, model)


def _at_clock(platform: Platform, model: LatencyModel) -> LatencyModel:
    """A model of this very part, at the clock of its descriptor."""
    return model if model.clock_hz == platform.clock_hz else _moved(platform, model)


def _moved(platform: Platform, model: LatencyModel) -> LatencyModel:
    """Scaled and widened, and the reason."""
    clocks = f"measured at {model.clock_hz / 1e6:g} MHz, scaled by the clock to {platform.clock_hz / 1e6:g} MHz"
    return model.scaled(platform.clock_hz).widened(TRANSFER, f"{clocks} and widened x {TRANSFER:g}")


def core_of(platform: Platform) -> str:
    """The application core of a part, its kernels' target: "Cortex-M7" of "Cortex-M7 + Cortex-M4"; "" for others than Arm's."""
    found = re.match(r"(?:\d+x )?(Cortex-[AM]\d+\+?)", platform.core)
    return found[1] if found else ""


def _rates(platform: Platform, name: str | None) -> LatencyModel | None:
    """The rates of the descriptor as a model: every operator on its own."""
    try:
        rates = platform.rates(name)
    except PlatformError:
        return None
    return _from_rates(platform, rates)


def _from_rates(platform: Platform, rates: RateSet) -> LatencyModel:
    known = [rate for rate in rates.rates if rate.mac_per_s and rate.operator in (*LAYER_OPERATORS, "grouped")]
    if not known:
        raise _UnknownError(f"{platform.name}: {rates.runtime!r} has no rate of an operator")
    terms = tuple(Term(Work("macs", (rate.operator,)), 1 / float(rate.mac_per_s or 1)) for rate in known)
    return LatencyModel(
        rates.runtime,
        (),
        platform.name,
        platform.clock_hz,
        terms,
        len(known),
        0,
        None,
        (1 / LITERATURE, LITERATURE),
        "; ".join(dict.fromkeys(rate.source.text for rate in known)),
        max((rate.source.status for rate in known), key=STATUSES.index),
    )


def _named(platform: Platform, name: str) -> LatencyModel:
    own = {model.name: _at_clock(platform, model) for model in latency_models(platform)}
    if name in own:
        return own[name]
    sets = {rate.runtime for rate in platform.throughput if rate.operator in LAYER_OPERATORS}
    if name not in sets:
        raise PlatformError(f"{platform.name} has no rates {name!r}; {nearest(name, [*own, *sorted(sets)])}")
    return _from_rates(platform, platform.rates(name))
