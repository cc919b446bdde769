"""The picture of `hwscale schedule --out`: bars before and after, the trade-off, the Pareto-best choices in numbers."""

from __future__ import annotations

from hwscale.drawing import bars, curve
from hwscale.drawing.marks import text, width_of
from hwscale.schedule_choices import ScheduleChoices
from hwscale.units import format_bytes

EDGE, TOP = 16, 118
FOOT = 60
"""Room between the curve and its table."""


def svg(found: ScheduleChoices) -> str:
    """The figure as text, the same for the same choices."""
    before, after = found.profile(found.layer), found.profile(found.shown)
    usable = _usable(found)
    most = max(need.total_bytes for need in (*before, *after))
    most = max(most, usable[0] if usable else 0)
    first = EDGE + bars.names_width(before) + 6
    second = first + bars.SIDE + bars.GAP
    third = second + bars.SIDE + bars.GAP + 34
    where = f" on {found.platform}" if found.platform else ""
    head = f"{found.network}{where}: memory in runtime {found.runtime.name}, op by op and on patches"
    said = [found.verdict(), *([f"note: {found.note}"] if found.note else [])]
    used = ["layer", *dict.fromkeys(choice.schedule.name for choice in found.points)]
    lines = [text(EDGE, 24, head, 15, bold=True)]
    lines += [text(EDGE, 44 + 16 * at, words, 11) for at, words in enumerate(said)]
    top = TOP + 16 * (len(said) - 1)
    lines += bars.legend(first, top - 46)
    lines += bars.names(before, first - 6, top)
    lines += bars.panel("before: layer", before, first, top, most, usable)
    lines += bars.panel(f"after: {found.shown.text()}", after, second, top, most, usable)
    lines += curve.legend(used, third, top - 46)
    lines += curve.curve(found, third, top, usable)
    below = top + curve.HEIGHT + FOOT
    lines += curve.table(found, third, below)
    height = max(top + bars.panels_height(before), below + curve.LINE * len(found.pareto)) + EDGE
    widest = max(width_of(head, 15), *(width_of(words, 11) for words in said))
    width = max(third + max(curve.WIDTH, curve.table_width()), EDGE + widest) + EDGE
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">',
            f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
            *lines,
            "</svg>",
            "",
        ]
    )


def _usable(found: ScheduleChoices) -> tuple[int, str] | None:
    """The platform's RAM and its label, where it is near enough to leave the bars readable."""
    if not found.usable or found.usable["ram"] > 2 * max(found.layer.ram_bytes, found.shown.ram_bytes):
        return None
    return found.usable["ram"], f"{format_bytes(found.usable['ram'])} usable"
