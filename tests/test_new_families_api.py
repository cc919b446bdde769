"""`hwscale.fit` and `cost` for mobilenet_v1, mobilenet_v2, atomnet and mcunet: what is documented for every family."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from typing import Any

import pytest

import hwscale

KIB = 1024
MOBILENETS = ("mobilenet_v1", "mobilenet_v2")
STAGEWISE = ("atomnet", "mcunet")
FAMILIES = MOBILENETS + STAGEWISE
EVERY_FAMILY = ("phinet", "xinet", *FAMILIES)
BLOCKS = {"sep", "convnext", "mbconv"}
SMALL: dict[str, dict[str, list[Any]]] = {  # a few dozen configurations, so that a loop over them is the oracle
    "mobilenet_v1": {"alpha": [0.1, 0.25, 0.35, 0.5, 0.75], "resolution": [64, 96, 128, 160]},
    "mobilenet_v2": {"alpha": [0.1, 0.2, 0.35, 0.5, 0.75], "resolution": [64, 96, 128, 160]},
    "atomnet": {
        "width0": [16, 32],
        "width3": [48, 96],
        "block3": ["sep", "mbconv", "convnext"],
        "expand3": [1, 3],
        "depth4": [2, 4],
        "resolution": [64, 96],
    },
    "mcunet": {
        "width0": [0.5, 1.0],
        "kernel2_1": [3, 7],
        "expand3_1": [3, 6],
        "width4_1": [0.5, 1.0],
        "depth5": [2, 3],
        "resolution": [96, 128],
    },
}
PINNED = {
    family: {k: v for k, v in hwscale.cost(family).to_dict()["hyperparameters"].items() if k not in SMALL[family]}
    for family in FAMILIES
}
LIMITS = {  # RAM and Flash in KiB that a part of SMALL fits
    "mobilenet_v1": [(90, 300), (180, 800)],
    "mobilenet_v2": [(200, 700), (330, 900)],
    "atomnet": [(138, 1000), (220, 950)],
    "mcunet": [(431, 1800), (665, 1760)],
}


def recomputed(fit: hwscale.Fit, **ends: Any) -> Any:
    return hwscale.cost(fit.family, fit.hyperparameters, input_shape=fit.input_shape, **ends).cost


def path_resolution(macs: int) -> float:
    return 160 * (macs / 1e8) ** 0.25


def balanced(macs: int, resolution: float) -> float:
    return math.log(macs) - 1.5 * math.log(resolution / path_resolution(macs)) ** 2


def inside(macs: int, resolution: float) -> bool:
    return resolution >= 0.6 * path_resolution(macs)


def small_grid(family: str) -> list[dict[str, Any]]:
    axes = SMALL[family]
    rows = (dict(zip(axes, row, strict=True)) for row in itertools.product(*axes.values()))
    return [{**PINNED[family], **row} for row in rows]


def solved(family: str, **given: Any) -> hwscale.Fit:
    return hwscale.fit(family, fix=PINNED[family], domain=SMALL[family], verify="none", **given)


def spent(cost: Any) -> dict[str, float]:
    return {"ram": cost.ram_bytes, "flash": cost.flash_bytes, "macs": cost.macs, "latency": cost.latency_s}


# ---- the contract of an answer ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_the_answer_keeps_the_limits_of_the_platform_and_a_latency_and_is_proven_and_verified(family: str) -> None:
    chip = hwscale.load_platform("stm32f746")
    fit = hwscale.fit(family, "stm32f746", limits={"latency": "200 ms"})
    assert fit.limits == {"ram": chip.arena_bytes, "flash": chip.flash_bytes, "latency": pytest.approx(0.2)}
    again = hwscale.cost(family, fit.hyperparameters, input_shape=fit.input_shape, platform="stm32f746").cost
    assert again == fit.cost
    for name, limit in fit.limits.items():
        assert 0 <= fit.slack[name] == pytest.approx(limit - spent(again)[name], rel=1e-9, abs=1e-12)
    assert set(fit.binding) <= set(fit.limits)
    assert fit.certificate.status == "optimal"
    assert fit.certificate.gap == 0
    assert fit.certificate.bound == fit.certificate.objective
    assert fit.certificate.objective == pytest.approx(balanced(again.macs, fit.input_shape[1]), rel=1e-9)
    assert fit.verification.ok
    assert {r.quantity: r.measured for r in fit.verification.rows}["macs"] == fit.cost.macs
    assert str(fit.evidence["latency"]).startswith("estimated")


def test_the_default_domain_of_atomnet_has_57153600_candidates() -> None:
    domains = [  # the choices of each hyperparameter, AtomNet Table 2
        *(9, 5),  # resolution, width0
        *(5, 2 * 6, 2 * 3 * 2 * 6, 3 * 7, 2 * 7),  # stages 1 to 5
    ]
    assert math.prod(domains) == 57_153_600
    fit = hwscale.fit("atomnet", "stm32f746", limits={"latency": "813 ms"}, verify="none")
    assert fit.certificate.domain_size == 57_153_600


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("classes", [1, 1000])
def test_build_takes_the_hyperparameters_and_gives_one_logit_per_class(family: str, classes: int) -> None:
    import torch

    fit = hwscale.fit(family, limits={"ram": "200 KiB", "flash": "2 MiB"}, classes=classes)
    assert fit.verification.ok
    network = hwscale.build(family, fit.hyperparameters, input_shape=fit.input_shape, classes=classes)
    with torch.no_grad():
        assert network.eval()(torch.zeros(1, *fit.input_shape)).shape == (1, classes)
        assert fit.build().eval()(torch.zeros(1, *fit.input_shape)).shape == (1, classes)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shape", [(3, 96, 128), (1, 49, 40), (3, 65, 97)], ids=str)
def test_rectangles_and_one_channel_verify(family: str, shape: tuple[int, int, int]) -> None:
    limits = {"ram": "352 KiB", "flash": "512 KiB"}
    fit = hwscale.fit(family, limits=limits, input_shape=shape, in_channels=shape[0])
    assert fit.verification.ok
    assert tuple(fit.input_shape) == shape
    assert recomputed(fit, in_channels=shape[0]) == fit.cost
    assert fit.cost.ram_bytes <= 352 * KIB


@pytest.mark.parametrize("family", FAMILIES)
def test_an_external_input_verifies_never_needs_more_ram_and_never_scores_less(family: str) -> None:
    outside, inside_ = (
        hwscale.fit(family, limits={"ram": "200 KiB", "flash": "500 KiB"}, input_buffer=where, verify=verify)
        for where, verify in (("external", "torch"), ("counted", "none"))
    )
    assert outside.verification.ok
    assert outside.certificate.objective >= inside_.certificate.objective
    assert recomputed(inside_, input_buffer="external").ram_bytes <= inside_.cost.ram_bytes


@pytest.mark.parametrize("family", FAMILIES)
def test_reserve_and_margin_shrink_the_limits(family: str) -> None:
    chip = hwscale.load_platform("stm32f746")
    fit = hwscale.fit(family, "stm32f746", reserve_ram="64 KiB", reserve_flash=1000, margin="10%", verify="none")
    ram, flash = chip.arena_bytes - 64 * KIB, chip.flash_bytes - 1000
    assert fit.limits == {"ram": ram * 9 // 10, "flash": flash * 9 // 10}
    assert fit.cost.ram_bytes <= fit.limits["ram"]
    assert fit.cost.flash_bytes <= fit.limits["flash"]


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("atomnet", {"kernel": 5, "se_stages": (3,), "se_reduction": 8, "se_placement": "expanded"}),
        ("atomnet", {"residual": "all", "expansion_base": "out", "activation": "hard_swish", "include_top": False}),
        ("atomnet", {"se_stages": (), "residual": "none"}),
        ("mcunet", {"base_widths": (16, 8, 16, 24, 40, 48, 96, 160), "mix_channels": 64}),
        ("mcunet", {"uniform_width": True, "include_top": False}),
        ("mobilenet_v1", {"divisor": 1}),
        ("mobilenet_v2", {"divisor": 4, "scale_head": True, "include_top": False}),
    ],
    ids=str,
)
def test_options_reach_the_answer_the_build_and_a_saved_folder(family: str, options: Any, tmp_path: Any) -> None:
    fit = hwscale.fit(family, limits={"ram": "200 KiB", "flash": "1 MiB"}, fix=options)
    assert fit.verification.ok
    assert {name: fit.hyperparameters[name] for name in options} == options
    assert recomputed(fit) == fit.cost
    widths = {v for k, v in fit.hyperparameters.items() if k.startswith("width")}
    assert "uniform_width" not in options or len(widths) == 1
    fit.save(tmp_path / "best")
    assert hwscale.verify(tmp_path / "best").ok


@pytest.mark.parametrize("family", STAGEWISE)
def test_a_name_without_its_number_stands_for_every_stage_and_a_list_for_one_each(family: str) -> None:
    if family == "atomnet":
        one, each = {"width": 32}, {"width": (16, 16, 32, 48, 96, 128)}
        long = {f"width{i}": width for i, width in enumerate(each["width"])}
        same = {f"width{i}": 32 for i in range(6)}
    else:
        one, each = {"kernel": 5}, {"kernel2": (3, 5, 7)}
        long = {"kernel2_1": 3, "kernel2_2": 5, "kernel2_3": 7}
        same = {name: 5 for name in PINNED["mcunet"] | SMALL["mcunet"] if name.startswith("kernel")}
    assert hwscale.cost(family, one).cost == hwscale.cost(family, same).cost
    assert hwscale.cost(family, each).cost == hwscale.cost(family, long).cost
    fit = hwscale.fit(family, limits={"ram": "256 KiB", "flash": "1 MiB"}, fix=one, verify="none")
    name, value = next(iter(one.items()))
    assert {v for k, v in fit.hyperparameters.items() if k.startswith(name)} == {value}


@pytest.mark.parametrize("family", FAMILIES)
def test_neighbours_differ_in_resolution_fit_and_cost_what_they_say(family: str) -> None:
    fit = hwscale.fit(family, "stm32f746", verify="none")
    assert fit.neighbours()
    for other in fit.neighbours():
        cost = hwscale.cost(family, other.hyperparameters).cost
        assert (cost.ram_bytes, cost.flash_bytes, cost.macs) == (other.ram_bytes, other.flash_bytes, other.macs)
        assert other.hyperparameters["resolution"] != fit.hyperparameters["resolution"]
        assert other.objective <= fit.certificate.objective
        assert cost.ram_bytes <= fit.limits["ram"]
        assert cost.flash_bytes <= fit.limits["flash"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_warning_says_when_ram_is_the_only_budget(family: str) -> None:
    def warned(**limits: Any) -> bool:
        return any("only budget" in w for w in hwscale.fit(family, limits=limits, verify="none").warnings)

    assert warned(ram="200 KiB")
    assert not warned(ram="200 KiB", flash="512 KiB")


# ---- the answer is the best ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("objective", ["balanced", "macs", "params"])
@pytest.mark.parametrize("which", [0, 1])
def test_nothing_in_a_small_domain_beats_the_answer(family: str, objective: str, which: int) -> None:
    def score(cost: Any, resolution: int) -> float:
        return {"macs": cost.macs, "params": cost.params, "balanced": balanced(cost.macs, resolution)}[objective]

    ram, flash = (kib * KIB for kib in LIMITS[family][which])
    costs = [(v["resolution"], hwscale.cost(family, v).cost) for v in small_grid(family)]
    fitting = [(r, c) for r, c in costs if c.ram_bytes <= ram and c.flash_bytes <= flash]
    assert 3 <= len(fitting) < len(costs), "the limits must test something"
    fit = solved(family, limits={"ram": ram, "flash": flash}, objective=objective)
    # naming resolutions lifts the edge of published practice
    if fit.restriction:
        fitting = [(r, c) for r, c in fitting if inside(c.macs, r)] or fitting
    best = max(score(cost, resolution) for resolution, cost in fitting)
    assert score(fit.cost, fit.hyperparameters["resolution"]) == pytest.approx(best, rel=1e-12)
    assert fit.certificate.domain_size == len(costs)
    assert all(fit.hyperparameters[name] in values for name, values in SMALL[family].items())


@pytest.mark.parametrize("family", FAMILIES)
def test_every_exact_solver_gives_the_same_answer_whatever_the_order_of_the_domain(family: str) -> None:
    ram, flash = (kib * KIB for kib in LIMITS[family][1])
    own = ("labels", "paths") if family in STAGEWISE else ("quadtree", "table")
    oracle = solved(family, limits={"ram": ram, "flash": flash}, solver="exhaustive")
    for solver in ("auto", *own):
        backwards = {name: values[::-1] for name, values in reversed(SMALL[family].items())}
        fix = dict(reversed(PINNED[family].items()))
        limits = {"flash": flash, "ram": ram}
        answer = hwscale.fit(family, limits=limits, fix=fix, domain=backwards, solver=solver, verify="none")
        assert answer.hyperparameters == oracle.hyperparameters, solver
        assert list(answer.hyperparameters) == list(oracle.hyperparameters), solver
        assert answer.certificate.status == "optimal", solver


@pytest.mark.parametrize("family", MOBILENETS)
def test_nlp_is_feasible_and_never_called_optimal(family: str) -> None:
    guessed = solved(family, limits={"ram": "250 KiB", "flash": "600 KiB"}, solver="nlp")
    assert guessed.certificate.status == "feasible"
    assert recomputed(guessed).ram_bytes <= 250 * KIB


@pytest.mark.parametrize("family", FAMILIES)
def test_no_random_configuration_of_the_default_domain_that_fits_scores_more(family: str) -> None:
    limits = {"ram": 320 * KIB, "flash": 900 * KIB}
    fit = hwscale.fit(family, limits=limits, verify="none")
    draw, fitting = random.Random(11), 0
    for _ in range(250):
        if family in MOBILENETS:
            values = {"alpha": round(draw.uniform(0.1, 1.4), 3), "resolution": 16 * draw.randint(3, 16)}
        elif family == "atomnet":
            values = {"resolution": draw.choice((96, 128, 160)), "block3": draw.choice(("sep", "convnext"))}
            values |= {f"depth{s}": draw.choice((1, 2)) for s in (2, 3, 5)} | {"depth4": draw.choice((2, 4, 6))}
            values |= {"expand3": draw.choice((1, 3, 6)), "width0": draw.choice((16, 24, 32)), "width1": 16}
            values |= {f"width{s}": draw.choice((64, 80, 96, 112)) for s in range(2, 6)}
        else:
            free = [name for name in PINNED["mcunet"] | SMALL["mcunet"] if name[:5] in ("kerne", "expan", "width")]
            choices: dict[str, tuple[float, ...]] = {"k": (3, 5, 7), "e": (3, 4, 6), "w": (0.5, 0.75, 1)}
            values = {name: draw.choice(choices[name[0]]) for name in free}
            values |= {f"depth{s}": draw.choice((2, 3)) for s in range(2, 7)}
            values |= {"resolution": draw.choice((96, 128, 160)), "width6_1": 0.5, "width7_1": 0.5}
        cost = hwscale.cost(family, values).cost
        if cost.ram_bytes <= limits["ram"] and cost.flash_bytes <= limits["flash"]:
            if fit.restriction and not inside(cost.macs, values["resolution"]):
                continue
            fitting += 1
            assert balanced(cost.macs, values["resolution"]) <= fit.certificate.objective + 1e-9, values
    assert fitting >= 5, "the sample must test something"


@pytest.mark.parametrize("family", FAMILIES)
def test_widening_a_limit_never_lowers_and_fixing_never_raises_the_objective(family: str) -> None:
    def best(ram: int, flash: int, **given: Any) -> hwscale.Fit:
        limits = {"ram": ram * KIB, "flash": flash * KIB}
        return hwscale.fit(family, limits=limits, objective="macs", verify="none", **given)

    free = [best(ram, flash) for ram, flash in ((200, 500), (201, 500), (450, 500), (450, 900))]
    scores = [fit.certificate.objective for fit in free]
    assert scores == sorted(scores)
    assert best(450, 900, fix={"resolution": 128}).certificate.objective <= scores[-1]
    same = best(450, 900, fix=free[-1].hyperparameters)
    assert same.hyperparameters == free[-1].hyperparameters


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_question_gives_the_same_answer(family: str) -> None:
    first, second = (hwscale.fit(family, "stm32f746", verify="none").to_dict() for _ in range(2))
    first["certificate"].pop("seconds"), second["certificate"].pop("seconds")
    assert first == second


# ---- bottlenecks and exchanges ---------------------------------------------------------------------------------------


def asked(family: str, values: Any, **given: Any) -> Any:
    return hwscale.cost(family, values, platform="stm32f746", **given)


def of_no_op(report: Any) -> int:
    """Bytes of a .tflite that its ops share (docs/tflm.md): the file itself and its input, a tensor of constants for all
    means, one for every distinct padding, one of a single byte for all hard sigmoids."""
    if report.runtime == "tensors":
        return 0
    chosen = report.configuration
    model = chosen.model(report.runtime, False)
    graph, _ = model.graph(chosen.knobs, *chosen.input_shape[1:])
    ops = model.lowered(graph).ops
    paddings = {op.pads for op in ops if op.kind == "pad"}
    means = any(op.kind in ("mean", "sum") for op in ops)
    sixths = any(op.name.endswith(".sixth") for op in ops)
    return 470 + 98 + (32 + 98) * len(paddings) + (8 + 98) * means + (1 + 98) * sixths


@pytest.mark.parametrize("runtime", ["tflm", "tensors"])
@pytest.mark.parametrize("family", EVERY_FAMILY)
def test_bottlenecks_name_the_stage_of_the_peak_and_the_heaviest_stage(family: str, runtime: str) -> None:
    fit = hwscale.fit(family, "stm32f746", runtime=runtime, verify="none")
    report = asked(family, fit.hyperparameters, runtime=runtime)
    assert fit.bottlenecks() == report.bottlenecks()
    found = {b.quantity: b for b in report.bottlenecks()}
    assert set(found) == {"ram", "flash"}
    assert found["ram"].total_bytes == fit.cost.ram_bytes == sum(size for _, size in fit.ram_parts)
    assert found["ram"].size_bytes == max(op.live_bytes for op in report.ops) <= fit.ram_parts[0][1]
    assert report.peak_op.partition(".")[0] == found["ram"].stage
    sizes: Counter[str] = Counter()
    for op in report.ops:
        sizes[op.name.partition(".")[0]] += op.flash_bytes
    assert found["flash"].total_bytes == fit.cost.flash_bytes == sum(sizes.values()) + of_no_op(report)
    assert found["flash"].size_bytes == max(sizes.values()) == sizes[found["flash"].stage]
    if runtime == "tensors":
        assert found["ram"].size_bytes == found["ram"].total_bytes
    assert family == "atomnet" or not any(b.exchanges for b in found.values()), "only atomnet has blocks to exchange"


ATOMNETS = [
    {},
    {"block3": "sep", "resolution": 96, "width": (16, 16, 32, 128, 96, 64)},
    {"block4": "mbconv", "depth4": 2, "expand4": 4, "residual": "all"},
    {"block": "mbconv", "width": 48, "expand": 3, "resolution": 64, "se_stages": ()},
    {"block5": "sep", "expand5": 6, "width5": 160, "depth5": 1, "kernel": 5},
    {"width": (16, 16, 112, 128, 128, 112), "expand3": 6, "depth": (1, 1, 1, 2, 2), "resolution": 160},
]


@pytest.mark.parametrize("values", ATOMNETS, ids=str)
def test_an_exchange_changes_what_it_says_keeps_the_macs_and_is_favoured_where_it_helps(values: Any) -> None:
    before = asked("atomnet", values)
    for bottleneck in before.bottlenecks():
        stage = bottleneck.stage.removeprefix("s")
        exchanged = [exchange.block for exchange in bottleneck.exchanges]
        if bottleneck.block:
            assert bottleneck.block not in exchanged
            assert len(set(exchanged)) == len(exchanged)
            assert set(exchanged) <= BLOCKS
        else:
            assert not exchanged, "stem and classifier have no block"
        for exchange in bottleneck.exchanges:
            assert exchange.values[f"block{stage}"] == exchange.block
            assert set(exchange.values) <= {f"{name}{stage}" for name in ("block", "width", "expand", "depth")}
            after = asked("atomnet", {**before.to_dict()["hyperparameters"], **exchange.values})
            assert set(exchange.change) == {"ram", "flash", "macs", "latency"}
            for name, change in exchange.change.items():
                assert change == pytest.approx(spent(after.cost)[name] - spent(before.cost)[name], rel=1e-9, abs=1e-12)
            assert exchange.change["macs"] >= 0
            other = "flash" if bottleneck.quantity == "ram" else "ram"
            better = exchange.change[bottleneck.quantity] < 0 and exchange.change[other] <= 0
            assert exchange.favoured is better


def test_without_a_platform_an_exchange_has_no_latency() -> None:
    changes = [e.change for b in hwscale.cost("atomnet").bottlenecks() for e in b.exchanges]
    assert [change.get("latency") for change in changes] == [None] * 4


# ---- ops -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("runtime", ["tflm", "tensors"])
@pytest.mark.parametrize("family", EVERY_FAMILY)
def test_ops_add_up_and_macc_counts_one_more_per_output_channel(family: str, runtime: str) -> None:
    import torch

    report = hwscale.cost(family, runtime=runtime)
    assert sum(op.flash_bytes for op in report.ops) + of_no_op(report) == report.cost.flash_bytes
    assert sum(op.macs for op in report.ops) == report.cost.macs
    (_, activations), *persistent = report.ram_parts
    assert max(op.live_bytes for op in report.ops) == activations
    assert activations + sum(size for _, size in persistent) == report.cost.ram_bytes
    assert bool(persistent) == (runtime == "tflm")
    assert sum(op.macc for op in report.ops) == report.macc
    assert all(op.macc == (op.macs + op.biases if op.macs else 0) for op in report.ops)
    network = hwscale.build(family)
    layers = [m for m in network.modules() if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear))]
    outputs = sum(m.out_channels if isinstance(m, torch.nn.Conv2d) else m.out_features for m in layers)
    assert report.macc - report.cost.macs == outputs
    assert sum(op.weights for op in report.ops) == sum(m.weight.numel() for m in layers) or family == "phinet"
