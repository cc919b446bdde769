"""The first maps as a whole, as patches, as a stream: what is in memory of them."""

from __future__ import annotations

from paper import EDGE, PALE, SIZE, WIDTH, frame, svg

import hwscale
from hwscale.drawing.marks import BLUE, GREEN, ORANGE, QUIET, VERMILLION, line, text

SIDE = 110
PLATFORM = "stm32f412"


def picture() -> str:
    """Three ways through the first maps, and what they cost MCUNet-in3."""
    found = hwscale.trade_off("mcunet", {"preset": "mcunet-in3"}, platform=PLATFORM)
    twos = [each for each in found.points if each.schedule.name == "patch" and each.schedule.n_patch == 2]
    patch = min((each for each in twos if found.fitting(each)), key=lambda each: each.macs)
    pitch = (WIDTH - 2 * EDGE) / 3
    lines = [text(EDGE, 26, "What of the first map is in memory at once", SIZE, bold=True)]
    columns = (
        ("op by op", _whole, found.layer, ("the whole map,", "in and out")),
        ("2 x 2 patches", _patches, patch, ("a patch and its halo;", "halos are computed twice")),
        ("a stream", _stream, found.shown, ("a small patch, and the rows", "that the next ones need")),
    )
    for at, (name, draw, choice, words) in enumerate(columns):
        x = EDGE + pitch * at
        lines.append(text(x + SIDE / 2, 56, name, SIZE, "middle", bold=True))
        lines += draw(x, 68.0)
        lines += [text(x, 68 + SIDE + 24 + 17 * row, said, SIZE - 1) for row, said in enumerate(words)]
        lines.append(text(x, 68 + SIDE + 70, f"{choice.ram_bytes / 1024:,.1f} KiB", SIZE, bold=True))
        lines.append(text(x, 68 + SIDE + 88, f"MACs {100 * choice.overhead:+.1f} %", SIZE - 1))
    foot = 68 + SIDE + 116
    usable = found.usable["ram"] / 1024
    said = f"MCUNet-in3 in tinyengine on {PLATFORM}, which has {usable:g} KiB; RAM of patches and streams is estimated"
    lines.append(text(EDGE, foot, said, SIZE - 2, fill=QUIET))
    return svg(foot + 16, lines, "Op by op, on patches, as a stream")


def _whole(x: float, y: float) -> list[str]:
    return [frame(x, y, SIDE, SIDE, PALE["blue"], BLUE)]


def _patches(x: float, y: float) -> list[str]:
    half, halo = SIDE / 2, 14
    return [
        frame(x, y, SIDE, SIDE, "#ffffff"),
        frame(x, y, half + halo, half + halo, PALE["orange"], ORANGE, "4 3"),
        frame(x, y, half, half, PALE["blue"], BLUE),
        line(x + half, y, x + half, y + SIDE, QUIET),
        line(x, y + half, x + SIDE, y + half, QUIET),
    ]


def _stream(x: float, y: float) -> list[str]:
    cell = SIDE / 8
    return [
        frame(x, y, SIDE, SIDE, "#ffffff"),
        frame(x, y + 2 * cell, SIDE, cell, PALE["green"], GREEN),
        frame(x, y + 3 * cell, 3 * cell, cell, PALE["green"], GREEN),
        frame(x + 3 * cell, y + 3 * cell, cell, cell, PALE["blue"], BLUE),
        line(x + 4.4 * cell, y + 3.5 * cell, x + 6.6 * cell, y + 3.5 * cell, VERMILLION, 1.5),
        f'<path d="M{x + 7 * cell:.1f} {y + 3.5 * cell:.1f}l-7 -4v8Z" fill="{VERMILLION}"/>',
    ]
