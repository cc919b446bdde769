"""Errors, one class by whose fault it is; every message is one sentence a user can act on."""

from __future__ import annotations

from collections.abc import Iterable


class HwscaleError(Exception):
    """Root of everything hwscale raises on purpose."""


class PlatformError(HwscaleError):
    """The platform descriptor is missing, malformed or lacks a number that was asked for."""


class ConfigError(HwscaleError):
    """A family, hyperparameter, option, limit or other setting that cannot be used as given."""


class InfeasibleError(HwscaleError):
    """Nothing in the domain fits the limits.

    Attributes
    ----------
    limit : name of the limit named as binding ("ram", "flash", "macs", "latency", "energy").
    needed : what the smallest configuration needs of it, in the limit's unit (bytes, MACs, s, J).
    allowed : the limit that was set, same unit.
    shortfall : ``needed - allowed``.
    smallest_budget : limits, by name, that together admit at least one configuration.
    """

    def __init__(
        self,
        message: str,
        *,
        limit: str,
        needed: float,
        allowed: float,
        smallest_budget: dict[str, float] | None = None,
    ) -> None:
        super().__init__(message)
        self.limit = limit
        self.needed = needed
        self.allowed = allowed
        self.shortfall = needed - allowed
        self.smallest_budget = smallest_budget or {}


class VerificationError(HwscaleError):
    """The measured network does not have the predicted cost."""


class UnsupportedOpError(HwscaleError):
    """A traced network holds an op that has no price."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """The sentence part that offers the legal names, closest first: ``did you mean 'xinet'? ...``."""
    from difflib import get_close_matches

    names = sorted(allowed)
    listed = ", ".join(names)
    close = get_close_matches(str(name).lower(), names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}? Allowed: {listed}" if close else f"allowed: {listed}"
