"""Predicted over published latency as an SVG: two panels, both axes of each logarithmic and alike; a shape per part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from benchmarks.latency_predicted import SHIPPED, TOO_WIDE, Predicted

SIDE, GAP, LEFT, TOP, LEGEND = 420, 76, 70, 84, 84
INK, QUIET, GRID, EDGE = "#20242b", "#5b616b", "#eceff3", "#c9ced6"
XMLNS = "http://www.w3.org/2000/svg"
SIZE = 4.5
"""Half the side of a mark [px]."""
HIGH = 10_000.0
"""Upper end of both axes [ms]."""
BAND = 0.25
LOOKS = {
    "stm32h743": ("#0072B2", "circle"),
    "stm32h747": ("#D55E00", "square"),
    "stm32h7a3": ("#009E73", "triangle"),
    "stm32f746": ("#CC79A7", "diamond"),
    "STM32F769I-DISCO": ("#000000", "plus"),
    "stm32l4r5": ("#E69F00", "down"),
    "stm32u585": ("#56B4E9", "pentagon"),
    "nrf5340": ("#000000", "star"),
    "rp2040": ("#7a7a7a", "cross"),
    "esp32-s3": ("#0072B2", "bar"),
}
"""Okabe and Ito's colours; where two parts share one, their shapes lie far apart."""
PANELS = ("Left out of the fits that are shipped", "Filled: fits too wide to ship; hollow: not fitted or own rate")


def svg(predicted: Sequence[Predicted]) -> str:
    """The figure as text, the same for the same rows."""
    width, height = LEFT + 2 * SIDE + GAP + 24, TOP + SIDE + 46 + LEGEND
    lines = [
        f'<svg xmlns="{XMLNS}" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="24" font-size="16" fill="{INK}">Predicted (up) over published (right) latency</text>',
        f'<text x="{LEFT}" y="44" fill="{QUIET}">solid line: equal; dashed: {100 * BAND:.0f} % above and below</text>',
    ]
    shipped = [one for one in predicted if one.ground == SHIPPED]
    others = [one for one in predicted if one.ground != SHIPPED]
    for n, (title, own) in enumerate(zip(PANELS, (shipped, others), strict=True)):
        lines += _panel(title, own, LEFT + n * (SIDE + GAP))
    return "\n".join([*lines, *_legend(predicted, TOP + SIDE + 66), "</svg>", ""])


def _panel(title: str, own: Sequence[Predicted], x: int) -> list[str]:
    bottom = TOP + SIDE
    points = [
        (1e3 * one.row.sample.latency_s, 1e3 * one.found.predicted_s, one) for one in own if one.found is not None
    ]
    least = 10.0 ** math.floor(math.log10(min(min(published, predicted) for published, predicted, _ in points)))

    def along(milliseconds: float) -> float:
        return SIDE * math.log(milliseconds / least) / math.log(HIGH / least)

    lines = [f'<text x="{x}" y="{TOP - 12}" font-weight="bold" fill="{INK}">{escape(title)}</text>']
    for power in range(round(math.log10(least)), round(math.log10(HIGH)) + 1):
        tick, at = f"{10.0**power:g}", along(10.0**power)
        lines += [
            f'<path d="M{x + at:.1f} {TOP}v{SIDE}M{x} {bottom - at:.1f}h{SIDE}" stroke="{GRID}" fill="none"/>',
            f'<text x="{x + at:.1f}" y="{bottom + 16}" text-anchor="middle" fill="{QUIET}">{tick}</text>',
            f'<text x="{x - 6}" y="{bottom - at + 4:.1f}" text-anchor="end" fill="{QUIET}">{tick}</text>',
        ]
    aside = f"translate({x - 48} {TOP + SIDE // 2}) rotate(-90)"
    lines += [
        f'<rect x="{x}" y="{TOP}" width="{SIDE}" height="{SIDE}" fill="none" stroke="{EDGE}"/>',
        f'<text x="{x + SIDE // 2}" y="{bottom + 36}" text-anchor="middle" fill="{INK}">published [ms]</text>',
        f'<text transform="{aside}" text-anchor="middle" fill="{INK}">predicted [ms]</text>',
        f'<path d="M{x} {bottom}L{x + SIDE} {TOP}" stroke="{QUIET}" fill="none"/>',
    ]
    for factor in (1 + BAND, 1 - BAND):
        shift = along(least * factor)
        ends = (0.0, SIDE - shift) if shift > 0 else (-shift, float(SIDE))
        start, end = ((x + at, bottom - at - shift) for at in ends)
        path = f"M{start[0]:.1f} {start[1]:.1f}L{end[0]:.1f} {end[1]:.1f}"
        lines.append(f'<path d="{path}" stroke="{QUIET}" stroke-dasharray="5 4" fill="none"/>')
    for published, predicted, one in points:
        right, up = along(published), along(predicted)
        lines.append(_mark(one.part, x + right, bottom - up, hollow=one.ground not in (SHIPPED, TOO_WIDE)))
    return lines


def _mark(part: str, x: float, y: float, *, hollow: bool = False) -> str:
    colour, shape = LOOKS[part]
    paint = f'fill="{"none" if hollow else colour}" fill-opacity="0.55" stroke="{colour}" stroke-width="1.3"'
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{SIZE}" {paint}/>'
    return f'<path d="{_outline(shape, x, y)}" {paint}/>'


def _outline(shape: str, x: float, y: float) -> str:
    if shape in ("plus", "cross", "bar"):
        s = SIZE
        strokes = {
            "plus": f"M{x - s:.1f} {y:.1f}h{2 * s}M{x:.1f} {y - s:.1f}v{2 * s}",
            "cross": f"M{x - s:.1f} {y - s:.1f}l{2 * s} {2 * s}m0 {-2 * s}l{-2 * s} {2 * s}",
            "bar": f"M{x - s:.1f} {y - 2:.1f}h{2 * s}v4h{-2 * s}z",
        }
        return strokes[shape]
    corners, turn = {"square": (4, 45), "triangle": (3, 0), "down": (3, 180), "diamond": (4, 0)}.get(shape, (5, 0))
    radius = 1.25 * SIZE
    count = 2 * corners if shape == "star" else corners
    points = []
    for n in range(count):
        angle = math.radians(360 * n / count + turn - 90)
        reach = radius * (0.45 if shape == "star" and n % 2 else 1.0)
        points.append(f"{x + reach * math.cos(angle):.1f} {y + reach * math.sin(angle):.1f}")
    return f"M{'L'.join(points)}z"


def _legend(predicted: Sequence[Predicted], top: int) -> list[str]:
    lines = []
    present = {one.part for one in predicted if one.found is not None}
    for n, part in enumerate(part for part in LOOKS if part in present):
        x, y = LEFT + 184 * (n % 5), top + 24 * (n // 5)
        lines.append(_mark(part, x + 8, y))
        lines.append(f'<text x="{x + 22}" y="{y + 4}" fill="{INK}">{part}</text>')
    return lines
