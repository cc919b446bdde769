"""What more of a limit buys, against enumerations priced one by one and against independent fits."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import pytest

import hwscale
from hwscale.explore.what_if import SHARES, WhatIf, what_ifs

FEMTO = 10**15
PLATFORM = "stm32h743"
GRIDS: dict[str, dict[str, tuple[Any, ...]]] = {
    "xinet": {
        "alpha": tuple(round(0.3 + 0.05 * step, 2) for step in range(14)),
        "gamma": (3, 4),
        "num_layers": (5,),
        "resolution": (96, 128),
    },
    "mobilenet_v2": {"alpha": tuple(round(0.3 + 0.05 * step, 2) for step in range(16)), "resolution": (96, 128, 160)},
    "atomnet": {"width2": (16, 32, 48), "width4": (32, 64, 96), "width5": (32, 64), "resolution": (96, 128)},
}
PINNED: dict[str, dict[str, Any]] = {
    "xinet": {"beta": 1.0},
    "mobilenet_v2": {},
    "atomnet": {
        **{f"block{n}": "sep" if n < 3 else "convnext" for n in range(1, 6)},
        **{f"expand{n}": 1 if n < 3 else 3 for n in range(1, 6)},
        **{f"depth{n}": 1 for n in range(1, 6)},
        "width0": 16,
        "width1": 16,
        "width3": 64,
    },
}
CASES = list(itertools.product(GRIDS, ("tensors", "tflm"), ("ram", "flash", "latency")))
Row = tuple[dict[str, int], float]


@lru_cache(maxsize=16)
def priced(family: str, runtime: str) -> tuple[Row, ...]:
    """Costs (latency in fs) and the balanced score of every configuration of a grid, one by one."""
    found = []
    grid = GRIDS[family]
    for values in itertools.product(*grid.values()):
        chosen = PINNED[family] | dict(zip(grid, values, strict=True))
        cost = hwscale.cost(family, chosen, runtime=runtime, platform=PLATFORM).cost
        assert cost.latency_s is not None
        path = 160 * (cost.macs / 1e8) ** 0.25
        score = math.log(cost.macs) - 1.5 * math.log(chosen["resolution"] / path) ** 2
        latency = round(cost.latency_s * FEMTO)
        found.append(({"ram": cost.ram_bytes, "flash": cost.flash_bytes, "latency": latency}, score))
    return tuple(found)


def allowed(row: Row, limits: Mapping[str, int]) -> bool:
    return all(row[0][name] <= limit for name, limit in limits.items())


def best(rows: tuple[Row, ...], limits: Mapping[str, int]) -> float:
    return max((row[1] for row in rows if allowed(row, limits)), default=-math.inf)


def middling(rows: tuple[Row, ...], metric: str) -> dict[str, int]:
    """Limits at which ``metric`` is short, a little above what some configuration needs, and the others are not quite so."""
    limits = {}
    for name in ("ram", "flash", "latency"):
        sizes = sorted(row[0][name] for row in rows)
        limits[name] = sizes[len(sizes) * (2 if name == metric else 3) // 5] + 3
    return limits


def fitted(family: str, runtime: str, limits: Mapping[str, int], **more: Any) -> hwscale.Fit:
    """``limits`` in whole bytes and fs."""
    units = {name: limit / FEMTO if name == "latency" else limit for name, limit in limits.items()}
    domain = {name: ",".join(map(str, values)) for name, values in GRIDS[family].items()}
    return hwscale.fit(
        family,
        PLATFORM,
        limits=units,
        fix=PINNED[family],
        domain=domain,
        runtime=runtime,
        objective="balanced",
        verify="none",
        **more,
    )


def of(found: tuple[WhatIf, ...], name: str) -> WhatIf:
    return next(one for one in found if one.quantity == name)


@pytest.mark.parametrize(("family", "runtime", "metric"), CASES)
def test_the_breakpoint_is_the_smallest_budget_that_buys_anything(family: str, runtime: str, metric: str) -> None:
    rows = priced(family, runtime)
    limits = middling(rows, metric)
    fit = fitted(family, runtime, limits)
    now = best(rows, limits)
    assert fit.certificate.objective == pytest.approx(now, rel=1e-12)
    for one in fit.what_ifs():
        others = {name: limit for name, limit in limits.items() if name != one.quantity}
        better = [row for row in rows if row[1] > now * (1 + 1e-12) and allowed(row, others)]
        needs = sorted(row[0][one.quantity] for row in better)
        assert one.spent == (not needs)
        if not needs or needs[0] > 2 * limits[one.quantity]:
            assert one.breakpoint is None
            continue
        step = one.breakpoint
        assert step is not None
        assert step.whole == needs[0]
        assert step.exact
        assert step.at_least == step.budget
        assert one.proven
        won = max(row[1] for row in better if row[0][one.quantity] <= needs[0])
        assert step.score_gain == pytest.approx(won - now, rel=1e-6)


@pytest.mark.parametrize(("family", "runtime", "metric"), CASES)
def test_a_fit_at_the_breakpoint_is_better_and_one_below_it_is_not(family: str, runtime: str, metric: str) -> None:
    rows = priced(family, runtime)
    roomy = {name: max(row[0][name] for row in rows) for name in ("ram", "flash", "latency")}
    limits = {**roomy, metric: middling(rows, metric)[metric]}
    fit = fitted(family, runtime, limits)
    step = of(fit.what_ifs(), metric).breakpoint
    assert step is not None, "some larger configuration of the grid needs less than twice the middling budget"
    at = fitted(family, runtime, {**limits, metric: step.whole})
    below = fitted(family, runtime, {**limits, metric: step.whole - 1})
    assert at.certificate.objective - fit.certificate.objective == pytest.approx(step.score_gain, rel=1e-6)
    assert at.certificate.objective > fit.certificate.objective == below.certificate.objective
    assert at.hyperparameters == step.hyperparameters
    gained = 100 * (at.cost.macs / fit.cost.macs - 1)
    assert step.metric_gain_percent == pytest.approx(gained)


@pytest.mark.parametrize("family", ["xinet", "phinet", "atomnet"])
def test_arcs_are_independent_fits_with_the_limit_raised_and_never_fall(family: str) -> None:
    fix = {"resolution": 96, "num_layers": 7} if family == "phinet" else {}
    limits = {"ram": 110_001, "flash": 300_001, "latency": 0.05}
    options: dict[str, Any] = {"fix": fix, "verify": "none"}
    if family == "atomnet":
        options["domain"] = {"resolution": "96,128"}
    fit = hwscale.fit(family, PLATFORM, limits=limits, **options)
    found = fit.what_ifs()
    assert [one.quantity for one in found] == list(limits)
    for one in found:
        assert [arc.share for arc in one.arcs] == list(SHARES)
        gains = [arc.score_gain for arc in one.arcs]
        assert gains == sorted(gains)
        assert gains[0] >= 0
        for arc in one.arcs:
            raised = hwscale.fit(family, PLATFORM, limits={**limits, one.quantity: arc.budget}, **options)
            assert arc.proven
            assert raised.certificate.objective == pytest.approx(fit.certificate.objective + arc.score_gain, rel=1e-12)
            if arc.score_gain:
                assert raised.hyperparameters == arc.hyperparameters
                assert arc.metric_gain_percent == pytest.approx(100 * (raised.cost.macs / fit.cost.macs - 1))
            else:
                assert arc.hyperparameters == fit.hyperparameters


def test_a_limit_that_does_not_bind_has_nothing_more_to_sell() -> None:
    roomy = fitted("xinet", "tflm", {"ram": 2**30, "flash": 2**30})
    for one in roomy.what_ifs():
        assert one.spent
        assert one.proven
        assert one.breakpoint is None
        assert all(arc.score_gain == 0 for arc in one.arcs)


def test_beyond_twice_the_limit_nothing_is_looked_for_but_more_is_not_denied() -> None:
    rows = priced("mobilenet_v2", "tflm")
    limits = {"ram": 2**30, "flash": 2**30, "latency": min(row[0]["latency"] for row in rows)}
    cheapest = next(row for row in rows if row[0]["latency"] == limits["latency"])
    limits["ram"] = cheapest[0]["ram"]
    for one in fitted("mobilenet_v2", "tflm", limits).what_ifs():
        others = {name: limit for name, limit in limits.items() if name != one.quantity}
        better = [row for row in rows if row[1] > cheapest[1] and allowed(row, others)]
        assert one.spent == (not better)
        first = min((row[0][one.quantity] for row in better), default=None)
        known = one.breakpoint.whole if one.breakpoint else None
        assert known == (first if first is not None and first <= 2 * limits[one.quantity] else None)


def test_latency_and_energy_hold_each_other() -> None:
    free = fitted("xinet", "tflm", {"latency": 60 * 10**12})
    assert free.cost.energy_j is not None
    power_w = free.cost.energy_j / free.cost.latency_s  # type: ignore[operator]
    units = {"latency": 0.06, "energy": 0.05 * power_w}
    domain = {name: ",".join(map(str, values)) for name, values in GRIDS["xinet"].items()}
    both = hwscale.fit("xinet", PLATFORM, limits=units, domain=domain, verify="none")
    latency, energy = (of(both.what_ifs(), name) for name in ("latency", "energy"))
    assert latency.held_by == "energy"
    assert latency.spent
    assert latency.breakpoint is None
    assert energy.held_by == "latency"
    assert energy.breakpoint is not None
    assert units["energy"] < energy.breakpoint.budget <= 0.06 * power_w * (1 + 1e-9)
    raised = {**units, "energy": energy.breakpoint.budget * (1 + 1e-9)}
    more = hwscale.fit("xinet", PLATFORM, limits=raised, domain=domain, verify="none")
    gain = more.certificate.objective - both.certificate.objective
    assert gain == pytest.approx(energy.breakpoint.score_gain)


def test_a_worst_case_breakpoint_reads_in_the_units_of_the_limit() -> None:
    limits = {"ram": 2**20, "flash": 2**21, "latency": 60 * 10**12}
    fit = fitted("xinet", "tflm", limits, latency_limit="worst")
    step = of(fit.what_ifs(), "latency").breakpoint
    assert step is not None
    assert fit.limits["latency"] < step.budget == fit.limits["latency"] + step.extra
    at = {**limits, "latency": math.ceil(step.budget * FEMTO * (1 + 1e-12))}
    below = {**limits, "latency": math.floor(step.budget * FEMTO * (1 - 1e-9))}
    scores = [fitted("xinet", "tflm", some, latency_limit="worst").certificate.objective for some in (at, below)]
    assert scores[0] == pytest.approx(fit.certificate.objective + step.score_gain)
    assert scores[1] == fit.certificate.objective


@pytest.mark.parametrize("family", GRIDS)
def test_out_of_patience_the_breakpoint_is_a_bracket_that_holds_it(family: str) -> None:
    fit = fitted(family, "tflm", middling(priced(family, "tflm"), "flash"))
    for hasty, patient in zip(what_ifs(fit, patience_s=0), fit.what_ifs(), strict=True):
        assert (hasty.breakpoint is None) == (patient.breakpoint is None)
        if hasty.breakpoint is not None and patient.breakpoint is not None:
            assert hasty.breakpoint.at_least <= patient.breakpoint.budget <= hasty.breakpoint.budget
            assert hasty.breakpoint.exact == (hasty.breakpoint.at_least == hasty.breakpoint.budget)


def test_what_is_better_within_the_same_limits_is_not_for_sale() -> None:
    limits = middling(priced("xinet", "tflm"), "ram")
    proven, guessed = (fitted("xinet", "tflm", limits, solver=solver) for solver in ("auto", "nlp"))
    assert guessed.certificate.status != "optimal"
    for one, other in zip(guessed.what_ifs(), proven.what_ifs(), strict=True):
        assert one.breakpoint == other.breakpoint
        assert one.arcs == other.arcs


def test_there_are_no_what_ifs_beside_targets() -> None:
    aimed = hwscale.fit("mobilenet_v2", targets={"ram": "128 KiB"}, limits={"flash": "1 MiB"}, verify="none")
    assert aimed.what_ifs() == ()


def test_the_local_estimate_prices_what_binds_and_stage_wise_families_have_none() -> None:
    fit = hwscale.fit("xinet", limits={"ram": "128 KiB", "flash": "16 MiB"}, fix={"resolution": 96}, verify="none")
    ram, flash = fit.what_ifs()
    assert ram.multiplier is not None
    assert ram.multiplier > 0
    assert flash.multiplier == pytest.approx(0.0, abs=1e-6)
    chains = fitted("atomnet", "tflm", middling(priced("atomnet", "tflm"), "ram"))
    assert all(one.multiplier is None for one in chains.what_ifs())


def test_a_schedule_of_patches_has_what_ifs_too() -> None:
    fix = {"kernel": 3, "expand": 3, "depth": 2, "resolution": 96, "n_patch": 2, "split_idx": 6}
    options: dict[str, Any] = {"runtime": "tinyengine", "schedule": "patch+", "fix": fix, "domain": {"width": "0.5,1"}}
    limits = {"ram": 96 * 1024, "flash": 300 * 1024}

    def score(**raised: int) -> float:
        return hwscale.fit("mcunet", limits={**limits, **raised}, verify="none", **options).certificate.objective

    fit = hwscale.fit("mcunet", limits=limits, verify="none", **options)
    ram, flash = fit.what_ifs()
    assert ram.spent
    assert score(ram=2**30) == fit.certificate.objective
    assert flash.breakpoint is not None
    assert flash.breakpoint.exact
    assert score(flash=flash.breakpoint.whole) > fit.certificate.objective == score(flash=flash.breakpoint.whole - 1)


def test_explain_prints_what_more_buys_and_json_has_it_only_with_explain(cli: Any) -> None:
    arguments = ("fit", "--net", "xinet", "--platform", PLATFORM, "--verify", "none", "--limit", "latency=80ms")
    fit = hwscale.fit("xinet", PLATFORM, limits={"latency": "80 ms"}, verify="none")
    found = json.loads(json.dumps([one.to_dict() for one in fit.what_ifs()]))
    assert json.loads(cli(*arguments, "--json", "--explain").out)["what_ifs"] == found
    assert "what_ifs" not in json.loads(cli(*arguments, "--json").out)
    text = cli(*arguments, "--explain").out.partition("What more of a limit buys")[2].partition("\n\n")[0]
    rows = [line for line in text.splitlines() if line.strip().startswith(("RAM ", "Flash ", "latency "))]
    assert len(rows) == len(found) == 3
    step = next(one["breakpoint"] for one in found if one["quantity"] == "latency")
    shown = next(line for line in text.splitlines() if line.strip().startswith("latency="))
    budget = shown.strip().partition(":")[0].removeprefix("latency=")
    again = hwscale.fit("xinet", PLATFORM, limits={"latency": budget}, verify="none")
    assert again.certificate.objective - fit.certificate.objective == pytest.approx(step["score_gain"])
    assert f"buys {step['score_gain']:+.4f}, {step['metric_gain_percent']:+.2f} %" in rows[2]


def test_explain_beside_targets_sells_nothing(cli: Any) -> None:
    out = cli("fit", "--net", "mobilenet_v2", "--target", "ram=128KiB", "--verify", "none", "--explain").out
    assert "Certificate" in out
    assert "buys" not in out


def test_explain_does_not_repeat_a_search_that_took_long_and_says_so(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwscale.explore.what_if.LONG_S", 0.0)
    arguments = ("fit", "--net", "mobilenet_v2", "--limit", "ram=128KiB", "--verify", "none", "--explain")
    assert json.loads(cli(*arguments, "--json").out)["what_ifs"] is None
    out = cli(*arguments).out
    assert "left out: solving once took" in out
    assert "buys +" not in out
