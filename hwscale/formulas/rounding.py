"""Channel rounding, level 1: hyperparameters -> integers, in the operation order of the reference networks.

The same family code runs under three policies. `EXACT` rounds like the reference network, on Python numbers and on numpy
arrays alike. `RELAXED` leaves every rounding out: the smooth posynomial, a seed and a microscope, never a bound.
`Definitions` names each integer by a sympy symbol and remembers what it stands for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from hwscale.errors import ConfigError

MAX_STEPS = 10_000_000


class Rounding(Protocol):
    """How a family turns real expressions into widths [channels]."""

    def truncate(self, value: Any) -> Any:
        """``int(value)``: toward zero."""

    def divisible(self, value: Any, divisor: int) -> Any:
        """Nearest multiple of ``divisor``, at least ``divisor``, at most 10 % below ``value``."""

    def multiple(self, value: Any, divisor: int) -> Any:
        """`nearest_multiple` of a real ``value``."""

    def quotient(self, value: Any, divisor: int) -> Any:
        """``value // divisor``."""

    def at_least_one(self, value: Any) -> Any:
        """``max(1, value)`` of an integer that may have been rounded down to 0."""

    def at_least(self, value: Any, least: int) -> Any:
        """``max(least, value)`` where that is a rule of the network, not a rounding: no policy drops it."""

    def named(self, name: str, value: Any) -> Any:
        """The integer called ``name`` in the printed formula."""


def truncate(value: Any) -> Any:
    """``int(value)`` of a float, elementwise on arrays (int64)."""
    return value.astype(np.int64) if isinstance(value, np.ndarray) else int(value)


