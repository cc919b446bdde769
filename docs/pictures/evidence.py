"""Exact, bounded, estimated: where the true value lies around what is printed."""

from __future__ import annotations

from paper import EDGE, PALE, SIZE, WIDTH, svg

from hwscale.drawing.marks import BLUE, GREEN, INK, ORANGE, QUIET, VERMILLION, line, rect, text

LEFT, RIGHT = 300, WIDTH - EDGE - 10
ROWS = (
    ("exact", GREEN, "printed = true, to the last byte", "MACs, params; RAM of tensors and of tflm"),
    ("bounded", BLUE, "the truth was inside on all rows seen;", "printed is the upper end: RAM in xcubeai"),
    ("estimated", ORANGE, "the truth is inside in 9 of 10 cases;", "printed is the middle: latency, energy"),
)


def picture() -> str:
    """One row each."""
    lines = [text(EDGE, 26, "What the printed number says of the true one", SIZE, bold=True)]
    for at, (name, colour, first, second) in enumerate(ROWS):
        y = 74 + 74 * at
        lines.append(text(EDGE, y - 14, name, SIZE, fill=INK, bold=True))
        lines += [text(EDGE, y + 5, first, SIZE - 1), text(EDGE, y + 22, second, SIZE - 1, fill=QUIET)]
        lines.append(line(LEFT, y, RIGHT, y, QUIET))
        lines += _marks(name, y, colour)
    foot = 74 + 74 * len(ROWS)
    lines += [
        f'<circle cx="{EDGE + 6}" cy="{foot - 4}" r="5.5" fill="{INK}"/>',
        text(EDGE + 20, foot, "printed", SIZE - 1),
        line(EDGE + 96, foot - 12, EDGE + 96, foot + 4, VERMILLION, 3),
        text(EDGE + 106, foot, "true value, an example", SIZE - 1),
    ]
    return svg(foot + 20, lines, "Exact, bounded, estimated")


def _marks(name: str, y: float, colour: str) -> list[str]:
    def at(share: float) -> float:
        return LEFT + (RIGHT - LEFT) * share

    pale = {GREEN: PALE["green"], BLUE: PALE["blue"], ORANGE: PALE["orange"]}[colour]
    low, high, printed, true = {
        "exact": (0.5, 0.5, 0.5, 0.5),
        "bounded": (0.25, 0.7, 0.7, 0.48),
        "estimated": (0.2, 0.85, 0.5, 0.62),
    }[name]
    lines = []
    if high > low:
        lines.append(rect(at(low), y - 9, at(high) - at(low), 18, pale))
        lines += [line(at(end), y - 11, at(end), y + 11, colour, 2) for end in (low, high)]
    lines.append(line(at(true), y - 14, at(true), y + 14, VERMILLION, 3))
    lines.append(f'<circle cx="{at(printed):.1f}" cy="{y:.1f}" r="5.5" fill="{INK}"/>')
    return lines
