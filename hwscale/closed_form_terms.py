"""What a closed form is: the expressions of RAM, Flash, MACs and parameters, and how a symbolic graph becomes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from hwscale.closed_form_peak import Bounds, peak_terms
from hwscale.closed_form_text import collected, to_latex, to_text
from hwscale.cost_terms import CostTerms
from hwscale.formulas.family import Settings, Structure
from hwscale.formulas.graph import Graph, total

SCHEMA = "hwscale.formula/1"


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
    _relax: Callable[[], Formula] = field(repr=False)

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
        return self._relax()

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


class Reading(Protocol):
    """What `assembled` needs to know of a question."""

    question: Question
    model: Any

    def expanded(self, expression: Any) -> Any:
        """``expression`` of the graph as a sum of monomials in R."""


def assembled(
    reading: Reading,
    graph: Graph,
    structure: Structure,
    definitions: Mapping[Any, Any],
    assumptions: tuple[str, ...],
    bounds: Bounds,
    least: Mapping[str, int],
    *,
    exact: bool,
    relax: Callable[[], Formula],
) -> Formula:
    """The formula of a symbolic graph; ``bounds`` and ``least`` as in `hwscale.closed_form_peak.peak_terms`, ``relax`` makes the
    relaxed form."""
    terms = reading.model.terms(graph, structure)
    steps = reading.model.runtime.plan(graph.ops).steps
    live = {name: frozenset(tensors) for name, tensors in steps}
    ram = [(name, reading.expanded(size), live[name]) for name, size in terms.ram_terms]
    blocks = _blocks(reading, graph, structure, terms) if exact else {}

    def whole(quantity: str, cost: Any) -> Any:
        return sum((part for _, part in blocks[quantity]), 0) if blocks else reading.expanded(cost)

    return Formula(
        reading.question,
        "exact" if exact else "relaxed",
        whole("macs", terms.macs),
        whole("params", terms.params),
        whole("flash", terms.flash_bytes),
        tuple((name, collected(size)) for name, size in peak_terms(ram, bounds, least)),
        blocks,
        definitions,
        assumptions,
        relax,
    )


def _blocks(
    reading: Reading, graph: Graph, structure: Structure, terms: CostTerms
) -> dict[str, tuple[tuple[str, Any], ...]]:
    """Each cost as a sum over blocks, the ops with one first name; what belongs to no block comes last."""
    ops: dict[str, list[Any]] = {}
    for op in graph.ops:
        ops.setdefault(op.name.split(".")[0], []).append(op)
    # the plan of the whole graph is known under `structure`, so a part of it costs only its sums
    nothing = reading.model.terms(Graph(graph.tensors), structure)
    costs = {name: reading.model.terms(Graph(graph.tensors, part), structure) for name, part in ops.items()}
    blocks: dict[str, tuple[tuple[str, Any], ...]] = {}
    for quantity, attribute in (("flash", "flash_bytes"), ("macs", "macs"), ("params", "params")):
        parts = [
            (name, reading.expanded(getattr(cost, attribute) - getattr(nothing, attribute)))
            for name, cost in costs.items()
        ]
        rest = reading.expanded(getattr(terms, attribute)) - total([part for _, part in parts])
        parts.append(("other", reading.expanded(rest)))
        blocks[quantity] = tuple((name, collected(part)) for name, part in parts if part != 0)
    return blocks
