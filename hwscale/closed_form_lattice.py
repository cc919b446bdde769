"""The symbolic reading of a family of global multipliers: widths by definition, costs as polynomials in them and in R."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from hwscale.closed_form_peak import width_bounds
from hwscale.closed_form_terms import Formula, Question, assembled
from hwscale.cost_model import cost_model
from hwscale.domain import make_domain
from hwscale.errors import ConfigError
from hwscale.formulas import find_lattice_family
from hwscale.formulas.family import Family, Settings, Structure, Widths
from hwscale.formulas.rounding import RELAXED, Definitions, breakpoints, staircase
from hwscale.runtimes.runtime import Facts

_SIZES_TRIED = 64
"""Multiples of `Family.map_multiple` tried as the smallest input side."""


def lattice_formula(
    family: str, fix: Mapping[str, Any], runtime: str, in_channels: int, classes: int | None
) -> Formula:
    """`hwscale.closed_form.formula` for a family of global multipliers."""
    domain = make_domain(family, fix, in_channels=in_channels, classes=classes)
    member = find_lattice_family(family)
    given = {name: values[0] for name, values in domain.axes if isinstance(values, tuple)}
    fixed: dict[str, float] = {}
    kept: list[tuple[str, Any]] = []
    for hyper in member.hyperparameters:
        value = given[hyper.name] if hyper.name in fix else hyper.default
        if hyper.knob and (hyper.name in fix or hyper.axis == "branch"):
            fixed[hyper.name] = value
        elif not hyper.knob and hyper.name != "resolution":
            kept.append((hyper.name, value))
    kept += [(option.name, given[option.name]) for option in member.options]
    several = {hyper.name for hyper in member.hyperparameters if len(hyper.domain) > 1}
    question = Question(
        family,
        Settings(tuple(kept), domain.in_channels, domain.classes),
        fixed,
        frozenset(several & set(fixed) - set(fix)),
        given["resolution"] if "resolution" in fix else None,
        runtime,
    )
    return _exact(_Reading(question))


class _Reading:
    """Symbols for a question's hyperparameters and input side; ConfigError where no size can be built."""

    def __init__(self, question: Question) -> None:
        import sympy

        self.question = question
        self.family: Family = find_lattice_family(question.family)
        self.model = cost_model(question.family, question.settings, question.runtime)
        self.free = [h.name for h in self.family.hyperparameters if h.knob and h.name not in question.fixed]
        self.knobs: dict[str, Any] = {name: sympy.Symbol(name, positive=True) for name in self.free}
        # the decimal that was written is meant, not the float nearest to it
        self.knobs |= {name: sympy.Rational(str(value)) for name, value in question.fixed.items()}
        defaults = {h.name: h.default for h in self.family.hyperparameters if h.knob}
        self.numbers: dict[str, float] = defaults | dict(question.fixed)
        self.multiple = self.family.map_multiple(question.settings)
        sizes = [n * self.multiple for n in range(1, _SIZES_TRIED + 1)]
        if question.resolution is not None:
            sizes = [question.resolution]
        reasons = {n: self.family.refuse_branch(question.settings, self.numbers, n, n) for n in sizes}
        built = {
            n: self.family.map_structure(question.settings, n, n) for n, reason in reasons.items() if reason is None
        }
        if not built:
            raise ConfigError(f"{question.family} cannot be built: {reasons[sizes[-1]]}")
        # that of large inputs: in the smallest ones a map may be a single pixel, whose global pool changes nothing
        self.map_structure = built[max(built)]
        self.facts = self._facts(max(built))
        alike = (n for n, structure in built.items() if structure == self.map_structure)
        self.least_side = next(n for n in alike if self._facts(n) == self.facts)
        self.R = sympy.Symbol("R", integer=True, positive=True)
        self._m = sympy.Symbol("m", integer=True, positive=True)
        # a side of m multiples, not R itself: so every halving resolves without a floor
        self.side: Any = question.resolution or self.multiple * self._m

    def _facts(self, side: int) -> Facts:
        """What the runtime knows of the maps of an input; ConfigError if it cannot run the network."""
        knobs = self.numbers
        if "alpha" not in self.question.fixed:  # some network of this graph: a wide one
            knobs = knobs | {"alpha": max(knobs["alpha"], 1.0)}
        return self.model.facts(knobs, side, side)

    @property
    def assumptions(self) -> tuple[str, ...]:
        if self.question.resolution is not None:
            return (f"input of {self.question.resolution} x {self.question.resolution} px",)
        least = f", at least {self.least_side}" if self.least_side > self.multiple else ""
        return (f"input of R x R px, R a multiple of {self.multiple}{least}",)

    def expanded(self, expression: Any) -> Any:
        """``expression`` of the graph as a sum of monomials in R."""
        import sympy

        return sympy.expand(sympy.sympify(expression).xreplace({self._m: self.R / self.multiple}))

    @cached_property
    def integers(self) -> Widths:
        """The widths as the reference network rounds them, defaults in the place of symbols."""
        return self.family.widths(self.question.settings, self.numbers)


