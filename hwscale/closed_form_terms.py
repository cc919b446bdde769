"""What a closed form is: the expressions of RAM, Flash, MACs and parameters, and how a symbolic graph becomes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from hwscale.closed_form_peak import Bounds, peak_terms, unrounded
from hwscale.closed_form_text import collected, to_latex, to_text
from hwscale.cost_terms import CostTerms, NetworkModel, sums
from hwscale.formulas.family import Settings
from hwscale.formulas.graph import Graph, Op, total
from hwscale.runtimes.runtime import Facts

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
    input side R [px]. ``ram_regions`` holds per memory region of the runtime its name and (op, bytes) of every op that can be
    its peak: a term is left out only with a proof, see `hwscale.closed_form_peak`. ``persistent`` [B] comes on top. ``blocks`` splits "flash", "macs" and "params" by block, in the order
    of execution. ``definitions`` maps each symbol to an expression in hyperparameters and earlier symbols; empty in the
    relaxed form, whose costs are posynomials in the hyperparameters themselves. ``assumptions`` says, in sentences,
    where all this holds.
    """

    question: Question
    form: Literal["exact", "relaxed"]
    macs: Any
    params: Any
    flash: Any
    ram_regions: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]
    persistent: Any
    blocks: Mapping[str, tuple[tuple[str, Any], ...]]
    definitions: Mapping[Any, Any]
    assumptions: tuple[str, ...]
    _relax: Callable[[], Formula] = field(repr=False)

    @property
    def ram_terms(self) -> tuple[tuple[str, Any], ...]:
        """The (op, bytes) of the activations, the first region."""
        return self.ram_regions[0][1]

    @property
    def ram(self) -> Any:
        """RAM [B]: per region an unevaluated sympy Max, and what persists. Where a runtime packs tensors (tflm) that is what no
        plan can go below."""
        import sympy

        # evaluating Max compares all pairs symbolically, seconds for a few dozen terms
        peaks = [sympy.Max(*(size for _, size in terms), evaluate=False) for _, terms in self.ram_regions]
        return peaks[0] if len(peaks) == 1 and self.persistent == 0 else sympy.Add(*peaks, self.persistent)

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
            "ram_regions": {
                name: [{"op": op, "bytes": str(expression)} for op, expression in terms]
                for name, terms in self.ram_regions
            },
            "persistent_bytes": str(self.persistent),
            "ram_bytes": str(self.ram),
            "flash_bytes": str(self.flash),
            "macs": str(self.macs),
            "params": str(self.params),
            "assumptions": list(self.assumptions),
        }


class Reading(Protocol):
    """What `assembled` needs to know of a question."""

    question: Question
    facts: Facts

    @property
    def model(self) -> NetworkModel:
        """What prices the graph."""

    def expanded(self, expression: Any) -> Any:
        """``expression`` of the graph as a sum of monomials in R."""


def assembled(
    reading: Reading,
    graph: Graph,
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
    model = reading.model
    terms, lowered = model.terms(graph, reading.facts), model.lowered(graph, reading.facts)

    def tidy(expression: Any) -> Any:
        return reading.expanded(expression) if exact else unrounded(reading.expanded(expression))

    regions = []
    for region, (name, rows) in zip(model.memory(lowered).regions, terms.regions, strict=True):
        ram = [(op, tidy(size), frozenset(live)) for (op, size), (_, live) in zip(rows, region.steps, strict=True)]
        regions.append((name, tuple((op, collected(size)) for op, size in peak_terms(ram, bounds, least))))
    blocks = _blocks(reading, graph, lowered, terms) if exact else {}

    def whole(quantity: str, cost: Any) -> Any:
        return sum((part for _, part in blocks[quantity]), 0) if blocks else tidy(cost)

    if model.runtime.exact_plan:
        assumptions = (
            *assumptions,
            f"RAM is what {model.runtime.name} needs at least: its allocator may leave gaps, which fit and cost plan",
        )
    return Formula(
        reading.question,
        "exact" if exact else "relaxed",
        whole("macs", terms.macs),
        whole("params", terms.params),
        whole("flash", terms.flash_bytes),
        tuple(regions),
        collected(tidy(terms.persistent)),
        blocks,
        definitions,
        assumptions,
        relax,
    )


def _blocks(reading: Reading, graph: Graph, lowered: Graph, terms: CostTerms) -> dict[str, tuple[tuple[str, Any], ...]]:
    """Each cost as a sum over blocks, the ops with one first name; what belongs to no block comes last."""

    def parts(of: Graph) -> dict[str, Graph]:
        ops: dict[str, list[Op]] = {}
        for op in of.ops:
            ops.setdefault(op.name.split(".")[0], []).append(op)
        return {name: Graph(of.tensors, part) for name, part in ops.items()}

    flash = {name: reading.model.runtime.shares(part)[1] for name, part in parts(lowered).items()}
    costs = {name: sums(part) for name, part in parts(graph).items()}
    quantities = {
        "flash": (flash, terms.flash_bytes),
        "macs": ({name: macs for name, (macs, _) in costs.items()}, terms.macs),
        "params": ({name: params for name, (_, params) in costs.items()}, terms.params),
    }
    blocks: dict[str, tuple[tuple[str, Any], ...]] = {}
    for quantity, (by_block, whole) in quantities.items():
        rows = [(name, reading.expanded(part)) for name, part in by_block.items()]
        rest = reading.expanded(whole) - total([part for _, part in rows])
        rows.append(("other", reading.expanded(rest)))
        blocks[quantity] = tuple((name, collected(part)) for name, part in rows if part != 0)
    return blocks
