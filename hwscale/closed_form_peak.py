"""Which RAM terms can be the peak: the others are dropped by proof, never by sampling.

All symbols are positive, so a term is never above another one if no monomial of the difference is negative. Negative
monomials may be paid for by larger ones: R and gamma are at least their smallest values, a width is at least 1 channel,
and rounding down leaves e.g. ``floor(E/6) <= E`` and ``2 floor(24 alpha) <= floor(48 alpha) <= 3 floor(24 alpha)``. The
largest of several terms is at least any weighted mean of them, so two terms together may rule out a third.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from typing import Any

Monomial = frozenset[tuple[str, Fraction]]
Polynomial = dict[Monomial, Fraction]
Bounds = dict[str, tuple[tuple[str, Fraction], ...]]
_HIGHEST_POWER = {"R": 2, "gamma": 0}
"""Of each symbol with a lower bound, the highest power in a tensor's size."""


def width_bounds(definitions: Mapping[Any, Any]) -> Bounds:
    """Per width the (other width, q) with ``width <= q * other`` for all hyperparameters, read off the definitions.

    Under "" those of the number 1.
    """
    import sympy

    constants = {str(symbol): int(meaning) for symbol, meaning in definitions.items() if meaning.is_Integer}
    kinds = (sympy.floor, sympy.core.function.AppliedUndef)
    rounded = {str(symbol): _parts(meaning) for symbol, meaning in definitions.items() if meaning.has(*kinds)}
    least = constants | {name: divisor for name, (divisor, *_) in rounded.items()}
    bounds: Bounds = {"": tuple((name, Fraction(1, value)) for name, value in least.items())}
    for name, value in constants.items():
        bounds[name] = tuple((other, Fraction(value, most)) for other, most in constants.items() if other != name)
    for name, (divisor, lifted, inner) in rounded.items():
        above = []
        for other, (other_divisor, other_lifted, other_inner) in rounded.items():
            if name == other or other_divisor != divisor:
                continue
            share, growth = inner / sympy.Symbol(other, integer=True, positive=True), other_inner / inner
            factor: Fraction | None = None
            if share.is_Rational and (divisor == 1 or share <= 1):
                # make_divisible grows with its argument and leaves multiples of the divisor alone
                factor = Fraction(int(share.p), int(share.q)) if divisor == 1 else Fraction(1)
                factor = max(factor, Fraction(1)) if lifted else factor
            elif growth.is_Rational and not lifted and not other_lifted:
                factor = _floor_ratio(Fraction(int(growth.p), int(growth.q)), divisor)
            if factor is not None:
                above.append((other, factor))
        bounds[name] = tuple(above)
    return bounds


def _parts(meaning: Any) -> tuple[int, bool, Any]:
    """(d, is it at least 1, x) of a width ``make_divisible(max(1, floor(x)), d)`` or ``make_divisible(x, d)``."""
    import sympy

    divisor, lifted = 1, False
    if isinstance(meaning, sympy.core.function.AppliedUndef):
        meaning, divisor = meaning.args[0], int(meaning.args[1])
    if isinstance(meaning, sympy.Max):
        lifted = True
        meaning = next(part for part in meaning.args if not part.is_Integer)
    return divisor, lifted, meaning.args[0] if isinstance(meaning, sympy.floor) else meaning


def _floor_ratio(growth: Fraction, divisor: int) -> Fraction | None:
    """q with w(x) <= q * w(growth * x) wherever both are at least 1; None where none is known.

    w(x) = floor(x), or make_divisible of x or of floor(x).
    """
    if growth >= 1:
        return 1 / growth if growth.denominator == 1 and divisor == 1 else Fraction(1)
    if divisor > 1:
        # w(x) <= x + d and growth * x < w / 0.9 + 1, the 1 for a floor, where w = w(growth * x) is at least d
        return (Fraction(10, 9) + Fraction(1, divisor)) / growth + 1
    # floor(k y) <= k floor(y) + k - 1
    return 2 / growth - 1 if growth.numerator == 1 else None


