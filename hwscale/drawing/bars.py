"""Memory of every op as horizontal bars, before and after: the profile that people know from MCUNetV2."""

from __future__ import annotations

from collections.abc import Sequence

from hwscale.drawing.marks import (
    BLUE,
    GREY,
    GRID,
    INK,
    ORANGE,
    QUIET,
    VERMILLION,
    line,
    rect,
    short,
    text,
    ticks,
    width_of,
)
from hwscale.op_memory import OpMemory

ROW, BAR, SIDE, GAP = 12, 9, 260, 44
"""Height of a row and of its bar, width of a panel, room between two."""
NAME_SIZE, LONGEST = 9, 28
KIB = 1024
PARTS = (("live tensors", BLUE), ("kept for other patches", ORANGE), ("buffers of the runtime, gaps", GREY))


def names_width(profile: Sequence[OpMemory]) -> float:
    """Room for the names of the ops."""
    return max(width_of(short(need.name, LONGEST), NAME_SIZE) for need in profile)


def panels_height(profile: Sequence[OpMemory]) -> float:
    """From the top of a panel to the foot of its axis."""
    return ROW * len(profile) + 36


def legend(x: float, y: float) -> list[str]:
    """The colours of the parts, in a row."""
    found = []
    for words, colour in PARTS:
        found += [rect(x, y - 8, 10, 9, colour), text(x + 14, y, words)]
        x += 14 + width_of(words, 10) + 18
    return found


def names(profile: Sequence[OpMemory], right: float, top: float) -> list[str]:
    """The ops, one a row, flush with ``right``."""
    return [
        text(right, top + ROW * at + 8.5, short(need.name, LONGEST), NAME_SIZE, "end", INK)
        for at, need in enumerate(profile)
    ]


def panel(
    title: str, profile: Sequence[OpMemory], x: float, top: float, most: int, usable: tuple[int, str] | None
) -> list[str]:
    """One profile on an axis to ``most`` [B]; ``usable`` are the bytes of the platform, and their label."""
    height = ROW * len(profile)
    scale = SIDE / most
    found = [text(x, top - 26, title, 10, bold=True)]
    for tick in ticks(most / KIB):
        across = x + tick * KIB * scale
        found += [line(across, top, across, top + height, GRID)]
        found += [text(across, top + height + 13, f"{tick:g}", 9, "middle", QUIET)]
    found.append(text(x + SIDE / 2, top + height + 28, "RAM while the op runs [KiB]", 10, "middle", QUIET))
    for at, need in enumerate(profile):
        left = x
        for size, (_, colour) in zip((need.live_bytes, need.kept_bytes, need.reserved_bytes), PARTS, strict=True):
            if size:
                found.append(rect(left, top + ROW * at + 1.5, size * scale, BAR, colour))
                left += size * scale
    found += _split(profile, x, top)
    if usable is not None:
        across = x + usable[0] * scale
        found.append(line(across, top - 4, across, top + height, VERMILLION, 1.5, "5 3"))
        found.append(text(min(across, x + SIDE), top - 9, usable[1], 9, "end", VERMILLION))
    found.append(line(x, top, x, top + height, QUIET))
    return found


def _split(profile: Sequence[OpMemory], x: float, top: float) -> list[str]:
    staged = sum(need.staged for need in profile)
    if not 0 < staged < len(profile):
        return []
    y = top + ROW * staged
    return [line(x - 4, y, x + SIDE + 4, y, INK, 1.2), text(x + SIDE + 6, y + 3.5, "split", 9)]
