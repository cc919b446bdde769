"""Parse and format quantities; the only place that converts units.

Sizes are integer bytes and print as KiB (1024 B). "KB" and "MB" are refused because half the field means
1000 by them and half 1024.
"""

from __future__ import annotations

import math
import re

from hwscale.errors import ConfigError

_BINARY = {"B": 1, "KIB": 1024, "MIB": 1024**2, "GIB": 1024**3}
_AMBIGUOUS = {"K": 1, "KB": 1, "M": 2, "MB": 2, "G": 3, "GB": 3}
# these keep their case: MJ is a megajoule
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_JOULES = {"J": 1.0, "mJ": 1e-3, "uJ": 1e-6, "nJ": 1e-9}
_COUNTS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
_QUANTITY = re.compile(r"\s*([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)\s*\Z")


def _split(text: str, what: str, example: str) -> tuple[float, str]:
    match = _QUANTITY.match(text)
    if match is None:
        raise ConfigError(f"{what}: {text!r} is not a quantity; write for example {example}")
    return float(match[1].replace("_", "")), match[2]


def _positive(value: float, what: str, given: object) -> float:
    if not math.isfinite(value) or value <= 0:
        raise ConfigError(f"{what}: got {given}, but it must be a finite number above zero")
    return value


def _number(given: object, what: str, example: str) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise ConfigError(f"{what}: got {given!r}; write a number or for example {example}")
    return _positive(float(given), what, given)


def parse_bytes(given: float | str, what: str = "size") -> int:
    """Bytes of ``262144``, ``"256 KiB"``, ``"1.5MiB"`` or ``"4096 B"`` [B, int > 0].

    Raises ConfigError for "256KB" (ambiguous), text without a number, zero, negative, NaN, or a fraction of a byte.
    """
    if isinstance(given, str):
        value, unit = _split(given, what, "'256 KiB'")
        key = unit.upper()
        _positive(value, what, given)
        if key in _AMBIGUOUS:
            power = _AMBIGUOUS[key]
            letter = "KMG"[power - 1]
            raise ConfigError(
                f"{what}: {given!r} is ambiguous; write '{value:g} {letter}iB' ({int(value * 1024**power)} B) "
                f"or '{value * 1000**power:.0f} B'"
            )
        if unit and key not in _BINARY:
            raise ConfigError(f"{what}: unknown unit {unit!r} in {given!r}; allowed: B, KiB, MiB, GiB")
        value = value * _BINARY.get(key, 1)
    else:
        value = _number(given, what, "'256 KiB'")
    if value != int(value):
        raise ConfigError(f"{what}: {given!r} is {value:g} bytes, but bytes are whole; round it")
    return int(value)


def parse_seconds(given: float | str, what: str = "latency") -> float:
    """Seconds of ``0.1`` or ``"100 ms"`` [s, > 0]; a bare number in text is refused, its unit would be a guess."""
    return _scaled(given, what, _SECONDS, "'100 ms'", "s, ms, us, ns")


def parse_joules(given: float | str, what: str = "energy") -> float:
    """Joules of ``0.005`` or ``"5 mJ"`` [J, > 0]; a bare number in text is refused, its unit would be a guess."""
    return _scaled(given, what, _JOULES, "'5 mJ'", "J, mJ, uJ, nJ")


def _scaled(given: float | str, what: str, units: dict[str, float], example: str, allowed: str) -> float:
    if not isinstance(given, str):
        return _number(given, what, example)
    value, unit = _split(given, what, example)
    if unit not in units:
        problem = f"unknown unit {unit!r} in {given!r}" if unit else f"{given!r} has no unit"
        raise ConfigError(f"{what}: {problem}; write for example {example} (units: {allowed})")
    return _positive(value, what, given) * units[unit]


def parse_share(given: float | str, what: str = "margin") -> float:
    """A share of ``0.1`` or ``"10%"`` [0 to below 1]."""
    text = str(given).strip()
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = math.nan
    if isinstance(given, bool) or not 0 <= share < 1:
        raise ConfigError(f"{what}: got {given}, but it must be at least 0 and below 1, for example 0.1 or 10 %")
    return share


def parse_count(given: float | str, what: str = "macs") -> int:
    """A count of ``40_000_000`` or ``"40M"`` (k, M, G are powers of 1000) [int > 0]."""
    if isinstance(given, str):
        value, unit = _split(given, what, "'40M'")
        if unit.upper() not in _COUNTS:
            raise ConfigError(f"{what}: unknown suffix {unit!r} in {given!r}; allowed: k, M, G")
        value = _positive(value, what, given) * _COUNTS[unit.upper()]
    else:
        value = _number(given, what, "'40M'")
    if round(value) < 1:
        raise ConfigError(f"{what}: got {given}, but it must be at least 1")
    return round(value)


def format_bytes(size: int) -> str:
    """``"512.0 KiB"``; exact bytes below 1 KiB."""
    return f"{size / 1024:,.1f} KiB" if abs(size) >= 1024 else f"{size} B"


def format_count(count: int) -> str:
    """``"40.12 M"``, ``"89.0 k"``."""
    for factor, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if abs(count) >= factor:
            return f"{count / factor:,.2f} {letter}"
    return str(count)


def format_seconds(seconds: float) -> str:
    """``"137.2 ms"``."""
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= 0.99995 * factor:  # four digits of it already read 1, not 1000 of the next
            return f"{seconds / factor:.4g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def format_joules(joules: float) -> str:
    """``"5.1 mJ"``."""
    for factor, unit in ((1.0, "J"), (1e-3, "mJ"), (1e-6, "uJ")):
        if joules >= 0.99995 * factor:
            return f"{joules / factor:.4g} {unit}"
    return f"{joules / 1e-9:.3g} nJ"
