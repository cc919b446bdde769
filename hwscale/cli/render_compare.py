"""The table of ``hwscale compare``: what fits where, then why the others fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rich.markup import escape
from rich.table import Table

from hwscale.cli.console import open_console
from hwscale.explore.compare import Comparison
from hwscale.explore.compared_row import ComparedRow
from hwscale.explore.needs import LABELS
from hwscale.explore.platform_list import ORDER
from hwscale.formulas import find_family
from hwscale.stage_names import gathered
from hwscale.units import format_bytes, format_count, format_seconds

SHORT = 56
"""Columns up to which a configuration stands in the table; longer ones are listed below it."""


def render_comparison(comparison: Comparison) -> None:
    """A table a family."""
    console = open_console()
    options, needs = comparison.options, comparison.needs
    asked = f", needs {needs}" if needs else ""
    objective = options["objective"]
    name = objective if isinstance(objective, str) else objective.name
    console.print(f"runtime {options['runtime']}, objective {name}{escape(asked)}; platforms {ORDER}")
    for family in comparison.families:
        rows = [row for row in comparison.rows if row.family == family]
        good = [row for row in rows if row.good]
        console.print()
        what = "meet the needs" if needs else "have a network that fits"
        console.print(f"[bold]{family}[/bold]: {len(good)} of {len(rows)} platforms {what}")
        if good:
            short = max(len(_knobs(row)) for row in good) <= SHORT
            console.print(_table(good, configuration=short))
            for knobs, some in () if short else _together(good, _knobs):
                console.print(f"  {', '.join(some)}: {knobs}")
        for note, some in _together(good, lambda row: row.note):
            if note:
                console.print(f"  {', '.join(some)}: {escape(note)}")
        for reason, some in _together([row for row in rows if not row.good], _reason):
            console.print(f"  [yellow]not[/yellow] {', '.join(some)}: {escape(reason)}")
    if any(row.cost is not None and row.cost.latency_s is not None for row in comparison.good):
        console.print()
        console.print("latency is estimated; --json has what stands behind it, and the interval")


def _table(rows: Sequence[ComparedRow], *, configuration: bool) -> Table:
    table = Table(box=None, padding=(0, 1), show_edge=False, pad_edge=True)
    table.add_column("platform", no_wrap=True)
    for column in ("MACs", "RAM", "used", "Flash", "used", "latency"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("binds")
    table.add_column("proof")
    if configuration:
        table.add_column("configuration")
    for row in rows:
        cost, used = row.cost, row.utilisation
        assert cost is not None
        ram = format_bytes(cost.ram_bytes)
        table.add_row(
            row.platform,
            format_count(cost.macs),
            ram if row.least_ram_bytes is None else f"<= {ram}",
            _percent(used, "ram"),
            format_bytes(cost.flash_bytes),
            _percent(used, "flash"),
            "-" if cost.latency_s is None else f"~ {format_seconds(cost.latency_s)}",
            ", ".join(LABELS[name] for name in row.binding) or "-",
            "best" if row.status == "optimal" else "not proven",
            *([_knobs(row)] if configuration else []),
        )
    return table


def _percent(used: Mapping[str, float], name: str) -> str:
    return f"{100 * used[name]:.1f} %" if name in used else "-"


def _knobs(row: ComparedRow) -> str:
    values = dict(row.hyperparameters or {})
    names = [h.name for h in find_family(row.family).hyperparameters if h.name in values]
    shown = gathered(values, {name: values[name] for name in names} or values)
    return escape(" ".join(f"{name}={value}" for name, value in shown))


def _reason(row: ComparedRow) -> str:
    return row.reason if row.verdict == "fails" else f"{row.verdict.value}: {row.reason}"


def _together(rows: Sequence[ComparedRow], text: Callable[[ComparedRow], str]) -> list[tuple[str, list[str]]]:
    """Texts in the order of rows, each with the platforms that it is true of."""
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(text(row), []).append(row.platform)
    return list(found.items())
