"""How a formula looks: factored for the eye, wrapped for a terminal, or LaTeX for a paper."""

from __future__ import annotations

import re
import string
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwscale.closed_form import Formula

_COSTS = (("flash", "Flash [B]"), ("macs", "MACs"), ("params", "Parameters"))
_GREEK = {"alpha": r"\alpha", "beta": r"\beta", "gamma": r"\gamma", "t_zero": "t_0"}


def collected(expression: Any) -> Any:
    """An expanded polynomial with the most frequent symbols factored out: ``E*(2*c + 21)`` for ``2*E*c + 21*E``."""
    import sympy

    expression = sympy.sympify(expression)
    if not expression.is_Add:
        return expression
    powers = [term.as_powers_dict() for term in expression.args]
    counts = {s: sum(bool(p[s] >= 1) for p in powers) for s in expression.free_symbols}
    # a width before R: a block reads as its width times what one channel costs
    symbol = max(counts, key=lambda s: (counts[s], str(s) != "R", str(s)))
    if counts[symbol] < 2:
        return expression
    having = [(term, power[symbol]) for term, power in zip(expression.args, powers, strict=True) if power[symbol] >= 1]
    common = symbol ** min(power for _, power in having)
    content, inner = sympy.Add(*(term / common for term, _ in having)).primitive()
    rest = sympy.Add(*(t for t, power in zip(expression.args, powers, strict=True) if power[symbol] < 1))
    return content * common * collected(inner) + collected(rest)


def to_text(formula: Formula, width: int) -> str:
    """See `hwscale.closed_form.Formula.text`."""
    question = formula.question
    settings = [f"{name} = {_value(value)}" for name, value in question.settings.values]
    settings += [f"{name} = {_value(value)}" for name, value in question.fixed.items()]
    settings += [f"in_channels = {question.settings.in_channels}", f"classes = {question.settings.classes}"]
    lines = [f"{question.family}, {formula.form} form, runtime {question.runtime}"]
    lines += _wrapped(", ".join(setting.replace(" ", "\0") for setting in settings), width)
    if formula.definitions:
        lines += ["", "Widths [channels]"]
        lines += _packed(formula.definitions, width)
    lines += ["", "RAM [B] = largest of", *_rows(formula.ram_terms, width)]
    for name, terms in formula.ram_regions[1:]:
        lines += ["", f"+ largest of ({name})", *_rows(terms, width)]
    if formula.persistent != 0:
        lines += ["", "+ persistent", *_wrapped(_plain(formula.persistent), width)]
    for quantity, title in _COSTS:
        if formula.blocks:
            lines += ["", f"{title} = sum of", *_rows(formula.blocks[quantity], width)]
        else:
            lines += ["", f"{title} =", *_wrapped(_plain(getattr(formula, quantity)), width)]
    lines += ["", "Holds for"]
    for sentence in formula.assumptions:
        lines += _wrapped(sentence, width, "  - ", "    ")
    return "\n".join(lines).replace("\0", " ")


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return "+".join(map(str, value)) or "none"
    if isinstance(value, bool | str):
        return str(value).lower()
    return f"{value:g}"


def _plain(expression: Any) -> str:
    return str(expression).replace("**", "^").replace("Max(", "max(")


def _wrapped(text: str, width: int, first: str = "  ", rest: str = "  ") -> list[str]:
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def _rows(rows: Sequence[tuple[str, Any]], width: int) -> list[str]:
    column = max(len(name) for name, _ in rows) + 4
    lines = []
    for name, expression in rows:
        lines += _wrapped(_plain(expression), width, f"  {name}".ljust(column), " " * column)
    return lines


def _packed(definitions: Mapping[Any, Any], width: int) -> list[str]:
    """Definitions side by side as far as they fit, one block of the network per line."""
    lines: list[str] = []
    previous = ""
    for symbol, meaning in definitions.items():
        derived = str(symbol).startswith("t_") or not meaning.free_symbols.isdisjoint(definitions)
        block = re.sub(r"\D", "", str(symbol)) if derived else "widths"
        entry = f"{symbol} = {_plain(meaning)}"
        if block == previous and len(lines[-1]) + 3 + len(entry) <= width:
            lines[-1] += f"   {entry}"
        else:
            lines += _wrapped(entry, width, "  ", "      ")
        previous = block
    return lines


def to_latex(formula: Formula) -> str:
    """See `hwscale.closed_form.Formula.latex`."""
    import sympy

    symbols = {s for _, terms in formula.ram_regions for _, size in terms for s in size.free_symbols}
    symbols |= formula.persistent.free_symbols
    symbols |= {s for quantity, _ in _COSTS for s in getattr(formula, quantity).free_symbols}
    for symbol, meaning in formula.definitions.items():
        symbols |= {symbol, *meaning.free_symbols}
    names = {symbol: _symbol_latex(str(symbol)) for symbol in symbols}

    def latex(expression: Any) -> str:
        written: str = sympy.latex(expression, symbol_names=names)
        return written.replace(r"\operatorname{make}_{divisible}", r"\operatorname{mdiv}")

    rows = [f"{latex(symbol)} &= {latex(meaning)}" for symbol, meaning in formula.definitions.items()]
    for at, (_, ops) in enumerate(formula.ram_regions):
        for n, (op, size) in enumerate(ops):
            first = r"\mathrm{RAM} &= \max\bigl\{" if at == 0 else r"&\quad + \max\bigl\{"
            end = r"\bigr\}" if n == len(ops) - 1 else ","
            start = first if n == 0 else r"&\qquad"
            rows.append(rf"{start} {latex(size)}{end} && \text{{{_escaped(op)}}}")
    if formula.persistent != 0:
        rows += [rf"&\quad + {latex(term)}" for term in sympy.Add.make_args(formula.persistent)]
    for quantity, title in (("flash", "Flash"), ("macs", "MACs"), ("params", "Params")):
        parts: Sequence[tuple[str, Any]] = formula.blocks[quantity] if formula.blocks else ()
        terms = list(parts) or [("", term) for term in sympy.Add.make_args(getattr(formula, quantity))]
        for n, (block, part) in enumerate(terms):
            start = rf"\mathrm{{{title}}} &=" if n == 0 else r"&\qquad +"
            label = rf" && \text{{{_escaped(block)}}}" if block else ""
            rows.append(f"{start} {latex(part)}{label}")
    return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"


def _symbol_latex(name: str) -> str:
    if name in _GREEK:
        return _GREEK[name]
    index = name.lstrip(string.ascii_letters)
    letter = name.removesuffix(index)
    return f"{letter}_{{{index.removeprefix('_')}}}" if index else letter


def _escaped(text: str) -> str:
    return text.replace("_", r"\_")
