"""Cost over the width multiplier: steps, because channels are whole."""

from __future__ import annotations

from paper import EDGE, SIZE, WIDTH, svg

import hwscale
from hwscale.drawing.marks import BLUE, GREEN, GRID, INK, ORANGE, QUIET, VERMILLION, line, rect, text, ticks

LEAST, MOST, STEP = 1500, 1750, 1
"""Range of alpha and distance of two samples, in thousandths."""
LEFT, RIGHT = 74, WIDTH - EDGE
HEIGHT = 150


def picture() -> str:
    """RAM and MACs of the quick start's XiNet around its alpha."""
    fit = hwscale.fit("xinet", "stm32h743", verify="none")
    alphas = [value / 1000 for value in range(LEAST, MOST + 1, STEP)]
    costs = [hwscale.cost("xinet", {**fit.hyperparameters, "alpha": alpha}).cost for alpha in alphas]
    limit = fit.limits["ram"]
    held = [alpha for alpha, cost in zip(alphas, costs, strict=True) if cost == _bare(fit.cost)]
    lines = [text(EDGE, 26, "One more channel somewhere is one more step; in between nothing changes", SIZE, bold=True)]
    lines += _panel(62, "RAM [KiB]", alphas, [cost.ram_bytes / 1024 for cost in costs], BLUE, limit / 1024, held)
    lines += _panel(62 + HEIGHT + 66, "MACs [millions]", alphas, [cost.macs / 1e6 for cost in costs], GREEN, None, held)
    foot = 62 + 2 * HEIGHT + 66 + 18
    for at in range(6):
        alpha = (LEAST + (MOST - LEAST) * at / 5) / 1000
        lines.append(text(_across(alpha), foot, f"{alpha:g}", SIZE - 2, "middle", QUIET))
    lines.append(text((LEFT + RIGHT) / 2, foot + 20, "alpha, the width multiplier", SIZE, "middle"))
    note = f"orange: the alphas that cost exactly as much as the answer, {fit.hyperparameters['alpha']}"
    lines.append(text(EDGE, foot + 46, note, SIZE, fill=INK))
    return svg(foot + 62, lines, "RAM and MACs over alpha are staircases")


def _bare(cost: hwscale.result.Cost) -> hwscale.result.Cost:
    return hwscale.result.Cost(cost.ram_bytes, cost.flash_bytes, cost.macs, cost.params)


def _across(alpha: float) -> float:
    return LEFT + (RIGHT - LEFT) * (1000 * alpha - LEAST) / (MOST - LEAST)


def _panel(
    top: float,
    title: str,
    alphas: list[float],
    values: list[float],
    colour: str,
    limit: float | None,
    held: list[float],
) -> list[str]:
    least, most = min(values), max([*values, *([limit] if limit else [])])
    least, most = least - 0.06 * (most - least), most + 0.06 * (most - least)

    def down(value: float) -> float:
        return top + HEIGHT * (most - value) / (most - least)

    left, right = _across(held[0]), _across(held[-1])
    lines = [text(EDGE, top - 12, title, SIZE)]
    lines.append(rect(left, top, max(right - left, 2.5), HEIGHT, ORANGE))
    for value in (tick for tick in ticks(most, 25) if least < tick < most):
        lines += [line(LEFT, down(value), RIGHT, down(value), GRID)]
        lines += [text(LEFT - 8, down(value) + 4, f"{value:g}", SIZE - 2, "end", QUIET)]
    points = [f"M{_across(alphas[0]):.1f} {down(values[0]):.1f}"]
    for alpha, value in zip(alphas[1:], values[1:], strict=True):
        points.append(f"H{_across(alpha):.1f}V{down(value):.1f}")
    lines.append(f'<path d="{"".join(points)}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
    if limit:
        lines.append(line(LEFT, down(limit), RIGHT, down(limit), VERMILLION, 1.5, "6 4"))
        lines.append(text(LEFT + 6, down(limit) - 6, f"limit {limit:g} KiB", SIZE - 1, fill=VERMILLION))
    lines.append(line(LEFT, top, LEFT, top + HEIGHT, QUIET))
    lines.append(line(LEFT, top + HEIGHT, RIGHT, top + HEIGHT, QUIET))
    return lines
