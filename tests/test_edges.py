"""Where arithmetic, domains or objectives come to an end: the answer is right or refused, never wrapped or misdescribed."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from toy_families import Toy

import hwscale
from hwscale.candidate import Path
from hwscale.chain_model import ChainModel
from hwscale.chain_space import ChainGroup, ChainSpace
from hwscale.domain import make_domain
from hwscale.formulas.family import Settings
from hwscale.objectives import NO_TURN, Objective, find_objective
from hwscale.problem import LONGEST_FS, saturated_fs
from hwscale.runtimes import find_runtime
from hwscale.space import make_space

KIB = 1024


def fit(net: str, *arguments: Any, **settings: Any) -> hwscale.Fit:
    return hwscale.fit(net, *arguments, verify="none", **settings)


def test_latencies_beyond_int64_are_infeasible_not_negative() -> None:
    huge = {"resolution": 2048, "beta": 1.0, "t_zero": 6.0, "num_layers": 7}
    limits = {"ram": "none", "flash": "none", "latency": "1 s"}
    with pytest.raises(hwscale.InfeasibleError, match="latency"):
        fit("phinet", "rp2040", limits=limits, domain={"alpha": (0.1, 20.0)}, fix=huge)


def test_costs_beyond_exact_search_are_refused() -> None:
    with pytest.raises(hwscale.ConfigError, match="beyond exact search"):
        fit(
            "xinet",
            limits={"macs": "251000G"},
            fix={"alpha": 1000.0, "resolution": 256, "num_layers": 7, "gamma": 4},
            domain={"beta": [1, *range(300, 1000, 7)]},
        )


def test_an_objective_on_another_metric_is_refused() -> None:
    with pytest.raises(hwscale.ConfigError, match="allowed metrics: macs, params"):
        Objective("ram", "ram", "most RAM")


def test_where_nothing_lies_within_the_band_it_neither_chooses_nor_is_claimed() -> None:
    pinned = {"alpha": 3.0}
    free = fit("phinet", limits={"ram": 400 * KIB}, fix=pinned)
    lifted = fit("phinet", limits={"ram": 400 * KIB}, fix=pinned, domain={"resolution": "48:256:16"})
    assert free.restriction == ""
    assert free.certificate.objective == lifted.certificate.objective


def test_the_domain_hash_tells_a_restricted_claim_from_a_full_one() -> None:
    asked: dict[str, Any] = {"limits": {"ram": 64 * KIB}, "runtime": "tensors"}  # where the restriction costs something
    free, lifted = fit("phinet", **asked), fit("phinet", **asked, domain={"resolution": "48:256:16"})
    assert free.restriction
    assert not lifted.restriction
    assert free.certificate.domain_hash != lifted.certificate.domain_hash
    assert lifted.certificate.objective > free.certificate.objective


def test_a_neighbour_that_cannot_be_built_is_left_out() -> None:
    answer = fit("xinet", limits={"macs": "60M"}, fix={"num_layers": 7}, domain={"resolution": [48, 64]})
    assert answer.hyperparameters["resolution"] == 64  # 48 is halved six times: too small
    assert answer.neighbours() == ()


def test_targets_have_no_neighbours_that_miss_them() -> None:
    assert fit("phinet", targets={"ram": "256KiB", "macs": "40M"}).neighbours() == ()


@pytest.mark.parametrize(
    ("platform", "limits", "fix"),
    [
        (None, {"macs": 1000}, {"resolution": 96}),
        (None, {"ram": 1 * KIB, "flash": 100 * KIB}, {}),
        ("rp2040", {"latency": "1 us"}, {}),
    ],
)
def test_the_smallest_budget_in_the_message_fits_when_typed_back(
    platform: str | None, limits: dict[str, Any], fix: dict[str, Any]
) -> None:
    with pytest.raises(hwscale.InfeasibleError) as error:
        fit("phinet", platform, limits=limits, fix=fix)
    budget = str(error.value).partition("the smallest budget that fits: ")[2]
    typed = dict(re.findall(r"(ram|flash|macs|latency) ([\d.]+ ?[A-Za-z]*)", budget))
    fit("phinet", platform, limits=typed, fix=fix)


def test_nlp_without_an_answer_proves_nothing_and_says_so() -> None:
    fix = {"conv2d_input": True}
    with pytest.raises(hwscale.InfeasibleError) as refused:
        fit("phinet", limits={"ram": 1, "flash": 1}, fix=fix)
    limits = dict(refused.value.smallest_budget)
    assert fit("phinet", limits=limits, fix=fix).cost.ram_bytes <= limits["ram"]
    with pytest.raises(hwscale.ConfigError, match="proves nothing"):
        fit("phinet", limits=limits, fix=fix, solver="nlp")


def test_latency_and_energy_are_one_target() -> None:
    with pytest.raises(hwscale.ConfigError, match="one quantity"):
        fit("phinet", "stm32h743", targets={"latency": "500ms", "energy": "2mJ"})


def test_family_names_are_read_in_any_case() -> None:
    assert fit("PhiNet", limits={"ram": 64 * KIB}).family == "phinet"
    assert hwscale.build("XiNet", {"alpha": 0.25, "resolution": 32}) is not None


@pytest.mark.parametrize(
    "settings",
    [
        {"objective": "balanced:c=0.001"},
        {"objective": "balanced:r0=1e95"},
        {"limits": {"latency": "1e300s"}},
        {"limits": {"ram": "1e999KB"}},
        {"classes": 10**400},
        {"fix": {"alpha": 10**400}},
        {"domain": {"alpha": None}},
        {"domain": {"beta": ("x", "1", "0.1")}},
        {"limits": {1: 2}},
        {"solver": ["table"]},
        {"runtime": ["tensors"]},
        {"fix": {"conv5_percent": -3}},
        {"input_shape": (3, 50_000, 50_000)},
        {"input_shape": 3},
        {"margin": "lots"},
    ],
)
def test_absurd_settings_are_refused_in_a_sentence(settings: dict[str, Any]) -> None:
    with pytest.raises(hwscale.ConfigError, match=r".{20,}"):
        fit("phinet", "stm32h743", **settings)


def test_an_absurd_base_filters_is_refused() -> None:
    for given in (900, 2_000_000):
        with pytest.raises(hwscale.ConfigError, match="at most"):
            hwscale.cost("xinet", {"base_filters": given})


def test_a_limit_far_above_every_candidate_is_no_limit() -> None:
    assert fit("phinet", limits={"ram": 64 * KIB, "macs": 1e30}).cost == fit("phinet", limits={"ram": 64 * KIB}).cost


def test_the_tiniest_latency_limit_is_infeasible() -> None:
    with pytest.raises(hwscale.InfeasibleError):
        fit("phinet", "stm32h743", limits={"latency": "1e-8 ns"})


def test_a_balanced_objective_with_a_tiny_c_turns_beyond_every_network() -> None:
    assert find_objective("balanced:c=0.01").turning_points(96.0) == NO_TURN  # and warns of no overflow


def test_a_latency_past_what_is_exact_breaks_every_limit() -> None:
    macs = np.array([1, LONGEST_FS // 7, LONGEST_FS // 7 + 1, 2**62])
    assert saturated_fs(macs, 7).tolist() == [7, LONGEST_FS // 7 * 7, LONGEST_FS, LONGEST_FS]


def test_with_one_width_for_all_the_smaller_multiplier_wins_a_tie() -> None:
    rank = [Path(1, 1, 1, 1, 0, group, 0, (0,)).tie_order() for group in _uniform_groups()]
    assert rank == sorted(rank)
    assert len(set(rank)) == len(rank) > 1


def _uniform_groups() -> list[ChainGroup]:
    space = make_space(make_domain("mcunet", {"uniform_width": True, "resolution": 96}), "tensors")
    assert isinstance(space, ChainSpace)
    return sorted(space.groups, key=lambda group: group.axes["width0"])


def test_a_held_map_that_an_absent_block_would_follow_is_refused() -> None:
    toy = Toy((1, 1, 1, 1), ((8,), (8,), (8,), (8,)), held={1: 3}, optional=(1, 2))
    with pytest.raises(ValueError, match="is held"):
        ChainModel(toy, Settings((), 3, 10), find_runtime("tensors"), False)


def test_an_answer_is_no_worse_than_one_of_a_part_of_its_domain() -> None:
    limits = {"macs": "30M"}  # which caps what is maximised: very many networks come close
    whole = fit("mcunet", limits=limits, domain={"resolution": [96, 128, 160]})
    part = fit("mcunet", limits=limits, fix={"resolution": 128})
    assert whole.certificate.objective >= part.certificate.objective
    assert whole.cost.macs <= 30_000_000
