"""Tables of `hwscale platforms show NAME --operators`; numbers come ready, here they only get units."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hwscale.cli.console import open_console
from hwscale.operator_efficiency import REFERENCE, EfficiencyTable, OperatorEfficiency

_NUMBERS = ("M MAC/s", "% by speed", "M MAC/mJ", "% by energy", "% printed", "implied mW")


def render_operators(platform: str, tables: Sequence[EfficiencyTable]) -> None:
    """One table for each rate set, its contradictions as footnotes."""
    console = open_console()
    console.print(f"[bold]{platform}[/bold]  efficiency of operators, in % of {REFERENCE} of the same rates")
    if not tables:
        remedy = escape("add [[throughput]] rows to a copy of the descriptor")
        console.print(f"  no operator rates, so efficiency is unknown; {remedy}")
    for table in tables:
        console.print()
        _rate_set(console, table)


def _rate_set(console: Console, table: EfficiencyTable) -> None:
    console.print(f"rates [bold]{escape(table.runtime)}[/bold]")
    shown = Table(box=None, padding=(0, 2), show_edge=False)
    shown.add_column("operator", no_wrap=True)
    for name in _NUMBERS:
        shown.add_column(name, justify="right", no_wrap=True)
    for name in ("", "status"):
        shown.add_column(name, no_wrap=True)
    notes: list[str] = []
    for row in table.operators:
        first = len(notes) + 1
        notes += [f"{row.operator}: {found.message}" for found in row.contradictions]
        marks = "".join(f"[{number}]" for number in range(first, len(notes) + 1))
        shown.add_row(row.operator, *_numbers(row), escape(marks), row.status)
    console.print(shown)
    for number, note in enumerate(notes, start=1):
        console.print("  " + escape(f"[{number}] {note}"))
    if table.constant_power_mw:
        least, most = table.constant_power_mw
        odd = [row.operator for row in table.operators if any(c.kind == "implied_power" for c in row.contradictions)]
        but = f", except for {', '.join(odd)}" if odd else ""
        console.print(
            f"  MAC/mJ is MAC/s over one constant power, {least:.4g} to {most:.4g} mW{but}: "
            "the energy column holds no independent measurement"
        )


def _numbers(row: OperatorEfficiency) -> tuple[str, ...]:
    if row.mac_per_s is None:
        return ("not supported", *["-"] * (len(_NUMBERS) - 1))
    energy, printed, power = row.mac_per_mj, row.printed_pct, row.implied_power_mw
    return (
        f"{row.mac_per_s / 1e6:,.10g}",
        _percent(row.speed_pct),
        "-" if energy is None else f"{energy / 1e6:,.2f}",
        _percent(row.energy_pct),
        "-" if printed is None else str(printed),
        "-" if power is None else f"{power:,.2f}",
    )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
