"""The contract of an objective: at fixed resolution the score follows one metric, up to its turning point."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from runtime_checks import plain_options

from hwscale.domain import make_domain
from hwscale.errors import ConfigError
from hwscale.formulas import FAMILIES
from hwscale.formulas.stagewise import stagewise
from hwscale.objectives import BAND, OBJECTIVES, balanced, find_objective
from hwscale.runtimes import RUNTIMES
from hwscale.space import make_space
from hwscale.work import KERNELS, QUANTITIES, Work

EACH = {
    **{name: make() for name, make in OBJECTIVES.items()},
    "balanced within the band": replace(balanced(), band=BAND),
}
RESOLUTIONS = (32.0, 48.0, 96.0, 160.0, 256.0)


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_score_rises_up_to_the_turning_point_and_falls_after_it(name: str, resolution: float) -> None:
    objective = EACH[name]
    metric = np.unique(np.geomspace(1e4, 1e12, 4000).astype(np.int64))
    scores = np.array([objective.score(int(m), resolution) for m in metric])
    turn = float(objective.turning_points(resolution))
    assert (np.diff(scores[metric <= turn]) > 0).all()
    assert (np.diff(scores[metric > turn]) < 0).all()


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_bound_holds_for_every_smaller_metric(name: str, resolution: float) -> None:
    objective = EACH[name]
    metric = np.geomspace(1e4, 1e12, 300).astype(np.int64)
    best_so_far = np.maximum.accumulate(objective.scores(metric, resolution))
    assert (objective.bounds(metric, resolution) >= best_so_far - 1e-12).all()


@pytest.mark.parametrize("name", EACH)
def test_array_scores_equal_scalar_scores(name: str) -> None:
    objective = EACH[name]
    metric = np.array([123_456, 1_000_003, 98_765_432, 10**9])
    scalar = [objective.score(int(m), 112.0) for m in metric]
    assert objective.scores(metric, 112.0) == pytest.approx(scalar, rel=1e-14)


def test_balanced_is_log_macs_less_the_squared_log_distance_from_the_path() -> None:
    macs, resolution = 25_000_000, 96
    path = 160 * (25 / 100) ** 0.25
    expected = math.log(macs) - 1.5 * math.log(resolution / path) ** 2
    assert balanced().score(macs, resolution) == pytest.approx(expected, rel=1e-14)


def test_balanced_turns_where_its_derivative_vanishes() -> None:
    # dJ/dlnM = 1 + c/2 ln(r / r_path(M)) = 0  <=>  r = r_path(M) exp(-2/c) = 0.264 r_path(M) at c = 1.5
    for resolution, macs in ((48, 1.7e8), (96, 2.7e9)):
        assert float(balanced().turning_points(resolution)) == pytest.approx(macs, rel=0.03)


def test_the_band_begins_where_the_resolution_is_0_6_of_the_path() -> None:
    banded = replace(balanced(), band=BAND)
    for resolution in RESOLUTIONS:
        cap = float(banded.turning_points(resolution))
        assert resolution / banded.r_path(cap) == pytest.approx(0.6, rel=1e-12)
        assert banded.score(int(cap), resolution) == balanced().score(int(cap), resolution)
        assert banded.score(int(cap) + 1, resolution) < banded.score(int(cap), resolution) - 1 + 1e-6


def test_without_curvature_balanced_ranks_like_macs() -> None:
    flat = balanced(c=0.0)
    assert flat.score(2_000_000, 48) > flat.score(1_999_999, 256)


def test_parameters_are_read_from_text() -> None:
    given = find_objective("balanced:r0=128,c=1")
    assert (given.r0, given.c) == (128.0, 1.0)


@pytest.mark.parametrize("text", ["balansed", "balanced:q=1", "balanced:r0=x", "balanced:r0=-1", "macs:c=1"])
def test_wrong_objectives_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        find_objective(text)


EVERY_WORK = tuple(
    Work(quantity, (kind,))
    for quantity in QUANTITIES
    for kind in (
        *KERNELS,
        "pad",
        "add",
        "mul",
        "mean",
        "max_pool",
        "average_pool",
        "logistic",
        "hard_swish",
        "batch_norm",
    )
)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("family", [name for name, member in FAMILIES.items() if not stagewise(member)])
@pytest.mark.parametrize("options", [{}, {"divisor": [8]}, {"pool": [True]}, {"conv2d_input": [True]}])
def test_every_cost_is_nondecreasing_along_alpha_and_boxes(
    family: str, runtime: str, options: dict[str, list[object]]
) -> None:
    known = {option.name for option in FAMILIES[family].options}
    if not set(options) <= known:
        options = {"skip": [False]} if "skip" in known else {"include_top": [False]}
    domain = {"alpha": (0.02, 2.0), "resolution": [64, 80, 128], **options}
    plain = plain_options(family) if runtime == "tinyengine" else {}  # which has no op for the default activations,
    unknown = runtime == "tinyengine" and (
        family == "xinet" or "conv2d_input" in options
    )  # 7x7, a batch norm on its own
    if unknown:
        with pytest.raises(ConfigError, match="tinyengine cannot run"):
            make_space(make_domain(family, plain, domain), runtime)
        return
    space = make_space(make_domain(family, plain, domain), runtime, works=EVERY_WORK)
    rng = np.random.default_rng(5)
    for group in space.groups:
        n = 4000
        root = rng.integers(0, len(group.roots), n)
        alpha = (rng.random(n) * group.counts[root]).astype(np.int64)
        box = [rng.integers(0, size, n) for size in group.box_shape]
        up = np.minimum(alpha + rng.integers(0, 4, n), group.counts[root] - 1)
        more = [np.minimum(at + rng.integers(0, 9, n), size - 1) for at, size in zip(box, group.box_shape, strict=True)]
        low, high = group.costs(root, alpha, box), group.costs(root, up, more)
        for name in ("ram_bytes", "flash_bytes", "macs", "params"):
            assert (getattr(high, name) >= getattr(low, name)).all(), name
        for work in EVERY_WORK:
            assert (high.works[work] >= low.works[work]).all(), str(work)
