"""The symbolic reading: RAM, Flash, MACs and parameters of a family as formulas to print, differentiate or publish.

Two levels, as everywhere: `Formula.definitions` turns hyperparameters into integer widths; the costs are polynomials in
those widths and in the input side R. The polynomials come from the family's own graph, run on symbols instead of ints.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

import numpy as np

from hwscale.closed_form_peak import peak_terms, width_bounds
from hwscale.closed_form_text import collected, to_latex, to_text
from hwscale.cost_model import CostModel, CostTerms, cost_model
from hwscale.domain import make_domain
from hwscale.errors import ConfigError
from hwscale.formulas import find_family
from hwscale.formulas.family import Family, Settings, Structure, Widths
from hwscale.formulas.graph import Graph, total
from hwscale.formulas.rounding import RELAXED, Definitions, breakpoints

SCHEMA = "hwscale.formula/1"
_SIZES_TRIED = 64
"""Multiples of `Family.map_multiple` tried as the smallest input side."""


@dataclass(frozen=True, eq=False)
class Question:
    """What a formula was asked for.

    ``fixed`` holds the knobs that are numbers; of these, ``enumerated`` were not given and become symbols in the
    relaxed form. ``resolution`` is the input side [px], None where it stays the symbol R.
    """

    family: str
    settings: Settings
    fixed: Mapping[str, float]
    enumerated: frozenset[str]
    resolution: int | None
    runtime: str


@dataclass(frozen=True, eq=False)
class Formula:
    """Closed forms of one family; get it from `formula`.

    ``macs`` [MAC, batch 1], ``params`` [1] and ``flash`` [B] are sympy expressions in width symbols [channels] and the
    input side R [px]. ``ram_terms`` holds (op, live bytes) of every op that can be the peak: a term is left out only
    with a proof, see `hwscale.closed_form_peak`. ``blocks`` splits "flash", "macs" and "params" by block, in the order
    of execution. ``definitions`` maps each symbol to an expression in hyperparameters and earlier symbols; empty in the
    relaxed form, whose costs are posynomials in the hyperparameters themselves. ``assumptions`` says, in sentences,
    where all this holds.
    """

    question: Question
    form: Literal["exact", "relaxed"]
    macs: Any
    params: Any
    flash: Any
    ram_terms: tuple[tuple[str, Any], ...]
    blocks: Mapping[str, tuple[tuple[str, Any], ...]]
    definitions: Mapping[Any, Any]
    assumptions: tuple[str, ...]

    @property
    def ram(self) -> Any:
        """Peak RAM [B]: an unevaluated sympy Max over ``ram_terms``."""
        import sympy

        # evaluating Max compares all pairs symbolically, seconds for a few dozen terms
        return sympy.Max(*(expression for _, expression in self.ram_terms), evaluate=False)

    def relaxed(self) -> Formula:
        """The smooth posynomial without any rounding, in alpha, beta and t_zero, or alpha and gamma, and R.

        Coefficients are exact rationals. It is no bound: the true costs lie on either side of it.
        """
        import sympy

        question = self.question
        kept = {name: value for name, value in question.fixed.items() if name not in question.enumerated}
        reading = _Reading(replace(question, fixed=kept))
        widths = reading.family.widths(question.settings, reading.knobs, RELAXED)
        # `1.0`, which stage 0 of XiNet multiplies by, is a float in the reference's expression
        widths = {name: sympy.nsimplify(width, rational=True) for name, width in widths.items()}
        structure = _structure(reading, widths)
        least = tuple(f"{name} >= {value}" for name, value in _least_values(reading).items() if name != "R")
        return _assemble(reading, widths, structure, {}, ("no width is rounded", *reading.assumptions, *least))

    def text(self, width: int = 100) -> str:
        """For a terminal of ``width`` columns (40 if fewer): definitions, one RAM term per op, other costs by block."""
        return to_text(self, max(width, 40))

    def latex(self) -> str:
        """One ``align*`` environment (package amsmath) with the definitions and the four costs."""
        return to_latex(self)

    def to_dict(self) -> dict[str, Any]:
        """For JSON, schema "hwscale.formula/1"; expressions are strings in Python's operators, floor and Max."""
        question = self.question
        return {
            "schema": SCHEMA,
            "family": question.family,
            "form": self.form,
            "runtime": question.runtime,
            "settings": dict(question.settings.values),
            "fixed": dict(question.fixed),
            "resolution": question.resolution,
            "in_channels": question.settings.in_channels,
            "classes": question.settings.classes,
            "definitions": {str(symbol): str(meaning) for symbol, meaning in self.definitions.items()},
            "ram_terms": [{"op": op, "bytes": str(expression)} for op, expression in self.ram_terms],
            "ram_bytes": str(self.ram),
            "flash_bytes": str(self.flash),
            "macs": str(self.macs),
            "params": str(self.params),
            "assumptions": list(self.assumptions),
        }


