"""The part of ``fit --explain`` that says what more of a limit buys."""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Table

from hwscale.budget import show
from hwscale.explore.what_if import Arc, Breakpoint, WhatIf, too_long
from hwscale.result import Fit
from hwscale.stage_names import gathered

LABELS = {"ram": "RAM", "flash": "Flash", "macs": "MACs", "latency": "latency", "energy": "energy"}
METRICS = {"macs": "MACs", "params": "params"}
DIGITS = 7
"""Significant digits of a latency or energy to type back; the last is rounded up, so that it buys what it says."""


def render_what_ifs(console: Console, fit: Fit) -> None:
    """A row a limit: arcs, the next budget that buys anything, the local price; nothing beside targets."""
    if too_long(fit):
        console.print()
        console.print(
            f"[bold]What more of a limit buys[/bold] is left out: solving once took {fit.certificate.seconds:.0f} s, and every number "
            "would take as long; fit.what_ifs() in Python works them out"
        )
        return
    found = fit.what_ifs()
    if not found:
        return
    metric = METRICS[found[0].metric]
    plain = fit.problem.objective.plain
    console.print()
    console.print("[bold]What more of a limit buys[/bold]")
    kind = f"{metric} gained" if plain else f"score gained, change of {metric}"
    console.print(f"  the best with that limit raised and the others as they are: {kind}")
    table = Table(box=None, padding=(0, 2), show_edge=False, pad_edge=True)
    table.add_column("limit")
    for arc in found[0].arcs:
        table.add_column(f"+{100 * arc.share:g} %", justify="right")
    table.add_column("next step that buys anything")
    if any(one.multiplier is not None for one in found):
        table.add_column("local estimate", justify="right")
    for one in found:
        price = "" if one.multiplier is None else f"{one.multiplier:.2f} % per %"
        row = [f"{LABELS[one.quantity]} {show(one.quantity, one.budget)}", *(_arc(arc, plain) for arc in one.arcs)]
        table.add_row(*row, _step(one, plain), price)
    console.print(table)
    for one in found:
        if (step := one.breakpoint) is not None:
            knobs = gathered(step.hyperparameters, fit.configuration.hyperparameters)
            console.print(f"  {one.quantity}={_written(one, step)}: {'  '.join(f'{k}={v}' for k, v in knobs)}")
    if any(one.multiplier is not None for one in found):
        console.print(f"  local estimate: % of {metric} per % of the limit in the relaxed problem, which has no steps")
    if fit.latency_limit == "worst" and {"latency", "energy"} & set(fit.limits):
        console.print("  the worst case of latency is taken at the interval of this fit's own network")


def _arc(arc: Arc, plain: bool) -> str:
    doubt = "" if arc.proven else " (not proven)"
    return f"{_gain(arc, plain)}{doubt}" if arc.score_gain else f"0{doubt}"


def _gain(found: Arc | Breakpoint, plain: bool) -> str:
    percent = f"{found.metric_gain_percent:+.2f} %"
    return percent if plain else f"{found.score_gain:+.4f}, {percent}"


def _step(one: WhatIf, plain: bool) -> str:
    """The breakpoint in words."""
    step = one.breakpoint
    if step is None:
        if one.held_by is not None and one.spent:
            return f"nothing by itself: the limit on {one.held_by} stands at the same cost"
        doubt = "" if one.proven else " that the search could find"
        return f"nothing more to buy{doubt}" if one.spent else f"nothing up to {show(one.quantity, one.reach)}{doubt}"
    extra = show(one.quantity, step.extra)
    if step.exact:
        return f"+{extra} buys {_gain(step, plain)}"
    least = max(step.at_least - one.budget, 0)
    between = show(one.quantity, least) if least else "0"
    return f"+{extra} buys {_gain(step, plain)}; not proven the first, which lies above +{between}"


def _written(one: WhatIf, step: Breakpoint) -> str:
    """The budget as text that, typed back as a limit, admits what it buys."""
    if one.quantity in ("ram", "flash"):
        return f"{step.whole}B"
    if one.quantity == "macs":
        return str(step.whole)
    unit, factor = ("ms", 1e3) if one.quantity == "latency" else ("mJ", 1e3)
    value = step.budget * factor
    digit = 10.0 ** (math.floor(math.log10(value)) + 1 - DIGITS)
    return f"{math.ceil(value / digit) * digit:.{DIGITS}g}{unit}"
