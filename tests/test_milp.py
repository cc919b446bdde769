"""Stage-wise networks: label setting, the linear program in PuLP and plain enumeration give one answer."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from problems import KIB, PROBLEMS, RATES_FS, WORKS

from hwscale.candidate import Candidate
from hwscale.candidate import Path as ChainPath
from hwscale.chain_space import ChainSpace
from hwscale.domain import make_domain
from hwscale.errors import ConfigError
from hwscale.objectives import BAND, Objective, balanced, find_objective
from hwscale.problem import Problem, TargetProblem
from hwscale.solve import pulp_backend, solve
from hwscale.solve.solution import Solution, Status
from hwscale.space import make_space
from hwscale.work import DENSE, Work, per_mac

MS = 10**12
"""Femtoseconds."""

ATOMNET = {
    "resolution": [96, 128, 160],
    "width0": [16, 32, 48],
    "width1": [16, 32, 48],
    "width2": [32, 64, 96],
    "width3": [48, 80, 112],
    "width4": [64, 96, 128],
    "width5": [80, 112, 144],
    "depth4": [2, 4],
}
FREE = ("2_1", "2_2", "3_1", "4_1")
MCUNET_FIXED = {
    **{f"depth{s}": 2 for s in (2, 3, 5, 6)},
    **{
        f"{name}{s}_{b}": value
        for s in range(2, 8)
        for b in range(1, 2 if s == 7 else 5)
        for name, value in (("kernel", 3), ("expand", 4), ("width", 0.75))
        if f"{s}_{b}" not in FREE
    },
}
MCUNET = {
    "resolution": [96, 128],
    "width0": [0.5, 1.0],
    "width1": [0.5, 1.0],
    "depth4": [2, 3],
    **{f"kernel{at}": [3, 5] for at in FREE},
    **{f"expand{at}": [3, 6] for at in FREE},
    **{f"width{at}": [0.5, 1.0] for at in FREE},
}
RAM = {"atomnet": (64 * KIB, 640 * KIB), "mcunet": (64 * KIB, 480 * KIB)}
FLASH = {"atomnet": (220 * KIB, 1700 * KIB), "mcunet": (810 * KIB, 960 * KIB)}
LATENCY = {"atomnet": (35 * MS, 900 * MS), "mcunet": (70 * MS, 300 * MS)}
"""From below the least of any network to the most of the best one, at the rates of `problems`."""
OBJECTIVES = {
    "macs": find_objective("macs"),
    "params": find_objective("params"),
    "balanced": balanced(),
    "balanced in its band": replace(balanced(), band=BAND),
}


def space(net: str, works: tuple[Work, ...] = WORKS) -> ChainSpace:
    fix, domain = {"atomnet": ({}, ATOMNET), "mcunet": (MCUNET_FIXED, MCUNET)}[net]
    found = make_space(make_domain(net, fix=fix, domain=domain, classes=1000), "tensors", works=works)
    assert isinstance(found, ChainSpace)
    return found


def random_problems(net: str, objective: Objective, count: int, seed: int) -> list[Problem]:
    """Log-uniform budgets, every second one with a latency limit, some too small for anything."""
    rng = np.random.default_rng(seed)
    found = []
    for n in range(count):
        ends = {"ram": RAM[net], "flash": FLASH[net], **({"latency": LATENCY[net]} if n % 2 else {})}
        limits = {name: int(np.exp(rng.uniform(*np.log(ends[name])))) for name in ends}
        found.append(Problem(space(net), objective, limits, RATES_FS))
    return found


def exact(problem: Problem, best: Candidate) -> None:
    """Its cost, recomputed op by op on Python ints, is what it says and meets each limit."""
    assert isinstance(best, ChainPath)
    root = best.group.roots[best.root]
    terms = best.group.model.one(best.values, root.height, root.width)
    assert max(size for _, size in terms.ram_terms) == best.ram_bytes
    assert (terms.flash_bytes, terms.macs, terms.params) == (best.flash_bytes, best.macs, best.params)
    latency = sum(terms.works[work] * fs for work, fs in problem.fs_per_unit.items())
    assert latency == best.latency_fs
    assert all(best.metric(name) <= limit for name, limit in problem.limits.items())


def agree(problem: Problem) -> Solution | None:
    """The answer of all three solvers; the default's down to the tie."""
    truth, default, milp = (solve(problem, solver) for solver in ("exhaustive", "auto", "milp"))
    if truth is None:
        assert default is None
        assert milp is None
        return None
    assert default is not None
    assert milp is not None
    assert default.best.values == truth.best.values
    for found in (default, milp):
        exact(problem, found.best)
        assert found.certificate.status is Status.OPTIMAL
        assert found.certificate.objective == truth.certificate.objective
        assert found.certificate.bound == found.certificate.objective
        assert found.certificate.gap == 0
        assert found.certificate.domain_size == problem.space.size
    return truth


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(("net", "count"), [("atomnet", 14), ("mcunet", 8)])
def test_three_solvers_agree_on_random_budgets(net: str, count: int, objective: str) -> None:
    seed = 100 * list(OBJECTIVES).index(objective) + len(net)
    answers = [agree(problem) for problem in random_problems(net, OBJECTIVES[objective], count, seed)]
    assert sum(answer is not None for answer in answers) >= count / 2


AUTHORS_RATES = {
    Work("macs", DENSE): 10**12 // 256_000,
    Work("macs", ("depthwise",)): round(10**12 / 91_000),
}
"""fs per MAC at the 256 and 91 kMAC/ms that the AtomNet paper prints for its STM32H7."""


