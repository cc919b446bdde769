"""The command line for mobilenet_v1, mobilenet_v2, atomnet and mcunet: what is printed, JSON, presets, formulas, nets."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from typing import Any

import pytest

import hwscale

KIB = 1024
MOBILENETS = ("mobilenet_v1", "mobilenet_v2")
STAGEWISE = ("atomnet", "mcunet")
FAMILIES = MOBILENETS + STAGEWISE
EVERY_FAMILY = ("phinet", "xinet", *FAMILIES)
BLOCKS = ("sep", "convnext", "mbconv")
PRESETS = {  # million MACs and parameters, resolution, classes: the table of github.com/mit-han-lab/mcunet
    "mbv2-w0.35": (23.5, 0.75, 144, 1000),
    "proxyless-w0.3": (38.3, 0.75, 176, 1000),
    "mcunet-in0": (6.4, 0.75, 48, 1000),
    "mcunet-in1": (12.8, 0.64, 96, 1000),
    "mcunet-in2": (67.3, 0.73, 160, 1000),
    "mcunet-in3": (81.8, 0.74, 176, 1000),
    "mcunet-in4": (125.9, 1.73, 160, 1000),
    "mcunet-vww0": (6.0, 0.37, 64, 2),
    "mcunet-vww1": (11.6, 0.43, 80, 2),
    "mcunet-vww2": (55.8, 0.64, 144, 2),
}


def record(answer: Any) -> dict[str, Any]:
    assert (answer.code, answer.err) == (0, ""), answer
    read = json.loads(answer.out)
    read.get("certificate", {}).pop("seconds", None)
    return read


# ---- fit -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_json_follows_the_schema_and_equals_the_api(cli: Any, family: str) -> None:
    answer = record(cli("fit", "--net", family, "--platform", "stm32h743", "--limit", "latency=300ms", "--json"))
    fit = hwscale.fit(family, "stm32h743", limits={"latency": "300 ms"}).to_dict()
    fit["certificate"].pop("seconds")
    assert answer == json.loads(json.dumps(fit))
    assert (answer["schema"], answer["family"], answer["classes"]) == ("hwscale.fit/1", family, 10)
    assert set(answer) >= {"evidence", "limits", "slack", "binding", "certificate", "verification", "hyperparameters"}
    assert (answer["certificate"]["status"], answer["certificate"]["gap"]) == ("optimal", 0)
    assert answer["certificate"]["bound"] == answer["certificate"]["objective"]
    cost, verification = answer["cost"], answer["verification"]
    assert all(type(cost[name]) is int for name in ("ram_bytes", "flash_bytes", "macs", "params"))
    assert (verification["backend"], verification["ok"], verification["uncounted"]) == ("torch", True, [])
    assert (answer["runtime"], verification["runtime"]) == ("tflm", "tensors")
    counted = hwscale.cost(family, answer["hyperparameters"], runtime=verification["runtime"]).cost
    for row in verification["rows"]:
        assert row["predicted"] == row["measured"] == getattr(counted, row["quantity"])
    assert (counted.macs, counted.params) == (cost["macs"], cost["params"])
    assert answer["slack"]["ram"] == answer["limits"]["ram"] - cost["ram_bytes"]
    assert type(answer["slack"]["flash"]) is int
    again = hwscale.cost(family, answer["hyperparameters"]).cost  # JSON's numbers and words are what build() takes
    assert (again.ram_bytes, again.flash_bytes, again.macs) == (cost["ram_bytes"], cost["flash_bytes"], cost["macs"])


@pytest.mark.parametrize("family", EVERY_FAMILY)
def test_fit_explains_peak_bottlenecks_and_proof(cli: Any, family: str) -> None:
    arguments = ("fit", "--net", family, "--platform", "stm32f746", "--limit", "latency=500ms")
    answer = cli(*arguments, "--explain")
    assert (answer.code, answer.err) == (0, "")
    fit = hwscale.fit(family, "stm32f746", limits={"latency": "500 ms"}, verify="none")
    head, tail = (size for _, size in fit.ram_parts)
    assert f"RAM {fit.cost.ram_bytes:,} B = head {head:,} + tail {tail:,}\n" in answer.out
    assert head + tail == fit.cost.ram_bytes
    assert re.search(rf"sum\s+{sum(tensor.size_bytes for tensor in fit.live):,}\b", answer.out)
    section = answer.out.partition("Bottlenecks")[2].partition("\n\n")[0]
    for bottleneck, name in zip(fit.bottlenecks(), ("RAM", "Flash"), strict=True):
        line = next(line for line in section.splitlines() if line.strip().startswith(f"{name} is bound by"))
        assert f"stage {bottleneck.stage}" in line
        assert f"{bottleneck.size_bytes / KIB:,.1f} KiB" in line
    exchanges = [exchange for bottleneck in fit.bottlenecks() for exchange in bottleneck.exchanges]
    assert bool(exchanges) == (family == "atomnet")
    assert section.count("favoured: ") + section.count("a trade: ") == len(exchanges)
    assert section.count("not favoured: ") + section.count("a trade: ") == sum(
        not exchange.favoured for exchange in exchanges
    )
    assert all(f"={exchange.block}  " in section for exchange in exchanges)
    assert "proven best" in answer.out
    assert "verified with torch" in answer.out


def test_cost_explains_bottlenecks_too(cli: Any) -> None:
    for family in EVERY_FAMILY:
        assert "Bottlenecks" in cli("cost", "--net", family, "--explain").out
        assert "Bottlenecks" not in cli("cost", "--net", family).out
    out = cli("cost", "--net", "atomnet", "--explain").out
    assert "latency" not in out, "no platform, no latency"


def test_group_names_members_words_and_ranges_reach_the_answer_of_atomnet(cli: Any) -> None:
    answer = record(
        cli(
            *("fit", "--net", "atomnet", "--platform", "stm32f746", "--limit", "macs=60M", "--fix", "width1=24"),
            *("--fix", "block5=mbconv", "--fix", "depth=1,2,1,2,1", "--domain", "width4=48:144:16"),
            *("--domain", "block3=sep,convnext", "--domain", "expand5=2:4", "--domain", "resolution=96,128"),
            *("--objective", "macs", "--classes", "7", "--in-channels", "1", "--input-buffer", "external"),
            *("--reserve-ram", "64KiB", "--margin", "5%", "--solver", "labels", "--json"),
        )
    )
    values = answer["hyperparameters"]
    assert [values[f"depth{s}"] for s in range(1, 6)] == [1, 2, 1, 2, 1]
    assert (values["width1"], values["block5"], answer["classes"]) == (24, "mbconv", 7)
    assert values["width4"] in range(48, 145, 16)
    assert values["block3"] in ("sep", "convnext")
    assert values["expand5"] in (2, 3, 4)
    assert answer["input_shape"] == [1, values["resolution"], values["resolution"]]
    assert values["resolution"] in (96, 128)
    assert answer["limits"]["macs"] == 60_000_000
    assert answer["limits"]["ram"] == (320 - 64) * KIB * 95 // 100
    assert "labels" in answer["certificate"]["method"]
    assert answer["verification"]["ok"] is True


@pytest.mark.parametrize(
    ("domain", "allowed"),
    [
        ("depth2=2:4", (2, 3, 4)),
        ("depth2=1:4:1", (1, 2, 3, 4)),
        ("kernel2_1=3:7:2", (3, 5, 7)),
        ("expand2_1=3:6", (3, 4, 5, 6)),
        ("width2_1=0.5:1:0.25", (0.5, 0.75, 1)),
        ("depth2=1,2", (1, 2)),
    ],
)
def test_every_documented_way_to_write_a_domain_works_for_mcunet(cli: Any, domain: str, allowed: Any) -> None:
    limits = ("--limit", "ram=256KiB", "--limit", "flash=1MiB", "--fix", "uniform_width=true")
    limits = limits[:4] if domain.startswith("width") else limits
    answer = cli("fit", "--net", "mcunet", *limits, "--domain", domain, "--verify", "none", "--json")
    assert record(answer)["hyperparameters"][domain.partition("=")[0]] in allowed


def test_squeeze_and_excitation_can_be_switched_off_on_the_command_line(cli: Any) -> None:
    """From Python it is se_stages=(); the other options of the kind take the word none."""
    assert record(cli("cost", "--net", "atomnet", "--fix", "residual=none", "--json"))
    answers = [cli("cost", "--net", "atomnet", "--fix", f"se_stages={word}", "--json") for word in ("none", "", "()")]
    assert any(answer.code == 0 for answer in answers), answers[0].err
    costs = [json.loads(answer.out)["cost"]["params"] for answer in answers if answer.code == 0]
    assert set(costs) == {hwscale.cost("atomnet", {"se_stages": ()}).cost.params}


def test_targets_are_reported_and_never_exceeded(cli: Any) -> None:
    answer = record(cli("fit", "--net", "atomnet", "--target", "macs=60M", "--target", "ram=256KiB", "--json"))
    assert answer["cost"]["macs"] <= 60_000_000
    assert answer["cost"]["ram_bytes"] <= 256 * KIB
    assert all(-0.01 <= share <= 0 for share in answer["distance"].values())
    assert answer["verification"]["ok"] is True


@pytest.mark.parametrize("family", STAGEWISE)
def test_two_processes_give_the_same_json_and_load_no_torch_sympy_scipy_or_pulp(python: Any, family: str) -> None:
    arguments = ["hwscale", "fit", "--net", family, "--platform", "stm32f746", "--verify", "none", "--json"]
    code = (
        f"import sys; sys.argv = {arguments}; from hwscale.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert stop.code in (None, 0, 5)\n"
        "print(*{'torch', 'sympy', 'scipy', 'pulp'} & set(sys.modules), file=sys.stderr)"
    )
    runs = [python("-c", code, PYTHONHASHSEED=seed) for seed in ("0", "4711")]
    assert [run.err.split() for run in runs] == [[], []]
    first, second = (json.loads(run.out) for run in runs)
    first["certificate"].pop("seconds"), second["certificate"].pop("seconds")
    assert first == second


def test_an_mcunet_with_a_limit_on_macs_is_answered_in_seconds(python: Any) -> None:
    arguments = ("--limit", "ram=256KiB", "--limit", "macs=20M", "--verify", "none")
    assert python("-m", "hwscale", "fit", "--net", "mcunet", *arguments, timeout=30).code in (
        0,
        5,
    )  # 5: within a stated gap


@pytest.mark.parametrize(
    ("family", "fix"),
    [(family, ()) for family in FAMILIES]
    + [("mcunet", ("--fix", "preset=mcunet-vww0", "--fix", "kernel=3")), ("atomnet", ("--fix", "se_stages=3,4"))],
    ids=str,
)
def test_a_saved_fit_verifies(cli: Any, tmp_path: Any, family: str, fix: tuple[str, ...]) -> None:
    limits = ("--limit", "ram=200KiB", "--limit", "flash=500KiB", "--in-channels", "1")
    answer = cli("fit", "--net", family, *limits, *fix, "--save", tmp_path / "best", "--json")
    assert answer.code == 0
    saved = json.loads(answer.out)
    written = json.loads((tmp_path / "best" / "fit.json").read_text())
    assert (written["hyperparameters"], written["cost"]) == (saved["hyperparameters"], saved["cost"])
    assert record(cli("verify", tmp_path / "best", "--json"))["ok"] is True


# ---- what is printed can be typed ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "fix"),
    [
        ("atomnet", ("width=16,16,32,48,96,128", "block3=mbconv", "se_stages=3,4", "residual=all")),
        ("mcunet", ("kernel2=3,5,7", "depth3=1", "width=0.5", "mix_channels=64", "resolution=96")),
        ("mobilenet_v2", ("alpha=0.35", "divisor=4")),
        ("mcunet", ("preset=mcunet-in3", "kernel=3")),
        ("mcunet", ("preset=mcunet-in3", "depth2=1")),
        ("mcunet", ("preset=mcunet-in3", "expand2_1=6")),
        ("mcunet", ("preset=mcunet-in3", "width2_4=0.5")),
    ],
    ids=str,
)
def test_the_printed_configuration_typed_again_is_the_same_network(cli: Any, family: str, fix: tuple[str, ...]) -> None:
    arguments = ("cost", "--net", family, *(part for pair in fix for part in ("--fix", pair)))
    first = cli(*arguments)
    assert first.code == 0, first
    printed = first.out.split("\n  input ")[0].split("\n", 1)[1].split()
    assert len(printed) >= 2
    again = cli("cost", "--net", family, *(part for pair in printed for part in ("--fix", pair)), "--json")
    assert record(again)["cost"] == record(cli(*arguments, "--json"))["cost"], printed


# ---- presets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_costs_what_its_authors_published_with_its_resolution_and_classes(preset: str) -> None:
    macs, params, resolution, classes = PRESETS[preset]
    report = hwscale.cost("mcunet", {"preset": preset})
    assert round(report.cost.macs / 1e6, 1) == macs
    assert round(report.cost.params / 1e6, 2) == params
    record = report.to_dict()
    assert (record["input_shape"], record["classes"]) == ([3, resolution, resolution], classes)
    other = hwscale.cost("mcunet", {"preset": preset, "resolution": 96}, classes=7).to_dict()
    assert (other["input_shape"], other["classes"]) == ([3, 96, 96], 7)


def test_published_mobilenets_have_their_published_size() -> None:
    v1 = hwscale.cost("mobilenet_v1", classes=1000).cost  # torchvision and Keras at alpha 1, 224 px
    v2 = hwscale.cost("mobilenet_v2", classes=1000).cost
    assert (v1.params, v2.params) == (4_231_976, 3_504_872)
    assert (round(v1.macs / 1e6), round(v2.macs / 1e6)) == (569, 301)


def test_whatever_is_given_beside_a_preset_replaces_its_value_and_builds() -> None:
    values = {"preset": "mcunet-vww1", "kernel": 3, "width7_1": 0.5}
    ops = Counter(op.kind for op in hwscale.cost("mcunet", values).ops)
    convolutions = [m for m in hwscale.build("mcunet", values).modules() if type(m).__name__ == "Conv2d"]
    deep = [m for m in convolutions if m.groups > 1]
    assert {m.kernel_size for m in deep} == {(3, 3)}
    assert len(deep) == ops["depthwise"]
    assert hwscale.cost("mcunet", values).cost.params < hwscale.cost("mcunet", {"preset": "mcunet-vww1"}).cost.params


def test_fit_with_a_preset_says_whether_this_network_fits() -> None:
    need = hwscale.cost("mcunet", {"preset": "mcunet-in3"}).cost
    fit = hwscale.fit("mcunet", limits={"ram": need.ram_bytes, "flash": need.flash_bytes}, fix={"preset": "mcunet-in3"})
    assert fit.cost == need
    assert fit.verification.ok
    assert (fit.to_dict()["classes"], fit.certificate.domain_size) == (1000, 1)
    with pytest.raises(hwscale.InfeasibleError) as refused:
        hwscale.fit("mcunet", limits={"ram": need.ram_bytes - 5}, fix={"preset": "mcunet-in3"}, verify="none")
    assert (refused.value.limit, refused.value.shortfall) == ("ram", 5)


def test_a_single_network_is_not_warned_that_it_could_grow() -> None:
    fit = hwscale.fit("mcunet", limits={"ram": "500 KiB"}, fix={"preset": "mcunet-in3"}, verify="none")
    assert not any("free to grow" in warning for warning in fit.warnings), fit.warnings


# ---- closed forms ----------------------------------------------------------------------------------------------------


def make_divisible(value: float, divisor: int = 8) -> int:
    """The rounding of MobileNetV2, written from its paper's code."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def drawn(family: str, draw: random.Random) -> tuple[dict[str, Any], dict[str, Any], dict[str, int]]:
    """Settings of the formula, the free hyperparameters, and the values of the formula's symbols."""
    if family == "atomnet":
        fix: dict[str, Any] = {f"block{s}": draw.choice(BLOCKS) for s in range(1, 6)}
        fix |= {f"{n}{s}": draw.randint(1, 4) for n in ("depth", "expand") for s in range(1, 6)}
        fix |= {"residual": draw.choice(("convnext", "all", "none")), "kernel": draw.choice((3, 5, 7))}
        fix |= {"se_stages": tuple(sorted(draw.sample(range(1, 6), 2))), "expansion_base": draw.choice(("in", "out"))}
        widths = {f"width{s}": draw.randint(4, 150) for s in range(6)}
        if fix["residual"] == "all" or (fix["residual"] == "convnext" and fix["block1"] != "sep"):
            widths["width1"] = widths["width0"]  # the formula says so: the first block adds its input
        return fix, widths, widths
    if family == "mcunet":
        blocks = [(s, b) for s in range(2, 8) for b in range(1, 5 if s < 7 else 2)]
        fix = {f"kernel{s}_{b}": draw.choice((3, 5, 7)) for s, b in blocks}
        fix |= {f"expand{s}_{b}": draw.randint(1, 6) for s, b in blocks}
        fix |= {f"depth{s}": draw.randint(1, 4) for s in range(2, 7)} | {"mix_channels": draw.choice((0, 96))}
        scale = [draw.choice((0.35, 0.5, 0.6, 0.75, 1.0, 1.3)) for _ in range(8)]
        widths = {"width0": scale[0], "width1": scale[1]} | {f"width{s}_{b}": scale[s] for s, b in blocks}
        base = (32, 16, 24, 40, 80, 96, 192, 320)
        named = {f"c{s}" if s < 2 else f"c{s}_1": make_divisible(base[s] * scale[s]) for s in range(8)}
        return fix, widths, named
    alpha = draw.choice((0.2, 0.35, 0.5, 0.77, 1.0, 1.3))
    named = {f"c{c}": make_divisible(c * alpha) for c in (16, 24, 32, 64, 96, 128, 160, 256, 320, 512, 1024)}
    return {}, {"alpha": alpha}, named | {"c1280": max(1280, make_divisible(1280 * alpha))}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("family", FAMILIES)
