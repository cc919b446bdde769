"""Keys of every JSON form, read off an answer of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hwscale


def _answers() -> Iterator[tuple[str, dict[str, Any]]]:
    """The command that prints a form, and one such answer."""
    yield "hwscale fit --json", hwscale.fit("xinet", "stm32h743", fix={"resolution": 96}).to_dict()
    yield "hwscale cost --json", hwscale.cost("xinet", {"resolution": 96}, platform="stm32h743").to_dict()
    compared = hwscale.compare("xinet", "stm32h743", fix={"resolution": 96}, jobs=1)
    yield "hwscale compare --json", compared.to_dict()
    front = hwscale.pareto("xinet", "stm32h743", fix={"resolution": 96, "num_layers": 5, "gamma": 3})
    yield "hwscale pareto --json", front.to_dict()
    cut = hwscale.trade_off("mcunet", {"preset": "mcunet-vww0"}, platform="stm32f412")
    yield "hwscale schedule --json", cut.to_dict()
    yield "hwscale formula --json", hwscale.formula("xinet").to_dict()


def markdown() -> str:
    """One section per form: its keys and the types of their values."""
    lines: list[str] = []
    for command, answer in _answers():
        lines += [f"## {answer['schema']}", "", f"`{command}`", "", "| key | value |", "|---|---|"]
        keys: dict[str, list[str]] = {}
        for key, kind in _keys(answer, ""):
            known = keys.setdefault(key, [])
            if kind not in known:
                known.append(kind)
        lines += [f"| `{key}` | {' or '.join(kinds)} |" for key, kinds in keys.items()] + [""]
    return "\n".join(lines)


OPEN = ("hyperparameters", "values", "domain")
"""Objects whose keys depend on the family."""


def _keys(value: Any, at: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and at.rpartition(".")[2] in OPEN:
        yield at, "object, by name of the hyperparameter"
    elif isinstance(value, dict):
        if not value:
            yield at, "object"
        for key, inner in value.items():
            yield from _keys(inner, f"{at}.{key}" if at else str(key))
    elif isinstance(value, list | tuple):
        if not value:
            yield f"{at}[]", "array"
        for inner in value:
            yield from _keys(inner, f"{at}[]")
    else:
        yield at, {bool: "true or false", int: "integer", float: "number", str: "text"}.get(type(value), "null")
