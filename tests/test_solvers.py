"""Every solver against the exhaustive oracle, on named problems and on random budgets."""

from __future__ import annotations

import numpy as np
import pytest
from problems import KIB, PROBLEMS, RATES_FS, WORKS, phinet

from hwscale.domain import make_domain
from hwscale.errors import ConfigError
from hwscale.objectives import find_objective
from hwscale.problem import Problem
from hwscale.solve import LATTICE, exhaustive, solve
from hwscale.solve.solution import Solution, Status
from hwscale.solve.targets import solve_targets
from hwscale.space import make_space

PROVING = [name for name in LATTICE if name not in ("exhaustive", "nlp")]


def exact(problem: Problem, solution: Solution) -> None:
    """The claim of every answer: its cost, recomputed on Python ints, meets each limit."""
    best = solution.best
    root = best.group.roots[best.root]
    knobs = {h.name: root.branch[h.name] for h in best.group.model.family.hyperparameters if h.name in root.branch}
    knobs |= best.hyperparameters
    terms = best.group.model.one(knobs, root.height, root.width)
    assert max(size for _, size in terms.ram_terms) == best.ram_bytes
    assert (terms.flash_bytes, terms.macs, terms.params) == (best.flash_bytes, best.macs, best.params)
    assert sum(terms.works[work] * fs for work, fs in problem.fs_per_unit.items()) == best.latency_fs
    assert all(best.metric(name) <= limit for name, limit in problem.limits.items())


@pytest.mark.parametrize("name", PROBLEMS)
def test_proving_solvers_return_the_oracles_answer_and_tie(name: str) -> None:
    problem = PROBLEMS[name]()
    truth = exhaustive.solve(problem)
    assert truth is not None
    exact(problem, truth)
    for solver in PROVING:
        found = solve(problem, solver)
        assert found is not None
        assert found.best.hyperparameters == truth.best.hyperparameters, solver
        assert found.certificate.objective == truth.certificate.objective
        assert found.certificate.status is Status.OPTIMAL
        assert found.certificate.gap == 0
        assert found.certificate.bound == found.certificate.objective
        assert found.certificate.domain_size == problem.space.size


@pytest.mark.parametrize("name", PROBLEMS)
def test_nlp_is_feasible_and_never_called_optimal(name: str) -> None:
    problem = PROBLEMS[name]()
    found, truth = solve(problem, "nlp"), solve(problem)
    assert found is not None
    assert truth is not None
    exact(problem, found)
    assert found.certificate.status is Status.FEASIBLE
    assert found.certificate.bound is None
    assert problem.score(found.best) <= problem.score(truth.best)


def random_limits(rng: np.random.Generator, latency: bool) -> dict[str, int]:
    limits = {
        "ram": int(rng.integers(64, 513)) * KIB,
        "flash": int(np.exp(rng.uniform(np.log(64), np.log(2048)))) * KIB,
    }
    return limits | ({"latency": int(rng.uniform(0.05, 1.0) * 10**15)} if latency else {})


@pytest.fixture(scope="module")
def coarse() -> list[Problem]:
    """24 random budgets over 32 million distinct PhiNets, half with a latency limit, two objectives."""
    domain = {"alpha": (0.1, 3.0), "beta": "0.5:2:0.05", "t_zero": "2:8:0.2", "num_layers": "4:9"}
    space = make_space(make_domain("phinet", domain=domain), "tensors", works=WORKS)
    rng = np.random.default_rng(20261120)
    objectives = [find_objective("macs"), find_objective("balanced")]
    return [Problem(space, objectives[n % 2], random_limits(rng, n % 4 > 1), RATES_FS) for n in range(24)]


def test_quadtree_equals_exhaustive_on_random_budgets_over_30_million_phinets(coarse: list[Problem]) -> None:
    assert coarse[0].space.size >= 30_000_000
    for problem, truth in zip(coarse, exhaustive.solve_many(coarse), strict=True):
        found = solve(problem, "quadtree")
        assert (found is None) == (truth is None)
        if found is not None and truth is not None:
            assert found.best.hyperparameters == truth.best.hyperparameters
            assert found.certificate.objective == truth.certificate.objective


def test_nlp_reaches_the_optimum_within_half_a_percent(coarse: list[Problem]) -> None:
    for problem in coarse[::2]:  # objective macs: the score is a quantity of which a share makes sense
        truth, found = solve(problem, "quadtree"), solve(problem, "nlp")
        assert truth is not None
        assert found is not None
        assert found.best.macs >= 0.995 * truth.best.macs


def test_xinet_table_equals_quadtree_on_the_whole_default_domain() -> None:
    space = make_space(make_domain("xinet"), "tensors", works=WORKS)
    rng = np.random.default_rng(7)
    for n in range(20):
        limits = random_limits(rng, n % 2 == 1)
        problem = Problem(space, find_objective(("macs", "balanced")[n % 2]), limits, RATES_FS)
        by_table, by_tree = solve(problem, "table"), solve(problem, "quadtree")
        assert by_table is not None
        assert by_tree is not None
        assert by_table.best.hyperparameters == by_tree.best.hyperparameters