def formula(
    family: str,
    *,
    fix: Mapping[str, Any] | None = None,
    runtime: str = "tensors",
    in_channels: int = 3,
    classes: int = 10,
) -> Formula:
    """The exact closed forms of a family for square inputs.

    ``fix`` sets options and hyperparameters. Free are the width multiplier, the real hyperparameters (PhiNet's beta and
    t_zero) and the input side R [px]; those that decide the graph or are enumerated (num_layers, XiNet's beta and
    gamma) take the family's default. With ``resolution`` fixed the formula is that of this very size, any that the
    reference network accepts. Raises ConfigError on unknown names and on settings that network cannot be built with.
    """
    fix = dict(fix or {})
    domain = make_domain(family, fix, in_channels=in_channels, classes=classes)
    member = find_family(family)
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
        self.family: Family = find_family(question.family)
        self.model: CostModel = cost_model(question.family, question.settings, question.runtime)
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
        self.least_side = next((n for n in sizes if reasons[n] is None), 0)
        if not self.least_side:
            raise ConfigError(f"{question.family} cannot be built: {reasons[sizes[-1]]}")
        self.map_structure = self.family.map_structure(question.settings, self.least_side, self.least_side)
        self.R = sympy.Symbol("R", integer=True, positive=True)
        self._m = sympy.Symbol("m", integer=True, positive=True)
        # a side of m multiples, not R itself: so every halving resolves without a floor
        self.side: Any = question.resolution or self.multiple * self._m

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
        assumptions.append(
            "make_divisible(v, d) is n, or n + d where n < 9/10*v, with n = max(d, d*floor((v + floor(d/2))/d))"
        )
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
    one_channel = max(1 / (a * b) for a, b in factors)
    domain = next(hyper.domain for hyper in family.hyperparameters if hyper.name == "alpha")
    alphas = breakpoints(factors, one_channel, max(domain[-1], 2 * one_channel))
    knobs = {name: np.full(len(alphas), value) for name, value in reading.numbers.items()} | {"alpha": alphas}
    widths = family.widths(settings, knobs)
    flags = (*reading.map_structure, *family.width_structure(settings, widths))
    regrouped = "equal widths add a residual to the graph"
    wrong = [(np.asarray(flag) != drawn, regrouped) for flag, drawn in zip(flags, structure, strict=True)]
    wrong += family.refuse_widths(settings, widths)
    said, first = [], 0
    for condition, reason in wrong:
        bad = np.broadcast_to(condition, alphas.shape)
        if bad[np.argmin(bad) :].any():  # true at large alphas too, or of some alphas in between
            said.append(f"excluded: {reason}")
        else:
            first = max(first, int(np.argmin(bad)))
    return [f"alpha >= {Fraction(float(alphas[first])).limit_denominator(10_000)}", *dict.fromkeys(said)]


def _assemble(
    reading: _Reading,
    widths: Widths,
    structure: Structure,
    definitions: Mapping[Any, Any],
    assumptions: tuple[str, ...],
) -> Formula:
    graph = reading.family.graph(reading.question.settings, widths, reading.side, reading.side, structure)
    terms = reading.model.terms(graph, structure)
    steps = reading.model.runtime.plan(graph.ops).steps
    live = {name: frozenset(tensors) for name, tensors in steps}
    ram = [(name, reading.expanded(size), live[name]) for name, size in terms.ram_terms]
    blocks = _blocks(reading, graph, structure, terms) if definitions else {}

    def whole(quantity: str, cost: Any) -> Any:
        return sum((part for _, part in blocks[quantity]), 0) if blocks else reading.expanded(cost)

    return Formula(
        reading.question,
        "exact" if definitions else "relaxed",
        whole("macs", terms.macs),
        whole("params", terms.params),
        whole("flash", terms.flash_bytes),
        tuple(
            (name, collected(size)) for name, size in peak_terms(ram, width_bounds(definitions), _least_values(reading))
        ),
        blocks,
        definitions,
        assumptions,
    )


def _blocks(
    reading: _Reading, graph: Graph, structure: Structure, terms: CostTerms
) -> dict[str, tuple[tuple[str, Any], ...]]:
    """Each cost as a sum over blocks, the ops with one first name; what belongs to no block comes last."""
    ops: dict[str, list[Any]] = {}
    for op in graph.ops:
        ops.setdefault(op.name.split(".")[0], []).append(op)
    # the plan of the whole graph is known under `structure`, so a part of it costs only its sums
    nothing = reading.model.terms(Graph(graph.tensors), structure)
    costs = {name: reading.model.terms(Graph(graph.tensors, part), structure) for name, part in ops.items()}
    blocks: dict[str, tuple[tuple[str, Any], ...]] = {}
    for quantity, field in (("flash", "flash_bytes"), ("macs", "macs"), ("params", "params")):
        parts = [
            (name, reading.expanded(getattr(cost, field) - getattr(nothing, field))) for name, cost in costs.items()
        ]
        rest = reading.expanded(getattr(terms, field)) - total([part for _, part in parts])
        parts.append(("other", reading.expanded(rest)))
        blocks[quantity] = tuple((name, collected(part)) for name, part in parts if part != 0)
    return blocks
