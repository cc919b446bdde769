"""A plan of the stage that runs on patches: which schedule, behind which link of a chain, in how many patches."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hwscale.formulas.graph import Graph
from hwscale.schedules import SCHEDULES, Schedule
from hwscale.schedules.windows import steps


@dataclass(frozen=True, slots=True)
class StagePlan:
    """Schedule ``name`` with the split behind link ``at``, in ``n_patch`` patches per side; None: as many as the split map has
    rows and columns in common. ``split_idx``: of networks that have so many ops up to there; None: of all."""

    name: str
    at: int
    n_patch: int | None = None
    split_idx: int | None = None

    def patches(self, side: tuple[int, int]) -> int:
        """Patches per side of a split map of ``side`` (height, width)."""
        return math.gcd(*side) if self.n_patch is None else self.n_patch

    def schedule(self, stage: Graph, side: tuple[int, int]) -> Schedule:
        """The schedule of a network whose ops up to the split are ``stage``."""
        return Schedule(self.name, self.patches(side), len(steps(stage)))

    @property
    def executes_more(self) -> bool:
        """Does it compute anything twice?"""
        discipline = SCHEDULES[self.name]
        return (discipline.rows, discipline.columns) != ("whole", "whole")


def divisors(side: tuple[int, int]) -> list[int]:
    """What n_patch may be on a split map of ``side`` (height, width): every common divisor above 1."""
    common = math.gcd(*side)
    return [n for n in range(2, common + 1) if common % n == 0]