@pytest.mark.parametrize(
    ("ram", "flash", "latency"),
    [(256, 1024, 275), (256, 1024, 405), (320, 1024, 367), (512, 2048, 490), (512, 2048, 836), (512, 2048, 1188)],
)
def test_three_solvers_agree_on_the_papers_budgets_over_57_million_atomnets(ram: int, flash: int, latency: int) -> None:
    whole = make_space(make_domain("atomnet", classes=1000), "tensors", works=tuple(AUTHORS_RATES))
    assert whole.size == 57_153_600
    limits = {"ram": ram * KIB, "flash": flash * KIB, "latency": latency * MS}
    assert agree(Problem(whole, find_objective("macs"), limits, AUTHORS_RATES)) is not None


@pytest.mark.parametrize(
    ("objective", "limits"),
    [
        (balanced(r0=400.0, c=3.0), {"ram": 256 * KIB}),  # turns at 5 to 37 M MACs
        (balanced(r0=400.0, c=3.0), {"ram": 128 * KIB, "flash": 500 * KIB}),
        (balanced(r0=2000.0, c=3.0), {"ram": 256 * KIB}),  # every network lies past its turning point
    ],
)
def test_three_solvers_agree_where_the_score_falls_again(objective: Objective, limits: dict[str, int]) -> None:
    narrow = {**ATOMNET, "width3": [48, 96], "width4": [64, 128], "width5": [80, 144]}
    domain = make_domain("atomnet", domain=narrow, classes=1000)
    problem = Problem(make_space(domain, "tensors", works=WORKS), objective, limits, RATES_FS)
    assert agree(problem) is not None
    unlimited = solve(replace(problem, objective=find_objective("macs")))
    assert unlimited is not None
    peak = float(objective.turning_points(unlimited.best.resolution))
    assert unlimited.best.macs > peak


@pytest.mark.parametrize(
    "limits", [{"ram": 1 * KIB}, {"flash": 100}, {"latency": 1}, {"macs": 0}, {"flash": 200 * KIB}]
)
def test_nothing_feasible_is_none(limits: dict[str, int]) -> None:
    assert agree(Problem(space("atomnet"), find_objective("macs"), limits, RATES_FS)) is None


def test_a_path_that_breaks_a_limit_by_rounding_is_cut_off() -> None:
    problem = Problem(space("atomnet"), find_objective("macs"), {"ram": 128 * KIB, "latency": 150 * MS}, RATES_FS)
    first = solve(problem)
    assert first is not None
    for less in (0, 1):  # 1 fs in 10^11 is beyond any float solver
        limits = {**problem.limits, "latency": first.best.latency_fs - less}
        answer = agree(replace(problem, limits=limits))
        assert answer is not None
        assert (answer.best.values == first.best.values) is (less == 0)


def test_the_optimum_survives_what_cbc_does_before_it_searches() -> None:
    # CBC 2.10.3 with its default preprocessing: 6,255,104 MACs, "optimal"
    limits = {"ram": 197_531, "flash": 419_882, "latency": 21_909_112_275}
    rates = per_mac({"conv2d": 2_500, "pointwise": 2_900, "depthwise": 10_900, "fully_connected": 4_000})
    answer = agree(Problem(space("atomnet", tuple(rates)), find_objective("macs"), limits, rates))
    assert answer is not None
    assert answer.best.macs == 6_259_968


def test_the_same_answer_every_time() -> None:
    problem = Problem(space("atomnet"), balanced(), {"ram": 128 * KIB, "flash": 512 * KIB}, RATES_FS)
    found = [solve(problem, "milp") for _ in range(2)]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].best.values == found[1].best.values
    assert found[0].certificate.method.startswith("milp (PuLP ")


# ---- what it refuses -------------------------------------------------------------------------------------------------


def test_floors_and_targets_are_for_auto() -> None:
    floors = Problem(space("atomnet"), find_objective("macs"), {}, RATES_FS, {"macs": 1})
    targets = TargetProblem(space("atomnet"), find_objective("macs"), {}, RATES_FS, targets={"macs": 1})
    for problem in (floors, targets):
        with pytest.raises(ConfigError, match="use solver auto"):
            solve(problem, "milp")


def test_global_multipliers_are_for_others() -> None:
    with pytest.raises(ConfigError, match="cannot search phinet"):
        solve(PROBLEMS["phinet, balanced"](), "milp")


def test_without_a_milp_solver_it_says_what_to_install(monkeypatch: Any) -> None:
    for name in ("_cbc", "_highs"):
        monkeypatch.setattr(pulp_backend, name, lambda pulp: None)
    with pytest.raises(ConfigError, match="pip install"):
        solve(Problem(space("atomnet"), find_objective("macs"), {}), "milp")


def test_highs_stays_out_of_a_process_with_ortools(tmp_path: Path) -> None:
    (tmp_path / "highspy.py").write_text(f"open({str(tmp_path / 'loaded')!r}, 'w').close()\n")
    code = (
        "import sys, types; sys.modules['ortools'] = types.ModuleType('ortools')\n"
        "from hwscale.solve.pulp_backend import Backend\n"
        "assert Backend().name == 'CBC'; assert 'highspy' not in sys.modules\n"
    )
    path = [str(tmp_path), str(Path(__file__).parents[1])]
    code = f"import sys; sys.path[:0] = {path}\n{code}"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    assert not (tmp_path / "loaded").exists()
