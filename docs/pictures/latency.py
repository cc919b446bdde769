"""Latency as a sum of work times rates, and the interval around it."""

from __future__ import annotations

from paper import EDGE, SIZE, WIDTH, svg

import hwscale
from hwscale.drawing.marks import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, QUIET, VERMILLION, line, rect, text, ticks
from hwscale.latency_model import FEMTO
from hwscale.units import format_count, format_seconds

COLOURS = (BLUE, GREEN, ORANGE, PURPLE, VERMILLION, GREY)
LEFT, RIGHT = EDGE, WIDTH - EDGE


def picture() -> str:
    """The quick start's XiNet on its board."""
    fit = hwscale.fit("xinet", "stm32h743", verify="none")
    report = hwscale.cost("xinet", fit.hyperparameters, platform="stm32h743")
    shares = [(work, work.of(report.ops), fs) for work, fs in report.fs_per_unit.items()]
    shares = sorted((each for each in shares if each[1]), key=lambda each: -each[1] * each[2])
    low, high = report.cost.latency_interval_s
    scale = (RIGHT - LEFT) / (1.06 * high)
    lines = [text(EDGE, 26, "Work times what one unit of it takes", SIZE, bold=True)]
    top = 44.0
    for at, (work, units, fs) in enumerate(shares):
        y = top + 24 * at
        kinds = ", ".join(work.operators[:2]) + (" ..." if len(work.operators) > 2 else "")
        unit = {"macs": "MACs", "elements": "map elements", "ops": "calls"}[work.quantity]
        lines.append(rect(EDGE, y + 2, 13, 13, COLOURS[at % len(COLOURS)]))
        lines.append(text(EDGE + 22, y + 13, f"{unit} of {kinds}", SIZE - 1))
        lines.append(text(452, y + 13, f"{format_count(units)} x {format_seconds(fs / FEMTO)}", SIZE - 1, "end"))
        lines.append(text(RIGHT, y + 13, f"= {1e3 * units * fs / FEMTO:,.1f} ms", SIZE - 1, "end"))
    y = top + 24 * len(shares) + 28
    total = report.cost.latency_s
    lines.append(text(EDGE, y, f"Their sum: {1e3 * total:,.1f} ms", SIZE, bold=True))
    x = float(LEFT)
    for at, (_, units, fs) in enumerate(shares):
        width = units * fs / FEMTO * scale
        lines.append(rect(x, y + 12, width, 30, COLOURS[at % len(COLOURS)]))
        x += width
    whisker = y + 62
    lines += [line(LEFT + low * scale, whisker, LEFT + high * scale, whisker, INK, 2)]
    lines += [line(LEFT + end * scale, whisker - 7, LEFT + end * scale, whisker + 7, INK, 2) for end in (low, high)]
    lines.append(f'<circle cx="{LEFT + total * scale:.1f}" cy="{whisker:.1f}" r="5" fill="{INK}"/>')
    said = f"{1e3 * low:,.0f} to {1e3 * high:,.0f} ms: holds 9 of 10 networks"
    lines.append(text(LEFT + (low + high) / 2 * scale, whisker + 26, said, SIZE, "middle"))
    foot = whisker + 40
    lines.append(line(LEFT, foot, RIGHT, foot, QUIET))
    for tick in ticks(1.06 * high * 1e3):
        across = LEFT + tick / 1e3 * scale
        lines += [line(across, foot, across, foot + 5, QUIET)]
        lines += [text(across, foot + 19, f"{tick:g}", SIZE - 2, "middle" if tick else "start", QUIET)]
    lines.append(text(RIGHT, foot + 37, "latency [ms]", SIZE - 1, "end", QUIET))
    return svg(foot + 50, lines, "Latency is work times rates, with an interval")
