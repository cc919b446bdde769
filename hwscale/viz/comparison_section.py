"""A comparison in a page: every family on every platform, the best or the reason why there is none."""

from __future__ import annotations

from typing import Any

from hwscale.budget import show
from hwscale.stage_names import gathered
from hwscale.viz.comparison_plot import answered, spec
from hwscale.viz.fit_sections import LABELS
from hwscale.viz.markup import EMPTY, Cell, amount, paragraph, plot, section, table, words


def comparison_section(comparison: Any) -> str:
    """The plot and the table."""
    rows = comparison.rows
    found = answered(comparison)
    drawn = plot("comparison-plot", "MACs of the best that fits", spec(comparison)) if found else ""
    used = [name for name in LABELS if any(name in row.utilisation for row in rows)]
    costs = [name for name in LABELS if any(row.cost.quantity(name) is not None for row in found)]
    columns = ["family", "platform", "verdict", "proof", *(LABELS[name] for name in costs)]
    columns += [*(f"{LABELS[name]} used" for name in used), "binding", "hyperparameters or reason"]
    return section(
        "comparison",
        "Comparison",
        paragraph(
            f"{len(found)} of {len(rows)} questions have an answer, {comparison.seconds:.1f} s. Latency and energy are estimated."
        ),
        drawn,
        table("The best of each family on each platform", columns, [_line(row, costs, used) for row in rows]),
    )


def _line(row: Any, costs: list[str], used: list[str]) -> list[Cell]:
    line = [words(row.family), words(row.platform), words(row.verdict), words(row.status)]
    for name in costs:
        value = None if row.cost is None else row.cost.quantity(name)
        line.append(EMPTY if value is None else amount(value, show(name, value)))
    for name in used:
        share = row.utilisation.get(name)
        line.append(EMPTY if share is None else amount(share, f"{100 * share:.1f} %"))
    values = row.hyperparameters
    knobs = "" if values is None else "  ".join(f"{name}={value}" for name, value in gathered(values, values))
    said = "; ".join(part for part in (knobs, row.reason, row.note) if part)
    return [*line, words(", ".join(LABELS[name] for name in row.binding)), words(said)]