def test_every_alpha_between_breakpoints_is_covered() -> None:
    problem = phinet("macs", {"ram": 100 * KIB, "flash": 200 * KIB}, beta=[1.0], t_zero=[6.0], num_layers=[7])
    best = solve(problem)
    assert best is not None
    rng = np.random.default_rng(1)
    for alpha in rng.uniform(0.1, 1.5, 400):
        for group in problem.space.groups:
            for root in group.roots:
                knobs = {"alpha": float(alpha), "beta": 1.0, "t_zero": 6.0}
                terms = group.model.one(knobs, root.height, root.width)
                if max(s for _, s in terms.ram_terms) <= 100 * KIB and terms.flash_bytes <= 200 * KIB:
                    assert terms.macs <= best.best.macs


def test_limits_at_the_optimum_keep_it_and_one_byte_less_loses_it() -> None:
    problem = PROBLEMS["phinet, RAM and Flash bind"]()
    best = solve(problem)
    assert best is not None
    cost = {"ram": best.best.ram_bytes, "flash": best.best.flash_bytes}
    again = solve(Problem(problem.space, problem.objective, cost, RATES_FS))
    assert again is not None
    assert again.best.macs == best.best.macs
    for name, value in cost.items():
        less = solve(Problem(problem.space, problem.objective, {**cost, name: value - 1}, RATES_FS))
        assert less is None or less.best.metric(name) < value


def test_nothing_feasible_is_none_for_every_solver() -> None:
    problem = phinet("macs", {"ram": 1 * KIB})
    for solver in ("auto", "quadtree", "table", "exhaustive", "nlp"):
        assert solve(problem, solver) is None


def test_unknown_solver_offers_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'quadtree'"):
        solve(phinet("macs", {}), "quadtre")


TARGETS = {"ram": 128 * KIB, "flash": 300 * KIB, "macs": 9_000_000}


def closest_by_enumeration(problem: Problem, targets: dict[str, int], two_sided: bool) -> float:
    distance = np.inf
    for *_, costs in exhaustive.blocks(problem.space):
        ratios = np.stack([problem.metric(name, costs) / target for name, target in targets.items()])
        if two_sided:
            distance = min(distance, float(np.abs(ratios - 1).max(axis=0).min()))
        else:
            below = (ratios <= 1).all(axis=0)
            distance = min(distance, float((1 - ratios[:, below]).max(axis=0).min()))
    return distance


@pytest.mark.parametrize("two_sided", [False, True])
@pytest.mark.parametrize(
    "targets", [TARGETS, {"ram": 200 * KIB, "flash": 80 * KIB, "macs": 3_000_000}, {"macs": 4_321_000}]
)
def test_targets_are_hit_as_closely_as_enumeration_can(targets: dict[str, int], two_sided: bool) -> None:
    problem = phinet("macs", {})
    nearest = closest_by_enumeration(problem, targets, two_sided)
    for solver in ("quadtree", "table"):
        found = solve_targets(problem, targets, solver, tolerance=0.0, two_sided=two_sided)
        assert found is not None
        ratios = [found.best.metric(name) / target for name, target in targets.items()]
        distance = max(abs(r - 1) for r in ratios) if two_sided else max(1 - r for r in ratios)
        assert distance <= nearest + (1.1e-4 if two_sided else 1e-9)
        if not two_sided:
            assert max(ratios) <= 1


def test_targets_prefer_the_objective_within_the_tolerance() -> None:
    problem = phinet("macs", {})
    tight = solve_targets(problem, TARGETS, "quadtree", tolerance=0.0)
    loose = solve_targets(problem, TARGETS, "quadtree", tolerance=0.05)
    assert tight is not None
    assert loose is not None
    assert loose.best.macs >= tight.best.macs
    assert all(0.95 * target <= loose.best.metric(name) <= target for name, target in TARGETS.items())


@pytest.mark.parametrize("net", ["phinet", "xinet"])
@pytest.mark.parametrize("size", [(49, 40), (96, 128), (99, 64), (65, 97), (1, 1), (33, 33)])
def test_the_search_prices_every_input_shape_as_python_ints_do(net: str, size: tuple[int, int]) -> None:
    narrow = {"alpha": [0.3, 0.5, 1.0], **({"beta": [0.5, 1.0], "t_zero": [2, 6]} if net == "phinet" else {})}
    try:
        space = make_space(make_domain(net, domain=narrow, input_shape=(3, *size)), "tensors", works=WORKS)
    except ConfigError:
        assert net == "xinet"  # which needs even sides of at least 16
        return
    for group, root, alpha, box, costs in exhaustive.blocks(space):
        for n in range(len(root)):
            where = group.roots[root[n]]
            knobs = {h.name: where.branch[h.name] for h in group.model.family.hyperparameters if h.name in where.branch}
            knobs |= group.hyperparameters(int(root[n]), int(alpha[n]), [int(axis[n]) for axis in box])
            terms = group.model.one(knobs, *size)
            exact = (max(s for _, s in terms.ram_terms), terms.flash_bytes, terms.macs, terms.params)
            assert exact == (costs.ram_bytes[n], costs.flash_bytes[n], costs.macs[n], costs.params[n])