def peak_terms(
    terms: Sequence[tuple[str, Any, frozenset[int]]], bounds: Bounds, least: Mapping[str, int]
) -> list[tuple[str, Any]]:
    """The (op, bytes) of (op, bytes, live tensors) that can be the largest; of equal ones the first.

    ``least`` holds lower bounds of R [px] and gamma. A term that rounds up counts as little as it can against the others, and as
    much as it can where it is to be ruled out.
    """
    sets = [live for *_, live in terms]
    kept = [n for n, s in enumerate(sets) if not any(s < o or (s == o and k < n) for k, o in enumerate(sets))]
    lower = {n: _polynomial(unrounded(terms[n][1])) for n in kept}
    upper = {n: _polynomial(unrounded(terms[n][1], 1)) for n in kept}
    proof = _Proof(bounds, least)
    for group in (1, 2):
        for n in reversed(kept.copy()):
            others = [lower[k] for k in kept if k != n]
            if any(proof.below(upper[n], some) for some in combinations(others, group)):
                kept.remove(n)
    return [terms[n][:2] for n in kept]


def unrounded(expression: Any, excess: int = 0) -> Any:
    """``expression`` with every ceiling replaced by its argument and ``excess``: 0 or 1 for a lower or an upper bound."""
    import sympy

    return sympy.expand(expression.replace(sympy.ceiling, lambda inner: inner + excess))


def _polynomial(expression: Any) -> Polynomial:
    result: Polynomial = {}
    for monomial, factor in expression.as_coefficients_dict().items():
        powers = monomial.as_powers_dict().items()
        key = frozenset((str(base), Fraction(int(p.p), int(p.q))) for base, p in powers if base.free_symbols)
        result[key] = Fraction(int(factor.p), int(factor.q))
    return result


class _Proof:
    """Inequalities between monomials in positive symbols."""

    def __init__(self, bounds: Bounds, least: Mapping[str, int]) -> None:
        self._bounds = bounds
        self._least = least
        self._reached: dict[Monomial, dict[Monomial, Fraction]] = {}

    def below(self, small: Polynomial, large: Sequence[Polynomial]) -> bool:
        """Is ``small`` proven never to exceed the largest of ``large`` (one or two)?"""
        if len(large) == 1:
            return self._pays(small, [(large[0], Fraction(1))])
        first, second = large
        shares = {small[m] / part[m] for part in large for m in small.keys() & part.keys() if part[m] > 0}
        weights = {share for share in shares if 0 < share < 1} | {Fraction(1, 2)}
        weights |= {1 - weight for weight in weights}
        return any(self._pays(small, [(first, weight), (second, 1 - weight)]) for weight in sorted(weights))

    def _pays(self, small: Polynomial, large: Sequence[tuple[Polynomial, Fraction]]) -> bool:
        left: Polynomial = {monomial: -factor for monomial, factor in small.items()}
        for polynomial, weight in large:
            for monomial, factor in polynomial.items():
                left[monomial] = left.get(monomial, Fraction(0)) + weight * factor
        for owed in sorted((m for m in left if left[m] < 0), key=sorted):
            debt = -left[owed]
            for payer, factor in self._above(owed).items():
                paid = min(debt, max(left.get(payer, Fraction(0)), Fraction(0)) / factor)
                debt -= paid
                if paid:
                    left[payer] -= paid * factor
            if debt > 0:
                return False
            left[owed] = Fraction(0)
        return True

    def _above(self, monomial: Monomial) -> dict[Monomial, Fraction]:
        """Monomials m and factors f with ``monomial <= f * m``, nearest first."""
        if monomial not in self._reached:
            reached = {monomial: Fraction(1)}
            queue = [monomial]
            for at in queue:
                for above, factor in self._steps(at):
                    if above not in reached:
                        reached[above] = reached[at] * factor
                        queue.append(above)
            del reached[monomial]
            self._reached[monomial] = reached
        return self._reached[monomial]

    def _steps(self, monomial: Monomial) -> Iterator[tuple[Monomial, Fraction]]:
        powers = dict(monomial)
        for name, value in self._least.items():
            power = powers.get(name, Fraction(0))
            if power < _HIGHEST_POWER[name]:
                raised = {**powers, name: power + 1}
                yield frozenset((n, p) for n, p in raised.items() if p), Fraction(1, value)
        widths = [name for name in powers if name not in self._least]
        held = {(name, power) for name, power in monomial if name in self._least}
        if not widths or (len(widths) == 1 and powers[widths[0]] == 1):
            for other, factor in self._bounds.get("".join(widths), ()):
                yield frozenset({(other, Fraction(1)), *held}), factor
