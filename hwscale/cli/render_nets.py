"""Tables of `hwscale nets show NAME`; what they hold comes ready, here it only gets columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from hwscale.cli.console import open_console


def render_family(shown: dict[str, Any]) -> None:
    """Hyperparameters and options of a family."""
    console = open_console()
    console.print(f"[bold]{shown['family']}[/bold]")
    table = Table(box=None, padding=(0, 2), show_edge=False)
    for column in ("hyperparameter", "default", "default domain", "published", "meaning"):
        table.add_column(column)
    for names, h in _alike(shown["hyperparameters"]):
        published = "" if h["published"] is None else f"{h['published'][0]:g} to {h['published'][1]:g}"
        table.add_row(names, _plain(h["default"]), _domain(h), published, escape(h["meaning"]))
    console.print(table)
    options = Table(box=None, padding=(0, 2), show_edge=False)
    for column in ("option", "default", "meaning"):
        options.add_column(column)
    for o in shown["options"]:
        options.add_row(o["name"], str(o["default"]), escape(o["meaning"]))
    console.print(options)
    if shown["presets"]:
        console.print(f"  presets: {', '.join(shown['presets'])}")
    for source in shown["sources"]:
        console.print(f"  source: {escape(source)}")


def _alike(hyperparameters: Sequence[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Blocks of a stage in one line where they differ in nothing but their number, and stages that differ in nothing but theirs."""
    rows: list[tuple[list[str], dict[str, Any]]] = []
    for h in hyperparameters:
        same = [row for row in rows if _numberless(row[1]) == _numberless(h)] if "_" in h["name"].strip("_") else []
        if same and h["name"] != "num_layers":
            same[0][0].append(h["name"])
        else:
            rows.append(([h["name"]], {**h}))
    for names, h in rows:
        if len(names) > 1:
            h["meaning"] = f"{h['meaning'].partition(' of block')[0]} of block b of stage s, as {names[0]}, {names[1]}"
    return [(names[0] if len(names) == 1 else f"{names[0]} ... {names[-1]}", h) for names, h in rows]


def _numberless(h: dict[str, Any]) -> tuple[Any, ...]:
    return (re.sub(r"\d+", "", h["name"]), h["default"], tuple(h["domain"]))


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _domain(h: dict[str, Any]) -> str:
    values = h["domain"]
    if h["real"]:
        return f"all reals {values[0]:g} to {values[1]:g}"
    if len(values) <= 4:
        return ", ".join(map(_plain, values))
    return f"{_plain(values[0])}, {_plain(values[1])}, ... {_plain(values[-1])}"