def _exact(reading: _Reading) -> Formula:
    family, settings = reading.family, reading.question.settings
    policy = Definitions()
    widths = family.widths(settings, reading.knobs, policy)
    definitions = _definitions(policy.meaning, widths, reading)
    numbers = {symbol: int(meaning) for symbol, meaning in definitions.items() if not meaning.free_symbols}
    structure = _structure(reading, {name: numbers.get(width, width) for name, width in widths.items()})
    if "alpha" not in reading.free:  # no family refuses a network for the widths that its other free knobs make
        broken = [reason for condition, reason in family.refuse_widths(settings, reading.integers) if condition]
        if broken:
            raise ConfigError(f"{family.name} cannot be built: {broken[0]}")
    assumptions = [*reading.assumptions]
    if "alpha" in reading.free:
        assumptions += _alpha_range(reading, structure)
    if reading.free:
        assumptions.append("every width is at least 1 channel")
        assumptions.append(
            "floor is that of the real number; the reference network's floats may fall 1 short at its steps"
        )
    if any("make_divisible" in str(meaning) for meaning in definitions.values()):
        assumptions.append("make_divisible(v, d) is n, or n + d where n < 9/10*v, with n = max(d, d*floor(v/d + 1/2))")
    return _assemble(reading, widths, structure, definitions, tuple(assumptions))


def _least_values(reading: _Reading) -> dict[str, int]:
    """Lower bounds of symbols that enter RAM with a power of their own: R up to R^2, gamma as 1/gamma."""
    gamma = {"gamma": 2} if "gamma" in reading.free else {}
    return {"R": reading.least_side} | gamma


def _structure(reading: _Reading, widths: Widths) -> Structure:
    flags = reading.family.width_structure(reading.question.settings, widths)
    return reading.map_structure + tuple(bool(flag) for flag in flags)


def _definitions(meanings: Mapping[Any, Any], widths: Widths, reading: _Reading) -> dict[Any, Any]:
    """Symbol -> expression, with the expansion t_i of ``floor(t_i * width)`` as a symbol of its own.

    A width that no free hyperparameter enters becomes the integer that the reference network computes.
    """
    import sympy

    names = {width: name for name, width in widths.items()}
    knobs = {knob for knob in reading.knobs.values() if isinstance(knob, sympy.Symbol)}
    definitions: dict[Any, Any] = {}
    for symbol, meaning in meanings.items():
        if all(getattr(definitions.get(used), "is_Integer", False) for used in meaning.free_symbols):
            definitions[symbol] = sympy.Integer(reading.integers[names[symbol]])
            continue
        for rounded in meaning.atoms(sympy.floor):
            inner = rounded.args[0]
            base = sorted(inner.free_symbols - knobs, key=str)
            if len(base) == 1 and inner.free_symbols & knobs:
                t = sympy.Symbol("t_" + re.sub(r"\D", "", str(symbol)), positive=True)
                definitions[t] = sympy.factor(inner / base[0])
                meaning = meaning.xreplace({rounded: sympy.floor(base[0] * t)})
        definitions[symbol] = meaning
    return definitions


def _alpha_range(reading: _Reading, structure: Structure) -> list[str]:
    """From which alpha on the reference network runs and has the graph of ``structure``."""
    family, settings = reading.family, reading.question.settings
    factors = family.alpha_factors(settings, reading.numbers)
    one_channel = max(staircase(factor).one_channel for factor in factors)
    domain = next(hyper.domain for hyper in family.hyperparameters if hyper.name == "alpha")
    alphas = breakpoints(factors, one_channel, max(domain[-1], 2 * one_channel))
    knobs = {name: np.full(len(alphas), value) for name, value in reading.numbers.items()} | {"alpha": alphas}
    widths = family.widths(settings, knobs)
    flags = (*reading.map_structure, *family.width_structure(settings, widths))
    regrouped = "equal widths add a residual to the graph"
    wrong = [(np.asarray(flag) != drawn, regrouped) for flag, drawn in zip(flags, structure, strict=True)]
    wrong += family.refuse_widths(settings, widths)
    rules = [(np.broadcast_to(condition, alphas.shape), reason) for condition, reason in wrong]
    first = max((int(np.argmin(bad)) for bad, _ in rules if not bad[np.argmin(bad) :].any()), default=0)
    # true at large alphas too, or of some alphas in between
    said = [f"excluded: {reason}" for bad, reason in rules if bad[first:].any()]
    least = Fraction(float(alphas[first])).limit_denominator(10_000)
    # widths follow a bump of make_divisible strictly above its alpha: there the first float is not the nearest one
    above = ">" if first and float(least) < alphas[first] else ">="
    return [f"alpha {above} {least}", *dict.fromkeys(said)]


def _relaxed(question: Question) -> Formula:
    """See `Formula.relaxed`."""
    import sympy

    kept = {name: value for name, value in question.fixed.items() if name not in question.enumerated}
    reading = _Reading(replace(question, fixed=kept))
    widths = reading.family.widths(question.settings, reading.knobs, RELAXED)
    # `1.0`, which stage 0 of XiNet multiplies by, is a float in the reference's expression
    widths = {name: sympy.nsimplify(width, rational=True) for name, width in widths.items()}
    structure = _structure(reading, widths)
    least = tuple(f"{name} >= {value}" for name, value in _least_values(reading).items() if name != "R")
    return _assemble(reading, widths, structure, {}, ("no width is rounded", *reading.assumptions, *least))


def _assemble(
    reading: _Reading,
    widths: Widths,
    structure: Structure,
    definitions: Mapping[Any, Any],
    assumptions: tuple[str, ...],
) -> Formula:
    graph = reading.family.graph(reading.question.settings, widths, reading.side, reading.side, structure)
    bounds, least = width_bounds(definitions), _least_values(reading)
    return assembled(
        reading,
        graph,
        definitions,
        assumptions,
        bounds,
        least,
        exact=bool(definitions),
        relax=lambda: _relaxed(reading.question),
    )
