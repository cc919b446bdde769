"""Where the time goes, by kind of op and op by op, as the operator model has it: estimates all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hwscale.errors import ConfigError
from hwscale.result import CostReport, Fit
from hwscale.units import format_count, format_seconds
from hwscale.viz.canvas import new_figure, save_figure
from hwscale.viz.op_rows import OpTable, op_table
from hwscale.viz.palette import KINDS, kind_of
from hwscale.viz.plotly_layout import Spec, axis, bars, layout, plain

MS = 1e-3


def timed(result: Fit | CostReport) -> OpTable:
    """The ops with their times; ConfigError, with the reason, where no time is known."""
    table = op_table(result)
    if not table.rates:
        raise ConfigError(f"no time of an op is known: {table.no_time}; name a platform and runtime with rates")
    return table


def by_kind(table: OpTable) -> dict[str, float]:
    """Seconds of all ops of a kind, by kind as the ops name it, longest first; kinds without time are left out."""
    found: dict[str, float] = {}
    for row in table.rows:
        found[row.op.kind] = found.get(row.op.kind, 0.0) + (row.latency_s or 0.0)
    return dict(sorted(((kind, time) for kind, time in found.items() if time), key=lambda pair: -pair[1]))


def free_kinds(table: OpTable) -> tuple[str, ...]:
    """Kinds of op to which the model gives no time of their own."""
    return tuple(sorted({row.op.kind for row in table.rows} - set(by_kind(table))))


def _share(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "below 1 %"


def figure(result: Fit | CostReport) -> Any:
    """The static plot, a matplotlib Figure; ConfigError without matplotlib or without times."""
    table = timed(result)
    made, (kinds, ops) = new_figure(10, 3.8, 1, 2, width_ratios=[1, 1.8])
    shares = by_kind(table)
    total = sum(shares.values())
    for at, (kind, time) in enumerate(shares.items()):
        kinds.barh(at, time / MS, color=KINDS[kind_of(kind)], height=0.6, gid=kind)
        kinds.text(time / MS, at, f" {format_seconds(time)}, {_share(time / total)}", va="center", fontsize=8)
    kinds.set_yticks(range(len(shares)), list(shares))
    kinds.set_ylim(len(shares) - 0.5, -0.5)
    kinds.set_xlim(0, 1.5 * max(shares.values()) / MS)
    kinds.grid(visible=False, axis="y")
    kinds.set_xlabel("estimated latency [ms]")
    kinds.set_title("by kind of op", fontsize=9, loc="left")
    for kind in dict.fromkeys(kind_of(row.op.kind) for row in table.rows if row.latency_s):
        rows = [row for row in table.rows if kind_of(row.op.kind) == kind and row.latency_s]
        heights = [(row.latency_s or 0) / MS for row in rows]
        ops.bar([row.number for row in rows], heights, width=0.85, color=KINDS[kind], label=kind, gid=kind)
    ops.set_xlim(0.3, len(table.rows) + 0.7)
    ops.grid(visible=False, axis="x")
    ops.set_xlabel("op, in order of execution")
    ops.set_ylabel("estimated latency [ms]")
    ops.set_title("op by op", fontsize=9, loc="left")
    ops.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, fontsize=8, frameon=False)
    made.suptitle(f"{table.title}: {format_seconds(table.latency_s or 0)}", fontsize=9, x=0.01, ha="left")
    return made


def specs(result: Fit | CostReport) -> dict[str, Spec]:
    """The interactive plots, "kinds" and "ops"; ConfigError without times."""
    table = timed(result)
    shares = by_kind(table)
    total = sum(shares.values())
    words = [f"{plain(kind)}: {format_seconds(time)}, {_share(time / total)}" for kind, time in shares.items()]
    kinds = bars(
        "kinds",
        [time / MS for time in shares.values()],
        [plain(kind) for kind in shares],
        [KINDS[kind_of(kind)] for kind in shares],
        words,
        orientation="h",
        text=[_share(time / total) for time in shares.values()],
        textposition="outside",
        cliponaxis=False,
    )
    most = 1.15 * max(shares.values()) / MS
    x = axis("estimated latency [ms]", range=[0, most], nticks=6)
    y = axis("", autorange="reversed", showgrid=False, type="category")
    first = layout(x, y, 110 + 34 * len(shares), showlegend=False, dragmode=False)
    traces = []
    for kind in dict.fromkeys(kind_of(row.op.kind) for row in table.rows if row.latency_s):
        rows = [row for row in table.rows if kind_of(row.op.kind) == kind and row.latency_s]
        hover = [
            f"{row.number}. {plain(row.op.name)}<br>{plain(row.op.kind)}<br>{format_seconds(row.latency_s or 0)}, "
            f"{format_count(row.op.macs)} MACs"
            for row in rows
        ]
        heights = [(row.latency_s or 0) / MS for row in rows]
        traces.append(bars(kind, [row.number for row in rows], heights, KINDS[kind], hover, width=0.85))
    span = axis("op, in order of execution", showgrid=False, range=[0.3, len(table.rows) + 0.7])
    second = layout(span, axis("estimated latency [ms]", rangemode="tozero"), 340, barmode="overlay", bargap=0.15)
    return {
        "kinds": {"data": [kinds], "layout": first, "caption": ""},
        "ops": {"data": traces, "layout": second, "caption": ""},
    }


def save(result: Fit | CostReport, path: str | Path) -> None:
    """Write the static plot as .png, .svg or .pdf; see `hwscale.viz.canvas.save_figure` for errors."""
    save_figure(figure(result), path)
