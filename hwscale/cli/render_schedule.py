"""Bars and tables of `hwscale schedule`; numbers come ready from the API, here they only get units."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hwscale.cli.console import open_console
from hwscale.op_memory import OpMemory
from hwscale.schedule_choices import ScheduleChoices
from hwscale.schedules.choices import Choice
from hwscale.stage_names import gathered
from hwscale.units import format_bytes, format_count

LIVE, KEPT, RESERVED, MARK, OVER = "█", "▓", "░", "│", "┃"
NAME, NUMBER = 24, 9
WIDE = 120
"""Columns that are used at most."""


def render_schedule(found: ScheduleChoices) -> None:
    """Memory of every op before and after, the Pareto-best choices, what fits."""
    console = open_console(WIDE)
    where = f" on {found.platform}" if found.platform else ""
    console.print(f"[bold]{escape(found.network)}[/bold]{where}, runtime {found.runtime.name}")
    channels, height, rows = found.input_shape
    if found.values:
        console.print("  " + "  ".join(f"{name}={value}" for name, value in gathered(found.values, found.values)))
    console.print(f"  input {channels}x{height}x{rows}; {len(found.points)} choices of schedule {found.schedule}")
    if found.note:
        console.print(f"  [yellow]note:[/yellow] {escape(found.note)}")
    console.print()
    _bars(console, found)
    console.print()
    console.print("[bold]Pareto-best[/bold]: RAM against executed MACs")
    console.print(_table(found))
    console.print(f"  {_verdict(found)}")
    console.print(f"  RAM of {found.shown.schedule.name} {escape(found.evidence(found.shown))}")
    if found.flash_fits is False and found.usable:
        sizes = f"{format_bytes(found.flash_bytes)} of Flash, but {format_bytes(found.usable['flash'])} are usable"
        console.print(f"  [red]the network does not fit all the same[/red]: it takes {sizes}, whatever the schedule")


def _verdict(found: ScheduleChoices) -> str:
    colour = "red" if found.usable and found.recommended is None else "green"
    head, colon, rest = found.verdict().partition(":")
    return f"[{colour}]{escape(head)}[/{colour}]{colon}{escape(rest)}"


def _bars(console: Console, found: ScheduleChoices) -> None:
    before, after = found.profile(found.layer), found.profile(found.shown)
    names = [one.name if len(one.name) <= NAME else f"{one.name[: NAME - 1]}…" for one in before]
    margin = max(map(len, names))
    cells = (console.width - margin - 2 * NUMBER - 6) // 2
    usable = found.usable["ram"] if found.usable else None
    # a platform far above both would leave the bars without height
    most = max(need.total_bytes for need in (*before, *after))
    scale = max(most, usable) if usable is not None and usable <= 2 * most else most
    mark = None if usable is None or usable > scale else round(cells * usable / scale)
    limit = None if mark is None or usable is None else (mark, usable)
    head = f"{'':{margin}}  {'before: layer':{cells + 1}}{'KiB':>{NUMBER - 1}}  "
    console.print(f"  [bold]{head}after: {escape(found.shown.text())}[/bold]")
    for at, (name, one, two) in enumerate(zip(names, before, after, strict=True)):
        if at and after[at - 1].staged and not two.staged:
            console.print(f"  {' split ':─^{margin + 2 * (cells + NUMBER) + 2}}")
        text = f"{escape(f'{name:{margin}}')}  {_bar(one, cells, scale, limit)}  {_bar(two, cells, scale, limit)}"
        console.print(f"  {text}")
    kinds = {LIVE: "live tensors", KEPT: "kept for other patches", RESERVED: "buffers of the runtime, gaps"}
    if usable is not None:
        beyond = "" if mark is not None else " (to the right of the bars)"
        kinds[MARK] = f"{format_bytes(usable)} usable{beyond}"
    console.print("  " + "   ".join(f"{sign} {escape(text)}" for sign, text in kinds.items()))


def _bar(need: OpMemory, cells: int, scale: int, limit: tuple[int, int] | None) -> str:
    """One bar with its number; ``limit`` is the cell of the platform's mark and its bytes."""
    # cells end at the sums of the parts, so that rounding does not add up
    ends = [need.live_bytes, need.live_bytes + need.kept_bytes, need.total_bytes]
    signs: list[str] = []
    for sign, end in zip((LIVE, KEPT, RESERVED), ends, strict=True):
        signs += [sign] * (round(cells * end / scale) - len(signs))
    over = limit is not None and need.total_bytes > limit[1]
    signs += [" "] * (cells + 1 - len(signs))
    if limit is not None:
        signs[limit[0]] = OVER if over else MARK
    text = f"{''.join(signs)}{need.total_bytes / 1024:{NUMBER - 1},.1f}"
    return f"[red]{text}[/red]" if over else text


def _table(found: ScheduleChoices) -> Table:
    table = Table(box=None, padding=(0, 2), show_edge=False)
    table.add_column("")
    table.add_column("schedule")
    for column in ("n_patch", "split_idx", "RAM KiB", "MACs", "overhead"):
        table.add_column(column, justify="right")
    table.add_column("split behind")
    if found.usable:
        table.add_column("fits")
    rows: Sequence[Choice] = found.pareto
    for choice in dict.fromkeys([found.layer, *rows]):
        plan = choice.schedule
        numbers = ("", "") if plan.plain else (str(plan.n_patch), str(plan.split_idx))
        cost = f"{choice.ram_bytes / 1024:,.1f}", format_count(choice.macs), f"{100 * choice.overhead:+.1f} %"
        cells = ["→" if choice is found.shown else "", plan.name, *numbers, *cost, escape(choice.behind)]
        if found.usable:
            cells.append("[green]yes[/green]" if found.fitting(choice) else "[red]no[/red]")
        table.add_row(*cells, style="" if choice in rows else "dim")
    return table
