"""The memory map as bars: RAM and Flash side by side, each region as long as it is large."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwscale.result import CostReport, Fit
from hwscale.units import format_bytes
from hwscale.viz.canvas import new_figure, save_figure, ticks
from hwscale.viz.memory_map import MappedRegion, memory_map
from hwscale.viz.op_rows import known_title
from hwscale.viz.palette import MEMORY, PAGE_INK, PAGE_QUIET, light
from hwscale.viz.plotly_layout import Spec, axis, bars, layout, plain
from hwscale.viz.scales import axis_ticks, tick_label

if TYPE_CHECKING:
    from hwscale.platform import Platform

KIB = 1024


def figure(result: Fit | CostReport, platform: Platform) -> Any:
    """The static plot, a matplotlib Figure; ConfigError without matplotlib."""
    found = memory_map(result, platform)
    panels = [("RAM", found.ram), *([("Flash", found.flash)] if found.flash else [])]
    rows = max(len(regions) for _, regions in panels)
    made, every = new_figure(10, 2.4 + 0.42 * rows, 1, len(panels))
    for axes, (label, regions), side in zip(every, panels, ("left", "right"), strict=False):
        seen = _panel(axes, regions, rows)
        axes.set_xlabel(known_title(result, label.lower(), label))
        made.legend(seen.values(), seen, loc=f"outside lower {side}", fontsize=8, frameon=False)
    made.suptitle(
        f"{result.configuration.family} on {platform.name}, runtime {result.runtime}", fontsize=9, x=0.01, ha="left"
    )
    return made


def _panel(axes: Any, regions: Sequence[MappedRegion], rows: int) -> dict[str, Any]:
    """Draw the regions, one a row; what each colour is."""
    seen: dict[str, Any] = {}
    for at, region in enumerate(regions):
        start = 0
        for segment in region.segments:
            patch = axes.barh(
                at,
                segment.size_bytes / KIB,
                left=start / KIB,
                height=0.62,
                color=light(MEMORY[segment.role]),
                edgecolor=light(PAGE_QUIET),
                linewidth=0.6,
                hatch="////" if segment.role == "unusable" else None,
                gid=f"{region.name}:{segment.words}",
            )
            words = segment.words if segment.role == "unusable" else segment.label
            seen.setdefault(words, patch)
            start += segment.size_bytes
        for border in region.borders:
            axes.plot([border / KIB] * 2, [at - 0.31, at + 0.31], color=light(PAGE_INK), linewidth=1, linestyle=":")
        if region.used_bytes > region.size_bytes:
            axes.plot([region.size_bytes / KIB] * 2, [at - 0.4, at + 0.4], color=MEMORY["excess"], linewidth=2.5)
    high = 1.02 * max(max(region.size_bytes, region.used_bytes) for region in regions) / KIB
    axes.set_yticks(range(len(regions)), [_named(region) for region in regions])
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_xlim(0, high)
    at_ticks = axis_ticks(0, high, log=False, binary=True)
    ticks(axes.xaxis, at_ticks, [tick_label(tick) for tick in at_ticks])
    axes.grid(visible=False, axis="y")
    return seen


def _named(region: MappedRegion) -> str:
    return f"{region.name}\n{format_bytes(region.size_bytes)}"


def specs(result: Fit | CostReport, platform: Platform) -> dict[str, Spec]:
    """The interactive plots, of "RAM" and, where the platform has any, of "Flash"."""
    found = memory_map(result, platform)
    panels = [("RAM", found.ram), *([("Flash", found.flash)] if found.flash else [])]
    return {label: _spec(known_title(result, label.lower(), label), regions) for label, regions in panels}


def _spec(title: str, regions: Sequence[MappedRegion]) -> Spec:
    names = [f"{plain(region.name)}<br>{format_bytes(region.size_bytes)}" for region in regions]
    traces: list[dict[str, Any]] = []
    named: set[str] = set()
    for name, region in zip(names, regions, strict=True):
        start = 0
        for segment in region.segments:
            words = segment.words if segment.role == "unusable" else segment.label
            hover = f"{plain(region.name)}<br>{plain(segment.label)}<br>{start:,} to {start + segment.size_bytes:,} B"
            trace = bars(words, [segment.size_bytes / KIB], [name], MEMORY[segment.role], [hover], orientation="h")
            trace |= {"base": [start / KIB], "showlegend": words not in named, "legendgroup": plain(words)}
            trace["marker"]["line"] = {"width": 0.8, "color": PAGE_QUIET}
            if segment.role == "unusable":
                trace["marker"]["pattern"] = {"shape": "/", "fgcolor": PAGE_QUIET, "size": 7, "solidity": 0.2}
            traces.append(trace)
            named.add(words)
            start += segment.size_bytes
    shapes = [
        {
            "type": "line",
            "x0": border / KIB,
            "x1": border / KIB,
            "y0": at - 0.4,
            "y1": at + 0.4,
            "line": {"color": colour, "width": 2 if colour == MEMORY["excess"] else 1, "dash": dash},
        }
        for at, region in enumerate(regions)
        for border, colour, dash in (
            *((one, PAGE_INK, "dot") for one in region.borders),
            *([(region.size_bytes, MEMORY["excess"], "solid")] if region.used_bytes > region.size_bytes else []),
        )
    ]
    high = 1.02 * max(max(region.size_bytes, region.used_bytes) for region in regions) / KIB
    at_ticks = axis_ticks(0, high, log=False, binary=True)
    x = axis(title, range=[0, high], tickvals=at_ticks, ticktext=[tick_label(tick) for tick in at_ticks])
    y = axis("", autorange="reversed", showgrid=False, type="category")
    height = 140 + 46 * len(regions) + 10 * len(named)
    made = layout(x, y, height, barmode="overlay", bargap=0.35, shapes=shapes, dragmode=False)
    return {"data": traces, "layout": made, "caption": ""}


def save(result: Fit | CostReport, platform: Platform, path: str | Path) -> None:
    """Write the static plot as .png, .svg or .pdf; see `hwscale.viz.canvas.save_figure` for errors."""
    save_figure(figure(result, platform), path)
