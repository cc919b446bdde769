"""Words of a picture: text, lines, markers, ticks of an axis; lengths in px.

Colours are those of Okabe and Ito, which stay apart for colour-blind eyes; markers differ in shape too.
"""

from __future__ import annotations

import math
from html import escape

INK, QUIET, GRID = "#20242b", "#5b616b", "#e3e6eb"
BLUE, ORANGE, GREEN, VERMILLION, PURPLE, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#b4b9c2"
WIDE, USUAL = 0.72, 0.6
"""Width of a capital and of another character over the size, more than common sans-serifs have."""


def width_of(words: str, size: float) -> float:
    """Room to leave for a text [px]."""
    wide = sum(c.isupper() or c in "_#%" for c in words)
    return size * (WIDE * wide + USUAL * (len(words) - wide))


def text(
    x: float, y: float, words: str, size: float = 10, anchor: str = "start", fill: str = INK, bold: bool = False
) -> str:
    """A line of text whose baseline is at ``y``."""
    weight = ' font-weight="bold"' if bold else ""
    at = f'x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}"'
    return f'<text {at} fill="{fill}"{weight}>{clean(words)}</text>'


def clean(words: str) -> str:
    """Any text as XML can hold it."""
    return escape("".join(c if c.isprintable() else "?" for c in words))


def short(words: str, most: int) -> str:
    """The text, cut to ``most`` characters."""
    return words if len(words) <= most else f"{words[: most - 1]}…"


def rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    """A box without a border."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"/>'


def line(x1: float, y1: float, x2: float, y2: float, stroke: str, width: float = 1, dashes: str = "") -> str:
    """A straight line, or a dashed one."""
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    ends = f'd="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"'
    return f'<path {ends} fill="none" stroke="{stroke}" stroke-width="{width:g}"{dashed}/>'


SHAPES = {
    "layer": "M-4 -4L4 4M-4 4L4 -4",
    "patch": "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0Z",
    "patch+": "M-2.7 -2.7h5.4v5.4h-5.4Z",
    "stream1d": "M0 -3.6L3.4 2.5h-6.8Z",
    "stream2d": "M0 -3.8L3.8 0L0 3.8L-3.8 0Z",
}
COLOURS = {"layer": INK, "patch": BLUE, "patch+": GREEN, "stream1d": ORANGE, "stream2d": PURPLE}


def marker(x: float, y: float, schedule: str, *, strong: bool = False) -> str:
    """The sign of a schedule; ``strong`` with a dark rim."""
    colour = COLOURS[schedule]
    rim = (
        f'stroke="{INK}" stroke-width="1.2"'
        if strong or schedule == "layer"
        else f'fill-opacity="0.45" stroke="{colour}"'
    )
    return f'<path transform="translate({x:.1f} {y:.1f})" d="{SHAPES[schedule]}" fill="{colour}" {rim}/>'


def ticks(most: float, count: int = 5) -> list[float]:
    """Round numbers from 0 to ``most``, about ``count`` of them."""
    rough = most / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((power * factor for factor in (1, 2, 5, 10)), key=lambda round_: abs(math.log(round_ / rough)))
    return [step * at for at in range(int(most / step + 1e-9) + 1)]


def log_ticks(least: float, most: float) -> list[float]:
    """1, 2 and 5 times powers of ten between two numbers; of many only the powers, of one decade or less more."""
    low, high = math.floor(math.log10(least)), math.ceil(math.log10(most))
    for factors in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
        found = [f * 10.0**power for power in range(low, high + 1) for f in factors if least <= f * 10.0**power <= most]
        if len(found) >= 4:
            return found
    return [least + (most - least) * at / 3 for at in range(4)]
