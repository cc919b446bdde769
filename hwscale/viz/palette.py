"""Colours by what they stand for, all of Okabe and Ito, which stay apart for colour-blind eyes.

A name that begins with "@" is a colour of the page, which is another one in the dark: the page puts it in, `light` does for a static plot.
"""

from __future__ import annotations

from hwscale.drawing.marks import BLUE, GREEN, GREY, GRID, INK, ORANGE, PURPLE, QUIET, VERMILLION

SKY, YELLOW = "#56b4e9", "#f0e442"
PAGE_INK, PAGE_QUIET, PAGE_GRID, PAGE_GROUND = "@ink", "@quiet", "@grid", "@ground"

RESOLUTIONS = "cividis"
"""Map from resolution to colour: perceptually uniform, and the same for colour-blind eyes."""

PEAK, MARKED, BUDGET = VERMILLION, VERMILLION, PAGE_INK

KINDS = {
    "conv2d": BLUE,
    "pointwise": SKY,
    "depthwise": ORANGE,
    "grouped": PURPLE,
    "fully_connected": GREEN,
    "others": GREY,
}
"""Kinds of op; those without MACs are "others"."""

MEMORY = {
    "activations": BLUE,
    "persistent": ORANGE,
    "buffers": YELLOW,
    "weights": SKY,
    "file": YELLOW,
    "runtime": QUIET,
    "reserve": GREY,
    "held": "#dfe2e7",
    "free": PAGE_GROUND,
    "unusable": PAGE_GROUND,
    "excess": VERMILLION,
}
"""What memory is for; free and unusable have a border, unusable is hatched besides."""


def kind_of(kind: str) -> str:
    """The kind under which an op is coloured."""
    return kind if kind in KINDS else "others"


def light(colour: str) -> str:
    """The colour on white paper."""
    return {PAGE_INK: INK, PAGE_QUIET: QUIET, PAGE_GRID: GRID, PAGE_GROUND: "#ffffff"}.get(colour, colour)
