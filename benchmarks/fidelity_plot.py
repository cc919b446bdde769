"""Predicted over measured bytes as an SVG: one panel per runtime and quantity, both axes logarithmic and alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from benchmarks.fidelity_record import Record

PANELS = (
    ("tflm", "arena"), ("tflm", "stripped file"), ("tinyengine", "SRAM"), ("tinyengine", "Flash image"), ("executorch", "arena"),
    ("xcubeai-7.3", "activation RAM"), ("xcubeai-8.1", "activation RAM"), ("xcubeai-10.0", "activation RAM"),
    ("st-edge-ai-3.0", "activation RAM"), ("xcubeai-7.3", "SRAM with runtime"),
)  # fmt: skip
COLUMNS, SIDE, GAP, LEFT, TOP = 5, 160, 62, 48, 64
FITTED, HELD_OUT, MISS, QUIET = "#3b6fb5", "#d9822b", "#b3261e", "#8a8f98"
KIB = 1024


def svg(records: Sequence[Record]) -> str:
    """The figure as text, the same for the same records."""
    rows = -(-len(PANELS) // COLUMNS)
    width = LEFT + COLUMNS * (SIDE + GAP)
    height = TOP + rows * (SIDE + GAP) + 8
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="20" font-size="14" fill="#20242b">Predicted (up) over measured (right), KiB</text>',
        *_legend(),
    ]
    for n, (runtime, quantity) in enumerate(PANELS):
        own = [r for r in records if (r.runtime, r.quantity) == (runtime, quantity)]
        x = LEFT + (n % COLUMNS) * (SIDE + GAP)
        y = TOP + (n // COLUMNS) * (SIDE + GAP)
        lines += _panel(f"{runtime}: {quantity}", own, x, y)
    return "\n".join([*lines, "</svg>", ""])


def _legend() -> list[str]:
    lines, x = [], LEFT
    entries = (
        (FITTED, "the rule was derived from it"),
        (HELD_OUT, "the rule has not seen it"),
        (MISS, "off by more than stated"),
    )
    for colour, text in entries:
        lines.append(f'<circle cx="{x + 5}" cy="36" r="4" fill="{colour}"/>')
        lines.append(f'<text x="{x + 14}" y="40" fill="#20242b">{text}</text>')
        x += 200
    lines.append(f'<text x="{x}" y="40" fill="#20242b">bars: intervals; line: equal</text>')
    return lines


def _panel(title: str, records: Sequence[Record], x: int, y: int) -> list[str]:
    lines = [
        f'<text x="{x}" y="{y - 6}" font-weight="bold" fill="#20242b">{escape(title)}</text>',
        f'<rect x="{x}" y="{y}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#c9ced6"/>',
    ]
    if not records:
        return lines
    numbers = [n for r in records for n in (r.low, r.high, r.measured)]
    least, most = math.floor(math.log2(min(numbers) / KIB) - 0.2), math.ceil(math.log2(max(numbers) / KIB) + 0.2)

    def along(size: float) -> float:
        return SIDE * (math.log2(size / KIB) - least) / (most - least)

    step = 1 if most - least <= 4 else 2
    for power in range(least, most + 1):
        at = along(KIB * 2.0**power)
        lines.append(
            f'<path d="M{x + at:.1f} {y}v{SIDE}M{x} {y + SIDE - at:.1f}h{SIDE}" stroke="#eceff3" fill="none"/>'
        )
        if (power - least) % step == 0:
            lines.append(
                f'<text x="{x + at:.1f}" y="{y + SIDE + 14}" text-anchor="middle" fill="#5b616b">{2**power:g}</text>'
            )
            lines.append(
                f'<text x="{x - 5}" y="{y + SIDE - at + 4:.1f}" text-anchor="end" fill="#5b616b">{2**power:g}</text>'
            )
    lines.append(f'<path d="M{x} {y + SIDE}L{x + SIDE} {y}" stroke="{QUIET}" fill="none"/>')
    for r in records:
        colour = MISS if r.miss else FITTED if r.fitted else HELD_OUT
        across, low, high = x + along(r.measured), y + SIDE - along(r.low), y + SIDE - along(r.high)
        if r.interval:
            bar = f'<path d="M{across:.1f} {low:.1f}V{high:.1f}" stroke="{colour}" stroke-width="3" stroke-opacity="0.7"/>'
            lines.append(bar)
        else:
            lines.append(f'<circle cx="{across:.1f}" cy="{high:.1f}" r="3" fill="{colour}" fill-opacity="0.6"/>')
    return lines
