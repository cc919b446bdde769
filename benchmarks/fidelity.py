"""``python -m benchmarks.fidelity``: what an objective loses in published accuracy, and where its constants come from.

A published width x resolution grid is the domain: benchmarks/data/mobilenet_accuracy.csv, ImageNet top-1 of
MobileNetV1 and V2. Costs are hwscale's own (runtime `tensors`). For each of many random budgets an objective picks
the best-scored network that fits; its regret is the top-1 of the most accurate network that fits less that of its
pick [points].

``--check`` says whether docs/objective.md holds the tables that this prints.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.accuracy_grid import GRIDS, Floats, Grid, load
from benchmarks.accuracy_law import constants, widened
from hwscale.objectives import BAND, Objective, find_objective

BUDGETS, SEED = 20_000, 1
ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "objective.md"
BEGIN, END = "<!-- begin: python -m benchmarks.fidelity -->", "<!-- end -->"
OTHER = {
    "MobileNetV1, float": "MobileNetV2, float",
    "MobileNetV1, int8": "MobileNetV2, float",
    "MobileNetV2, float": "MobileNetV1, float",
}
"""The grid that the held-out constants of a grid are fitted on."""
LIMITED = {"RAM": ("ram",), "Flash": ("flash",), "MACs": ("macs",), "all three": ("ram", "flash", "macs")}
STRESS = {"ram": (64 * 1024.0, 1024 * 1024.0), "flash": (256 * 1024.0, 4096 * 1024.0), "macs": (5e6, 300e6)}
"""Ends of the budgets beyond the grids: microcontrollers [B, MAC]."""
STRESSED = {
    "RAM": ("ram",),
    "RAM, MACs": ("ram", "macs"),
    "RAM, Flash": ("ram", "flash"),
    "all three": ("ram", "flash", "macs"),
}


def feasible(
    grid: Grid,
    limited: Sequence[str],
    budgets: int,
    seed: int = SEED,
    ends: Mapping[str, tuple[float, float]] | None = None,
) -> npt.NDArray[np.bool_]:
    """Which networks fit, one row per budget.

    Each limit is drawn log-uniformly between its two ``ends``, by default the smallest and the largest cost in the
    grid, so that the smallest network, which has the least of all three, always fits.
    """
    # Python promises that random() of a seed never changes; numpy promises no such thing of its distributions
    source = random.Random(seed)
    drawn = np.array([[source.random() for _ in range(3)] for _ in range(budgets)])
    fits = np.ones((budgets, len(grid)), np.bool_)
    for column, metric in enumerate(("ram", "flash", "macs")):
        least, most = ends[metric] if ends else (grid.costs[metric].min(), grid.costs[metric].max())
        limits = np.exp(math.log(least) + math.log(most / least) * drawn[:, column])
        if metric in limited:
            # an exponential of a logarithm may fall an ulp short of the smallest network
            fits &= grid.costs[metric] <= np.maximum(limits, least)[:, None]
    return fits


def regret(grid: Grid, order: Floats, fits: npt.NDArray[np.bool_]) -> Floats:
    """Points lost per budget by taking the feasible network of the highest ``order``."""
    best = np.where(fits, grid.top1, -np.inf).max(axis=1)
    picked: Floats = grid.top1[np.where(fits, order, -np.inf).argmax(axis=1)]
    return best - picked  # -inf where nothing fits


def random_regret(grid: Grid, fits: npt.NDArray[np.bool_]) -> Floats:
    """Points lost per budget by any feasible network with equal chances, in expectation."""
    best = np.where(fits, grid.top1, -np.inf).max(axis=1)
    return best - (fits * grid.top1).sum(axis=1) / fits.sum(axis=1)


def ranked(*keys: Any) -> Floats:
    """One number per network that orders it by the keys, the first first, larger is better."""
    order = np.lexsort(tuple(np.round(key, 12) for key in reversed(keys)))
    ranks = np.empty(len(order))
    ranks[order] = np.arange(len(order))
    return ranks


def scores(grid: Grid, objective: Objective) -> Floats:
    """An objective of hwscale on the grid, as `fit` ranks candidates.

    What lies within the band goes first, so that the band does not choose where nothing within it fits; ties go to less
    RAM, then less Flash.
    """
    metric = grid.costs[objective.metric]
    within = [float(objective.within_band(int(value), side)) for value, side in zip(metric, grid.sides, strict=True)]
    values = replace(objective, band=0.0).scores(metric, grid.sides)
    return ranked(within, values, -grid.costs["ram"], -grid.costs["flash"])


def orders(grid: Grid) -> dict[str, Floats]:
    """Every objective and baseline of the table as an order of the grid's networks."""
    r0, c, exponent = constants(load(OTHER[grid.name]))
    macs = grid.costs["macs"]
    held_out = np.log(macs) - c * np.log(grid.sides / (r0 * (macs / 1e8) ** exponent)) ** 2
    shipped = find_objective("balanced")
    return {
        "`balanced`": scores(grid, replace(shipped, band=BAND)),
        "its form, constants of the other family": held_out,
        "`macs`": scores(grid, find_objective("macs")),
        "`params`": scores(grid, find_objective("params")),
        "parameters, ties to more MACs": ranked(grid.costs["params"], grid.costs["macs"]),
        "resolution first, then MACs": ranked(grid.sides, grid.costs["macs"]),
    }


