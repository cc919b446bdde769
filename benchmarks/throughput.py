"""How many PhiNet candidates per second get their exact cost, on one core, by the numpy reading of the formulas."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from benchmarks.budgets import SEED
from benchmarks.report import Line
from hwscale.domain import make_domain
from hwscale.space import Group, make_space

SECTION = "exact cost evaluation, one core"
CANDIDATES = 1_000_000
REPEATS = 7
BAR_PER_S = 3e6
NUM_LAYERS = 7
RESOLUTION = 128


def measure(candidates: int = CANDIDATES, seed: int = SEED) -> list[Line]:
    """Candidates/s of random points of the default domain at 7 layers: at one resolution, and mixed."""
    one = _only_group({"num_layers": NUM_LAYERS, "resolution": RESOLUTION})
    mixed = _only_group({"num_layers": NUM_LAYERS})
    arena = _only_group({"num_layers": NUM_LAYERS, "resolution": RESOLUTION}, "tflm")
    what = f"{candidates:.0e} random PhiNets, num_layers {NUM_LAYERS}"
    return [
        Line(SECTION, f"{what}, resolution {RESOLUTION}", _rate(one, candidates, seed), "/s", BAR_PER_S, True),
        Line(SECTION, f"{what}, {len(mixed.roots)} resolutions mixed", _rate(mixed, candidates, seed), "/s"),
        Line(SECTION, f"{what}, resolution {RESOLUTION}, runtime tflm", _rate(arena, candidates, seed), "/s"),
    ]


def _only_group(fix: dict[str, int], runtime: str = "tensors") -> Group:
    (group,) = make_space(make_domain("phinet", fix), runtime).groups
    return group


def _rate(group: Group, candidates: int, seed: int) -> float:
    """Best of several passes over the same candidates, from lattice indices to finished costs."""
    source = np.random.default_rng(seed)
    root = source.integers(0, len(group.roots), candidates)
    alpha = source.integers(0, group.counts[root])
    box = tuple(source.integers(0, size, candidates) for size in group.box_shape)
    return candidates / _best_seconds(lambda: group.costs(root, alpha, box))


def _best_seconds(work: Callable[[], object]) -> float:
    # unmeasured: compiles the kernel and touches the pages; first-touch page faults dominate on small virtual machines
    work()
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)