def test_numbers_put_into_the_formula_give_the_integers_of_cost(family: str, seed: int) -> None:
    draw = random.Random(seed)
    fix, free, symbols = drawn(family, draw)
    symbols = {**symbols, "R": 32 * draw.randint(2, 8)}
    classes = draw.choice((2, 10, 100))
    values = {**fix, **free, "resolution": symbols["R"]}
    cost = hwscale.cost(family, values, classes=classes, runtime="tensors").cost
    forms = hwscale.formula(family, fix=fix, classes=classes)
    if family == "atomnet":
        assert {s.name for s in forms.macs.free_symbols} >= {*symbols} - {"width1"}
    for form, truth in (
        (forms.macs, cost.macs),
        (forms.flash, cost.flash_bytes),
        (forms.params, cost.params),
        (forms.ram, cost.ram_bytes),
    ):
        assert form.subs({s: symbols[s.name] for s in form.free_symbols}) == truth


def test_a_formula_with_every_width_fixed_depends_on_the_resolution_alone() -> None:
    draw = random.Random(5)
    fix = {"depth": 4, "expand": 3, "kernel2": (3, 5, 7, 3)}
    fix |= {f"width{s}_{b}": draw.choice((0.5, 0.75, 1)) for s in range(2, 7) for b in range(1, 5)}
    fix |= {"width0": 0.5, "width1": 0.75, "width7_1": 0.5}
    forms = hwscale.formula("mcunet", fix=fix)
    cost = hwscale.cost("mcunet", {**fix, "resolution": 192}, runtime="tensors").cost
    assert {s.name for s in forms.macs.free_symbols} == {"R"}
    assert [form.subs(dict.fromkeys(form.free_symbols, 192)) for form in (forms.macs, forms.ram)] == [
        cost.macs,
        cost.ram_bytes,
    ]


