"""What is in RAM op by op, and what the arena looks like at the peak."""

from __future__ import annotations

from paper import EDGE, PALE, SIZE, WIDTH, frame, svg

import hwscale
from hwscale.drawing.marks import BLUE, GRID, ORANGE, QUIET, VERMILLION, line, rect, text, ticks
from hwscale.op_memory import op_memory
from hwscale.runtimes import find_runtime
from hwscale.schedules import LAYER

KIB = 1024
ROW = 16
SHOWN = 14
"""Ops with a row of their own; behind them maps are small."""
LEFT, RIGHT = 170, WIDTH - EDGE - 50


def picture() -> str:
    """The quick start's XiNet in `tflm`."""
    fit = hwscale.fit("xinet", "stm32h743", verify="none")
    graph = fit.configuration.graph(fit.runtime, False, LAYER)
    needs = op_memory(graph, LAYER, find_runtime(fit.runtime))
    most = max(need.live_bytes for need in needs)
    scale = (RIGHT - LEFT) / most
    lines = [text(EDGE, 26, "Tensors in memory while each op runs [KiB]", SIZE, bold=True)]
    top = 46
    foot = top + ROW * SHOWN
    for tick in ticks(most / KIB):
        across = LEFT + tick * KIB * scale
        lines += [
            line(across, top, across, foot, GRID),
            text(across, foot + 16, f"{tick:g}", SIZE - 2, "middle", QUIET),
        ]
    for at, need in enumerate(needs[:SHOWN]):
        y, at_peak = top + ROW * at, need.live_bytes == most
        lines.append(text(LEFT - 8, y + 12, need.name, SIZE - 1, "end", bold=at_peak))
        lines.append(rect(LEFT, y + 2, need.live_bytes * scale, ROW - 4, VERMILLION if at_peak else BLUE))
        if at_peak:
            lines.append(text(RIGHT + 6, y + 12, "peak", SIZE - 1, fill=VERMILLION, bold=True))
    rest = max(need.live_bytes for need in needs[SHOWN:])
    more = f"{len(needs) - SHOWN} more ops, none above {rest / KIB:.0f} KiB"
    lines.append(text(LEFT, foot + 36, more, SIZE - 1, fill=QUIET))
    lines += _arena(foot + 72, fit)
    return svg(foot + 176, lines, "RAM op by op, and the arena at its peak")


def _arena(top: float, fit: hwscale.Fit) -> list[str]:
    parts = dict(fit.ram_parts)
    limit = int(fit.limits["ram"])
    scale = (WIDTH - 2 * EDGE) / limit
    lines = [text(EDGE, top, f"The arena at the peak: {fit.cost.ram_bytes:,} B of {limit:,} B", SIZE, bold=True)]
    x = float(EDGE)
    for tensor in fit.live:
        width = tensor.size_bytes * scale
        lines += [frame(x, top + 14, width, 34, PALE["red"], VERMILLION)]
        lines += [text(x + width / 2, top + 35, tensor.op, SIZE - 1, "middle")]
        x += width
    width = parts["tail"] * scale
    lines += [frame(x, top + 14, width, 34, PALE["orange"], ORANGE)]
    lines += [text(x + width / 2, top + 35, "tail", SIZE - 1, "middle")]
    head = EDGE + parts["head"] * scale
    lines += [
        line(EDGE, top + 58, head - 3, top + 58, VERMILLION, 2),
        line(head, top + 58, x + width, top + 58, ORANGE, 2),
    ]
    said = f"head {parts['head']:,} B: maps, used again by every op"
    lines += [text(EDGE, top + 77, said, SIZE - 1, fill=VERMILLION)]
    lines += [text(x + width, top + 77, f"tail {parts['tail']:,} B: stays", SIZE - 1, "end", "#8a5f00")]
    return lines