def table(grid: Grid, budgets: int = BUDGETS, seed: int = SEED) -> str:
    """Mean / largest regret of every objective, a column per set of limits, as markdown."""
    lines = [f"| {grid.name}: mean / max points lost | {' | '.join(LIMITED)} |", "|---|" + "---|" * len(LIMITED)]
    fits = {title: feasible(grid, limited, budgets, seed) for title, limited in LIMITED.items()}
    losses: dict[str, Callable[[npt.NDArray[np.bool_]], Floats]] = {
        name: (lambda some, order=order: regret(grid, order, some)) for name, order in orders(grid).items()
    }
    losses["any that fits, on average"] = lambda some: random_regret(grid, some)
    for name, loss in losses.items():
        cells = [loss(some) for some in fits.values()]
        lines.append(f"| {name} | " + " | ".join(f"{cell.mean():.2f} / {cell.max():.1f}" for cell in cells) + " |")
    return "\n".join(lines)


def agreement() -> str:
    """Kendall's tau-b of each plain objective with top-1, and the constants that each grid implies, as markdown."""
    from scipy.stats import kendalltau

    lines = [
        "| grid | networks | tau of `macs` | tau of `balanced` | tau of `params` | r0 [px] | c | exponent |",
        "|---|" + "---|" * 7,
    ]
    for name in GRIDS:
        grid = load(name)
        shown = [
            float(
                kendalltau(
                    find_objective(o).scores(grid.costs[find_objective(o).metric], grid.sides), grid.top1
                ).statistic
            )
            for o in ("macs", "balanced", "params")
        ]
        r0, c, exponent = constants(grid)
        implied = f"{r0:.0f} | {c:.2f} | {exponent:.2f}"
        lines.append(f"| {name} | {len(grid)} | {' | '.join(f'{tau:.3f}' for tau in shown)} | {implied} |")
    return "\n".join(lines)


def stress(budgets: int = BUDGETS, seed: int = SEED) -> str:
    """Regret beyond the published grids if each grid's own law held there, as markdown: a model, not data."""
    lines = [
        "| points lost under the law of the grid, mean / max | " + " | ".join(STRESSED) + " |",
        "|---|" + "---|" * len(STRESSED),
    ]
    for name in ("MobileNetV1, float", "MobileNetV2, float"):
        wide = widened(name)
        for label, objective in {
            "`macs`": find_objective("macs"),
            "`balanced` without its band": find_objective("balanced"),
            "`balanced`": replace(find_objective("balanced"), band=BAND),
        }.items():
            order = scores(wide, objective)
            cells = [
                regret(wide, order, feasible(wide, limited, budgets, seed, STRESS)) for limited in STRESSED.values()
            ]
            cells = [cell[np.isfinite(cell)] for cell in cells]  # budgets that nothing fits
            lines.append(
                f"| {name.split(',')[0]}, {label} | "
                + " | ".join(f"{c.mean():.1f} / {c.max():.1f}" for c in cells)
                + " |"
            )
    return "\n".join(lines)


def report(budgets: int = BUDGETS, seed: int = SEED) -> str:
    """All tables, as they stand in the document."""
    return "\n\n".join([agreement(), *(table(load(name), budgets, seed) for name in GRIDS), stress(budgets, seed)])


def documented() -> str:
    """The tables in docs/objective.md."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return text.partition(BEGIN)[2].partition(END)[0].strip()


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; with ``--check`` 1 if the document holds others."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fidelity", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--budgets", type=int, default=BUDGETS, help="random budgets per grid")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--check", action="store_true", help="compare with docs/objective.md instead of printing")
    options = parser.parse_args(argv)
    found = report(options.budgets, options.seed)
    if not options.check:
        print(found)
        return 0
    if found == documented():
        print(f"{DOCUMENT.name} holds these tables")
        return 0
    print(
        f"{DOCUMENT.name} differs; put the output of python -m benchmarks.fidelity between its two marks",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