def make_divisible(value: Any, divisor: int) -> Any:
    """Round an integer width to a multiple of ``divisor``.

    ``n = max(d, (v + d/2) // d * d)``, plus d if n < 0.9 v; `_make_divisible` of
    micromind-toolkit/micromind@b4b45c0:micromind/networks/phinet.py on integer ``v`` (``0.9 * v`` and ``9 v / 10``
    compare alike there: rounding 0.9 moves no integer across the tie).
    """
    if isinstance(value, np.ndarray):
        if divisor == 1:
            return np.maximum(value, 1)
        nearest = np.maximum(divisor, (value + divisor // 2) // divisor * divisor)
        return nearest + divisor * (10 * nearest < 9 * value)
    nearest = max(divisor, (value + divisor // 2) // divisor * divisor)
    return nearest + divisor if 10 * nearest < 9 * value else nearest


def nearest_multiple(value: Any, divisor: int) -> Any:
    """Round a real width to a multiple of ``divisor``; ``int(v)`` for divisor 1.

    ``n = max(d, int(v + d/2) // d * d)``, plus d if n < 0.9 v, in float64: `_make_divisible` of
    pytorch/vision:torchvision/models/_utils.py and of the MobileNetV2 in keras. Unlike in `make_divisible`, ``v`` is not
    truncated first, so that the 10 % rule bites between whole numbers.
    """
    if divisor == 1:
        return truncate(value)
    whole = truncate(value + divisor / 2) // divisor * divisor
    if isinstance(value, np.ndarray):
        nearest = np.maximum(divisor, whole)
        return nearest + divisor * (nearest < 0.9 * value)
    nearest = max(divisor, whole)
    return nearest + divisor if nearest < 0.9 * value else nearest


class _Exact:
    truncate = staticmethod(truncate)
    divisible = staticmethod(make_divisible)
    multiple = staticmethod(nearest_multiple)

    def quotient(self, value: Any, divisor: int) -> Any:
        return value // divisor

    def at_least_one(self, value: Any) -> Any:
        return self.at_least(value, 1)

    def at_least(self, value: Any, least: int) -> Any:
        return np.maximum(value, least) if isinstance(value, np.ndarray) else max(least, value)

    def named(self, name: str, value: Any) -> Any:
        return value


class _Relaxed:
    def truncate(self, value: Any) -> Any:
        return value

    def divisible(self, value: Any, divisor: int) -> Any:
        return value

    def multiple(self, value: Any, divisor: int) -> Any:
        return value

    def quotient(self, value: Any, divisor: int) -> Any:
        return value / divisor

    def at_least_one(self, value: Any) -> Any:
        return value

    def at_least(self, value: Any, least: int) -> Any:
        import sympy

        return sympy.Max(least, value)

    def named(self, name: str, value: Any) -> Any:
        return value


class Definitions:
    """Symbolic policy: every named width becomes a positive integer symbol, its meaning kept in ``meaning``."""

    def __init__(self) -> None:
        self.meaning: dict[Any, Any] = {}

    def truncate(self, value: Any) -> Any:
        import sympy

        return sympy.floor(sympy.nsimplify(value, rational=True))

    def divisible(self, value: Any, divisor: int) -> Any:
        import sympy

        # divisor 1 only lifts an empty layer to one channel; the printed formula assumes that none is empty
        return value if divisor == 1 else sympy.Function("make_divisible")(value, divisor)

    def multiple(self, value: Any, divisor: int) -> Any:
        return self.truncate(value) if divisor == 1 else self.divisible(value, divisor)

    def quotient(self, value: Any, divisor: int) -> Any:
        import sympy

        return sympy.floor(value / divisor)

    def at_least_one(self, value: Any) -> Any:
        import sympy

        return sympy.Max(1, value, evaluate=False)

    def at_least(self, value: Any, least: int) -> Any:
        import sympy

        return sympy.Max(least, value)

    def named(self, name: str, value: Any) -> Any:
        import sympy

        symbol = sympy.Symbol(name, integer=True, positive=True)
        self.meaning.setdefault(symbol, value)
        return symbol


EXACT: Rounding = _Exact()
RELAXED: Rounding = _Relaxed()


@dataclass(frozen=True, slots=True)
class Truncated:
    """The width ``int(a * alpha * b)``."""

    a: float
    b: float = 1.0
    step = 1

    @property
    def one_channel(self) -> float:
        """The alpha at which a * alpha * b is 1."""
        return 1 / (self.a * self.b)

    def channels(self, alpha: Any) -> Any:
        """The width at ``alpha``, a float or an array."""
        return truncate(self.a * alpha * self.b)

    def guess(self, channels: Any) -> Any:
        """An alpha within a few ulp of the first that reaches ``channels``."""
        return channels / (self.a * self.b)


@dataclass(frozen=True, slots=True)
class Multiple:
    """The width ``nearest_multiple(base * alpha, divisor)``."""

    base: float
    divisor: int

    @property
    def step(self) -> int:
        """All widths are multiples of it."""
        return self.divisor

    @property
    def one_channel(self) -> float:
        """The alpha at which base * alpha is 1."""
        return 1 / self.base

    def channels(self, alpha: Any) -> Any:
        """The width at ``alpha``, a float or an array."""
        return nearest_multiple(self.base * alpha, self.divisor)

    def guess(self, channels: Any) -> Any:
        """An alpha within a few ulp of the first that reaches ``channels``.

        Up to 5 d the 10 % rule comes before half of the step: n - d < 0.9 v at v = (n - d) / 0.9 < n - d/2.
        """
        if self.divisor == 1:
            return channels / self.base
        return np.minimum(channels - self.divisor / 2, (channels - self.divisor) / 0.9) / self.base


AlphaFactor = tuple[float, float] | Truncated | Multiple
"""A width as a function of alpha, nondecreasing; (a, b) stands for ``Truncated(a, b)``."""


def staircase(factor: AlphaFactor) -> Truncated | Multiple:
    """The width of ``factor``."""
    return Truncated(*factor) if isinstance(factor, tuple) else factor


def breakpoints(factors: Sequence[AlphaFactor], low: float, high: float) -> npt.NDArray[np.float64]:
    """The smallest alpha in [low, high] of every distinct tuple of the widths that ``factors`` make.

    Between two neighbours no width changes, so the returned alphas are *all* real alpha in the interval, exactly, as the
    floats that the reference network would compute with. Ascending; the first is ``low``. ConfigError for more than
    `MAX_STEPS` of them.
    """
    alphas = [np.array([low])]
    for factor in factors:
        width = staircase(factor)
        first, last = width.channels(low) + width.step, width.channels(high)
        if (last - first) // width.step > MAX_STEPS:
            raise ConfigError(f"alpha from {low:g} to {high:g} has over {MAX_STEPS:,} distinct networks; narrow it")
        steps = np.arange(first, last + 1, width.step, dtype=np.float64)
        alpha = width.guess(steps)
        # the guess is a few ulp off at worst: walk to the very first float that reaches the step
        while len(short := np.flatnonzero(width.channels(alpha) < steps)):
            alpha[short] = np.nextafter(alpha[short], np.inf)
        early = np.arange(len(steps))
        while len(early):
            below = np.nextafter(alpha[early], -np.inf)
            still = width.channels(below) >= steps[early]
            early = early[still]
            alpha[early] = below[still]
        alphas.append(alpha)
    merged = np.unique(np.concatenate(alphas))
    return merged[(merged >= low) & (merged <= high)]


def shortest_decimal(low: float, high: float) -> float:
    """The decimal with the fewest digits in [low, high): the alpha to print for an interval of equal networks."""
    for digits in range(18):
        scale = 10.0**digits
        candidate = np.ceil(low * scale) / scale
        rounded = float(f"{candidate:.{digits}f}")
        if low <= rounded < high:
            return rounded
    return low
