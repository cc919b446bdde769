"""RAM over executed MACs: every choice of a schedule, and the staircase of those that no other beats."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from hwscale.drawing.marks import (
    GRID,
    INK,
    QUIET,
    VERMILLION,
    line,
    log_ticks,
    marker,
    short,
    text,
    ticks,
    width_of,
)
from hwscale.schedule_choices import ScheduleChoices
from hwscale.schedules.choices import Choice
from hwscale.units import format_count

WIDTH, HEIGHT = 440, 300
KIB = 1024
HEADROOM = 1.12
LINE = 15
"""Height of a row of the table."""
COLUMNS = (
    (0, "start"),
    (18, "start"),
    (116, "end"),
    (170, "end"),
    (240, "end"),
    (310, "end"),
    (384, "end"),
    (396, "start"),
)
HEAD = ("", "schedule", "n_patch", "split_idx", "RAM [KiB]", "MACs", "overhead", "split behind")
LAST = 20
"""Characters that the last column has at most."""


def table_width() -> float:
    """Of the table under the curve."""
    return COLUMNS[-1][0] + width_of("W" * LAST, 9.5)


def curve(found: ScheduleChoices, x: float, top: float, usable: tuple[int, str] | None) -> list[str]:
    """The panel with its axes, ``top`` at its upper edge."""
    every = (found.layer, *found.points)
    highest = max(found.layer.ram_bytes, *(c.ram_bytes for c in found.pareto), usable[0] if usable else 0) * HEADROOM
    inside = [choice for choice in every if choice.ram_bytes <= highest]
    macs = [max(choice.macs, 1) for choice in inside]
    least, most = min(macs) / 1.15, max(macs) * 1.15

    def place(choice: Choice) -> tuple[float, float]:
        across = math.log(max(choice.macs, 1) / least) / math.log(most / least)
        return x + WIDTH * across, top + HEIGHT * (1 - choice.ram_bytes / highest)

    lines = [text(x, top - 26, "Trade-off: every choice, and the Pareto-best with their numbers", 10, bold=True)]
    lines += _axes(x, top, least, most, highest)
    if usable is not None:
        y = top + HEIGHT * (1 - usable[0] / highest)
        lines.append(line(x, y, x + WIDTH, y, VERMILLION, 1.5, "5 3"))
        lines.append(text(x + WIDTH, y - 4, usable[1], 9, "end", VERMILLION))
    lines += [marker(*place(choice), choice.schedule.name) for choice in inside if choice is not found.layer]
    lines.append(_staircase(found.pareto, place, x + WIDTH))
    lines += [marker(*place(c), c.schedule.name, strong=True) for c in dict.fromkeys((found.layer, *found.pareto))]
    lines += _numbers(found.pareto, place, x)
    hidden = len(every) - len(inside)
    if hidden:
        more = f"{hidden} choice{'s need' if hidden > 1 else ' needs'} more RAM than the axis has"
        lines.append(text(x + WIDTH, top + HEIGHT + 42, more, 9, "end", QUIET))
    return lines


def legend(names: Sequence[str], x: float, y: float) -> list[str]:
    """The signs of the schedules, in a row."""
    lines = []
    for name in names:
        lines += [marker(x + 5, y - 3.5, name, strong=name == "layer"), text(x + 14, y, name)]
        x += 14 + width_of(name, 10) + 18
    return lines


def table(found: ScheduleChoices, x: float, y: float) -> list[str]:
    """The Pareto-best choices in numbers, ``y`` the baseline of its head."""
    rows: list[tuple[str, ...]] = []
    for number, choice in enumerate(found.pareto, start=1):
        plan = choice.schedule
        sides = ("", "") if plan.plain else (str(plan.n_patch), str(plan.split_idx))
        cost = f"{choice.ram_bytes / KIB:,.1f}", format_count(choice.macs), f"{100 * choice.overhead:+.1f} %"
        rows.append((str(number), plan.name, *sides, *cost, short(choice.behind, LAST)))
    lines = []
    for at, row in enumerate([HEAD, *rows]):
        chosen = at > 0 and found.pareto[at - 1] is found.shown
        for (across, anchor), words in zip(COLUMNS, row, strict=True):
            if words:
                lines.append(text(x + across, y + LINE * at, words, 9.5, anchor, QUIET if not at else INK, chosen))
    return lines


def _axes(x: float, top: float, least: float, most: float, highest: float) -> list[str]:
    lines = []
    for tick in ticks(highest / KIB):
        y = top + HEIGHT * (1 - tick * KIB / highest)
        lines += [line(x, y, x + WIDTH, y, GRID), text(x - 6, y + 3, f"{tick:g}", 9, "end", QUIET)]
    for tick in log_ticks(least, most):
        across = x + WIDTH * math.log(tick / least) / math.log(most / least)
        lines += [line(across, top, across, top + HEIGHT, GRID)]
        lines += [text(across, top + HEIGHT + 13, _millions(tick), 9, "middle", QUIET)]
    lines += [line(x, top, x, top + HEIGHT, QUIET), line(x, top + HEIGHT, x + WIDTH, top + HEIGHT, QUIET)]
    lines.append(text(x + WIDTH / 2, top + HEIGHT + 28, "executed MACs [millions], logarithmic", 10, "middle", QUIET))
    lines.append(text(x - 6, top - 9, "RAM [KiB]", 10, "start", QUIET))
    return lines


def _millions(macs: float) -> str:
    return f"{macs / 1e6:,.0f}" if macs >= 1e8 else f"{macs / 1e6:.3g}"


def _staircase(choices: Sequence[Choice], place: Callable[[Choice], tuple[float, float]], right: float) -> str:
    """Least RAM that is to be had for so many MACs."""
    (x, y), *rest = map(place, choices)
    steps = "".join(f"H{across:.1f}V{down:.1f}" for across, down in rest)
    return f'<path d="M{x:.1f} {y:.1f}{steps}H{right:.1f}" fill="none" stroke="{INK}" stroke-width="1"/>'


def _numbers(choices: Sequence[Choice], place: Callable[[Choice], tuple[float, float]], left: float) -> list[str]:
    """Numbers of the choices, each at the first free place around its point; none where all are taken."""
    signs = [place(choice) for choice in choices]
    taken: list[tuple[float, float]] = []
    lines = []
    for number, (x, y) in enumerate(signs, start=1):
        for across, down in ((9, -6), (9, 12), (-9, 12), (-9, -6), (0, -9), (0, 16)):
            spot = x + across, y + down
            clear = all(abs(spot[0] - a) > 13 or abs(spot[1] - b) > 10 for a, b in taken)
            if clear and spot[0] > left + 6 and all(abs(spot[0] - a) > 8 or abs(spot[1] - 3 - b) > 6 for a, b in signs):
                taken.append(spot)
                lines.append(text(*spot, str(number), 9, "middle", bold=True))
                break
    return lines
