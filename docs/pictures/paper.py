"""The sheet that the pictures are drawn on: its size, its ground, arrows and frames; lengths in px."""

from __future__ import annotations

from collections.abc import Iterable

from hwscale.drawing.marks import INK, QUIET

WIDTH = 640
EDGE = 20
SIZE = 13
"""Of the letters: the sheet is shown at about its width on a desk and at half of it on a phone."""
PALE = {"blue": "#cfe3f2", "orange": "#fbe6b8", "green": "#c5e8dc", "red": "#f6d2bf", "grey": "#e3e6eb"}


def svg(height: float, lines: Iterable[str], title: str) -> str:
    """The picture as text; a light ground of its own keeps it readable on a dark page."""
    size = f'viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" role="img">',
            f"<title>{title}</title>",
            f'<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>',
            *lines,
            "</svg>",
            "",
        ]
    )


def frame(x: float, y: float, width: float, height: float, fill: str, stroke: str = QUIET, dashes: str = "") -> str:
    """A box with a border."""
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    box = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {box} fill="{fill}" stroke="{stroke}"{dashed}/>'


def arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    """A level or upright arrow."""
    if y1 == y2:
        back = -6 if x2 > x1 else 6
        head = f"M{x2:.1f} {y2:.1f}l{back} -3.5v7Z"
    else:
        back = -6 if y2 > y1 else 6
        head = f"M{x2:.1f} {y2:.1f}l-3.5 {back}h7Z"
    shaft = f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" fill="none" stroke="{INK}" stroke-width="1.2"/>'
    return f'{shaft}<path d="{head}" fill="{INK}"/>'