# ---- formula and nets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_formula_prints_every_form(cli: Any, family: str) -> None:
    plain, latex, relaxed = (cli("formula", "--net", family, *flags) for flags in ((), ("--latex",), ("--relaxed",)))
    for answer in (plain, latex, relaxed):
        assert (answer.code, answer.err) == (0, "")
    symbols = {"atomnet": "width5", "mcunet": "c2_1"}.get(family, "c32")
    assert all(part in plain.out for part in ("RAM", "Flash", "MACs", "R^2", symbols))
    assert latex.out.count("{") == latex.out.count("}")
    assert "floor" not in relaxed.out.partition("RAM")[2].partition("Holds for")[0]
    answer = record(cli("formula", "--net", family, "--json", "--classes", "3"))
    assert (answer["schema"], answer["family"], answer["classes"]) == ("hwscale.formula/1", family, 3)


def test_nets_list_and_show_every_family(cli: Any) -> None:
    assert set(EVERY_FAMILY) == set(json.loads(cli("nets", "list", "--json").out)) == set(hwscale.families())
    for family in FAMILIES:
        shown = record(cli("nets", "show", family, "--json"))
        names = [one["name"] for one in shown["hyperparameters"]]
        assert set(hwscale.cost(family).to_dict()["hyperparameters"]) <= set(names)
        assert all(one["meaning"] and "default" in one for one in shown["hyperparameters"] + shown["options"])
        assert "include_top" in {one["name"] for one in shown["options"]}
    assert {"kernel", "se_stages", "se_reduction", "se_placement", "residual", "expansion_base", "activation"} <= {
        one["name"] for one in record(cli("nets", "show", "atomnet", "--json"))["options"]
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_nets_show_is_a_page_that_names_hyperparameters_and_options(cli: Any, family: str) -> None:
    answer = cli("nets", "show", family)
    assert (answer.code, answer.err) == (0, "")
    expected = {
        "atomnet": ("resolution", "width", "block", "expand", "depth", *BLOCKS, "se_stages", "residual"),
        "mcunet": ("resolution", "width0", "depth", "kernel", "expand", "base_widths", "mix_channels", "uniform_width"),
    }.get(family, ("alpha", "resolution", "divisor"))
    assert all(name in answer.out for name in expected)


def test_nets_show_lists_the_presets_of_mcunet(cli: Any) -> None:
    assert all(preset in cli("nets", "show", "mcunet").out for preset in PRESETS)
    shown = json.dumps(record(cli("nets", "show", "mcunet", "--json")))
    assert all(preset in shown for preset in PRESETS)
