"""The sections of a page about one network's ops and memory; a `Fit` and a `CostReport` have the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwscale.errors import ConfigError
from hwscale.result import CostReport, Fit
from hwscale.units import format_bytes, format_count, format_seconds
from hwscale.viz import memory_plot, ram_plot, roofline, time_plot
from hwscale.viz.fit_sections import runtime_sentence
from hwscale.viz.markup import EMPTY, Cell, amount, folded, listed, paragraph, plot, section, table, text, words
from hwscale.viz.memory_map import memory_map
from hwscale.viz.op_rows import op_table

if TYPE_CHECKING:
    from hwscale.platform import Platform


def memory_section(result: Fit | CostReport, platform: Platform | None) -> str:
    """Regions of RAM and Flash and what they hold, and where that is known from."""
    if platform is None:
        return section("memory", "Memory map", paragraph("No platform was named, so there are no regions to fill."))
    found = memory_map(result, platform)
    plots = "".join(
        plot(f"map-{name.lower()}", f"{name} of {platform.name}", spec)
        for name, spec in memory_plot.specs(result, platform).items()
    )
    known = [
        f"{label}: {result.evidence[name]}"
        for name, label in (("ram", "RAM"), ("flash", "Flash"))
        if name in result.evidence
    ]
    rows = [
        [
            words(memory),
            words(region.name),
            words(segment.words),
            amount(segment.size_bytes),
            amount(segment.size_bytes, format_bytes(segment.size_bytes)),
        ]
        for memory, regions in (("RAM", found.ram), ("Flash", found.flash))
        for region in regions
        for segment in region.segments
    ]
    sources = [f"{region.name}: {region.source.text} ({region.source.status})" for region in platform.ram]
    if platform.flash:
        sources.append(f"Flash: {platform.flash.source.text} ({platform.flash.source.status})")
    return section(
        "memory",
        "Memory map",
        f'<div class="pair">{plots}</div>',
        listed([*known, runtime_sentence(result.runtime), *found.notes]),
        table("What the memory holds", ["memory", "region", "what", "bytes", "KiB"], rows),
        folded("Sources of the sizes", sources),
    )


def ram_section(result: Fit | CostReport) -> str:
    """RAM op by op, and what is alive at the peak."""
    table_of_ops = op_table(result)
    live = [
        [words(tensor.op), words(" x ".join(map(str, tensor.shape))), amount(tensor.size_bytes)]
        for tensor in result.live
    ]
    parts = " + ".join(f"{name} {size:,}" for name, size in result.ram_parts)
    total = sum(size for _, size in result.ram_parts)
    spec = ram_plot.spec(result)
    return section(
        "ram",
        "RAM op by op",
        plot("ram-ops", f"RAM while each op runs: peak at {table_of_ops.peak_op}", spec),
        paragraph(f"RAM {total:,} B = {parts}.") if parts else "",
        table(f"Alive at {table_of_ops.peak_op}", ["tensor", "C x H x W", "bytes"], live),
    )


def time_section(result: Fit | CostReport) -> str:
    """Where the time goes, and what holds it back; a sentence where nothing is known."""
    try:
        table_of_ops = time_plot.timed(result)
    except ConfigError as reason:
        return section("time", "Time", paragraph(f"{str(reason).capitalize()}."))
    specs = time_plot.specs(result)
    silent = time_plot.free_kinds(table_of_ops)
    noted = [f"latency {result.evidence['latency']}"]
    if silent:
        noted.append(f"no time of their own in this model: {', '.join(silent)}")
    drawn = ""
    if roofline.drawn_rows(table_of_ops):
        drawn = plot("roofline", "Speed against MACs per byte of maps", roofline.spec(result))
        noted.append(
            "in the model the times of MACs, map bytes and calls add up, so ops lie below the ceilings; weights are not counted as bytes"
        )
    return section(
        "time",
        "Time",
        paragraph(f"Estimated: {format_seconds(table_of_ops.latency_s or 0)} by the operator model."),
        plot("time-kinds", "Estimated latency by kind of op", specs["kinds"]),
        plot("time-ops", "Estimated latency op by op", specs["ops"]),
        drawn,
        listed(noted),
    )


def ops_section(result: Fit | CostReport) -> str:
    """Every op in numbers."""
    table_of_ops = op_table(result)
    total = sum(row.latency_s or 0 for row in table_of_ops.rows)
    columns = ["#", "op", "kind", "MACs", "weights", "Flash bytes", "RAM bytes"]
    if total:
        columns += ["latency, estimated", "share"]
    rows: list[list[Cell]] = []
    for row in table_of_ops.rows:
        op = row.op
        peak = ' <span class="badge estimated">peak</span>' if row is table_of_ops.peak else ""
        line = [
            amount(row.number),
            Cell(f"{text(op.name)}{peak}", op.name),
            words(op.kind),
            amount(op.macs, format_count(op.macs)),
        ]
        line += [amount(op.weights), amount(op.flash_bytes), amount(row.ram_bytes)]
        if total:
            share = 100 * (row.latency_s or 0) / total
            known = row.latency_s
            line += [
                amount(known, format_seconds(known)) if known else EMPTY,
                amount(share, f"{share:.1f} %") if known else EMPTY,
            ]
        rows.append(line)
    return section("ops", "Ops", table(f"{len(rows)} ops in order of execution", columns, rows, tall=True))
