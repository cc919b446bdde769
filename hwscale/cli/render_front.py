"""Tables of ``hwscale pareto``."""

from __future__ import annotations

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from hwscale.budget import parse_limits, show
from hwscale.cli.console import open_console
from hwscale.explore.front import Front, Point
from hwscale.units import format_bytes, format_count, format_seconds

MOST = 24
"""Steps of a staircase that are printed; more are spread evenly over it."""


def render_front(
    front: Front, x: str, y: str, epsilon: float, drawn: int, limits: Mapping[str, str], best: Point | None
) -> None:
    """The staircase of two columns, the size of the front, what it rests on, and the best point within a budget."""
    console = open_console()
    where = f" on {front.platform}" if front.platform else ""
    console.print(f"[bold]{front.family}[/bold]{where}, runtime {front.runtime}, objective {escape(front.objective)}")
    console.print(
        f"  {len(front):,} points over {', '.join(front.costs)} of {_many(front.candidates)} candidates, {front.method}, "
        f"{front.seconds:.1f} s; {drawn:,} differ by more than {100 * epsilon:g} % in {x} and {y}"
    )
    console.print(f"  front {escape(front.evidence['front'])}")
    for name in front.costs:
        console.print(f"  {name} {escape(front.evidence[name])}")
    stairs = _sparse(front, x, y, epsilon)
    console.print(f"  best {y} by {x}, {len(stairs)} of {len(front.staircase(x, y)):,} steps:")
    console.print(_table(front, stairs, x, y, None if best is None else best.row))
    kept = {**front.budget, **parse_limits(limits)}
    told = ", ".join(f"{name} {show(name, value)}" for name, value in kept.items() if value is not None)
    if not told:
        console.print("  no budget: name a platform or give --limit, and the best point within it is marked")
    elif best is None:
        console.print(f"  budget {told}: nothing fits; hwscale fit says what is missing")
    else:
        console.print(f"  best within {told}:")
        cost = best.cost
        latency = "" if cost.latency_s is None else f", latency {format_seconds(cost.latency_s)} estimated"
        console.print(
            f"  RAM {format_bytes(cost.ram_bytes)}, Flash {format_bytes(cost.flash_bytes)}, {format_count(cost.macs)} MACs, "
            f"{format_count(cost.params)} params{latency}, score {best.score:.6g}"
        )
        console.print("  " + escape(_chosen(best.hyperparameters)))


def _sparse(front: Front, x: str, y: str, epsilon: float) -> list[int]:
    """Steps that differ by more than ``epsilon`` in x, at most `MOST`, the first and the last among them."""
    stairs: list[int] = front.staircase(x, y).tolist()
    kept = stairs[:1]
    for row in stairs[1:]:
        if front.columns[x][row] > front.columns[x][kept[-1]] * (1 + epsilon):
            kept.append(row)
    if stairs and kept[-1] != stairs[-1]:
        kept.append(stairs[-1])
    if len(kept) <= MOST:
        return kept
    return [kept[at * (len(kept) - 1) // (MOST - 1)] for at in range(MOST)]


def _table(front: Front, rows: list[int], x: str, y: str, marked: int | None) -> Table:
    names = [
        x,
        *(name for name in ("ram", "flash", "macs", "params", "latency", "resolution") if name in front.columns),
    ]
    names = list(dict.fromkeys([*names, y]))
    table = Table(box=None, padding=(0, 2), show_edge=False)
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("hyperparameters")
    for row in rows:
        cells = [_cell(name, float(front.columns[name][row])) for name in names]
        table.add_row(*cells, escape(_chosen(front.hyperparameters(row))), style="bold" if row == marked else None)
    return table


def _cell(name: str, value: float) -> str:
    if name in ("ram", "flash"):
        return format_bytes(int(value))
    if name == "latency":
        return format_seconds(value)
    return f"{value:g}" if name in ("resolution", "score", "in_band") else format_count(int(value))


def _chosen(hyperparameters: Mapping[str, object]) -> str:
    return "  ".join(f"{name}={value}" for name, value in hyperparameters.items())


def _many(count: int) -> str:
    return f"{count:,}" if count < 10**12 else f"{float(count):.3g}"
