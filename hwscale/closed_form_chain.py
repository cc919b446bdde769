"""The symbolic reading of a stage-wise family: polynomials in the channels of every link and the input side R."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from hwscale.chain_model import ChainModel
from hwscale.closed_form_peak import Bounds, unrounded
from hwscale.closed_form_terms import Formula, Question, assembled
from hwscale.closed_form_text import collected
from hwscale.cost_model import network_model
from hwscale.domain import make_domain
from hwscale.formulas import find_family
from hwscale.formulas.family import Settings
from hwscale.formulas.graph import Graph, Tensor
from hwscale.formulas.rounding import Definitions
from hwscale.formulas.stagewise import maps, stagewise


def chain_formula(family: str, fix: Mapping[str, Any], runtime: str, in_channels: int, classes: int | None) -> Formula:
    """`hwscale.closed_form.formula` for a stage-wise family: free are the channels that were not fixed, and R."""
    member = find_family(family)
    assert stagewise(member)
    domain = make_domain(family, fix, in_channels=in_channels, classes=classes, defaults=True)
    values = {name: axis[0] for name, axis in domain.axes if isinstance(axis, tuple)}
    free = make_domain(family, fix, in_channels=in_channels, classes=classes)
    given = {name for name, axis in free.axes if isinstance(axis, tuple) and len(axis) == 1}
    settings = Settings(
        tuple((option.name, values[option.name]) for option in member.options), domain.in_channels, domain.classes
    )
    model = network_model(member.name, settings, runtime)
    assert isinstance(model, ChainModel)
    widths = {link.width for link in model.links if link.width}
    idle = {name for link in model.links if link.absent(values) for name in link.choices}
    fixed = {
        h.name: values[h.name]
        for h in member.hyperparameters
        if h.axis == "stage" and h.name not in idle and (h.name not in widths or h.name in given)
    }
    resolution = values["resolution"] if "resolution" in given else None
    question = Question(member.name, settings, fixed, frozenset(), resolution, runtime)
    return _Chain(question, model, values).formula()


def relaxed_chain(form: Formula) -> Formula:
    """The same without any rounding: channels are real, and so is the SE bottleneck."""
    import sympy

    meanings = {}
    for symbol, meaning in form.definitions.items():
        bare = meaning.args[0] if isinstance(meaning, sympy.core.function.AppliedUndef) else meaning
        meanings[symbol] = bare.args[0] if isinstance(bare, sympy.floor) else bare

    def smooth(expression: Any) -> Any:
        bare = sympy.sympify(expression).replace(sympy.floor, lambda inner: inner)
        return sympy.expand(unrounded(bare).xreplace(meanings))

    return replace(
        form,
        form="relaxed",
        macs=smooth(form.macs),
        params=smooth(form.params),
        flash=smooth(form.flash),
        ram_regions=tuple(
            (region, tuple((op, collected(smooth(size))) for op, size in terms)) for region, terms in form.ram_regions
        ),
        persistent=collected(smooth(form.persistent)),
        blocks={},
        definitions={},
        assumptions=("no width is rounded", *(a for a in form.assumptions if "make_divisible" not in a)),
    )


class _Chain:
    """Symbols for the channels of every link."""

    def __init__(self, question: Question, model: ChainModel, values: Mapping[str, Any]) -> None:
        import sympy

        self.question = question
        self.model = model
        self.values = values
        self.multiple = 2 ** sum(link.stride == 2 for link in model.links if not link.absent(values))
        self.R = sympy.Symbol("R", integer=True, positive=True)
        self._m = sympy.Symbol("m", integer=True, positive=True)
        self.side: Any = question.resolution or self.multiple * self._m
        # large enough that no map is a single pixel, whose global pool changes nothing
        self.least_side = question.resolution or 2 * self.multiple
        graph, _ = model.graph(values, self.least_side, self.least_side)
        model.check(graph)
        self.facts = model.runtime.facts(graph)

    def expanded(self, expression: Any) -> Any:
        import sympy

        return sympy.expand(sympy.sympify(expression).xreplace({self._m: self.R / self.multiple}))

    def formula(self) -> Formula:
        """Graph on symbols, and what it holds for."""
        import sympy

        family, settings, links = self.model.family, self.question.settings, self.model.links
        policy = Definitions()
        names: dict[str, Any] = {}
        g = Graph()
        x = g.tensor(settings.in_channels, self.side, self.side)
        left: dict[int, Tensor] = {}
        seams: list[str] = []
        before = settings.in_channels
        for at, (link, leaving) in enumerate(zip(links, maps(links, self.least_side, self.least_side), strict=True)):
            if not link.absent(self.values):
                channels = self._channels(at, policy, names) if link.width else 0
                number = family.channels(settings, at, self.values[link.width]) if link.width else 0
                if family.may_add(settings, at, self.values) and sympy.sympify(channels - x.channels).free_symbols:
                    # an addition, or none, as between the default widths
                    seams.append(f"{channels} {'=' if number == before else '!='} {x.channels}")
                    channels = x.channels if number == before else channels
                same, before = channels == x.channels, number
                holder = self.model.held[at]
                held = None if holder is None else left[holder]
                x = family.append(
                    g, settings, at, x, self.values, channels, same=same, pixel=leaving == (1, 1), held=held
                )
            left[at] = x
        used = {symbol for tensor in g.tensors for symbol in sympy.sympify(tensor.channels).free_symbols}
        definitions = {symbol: meaning for symbol, meaning in policy.meaning.items() if symbol in used}
        return assembled(
            self, g, definitions, self._assumptions(seams, definitions), self._bounds(names), self._least(),
            exact=True, relax=lambda: relaxed_chain(self.formula()),
        )  # fmt: skip

    def _channels(self, at: int, policy: Definitions, names: dict[str, Any]) -> Any:
        """The channels of a link: a number where they were fixed, else a symbol."""
        import sympy

        link = self.model.links[at]
        if link.width in self.question.fixed:
            return self.model.family.channels(self.question.settings, at, self.values[link.width])
        hyper = sympy.Symbol(link.width, positive=True)
        meaning = self.model.family.channels(self.question.settings, at, hyper, policy)
        if meaning == hyper:  # the hyperparameter is the number of channels
            names[link.width] = sympy.Symbol(link.width, integer=True, positive=True)
            return names[link.width]
        name = link.width.replace("width", "c")
        names[name] = policy.named(name, meaning)
        return names[name]

    def _assumptions(self, seams: list[str], definitions: Mapping[Any, Any]) -> tuple[str, ...]:
        resolution = self.question.resolution
        size = f"input of {resolution} x {resolution} px"
        if resolution is None:
            size = f"input of R x R px, R a multiple of {self.multiple}, at least {self.least_side}"
        found = [size, "every width is at least 1 channel"]
        if seams:
            found.append(f"a block adds its input where widths agree: {', '.join(seams)}")
        if definitions:
            found.append("make_divisible(v, d) is n, or n + d where n < 9/10*v, with n = max(d, d*floor(v/d + 1/2))")
        return tuple(found)

    def _bounds(self, names: Mapping[str, Any]) -> Bounds:
        """A width is at least 1, and the SE bottleneck at most its share of a width."""
        bounds: Bounds = {"": tuple((name, Fraction(1)) for name in names)}
        reduction = dict(self.question.settings.values).get("se_reduction")
        if reduction:
            for name in names:
                bounds[f"floor({name}/{reduction})"] = ((name, Fraction(1, reduction)),)
        return bounds

    def _least(self) -> dict[str, int]:
        return {"R": self.least_side}
