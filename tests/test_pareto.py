"""Fronts are exact: they hold the best answer to every budget, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import hwscale
from hwscale.errors import ConfigError, PlatformError
from hwscale.explore.chain_front import Chains
from hwscale.explore.dominance import foremost
from hwscale.explore.lattice_front import Lattice
from hwscale.explore.packing import packed_heads
from hwscale.explore.pool import Pool
from hwscale.explore.ranking import ranked
from hwscale.objectives import BAND, find_objective
from hwscale.result import described
from hwscale.runtimes.planner import Buffer, plan_arena
from hwscale.space import Space
from tests.fronts import PLATFORM, answers, budgets, every, problem_of, same_answer

SMALL: dict[str, dict[str, Any]] = {
    "phinet": {
        "alpha": (0.3, 0.5),
        "beta": "0.6:1.4:0.2",
        "t_zero": "3:5:1",
        "num_layers": [7],
        "resolution": [48, 80],
    },
    "xinet": {"alpha": (0.4, 0.6), "gamma": [3, 5], "num_layers": [5, 6], "resolution": [48, 64]},
    "mobilenet_v1": {"alpha": (0.2, 0.6), "resolution": [96, 128]},
    "mobilenet_v2": {"alpha": (0.2, 0.5), "resolution": [64, 96, 128]},
    "atomnet": {
        "resolution": [48, 96],
        "width0": [16, 32],
        "width1": [16, 24],
        "width2": [32, 48],
        "width3": [48, 80],
        "depth2": [1],
        "expand3": [1, 6],
        "depth3": [1],
        "depth4": [2],
        "width4": [64, 96],
        "depth5": [1],
        "width5": [96],
    },
}
"""Domains of a few hundred networks, in which the band of `balanced` binds or the planner leaves gaps."""
MCUNET: dict[str, Any] = {
    **{f"depth{stage}": [2] for stage in range(2, 7)},
    **{f"kernel{stage}_{block}": [3] for stage in range(2, 8) for block in range(1, 5) if stage < 7 or block == 1},
    **{f"expand{stage}_{block}": [3] for stage in range(2, 8) for block in range(1, 5) if stage < 7 or block == 1},
    **{f"width{stage}_{block}": [1.0] for stage in range(2, 8) for block in range(1, 5) if stage < 7 or block == 1},
    "width0": [1.0],
    "width1": [0.5, 1.0],
    "width3_1": [0.5, 1.0],
    "expand4_1": [3, 6],
    "kernel5_1": [3, 7],
    "width6_1": [0.5, 0.75, 1.0],
    "depth6": [2, 3],
    "resolution": [96],
}
BOTH, THREE = ("ram", "flash"), ("ram", "flash", "latency")


@pytest.mark.parametrize("over", [BOTH, THREE], ids=["memory", "latency"])
@pytest.mark.parametrize("objective", ["macs", "balanced"])
@pytest.mark.parametrize("runtime", ["tensors", "tflm"])
@pytest.mark.parametrize("net", [*SMALL, "mcunet"])
def test_a_front_is_what_comparing_all_pairs_leaves(
    net: str, runtime: str, objective: str, over: tuple[str, ...]
) -> None:
    domain = MCUNET if net == "mcunet" else SMALL[net]
    front = hwscale.pareto(net, PLATFORM, domain=domain, runtime=runtime, objective=objective, over=over)
    goal = find_objective(objective)
    problem = problem_of(net, domain, runtime, goal)
    truth = answers(problem, goal, over)
    assert front.evidence["front"].startswith("exact")
    assert front.candidates == len(every(problem))
    expected = sorted(
        (one.planned()["ram"], one.planned()["flash"], one.macs, one.params, one.latency_fs) for one in truth
    )
    columns = [front.columns[name].tolist() for name in ("ram", "flash", "macs", "params")]
    assert sorted(zip(*columns, front.latency_fs.tolist(), strict=True)) == expected
    best_first = [int(row) for row in np.argsort(front.ranks["free"])]
    assert [front.hyperparameters(row) for row in best_first] == [one.hyperparameters for one in truth]


BAND_BINDS: dict[str, dict[str, Any]] = {
    "xinet": {"alpha": (0.7, 1.1), "gamma": [3], "num_layers": [5], "resolution": [48, 64]},
    "atomnet": SMALL["atomnet"] | {"depth4": [2, 6]},
}


@pytest.mark.parametrize("runtime", ["tensors", "tflm"])
@pytest.mark.parametrize("net", list(BAND_BINDS))
def test_with_a_band_the_front_is_that_of_both_scores(net: str, runtime: str) -> None:
    free = find_objective("balanced")
    banded = replace(free, band=BAND)
    problem = problem_of(net, BAND_BINDS[net], runtime, free)
    truth = [answers(problem, goal, BOTH) for goal in (banded, free)]
    if isinstance(problem.space, Space):
        source: Any = Lattice(problem, problem.lattice, BOTH)
        pool = source.pool([banded, free])
    else:
        source = Chains(problem, BOTH)
        pool = Pool([banded, free], BOTH, source, source.sample())
        source.every(pool)
    rows, found = pool.finish()
    named = [[source.candidate(rows, row).hyperparameters for row in which] for which in found]
    assert named == [[one.hyperparameters for one in half] for half in truth]
    assert named[0] != named[1]


@pytest.mark.parametrize(
    ("net", "options", "count"),
    [
        ("mobilenet_v1", {}, 24),
        ("mobilenet_v2", {"runtime": "tensors"}, 24),
        ("mobilenet_v2", {"over": THREE}, 24),
        ("xinet", {"domain": {"alpha": (0.3, 0.9), "num_layers": [5, 6]}}, 20),
        ("xinet", {"objective": "params", "runtime": "tensors", "fix": {"resolution": 96}}, 20),
        ("phinet", {"fix": {"resolution": 64, "num_layers": 7, "beta": 0.8}, "domain": {"alpha": (0.2, 0.8)}}, 20),
        ("mobilenet_v2", {"input_shape": (3, 96, 128), "runtime": "tensors"}, 20),
        ("mobilenet_v1", {"input_shape": (1, 64, 64), "in_channels": 1, "classes": 2}, 20),
    ],
)
def test_the_best_point_within_a_budget_is_what_fit_answers(
    net: str, options: dict[str, Any], count: int, tmp_path: Any
) -> None:
    front = hwscale.pareto(net, PLATFORM, **options)
    saved = hwscale.load_front(front.save(tmp_path / "front.npz"))
    asked = {name: value for name, value in options.items() if name != "over"}
    kept = 0
    for limits in budgets(front, count, seed=5):
        point = front.best(limits)
        assert same_answer(point, net, limits, **asked), limits
        assert saved.best(limits) == point
        kept += point is not None
    assert kept > count // 2
    assert same_answer(front.best(), net, {}, **asked)


@pytest.mark.parametrize("runtime", ["tensors", "tflm"])
def test_stage_wise_fronts_answer_as_fit_does_with_a_free_resolution(runtime: str) -> None:
    # the resolution is left free, so that fit keeps to the band; all but the widths of three stages is pinned
    fix = {"width0": 16, "width1": 16, "depth2": 1, "expand3": 3, "block3": "convnext", "depth5": 1, "depth4": 2}
    front = hwscale.pareto("atomnet", PLATFORM, fix=fix, runtime=runtime)
    assert front.method == "every path"
    assert not front.columns["in_band"].all()
    for limits in budgets(front, 20, seed=2):
        assert same_answer(front.best(limits), "atomnet", limits, fix=fix, runtime=runtime), limits


def test_a_label_front_of_a_huge_domain_answers_as_fit_does() -> None:
    domain = {
        **MCUNET,
        "width2_1": [0.5, 0.75, 1.0],
        "expand3_1": [3, 4, 6],
        "kernel4_1": [3, 5, 7],
        "depth5": [2, 3, 4],
    }
    front = hwscale.pareto("mcunet", PLATFORM, domain=domain, runtime="tensors", objective="macs")
    assert front.method == "labels"
    for limits in budgets(front, 20, seed=8):
        assert same_answer(front.best(limits), "mcunet", limits, domain=domain, runtime="tensors", objective="macs"), (
            limits
        )


@pytest.mark.parametrize("net", ["phinet", "xinet", "atomnet", "mcunet"])
def test_the_vectorised_order_is_that_of_candidates_to_the_last_tie(net: str) -> None:
    goal = find_objective("macs")
    domain = dict(MCUNET if net == "mcunet" else SMALL[net])
    if net == "phinet":
        domain["activation"] = ["hswish", "relu6"]  # equal costs, so that only the options decide
    problem = problem_of(net, domain, "tensors", goal)
    if isinstance(problem.space, Space):
        lattice = Lattice(problem, problem.lattice, THREE)
        group, parts = problem.lattice.groups, []
        for at, one in enumerate(group):
            root, box = one.lines()
            for alpha in range(int(one.counts.min())):
                parts.append(lattice.rows(at, root, np.stack([np.full(len(root), alpha), *box], axis=1)))
        rows, source = type(parts[0]).joined(parts), lattice
    else:
        chains = Chains(problem, THREE)
        rows, source = chains.sample(), chains
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    order = ranked(goal, rows, source.ties)
    keys = [problem.rank(source.candidate(rows, row)) for row in order[:4000]]
    assert keys == sorted(keys)


@pytest.mark.parametrize("kinds", [2, 3])
def test_the_filter_keeps_what_comparing_all_pairs_keeps(kinds: int) -> None:
    rng = np.random.default_rng(kinds)
    for high in (4, 40, 10**6):
        costs = rng.integers(0, high, (kinds, 900))
        naive = [n for n in range(900) if not (costs[:, :n] <= costs[:, n : n + 1]).all(axis=0).any()]
        assert foremost(costs).tolist() == naive


def test_arenas_packed_together_are_those_of_the_planner() -> None:
    rng = np.random.default_rng(7)
    gaps = 0
    for _ in range(20):
        first = rng.integers(0, 12, 18)
        last = first + rng.integers(0, 5, 18)
        sizes = rng.integers(0, 40, (30, 18)) * rng.choice([1, 16, 100], (30, 18))
        alone = [
            plan_arena(
                [Buffer(int(size), int(a), int(b)) for size, a, b in zip(row, first, last, strict=True)]
            ).head_bytes
            for row in sizes
        ]
        assert packed_heads(sizes, first, last, np.arange(18)).tolist() == alone
        live = [
            max(int(sum(-(-s // 16) * 16 for s in row[(first <= t) & (t <= last)])) for t in range(17)) for row in sizes
        ]
        gaps += sum(a > b for a, b in zip(alone, live, strict=True))
    assert gaps > 0


@pytest.mark.parametrize(
    ("net", "options"),
    [
        ("xinet", {"domain": {"alpha": (0.3, 0.5), "attention": [True, False]}}),
        ("mobilenet_v2", {"domain": {"alpha": (0.2, 0.4)}, "input_shape": (3, 96, 96)}),
        ("atomnet", {"domain": SMALL["atomnet"]}),
        ("mcunet", {"fix": {"preset": "mcunet-in3"}, "domain": {"depth5": [2, 3, 4], "width4_1": [0.5, 1.0]}}),
    ],
)
def test_hyperparameters_are_those_that_build_takes_and_cost_what_the_columns_say(
    net: str, options: dict[str, Any]
) -> None:
    front = hwscale.pareto(net, PLATFORM, **options)
    classes = {"classes": front.classes, "input_shape": front.input_shape}
    for row in np.linspace(0, len(front) - 1, 12).astype(int):
        point = front.points[int(row)]
        report = hwscale.cost(net, point.hyperparameters, platform=PLATFORM, **classes)
        costs = (report.ram_bytes, report.flash_bytes, report.macs, report.params, report.latency_s)
        mine = point.cost
        assert costs == (mine.ram_bytes, mine.flash_bytes, mine.macs, mine.params, mine.latency_s)
        assert described(report.configuration) == point.hyperparameters


def test_budgets_do_not_narrow_the_front_and_are_those_of_the_platform_less_the_reserve() -> None:
    options: dict[str, Any] = {"domain": SMALL["mobilenet_v1"]}
    bare = hwscale.pareto("mobilenet_v1", **options)
    front = hwscale.pareto("mobilenet_v1", PLATFORM, **options, reserve_ram="64KiB", margin="10%")
    whole = hwscale.pareto("mobilenet_v1", PLATFORM, **options).budget
    assert bare.budget == {}
    assert "latency" not in bare.columns
    assert len(bare) <= len(front)
    assert front.budget == {"ram": int((whole["ram"] - 64 * 1024) * 0.9), "flash": int(whole["flash"] * 0.9)}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"over": ("ram",)}, "allowed: ram, flash or ram, flash, latency"),
        ({"over": THREE, "platform": None}, "no platform was named"),
        ({"input_buffer": "inside"}, "counted"),
        ({"platform": None, "margin": 0.1}, "taken from a platform"),
        ({"fix": [1]}, "must be a dict"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(options: dict[str, Any], words: str) -> None:
    with pytest.raises((ConfigError, PlatformError), match=words):
        hwscale.pareto("mobilenet_v1", **{"platform": PLATFORM, **options})


def test_a_domain_that_can_neither_be_compared_nor_looked_at_whole_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match="use objective macs, or fix resolution"):
        hwscale.pareto("mcunet", PLATFORM, runtime="tensors")
