"""mobilenet_v1, mobilenet_v2, atomnet and mcunet: what cannot fit, targets out of reach, and settings that cannot be used."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

import hwscale

KIB = 1024
MOBILENETS = ("mobilenet_v1", "mobilenet_v2")
FAMILIES = (*MOBILENETS, "atomnet", "mcunet")


def spent(cost: Any) -> dict[str, float]:
    return {"ram": cost.ram_bytes, "flash": cost.flash_bytes, "macs": cost.macs, "latency": cost.latency_s}


# ---- what cannot fit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("platform", "limits"),
    [
        (None, {"ram": KIB}),
        (None, {"flash": KIB, "ram": 90 * KIB}),
        (None, {"macs": 1000}),
        (None, {"ram": 8 * KIB, "flash": 30 * KIB, "macs": 400_000}),
        ("stm32f746", {"latency": 1e-6}),
        ("stm32f746", {"latency": "1 us", "ram": "4 KiB", "macs": "2M"}),
        ("stm32h743", {"energy": 1e-9}),
    ],
    ids=str,
)
def test_an_infeasible_budget_names_its_need_and_the_smallest_budget_then_fits(
    family: str, platform: str | None, limits: dict[str, Any]
) -> None:
    with pytest.raises(hwscale.InfeasibleError) as refused:
        hwscale.fit(family, platform, limits=limits, verify="none")
    error = refused.value
    assert error.limit in limits
    assert error.needed > error.allowed > 0
    assert error.shortfall == error.needed - error.allowed
    smallest = dict(error.smallest_budget)
    assert smallest[error.limit] >= error.needed
    fit = hwscale.fit(family, platform, limits={**limits, **smallest}, verify="none")
    assert fit.certificate.status == "optimal"
    assert all(spent(fit.cost)[name] <= value for name, value in smallest.items() if name != "energy")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ["ram", "flash", "macs"])
def test_one_unit_less_than_the_smallest_need_does_not_fit(family: str, name: str) -> None:
    with pytest.raises(hwscale.InfeasibleError) as refused:
        hwscale.fit(family, limits={name: 1}, verify="none")
    needed = int(refused.value.needed)
    assert spent(hwscale.fit(family, limits={name: needed}, verify="none").cost)[name] == needed
    with pytest.raises(hwscale.InfeasibleError) as again:
        hwscale.fit(family, limits={name: needed - 1}, verify="none")
    assert again.value.shortfall == 1


# ---- targets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("family", ["atomnet", *MOBILENETS])
def test_targets_are_never_exceeded(family: str, seed: int) -> None:
    draw = random.Random(seed)
    targets = {"ram": draw.randint(110, 500) * KIB, "macs": draw.randint(5, 90) * 10**6}
    fit = hwscale.fit(family, targets=targets, verify="none")
    for name, target in targets.items():
        assert spent(fit.cost)[name] <= target
        assert fit.distance[name] == pytest.approx(spent(fit.cost)[name] / target - 1, abs=1e-12)


@pytest.mark.parametrize("family", ["atomnet", "mobilenet_v1", "mobilenet_v2"])
def test_targets_come_within_one_percent_of_the_closest_point_of_a_small_domain(family: str) -> None:
    first, second, fix = ("resolution", "alpha", {}) if family != "atomnet" else ("width3", "width4", ATOMNET)
    values = ((96, 128, 160), (0.2, 0.35, 0.5, 0.75)) if family != "atomnet" else ((48, 64, 96), (48, 80, 112))
    targets = {"macs": 30_000_000, "flash": 700 * KIB}
    costs = [spent(hwscale.cost(family, {**fix, first: a, second: b}).cost) for a in values[0] for b in values[1]]
    below = [c for c in costs if all(c[name] <= target for name, target in targets.items())]
    closest = min(max(1 - c[name] / target for name, target in targets.items()) for c in below)
    domain = {first: list(values[0]), second: list(values[1])}
    fit = hwscale.fit(family, targets=targets, fix=fix, domain=domain, verify="none")
    assert fit.certificate.domain_size == len(costs)
    assert max(-share for share in fit.distance.values()) <= closest + 0.01
    assert all(share <= 0 for share in fit.distance.values())


ATOMNET = {"width0": 16, "width1": 16, "width2": 48, "width5": 96, "resolution": 128, "block3": "sep", "expand3": 3}
ATOMNET |= {"depth2": 1, "depth3": 2, "depth4": 2, "depth5": 1}


def test_targets_for_all_mcunets_are_refused_and_a_narrowed_domain_is_answered(refused: Any) -> None:
    sentence = refused("fit", "--net", "mcunet", "--target", "macs=60M", "--target", "ram=256KiB")
    assert "--fix" in sentence or "fix" in sentence
    assert "target" in sentence
    fix = {"uniform_width": True, "kernel": 3, "expand": 4}
    fit = hwscale.fit("mcunet", targets={"macs": "60M", "ram": "256 KiB"}, fix=fix)
    assert fit.verification.ok
    assert all(share <= 0 for share in fit.distance.values())


# ---- sentences -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("arguments", "limit"),
    [
        (("--limit", "ram=1KiB"), "ram"),
        (("--limit", "ram=90KiB", "--limit", "flash=500 B"), "flash"),
        (("--limit", "ram=90KiB", "--limit", "macs=1k"), "macs"),
        (("--platform", "stm32f746", "--limit", "latency=1us"), "latency"),
        (("--target", "ram=1KiB", "--fix", "resolution=96"), "ram"),
    ],
    ids=" ".join,
)
def test_nothing_fits_exits_with_three_and_the_printed_budget_then_fits(
    cli: Any, refused: Any, family: str, arguments: tuple[str, ...], limit: str
) -> None:
    if family == "mcunet" and "--target" in arguments:
        arguments += ("--fix", "uniform_width=true", "--fix", "kernel=3", "--fix", "expand=4")
    sentence = refused("fit", "--net", family, *arguments, code=3)
    assert re.search(rf"fits {limit} .* needs [\d.,]+ .*[\d.,]+ \S+ more", sentence), sentence
    budget = sentence.partition("smallest budget that fits: ")[2]
    assert budget, sentence
    limits = [part.split(" ", 1) for part in budget.split(", ")]
    kept = ("--platform", "stm32f746") if "--platform" in arguments else ()
    fixed = arguments[arguments.index("--fix") :] if "--fix" in arguments else ()
    typed = [part for name, size in limits for part in ("--limit", f"{name}={size.replace(' ', '')}")]
    assert cli("fit", "--net", family, *kept, *fixed, *typed, "--verify", "none").code == 0, sentence


@pytest.mark.parametrize("runtime", ["tflm", "tensors"])
def test_a_preset_that_does_not_fit_is_named_with_its_shortfall_not_spelled_out(refused: Any, runtime: str) -> None:
    asked = ["fit", "--net", "mcunet", "--platform", "stm32f746", "--fix", "preset=mcunet-in2", "--runtime", runtime]
    sentence = refused(*asked, code=3)
    needed = hwscale.cost("mcunet", {"preset": "mcunet-in2"}, runtime=runtime).cost.ram_bytes / KIB
    assert runtime == "tflm" or needed == 325
    assert f"needs {needed:.1f} KiB, {needed - 320:.1f} KiB more" in sentence
    assert "mcunet-in2" in sentence
    assert "kernel2_1" not in sentence, "50 numbers that the user did not give"


PRESETS = ("mbv2-w0.35", "mcunet-in4", "mcunet-vww2", "proxyless-w0.3")
RAM = "--limit ram=256KiB"
REFUSED = [  # (arguments, what the sentence must contain)
    # presets
    ("cost --net mcunet --fix preset=mcunet_in3", ["mcunet_in3", "did you mean 'mcunet-in3'"]),
    (f"fit --net mcunet {RAM} --fix preset=resnet", ["resnet", *PRESETS]),
    ("formula --net mcunet --fix preset=nope", ["nope", *PRESETS]),
    ("cost --net atomnet --fix preset=mcunet-in3", ["atomnet", "preset"]),
    (f"fit --net mobilenet_v2 {RAM} --fix preset=mbv2-w0.35", ["mobilenet_v2", "preset"]),
    (f"fit --net mcunet {RAM} --domain preset=mcunet-in3,mcunet-in4", ["preset", "--fix preset="]),
    (f"fit --net mcunet {RAM} --fix preset=mcunet-in3 --classes 0", ["classes", "0", "1"]),
    # words
    (f"fit --net atomnet {RAM} --fix block3=mbcnv", ["block3", "mbcnv", "sep, convnext, mbconv"]),
    (f"fit --net atomnet {RAM} --fix block3=sep,convnext", ["block3", "sep, convnext, mbconv"]),
    (f"fit --net atomnet {RAM} --fix block=sep,foo,sep,sep,sep", ["block2", "foo", "mbconv"]),
    (f"fit --net atomnet {RAM} --domain block3=sep,convnxt", ["block3", "convnxt", "mbconv"]),
    (f"fit --net atomnet {RAM} --domain block3=1:2", ["block3", "mbconv"]),
    ("cost --net atomnet --fix se_placement=before", ["se_placement", "before", "depthwise", "expanded"]),
    ("cost --net atomnet --fix residual=maybe", ["residual", "maybe", "convnext", "all", "none"]),
    ("cost --net atomnet --fix expansion_base=middle", ["expansion_base", "middle", "in", "out"]),
    ("cost --net mcunet --fix uniform_width=maybe", ["uniform_width", "maybe", "true", "false"]),
    # numbers
    ("cost --net atomnet --fix width=abc", ["width", "abc", "number"]),
    (f"fit --net atomnet {RAM} --fix width=-16", ["width", "-16", "at least 1"]),
    ("cost --net atomnet --fix width3=1.5", ["width3", "1.5", "whole"]),
    ("cost --net mcunet --fix width0=-1", ["width0", "-1", "above zero"]),
    (f"fit --net mcunet {RAM} --fix depth2=9", ["depth2", "9", "1, 2, 3, 4"]),
    (f"fit --net mcunet {RAM} --domain depth2=1:9:1", ["depth2", "1, 2, 3, 4", " = 5"]),
    (f"fit --net mcunet {RAM} --fix kernel=4", ["kernel", "4", "3, 5, 7"]),
    ("cost --net mcunet --fix expand=0", ["expand", "0", "at least 1"]),
    ("cost --net mcunet --fix base_widths=32,16,24", ["base_widths", "3", "8"]),
    ("cost --net mcunet --fix base_widths=32,16,24,40,80,96,192,0", ["base_widths", "at least 1", "= 0"]),
    ("cost --net atomnet --fix se_stages=9", ["se_stages", "9", "1 to 5"]),
    ("cost --net atomnet --fix se_reduction=0", ["se_reduction", "0", "at least 1"]),
    ("cost --net mobilenet_v1 --fix divisor=0", ["divisor", "0", "at least 1"]),
    ("cost --net mobilenet_v2 --fix alpha=0", ["alpha", "0", "above zero"]),
    ("cost --net atomnet --classes 0", ["classes", "0", "at least 1"]),
    # lists
    (f"fit --net atomnet {RAM} --fix width=16,16,32", ["width", "3 values", "width0 to width5 (6)"]),
    ("cost --net atomnet --fix width=16,16,32,48,96,128,144", ["width", "7 values", "(6)"]),
    ("cost --net atomnet --fix depth=1,1,2,2,2,2", ["depth", "6 values", "depth1 to depth5 (5)"]),
    ("cost --net mcunet --fix kernel2=3,5,7,7,7", ["kernel2", "5 values", "(3)"]),
    ("cost --net mcunet --fix depth2=3 --fix kernel2=3,5", ["kernel2", "2 values", "3"]),
    # names
    ("cost --net atomnet --fix width6=16", ["width6", "did you mean 'width5'"]),
    ("cost --net atomnet --fix widht=32", ["widht", "did you mean 'width'"]),
    ("cost --net mcunet --fix kernel8_1=3", ["kernel8_1"]),
    ("cost --net mobilenet_v1 --fix width=1", ["mobilenet_v1", "width", "alpha"]),
    ("fit --net mobilenet --limit ram=64KiB", ["mobilenet", "did you mean 'mobilenet_v"]),
    ("nets show atomnets", ["did you mean 'atomnet'"]),
    # domains
    (f"fit --net atomnet {RAM} --domain width4=144:48:16", ["width4", "empty"]),
    (f"fit --net atomnet {RAM} --domain block3=,", ["block3", "empty"]),
    (f"fit --net mcunet {RAM} --domain width0=0.5:1", ["width0", "LOW:HIGH:STEP"]),
    (f"fit --net atomnet {RAM} --fix width3=48 --domain width3=48,64", ["width3", "fixed", "domain"]),
    (f"fit --net atomnet {RAM} --fix width=48 --fix width=64", ["width", "twice"]),
    # the image
    (f"fit --net atomnet {RAM} --input-shape 3x96x96 --fix resolution=128", ["128", "(3, 96, 96)"]),
    ("cost --net mcunet --input-shape 3x96x96 --fix resolution=128", ["128", "(3, 96, 96)"]),
    (f"fit --net mcunet {RAM} --input-shape 3x96x96 --domain resolution=96,128", ["resolution", "input_shape"]),
    (f"fit --net mcunet {RAM} --in-channels 0", ["in_channels", "0"]),
    # solvers
    *(
        (f"fit --net {n} {RAM} --solver {s}", [s, n, "labels", "paths"])
        for n in ("atomnet", "mcunet")
        for s in ("table",)
    ),
    *((f"fit --net atomnet {RAM} --solver {s}", [s, "atomnet", "labels", "paths"]) for s in ("quadtree", "nlp")),
    *((f"fit --net {n} {RAM} --solver labels", ["labels", n, "table"]) for n in ("phinet", *MOBILENETS)),
    (f"fit --net xinet {RAM} --solver paths", ["paths", "xinet", "quadtree"]),
    (f"fit --net mcunet {RAM} --solver exhaustive", ["exhaustive", "domain", "auto"]),
    ("fit --net atomnet --target macs=60M --solver labels", ["labels", "targets", "auto"]),
    (f"fit --net atomnet {RAM} --solver labls", ["labls", "did you mean 'labels'"]),
]


@pytest.mark.parametrize(("line", "parts"), REFUSED, ids=[line for line, _ in REFUSED])
def test_a_mistake_is_refused_in_one_sentence_that_names_it_and_what_is_allowed(
    refused: Any, line: str, parts: list[str]
) -> None:
    sentence = refused(*line.split())
    for part in parts:
        assert part in sentence, sentence


@pytest.mark.parametrize(
    "call",
    [
        lambda: hwscale.cost("mcunet", {"preset": 3}),
        lambda: hwscale.cost("mcunet", {"base_widths": 8}),
        lambda: hwscale.build("mcunet", {"preset": "mcunet-in9"}),
        lambda: hwscale.build("atomnet", {"block3": None}),
        lambda: hwscale.cost("atomnet", {"block3": ["sep"]}),
        lambda: hwscale.cost("atomnet", {"width": []}),
        lambda: hwscale.cost("atomnet", {"width": (16, None, 16, 16, 16, 16)}),
        lambda: hwscale.cost("atomnet", {"se_stages": "four"}),
        lambda: hwscale.formula("atomnet", fix={"width": (1, 2)}),
        lambda: hwscale.fit("atomnet", limits={"ram": 65536}, domain={"block3": []}),
        lambda: hwscale.fit("atomnet", limits={"ram": 65536}, domain={"width3": {"low": 1}}),
        lambda: hwscale.fit("mcunet", limits={"ram": 65536}, fix={"preset": ["mcunet-in3"]}),
        lambda: hwscale.fit("mobilenet_v1", limits={"ram": 65536}, fix={"alpha": True}),
    ],
)
def test_a_mistake_in_python_is_a_config_error_of_one_line(call: Any) -> None:
    with pytest.raises(hwscale.ConfigError) as raised:
        call()
    assert len(str(raised.value).splitlines()) == 1
