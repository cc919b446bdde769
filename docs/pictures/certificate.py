"""A proof by bounds: what cannot hold anything better need not be looked into."""

from __future__ import annotations

from paper import EDGE, PALE, SIZE, WIDTH, frame, svg

from hwscale.drawing.marks import BLUE, GREEN, INK, QUIET, VERMILLION, line, rect, text

BOUNDS = (0.62, 0.88, 0.45, 0.97, 0.70, 0.55, 0.80, 0.38)
"""Bound of each box, over the axis of the score; made up."""
BEST = 0.76
LEFT, RIGHT, TOP, HEIGHT = EDGE + 10, WIDTH - EDGE, 64, 170


def picture() -> str:
    """Boxes of a domain with their bounds, then the three ways in which a search can end."""
    lines = [
        text(EDGE, 26, "Boxes of the domain, each with the most that any network in it can score", SIZE, bold=True)
    ]
    pitch = (RIGHT - LEFT) / len(BOUNDS)
    foot = TOP + HEIGHT
    level = foot - BEST * HEIGHT
    for at, bound in enumerate(BOUNDS):
        x, y = LEFT + pitch * at + 6, foot - bound * HEIGHT
        dead = bound < BEST
        lines.append(frame(x, y, pitch - 12, foot - y, PALE["grey"] if dead else PALE["blue"], QUIET if dead else BLUE))
        words = "left out" if dead else "cut in two"
        lines.append(text(x + (pitch - 12) / 2, foot + 17, words, SIZE - 2, "middle", QUIET if dead else BLUE))
    lines.append(line(LEFT, level, RIGHT, level, VERMILLION, 2))
    lines.append(text(LEFT, level - 50, "score of the best network so far,", SIZE, fill=VERMILLION))
    lines.append(text(LEFT, level - 34, "counted exactly", SIZE, fill=VERMILLION))
    lines.append(line(LEFT + 22, level - 28, LEFT + 22, level - 2, VERMILLION, 1.2))
    lines.append(line(LEFT, foot, RIGHT, foot, QUIET))
    lines += _ends(foot + 52)
    return svg(foot + 186, lines, "Branch and bound, and what the certificate says")


def _ends(top: float) -> list[str]:
    lines = [text(EDGE, top, "How it ends", SIZE, bold=True)]
    rows = (
        ("proven best", 0.7, 0.7, "gap 0: nothing left scores more; exit code 0"),
        ("not proven best", 0.6, 0.85, "gap above 0: the bound says by how much at most; exit code 5"),
        ("no bound", 0.5, None, "a solver that only tries (nlp): never called best; exit code 5"),
    )
    for at, (name, best, bound, words) in enumerate(rows):
        y = top + 30 + 32 * at
        lines.append(text(EDGE, y + 4, name, SIZE))
        left, right = 140.0, 250.0
        lines.append(line(left, y, right, y, QUIET))
        x = left + (right - left) * best
        if bound is not None and bound > best:
            edge = left + (right - left) * bound
            lines += [rect(x, y - 4, edge - x, 8, PALE["orange"]), line(edge, y - 8, edge, y + 8, INK, 2)]
        if bound == best:
            lines.append(line(x, y - 10, x, y + 10, INK, 2))
        lines.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{GREEN if bound == best else VERMILLION}"/>')
        lines.append(text(right + 14, y + 4, words, SIZE - 2))
    return lines
