"""Tables of `hwscale cost MODEL`; numbers come ready from the report, here they only get units."""

from __future__ import annotations

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from hwscale.cli.console import open_console
from hwscale.foreign.report import ModelCost
from hwscale.foreign.runtimes import RuntimeCost
from hwscale.units import format_bytes, format_count

VERDICTS = {True: "[green]yes[/green]", False: "[red]no[/red]", None: "?"}


def render_model(cost: ModelCost) -> None:
    """Ops, the peak with what is alive there, and the runtimes side by side."""
    console = open_console()
    where = f" on {cost.platform}" if cost.platform else ""
    console.print(f"[bold]{escape(cost.source)}[/bold]{where}")
    console.print(f"  input {_sides(cost.input_shape, 'x')}; {_totals(cost)}")
    console.print()
    console.print(_ops(cost))
    console.print()
    peak = format_bytes(cost.totals["ram_bytes"])
    console.print(f"[bold]RAM peaks at {escape(cost.peak_op)}: {peak}[/bold], counting {cost.ram_rule}; alive there:")
    console.print(_alive(cost))
    console.print()
    console.print(_runtimes(cost))
    for row in cost.runtimes:
        console.print(f"  {row.name}: {escape(_known(row))}")
    if cost.unknown_ops:
        console.print(f"  [yellow]without a price[/yellow]: {escape(', '.join(cost.unknown_ops))}")


def _totals(cost: ModelCost) -> str:
    least = "at least " if cost.at_least else ""
    macs, stored = format_count(cost.totals["macs"]), format_bytes(cost.totals["flash_bytes"])
    text = f"{len(cost.ops)} ops, {least}{macs} MACs, {least}{stored} of weights and constants"
    if "file_bytes" in cost.totals:
        text += f", file {format_bytes(cost.totals['file_bytes'])}"
        text += f", {format_bytes(cost.totals['stripped_bytes'])} without names and metadata"
    if "params" in cost.totals:
        text += f", {format_count(cost.totals['params'])} parameters"
    return text


def _ops(cost: ModelCost) -> Table:
    table = _table("op", "kind", right=("MACs", "weights", "Flash bytes", "live bytes"))
    for op in cost.ops:
        numbers = (op.macs, op.weights, op.flash_bytes, op.live_bytes)
        table.add_row(escape(op.name), escape(op.kind), *(f"{number:,}" for number in numbers))
    return table


def _alive(cost: ModelCost) -> Table:
    table = _table("tensor", right=("C x H x W", "bytes"))
    for tensor in cost.peak_tensors:
        table.add_row(escape(tensor.op), _sides(tensor.shape, " x "), f"{tensor.size_bytes:,}")
    table.add_row("sum", "", f"{sum(tensor.size_bytes for tensor in cost.peak_tensors):,}")
    return table


def _runtimes(cost: ModelCost) -> Table:
    regions = [f"{escape(name)}\n{_room(name, cost.regions)}" for name in cost.regions]
    table = _table("runtime", right=("RAM", "Flash", *regions), gap=1)
    for row in cost.runtimes:
        table.add_row(row.name, _ram(row), _size(row, row.flash_bytes), *(VERDICTS[row.fits[n]] for n in cost.regions))
    return table


def _room(name: str, regions: Mapping[str, int]) -> str:
    return format_bytes(regions[name]) if regions[name] else "no arena"


def _ram(row: RuntimeCost) -> str:
    if row.ram_low_bytes is None or row.ram_bytes is None:
        return _size(row, row.ram_bytes)
    return f"{format_bytes(row.ram_low_bytes)} to {format_bytes(row.ram_bytes)}"


def _size(row: RuntimeCost, size: int | None) -> str:
    if size is None:
        return "-"
    return f"{'at least ' if row.at_least else ''}{format_bytes(size)}"


def _known(row: RuntimeCost) -> str:
    names = {"ram": "RAM", "flash": "Flash"}
    told = [f"{names.get(name, name)} {text}" for name, text in row.evidence.items()]
    return "; ".join([*([row.reason] if row.reason else []), *told])


def _sides(shape: tuple[int, ...], between: str) -> str:
    return between.join(map(str, shape)) or "1"


def _table(*left: str, right: tuple[str, ...], gap: int = 2) -> Table:
    table = Table(box=None, padding=(0, gap), show_edge=False)
    for name in left:
        table.add_column(name, no_wrap=True)
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    return table
