"""What more of each limit would buy, in a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hwscale.budget import show
from hwscale.stage_names import gathered
from hwscale.viz.fit_sections import LABELS
from hwscale.viz.markup import Cell, amount, listed, section, table, words


def what_if_section(found: Sequence[Any]) -> str:
    """Arcs and breakpoints of every limit, as `Fit.what_ifs` has them; "" for none."""
    if not found:
        return ""
    rows = [_line(one.quantity, f"+{100 * arc.share:g} %", arc) for one in found for arc in one.arcs]
    rows += [_line(one.quantity, "first step", one.breakpoint) for one in found if one.breakpoint is not None]
    said = [sentence(one) for one in found]
    said += [
        f"{LABELS[one.quantity]}: about {one.multiplier:.3f} % more {one.metric} per 1 % more, an estimate of the relaxed problem, no bound"
        for one in found
        if one.multiplier is not None
    ]
    metric = found[0].metric
    columns = ["limit", "raised", "to", "score", metric, "best then"]
    return section("what-ifs", "What more would buy", table("Each limit raised alone", columns, rows), listed(said))


def sentence(one: Any) -> str:
    """Where one limit begins to buy something."""
    label = LABELS[one.quantity]
    if one.breakpoint is None:
        return f"{label}: nothing is bought up to {show(one.quantity, one.reach)}"
    exact = "" if one.breakpoint.exact else f" (at the earliest at {show(one.quantity, one.breakpoint.at_least)})"
    return (
        f"{label}: {show(one.quantity, one.breakpoint.extra)} more, {show(one.quantity, one.breakpoint.budget)} in all, "
        f"first buy something{exact}"
    )


def _line(quantity: str, raised: str, step: Any) -> list[Cell]:
    knobs = "  ".join(f"{name}={value}" for name, value in gathered(step.hyperparameters, step.hyperparameters))
    return [
        words(LABELS[quantity]),
        words(raised),
        amount(step.budget, show(quantity, step.budget)),
        amount(step.score_gain, f"{step.score_gain:+.4g}"),
        amount(step.metric_gain_percent, f"{step.metric_gain_percent:+.2f} %"),
        words(knobs if step.score_gain else "the same"),
    ]
