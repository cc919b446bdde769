"""Candidates of a lattice, packed many at once, fit exactly where the runtime's own planner says that they do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwscale.domain import make_domain
from hwscale.objectives import find_objective
from hwscale.problem import Problem, candidates
from hwscale.solve import solve
from hwscale.solve.lattice_plans import FIRST, packable
from hwscale.space import Space, make_space

SPACES: dict[str, tuple[str, dict[str, Any], dict[str, Any], bool]] = {
    "phinet, odd maps": ("phinet", {"resolution": 33}, {"alpha": (0.1, 1.5)}, False),
    "phinet, image outside": ("phinet", {"resolution": 48}, {"alpha": (0.1, 1.5)}, True),
    "phinet, several sizes": ("phinet", {}, {"alpha": (0.1, 1.0), "resolution": [49, 65]}, False),
    "mobilenet_v1": ("mobilenet_v1", {}, {"resolution": [37, 50]}, False),
    "mobilenet_v2": ("mobilenet_v2", {"resolution": 45}, {}, False),
    "xinet": ("xinet", {"resolution": 96}, {"beta": "0.8:1.2:0.1"}, False),
}


@pytest.mark.parametrize("name", SPACES)
def test_what_is_packed_at_once_is_what_the_planner_packs(name: str) -> None:
    net, fix, domain, external = SPACES[name]
    space = make_space(make_domain(net, fix, domain), "tflm", external)
    assert isinstance(space, Space)
    rng, gaps = np.random.default_rng(3), 0
    for group in space.groups[:4]:
        root = rng.integers(0, len(group.roots), 60)
        alpha = (rng.random(60) * group.counts[root]).astype(np.int64)
        box = tuple(rng.integers(0, size, 60) for size in group.box_shape)
        plain = Problem(space, find_objective("macs"), {})
        found = candidates(plain, group, root, alpha, box, group.costs(root, alpha, box))
        planned = np.array([one.planned()["ram"] for one in found])
        gaps += int((planned > [one.ram_bytes for one in found]).sum())
        for limit in (*rng.choice(planned, 6), planned.min() - 1, planned.max()):
            for exact in (int(limit), int(limit) - 1):
                problem = Problem(space, find_objective("macs"), {"ram": exact})
                fits = packable(problem, group, root, alpha, box)
                assert fits is not None
                assert (fits == (planned <= exact)).all()
                few = packable(problem, group, root[:1], alpha[:1], tuple(axis[:1] for axis in box))
                assert few is not None
                assert few[0] == fits[0]
    if "odd" in name:
        assert gaps, "maps of odd sides leave gaps"
    assert FIRST > 1


def test_runtimes_that_pack_otherwise_are_planned_one_by_one() -> None:
    one = np.zeros(1, np.int64)
    for runtime in ("tensors", "xcubeai-7.3"):
        space = make_space(make_domain("mobilenet_v1", {"resolution": 64}), runtime)
        assert isinstance(space, Space)
        problem = Problem(space, find_objective("macs"), {"ram": 10**6})
        assert packable(problem, space.groups[0], one, one, ()) is None


@pytest.mark.parametrize("limit", [40_960, 98_304])
def test_the_answer_on_odd_maps_is_that_of_the_exhaustive_oracle(limit: int) -> None:
    domain = {"alpha": (0.2, 0.9), "beta": "0.5:1.5:0.25", "t_zero": [3, 4], "num_layers": [7]}
    space = make_space(make_domain("phinet", {"resolution": 33}, domain), "tflm")
    problem = Problem(space, find_objective("macs"), {"ram": limit, "flash": 400_000})
    truth, found = solve(problem, "exhaustive"), solve(problem, "quadtree")
    assert truth is not None
    assert found is not None
    assert found.best.hyperparameters == truth.best.hyperparameters
    assert found.best.planned()["ram"] <= limit
