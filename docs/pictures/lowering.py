"""One network, several runtimes: other ops, other memory."""

from __future__ import annotations

from paper import EDGE, PALE, SIZE, WIDTH, frame, svg

import hwscale
from hwscale.drawing.marks import BLUE, QUIET, line, rect, text
from hwscale.units import format_bytes

VALUES = {"alpha": 0.35, "resolution": 96}
RUNTIMES = ("tensors", "executorch", "tinyengine", "xcubeai-7.3", "st-edge-ai-3.0", "xcubeai-10.0", "tflm")
FIRST = 5
LEFT, RIGHT = 150, WIDTH - EDGE - 150


def picture() -> str:
    """MobileNetV2 0.35 at 96 px: the first ops in two runtimes, then RAM in all that run it."""
    found = {name: hwscale.cost("mobilenet_v2", VALUES, runtime=name) for name in RUNTIMES}
    lines = [text(EDGE, 26, "MobileNetV2 0.35 at 96 px: the first ops that are executed", SIZE, bold=True)]
    for at, name in enumerate(("tinyengine", "tflm")):
        y = 42 + 44 * at
        ops = found[name].ops
        lines.append(text(EDGE, y + 21, name, SIZE))
        x = 104.0
        for op in ops[:FIRST]:
            padded = op.name.endswith(".pad")
            width = 78.0
            lines.append(frame(x, y, width, 32, PALE["orange"] if padded else PALE["blue"], QUIET))
            lines.append(text(x + width / 2, y + 20, op.name, SIZE - 2, "middle"))
            x += width + 8
        lines.append(text(x + 2, y + 20, f"... {len(ops)} ops", SIZE - 2, fill=QUIET))
    top = 160.0
    lines.append(text(EDGE, top, "RAM of the same network", SIZE, bold=True))
    most = max(report.ram_bytes for report in found.values())
    scale = (RIGHT - LEFT) / most
    for at, (name, report) in enumerate(found.items()):
        y = top + 16 + 27 * at
        least = report.least_ram_bytes
        lines.append(text(LEFT - 10, y + 14, name, SIZE, "end"))
        lines.append(rect(LEFT, y, (least or report.ram_bytes) * scale, 19, BLUE))
        shown = format_bytes(report.ram_bytes)
        if least is not None:
            lines.append(rect(LEFT + least * scale, y, (report.ram_bytes - least) * scale, 19, "#9cc4e0"))
            shown = f"{least / 1024:,.1f} to {shown}"
        lines.append(text(LEFT + report.ram_bytes * scale + 8, y + 14, shown, SIZE - 1))
    foot = top + 16 + 27 * len(found)
    lines.append(line(LEFT, top + 12, LEFT, foot, QUIET))
    lines.append(
        text(
            EDGE,
            foot + 20,
            "pale: the interval of a runtime that is only bounded; its upper end counts",
            SIZE - 1,
            fill=QUIET,
        )
    )
    return svg(foot + 36, lines, "One graph, several runtimes")
