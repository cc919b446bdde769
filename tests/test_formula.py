"""The closed forms against sums written by hand, the published counts, and the promises of their printed forms."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sympy

from hwscale.closed_form import Formula, formula
from hwscale.errors import ConfigError
from hwscale.formulas import find_family
from hwscale.formulas.rounding import make_divisible

with (Path(__file__).parent / "data" / "golden.csv").open(newline="") as file:
    GOLDEN = {int(row["id"]): row for row in csv.DictReader(file)}

SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("phinet", {}),
    ("phinet", {"num_layers": 9, "squeeze_excite": False}),
    ("phinet", {"divisor": 8, "conv5_percent": 0.5}),
    ("phinet", {"pool": True, "conv2d_input": True}),
    ("phinet", {"alpha": 0.2, "first_conv_stride": 3}),
    ("phinet", {"resolution": 33}),
    ("xinet", {}),
    ("xinet", {"num_layers": 7, "gamma": 3, "beta": 0.7}),
    ("xinet", {"num_layers": 2}),
    ("xinet", {"resolution": 97, "attention": False}),
]


@cache
def forms() -> list[Formula]:
    """The exact form of every setting."""
    return [formula(family, fix=fix) for family, fix in SETTINGS]


@cache
def shown() -> list[Formula]:
    """Both forms of every setting."""
    return [*forms(), *(form.relaxed() for form in forms())]


def knob(name: str) -> Any:
    return sympy.Symbol(name, positive=True)


R = sympy.Symbol("R", integer=True, positive=True)
ALPHA, BETA, T_ZERO, GAMMA = (knob(name) for name in ("alpha", "beta", "t_zero", "gamma"))


def same(left: Any, right: Any) -> bool:
    return bool(sympy.expand(left - right) == 0)


def at_integers(form: Formula, knobs: dict[str, float], resolution: int) -> dict[Any, int]:
    """Level 1: the width symbols of ``form`` as the reference network rounds them, and the input side."""
    widths = find_family(form.question.family).widths(form.question.settings, {**form.question.fixed, **knobs})
    return {symbol: widths[str(symbol)] for symbol in form.definitions if str(symbol) in widths} | {R: resolution}


# the default PhiNet, num_layers = 7, c = 24 alpha: per block i = 1..7 the factors of t_i c^2 (pointwise), of t_i c
# (depthwise and BN) and of t_i^2 c^2 (squeeze-excite with bottleneck E/6), and the same for MACs per R^2; c = 24 alpha
W, V, U = (2, 2, 3, 8, 12, 32, 48), (1, 1, 1, 2, 2, 4, 4), (1, 1, 1, 4, 4, 16, 16)
P = [Fraction(n, 32) for n in (10, 4, 3, 4, 3, 4, 3)]
Q = [Fraction(1, n) for n in (16, 16, 64, 32, 128, 64, 256)]


def weighted(weights: Any, power: int = 1) -> Any:
    """sum(w_i t_i^power), t_i = t_zero (1 + (beta - 1) i / 7)."""
    expansions = [T_ZERO * (1 + (BETA - 1) * sympy.Rational(i, 7)) for i in range(1, 8)]
    exact = [sympy.Rational(Fraction(w).numerator, Fraction(w).denominator) for w in weights]
    return sum(w * t**power for w, t in zip(exact, expansions, strict=True))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("squeeze_excite", [True, False])
def test_relaxed_phinet_is_the_sum_over_blocks_written_by_hand(channels: int, squeeze_excite: bool) -> None:
    form = formula("phinet", fix={"squeeze_excite": squeeze_excite}, in_channels=channels).relaxed()
    c = 24 * ALPHA
    gates = c**2 / 3 * weighted(U, 2) if squeeze_excite else 0
    params = 9 * channels + 2 * c * channels + 72 * c + 2 * c**2 + c**2 * weighted(W) + 13 * c * weighted(V) + gates
    maps = sympy.Rational(9 * channels, 4) + c * channels / 2 + sympy.Rational(9, 2) * c + c**2 / 2
    macs = R**2 * (maps + c**2 * weighted(P) + 9 * c * weighted(Q)) + gates
    assert same(form.params, params + 8 * c * 10 + 10)
    assert same(form.macs, macs + 8 * c * 10)


def test_relaxed_phinet_has_four_ram_terms() -> None:
    t_1 = T_ZERO * (6 + BETA) / 7
    terms = dict(formula("phinet").relaxed().ram_terms)
    by_hand = {
        "stem.dw": sympy.Rational(15, 4),
        "b0.dw": 24 * ALPHA,
        "b1.expand": 6 * ALPHA * (1 + t_1),
        "b1.dw": sympy.Rational(15, 2) * ALPHA * t_1,
    }
    assert terms.keys() == by_hand.keys()
    assert all(same(terms[op], R**2 * size) for op, size in by_hand.items())


@pytest.mark.parametrize("layers", [3, 5, 7])
def test_relaxed_xinet_is_the_sum_over_stages_written_by_hand(layers: int) -> None:
    form = formula("xinet", fix={"num_layers": layers}).relaxed()
    stages = range(1, layers - 1)
    later = {j: 0 if j == 1 else 1 for j in stages}
    series = sum(sympy.Rational(1 + 4 * later[j], 2**j) for j in stages)
    per_area = 1984 * (layers - 2) / GAMMA + 128 / GAMMA * series + 1248 + sympy.Rational(128, 2 ** (layers - 2))
    last, skip = 16 * ALPHA * 2 ** (layers - 1), 32 * ALPHA
    assert same(form.macs, ALPHA**2 * R**2 * per_area + 196 * 3 * ALPHA * R**2 + 10 * last)
    params = 784 * 3 * ALPHA + 32 * ALPHA + sympy.Rational(39, 8) * last**2 + skip * last / 2 + 4 * last
    for j in stages:
        w = 16 * ALPHA * 2**j
        params += sympy.Rational(59, 2) * w**2 / GAMMA + skip * w / GAMMA * (1 + later[j]) + 4 * w
    assert same(form.params, params + 10 * (last + 1))


def test_relaxed_xinet_has_three_ram_terms() -> None:
    terms = dict(formula("xinet").relaxed().ram_terms)
    by_hand = {
        "conv1": 3 + 4 * ALPHA,
        "l0.compression": ALPHA * (4 + 8 / GAMMA),
        "l1.attention": ALPHA * (6 + 1 / GAMMA),
    }
    assert terms.keys() == by_hand.keys()
    assert all(same(terms[op], R**2 * size) for op, size in by_hand.items())


def test_relaxed_costs_are_posynomials() -> None:
    for family in ("phinet", "xinet"):
        form = formula(family).relaxed()
        for cost in (form.macs, form.params, form.flash, *(size for _, size in form.ram_terms)):
            assert all(
                factor > 0 and factor.is_Rational for factor in sympy.expand(cost).as_coefficients_dict().values()
            )


def test_relaxed_equals_exact_where_nothing_is_rounded() -> None:
    form, knobs = formula("phinet"), {"alpha": 1.0, "beta": 1.0, "t_zero": 6.0}
    exact = at_integers(form, knobs, 96)
    smooth = {ALPHA: 1, BETA: 1, T_ZERO: 6, R: 96}
    for cost in ("macs", "params", "flash"):
        assert getattr(form, cost).subs(exact) == getattr(form.relaxed(), cost).subs(smooth)


@pytest.mark.parametrize("row", [0, 1, 2, 5])
def test_exact_phinet_reproduces_the_counts_of_the_reference_code(row: int) -> None:
    golden = GOLDEN[row]
    configuration = json.loads(golden["hparams"])
    classes, compatible = configuration.pop("num_classes"), configuration.pop("compatibility")
    knobs = {name: float(configuration.pop(name)) for name in ("alpha", "beta", "t_zero")}
    if compatible:
        configuration |= {"h_swish": False, "squeeze_excite": False}
    configuration["activation"] = "hswish" if configuration.pop("h_swish") else "relu6"
    form = formula("phinet", fix=configuration, classes=classes)
    values = at_integers(form, knobs, int(golden["input_shape"].split("x")[-1]))
    assert form.params.subs(values) == int(golden["params"])
    assert form.macs.subs(values) == int(golden["macs"])
    peaks = {op: size.subs(values) for op, size in form.ram_terms}
    assert max(peaks.values()) == form.ram.subs(values).doit() == int(golden["peak_opt"])
    assert max(peaks, key=lambda op: peaks[op]) == "b1.dw"


def test_exact_xinet_reproduces_the_counts_of_the_reference_code() -> None:
    golden = GOLDEN[112]
    form = formula("xinet", fix={"include_top": json.loads(golden["hparams"])["include_top"]})
    values = at_integers(form, {"alpha": 1.0}, 224)
    assert (form.params.subs(values), form.macs.subs(values)) == (489_808, 171_401_216)
    assert max(size.subs(values) for _, size in form.ram_terms) == 351_232


@pytest.mark.parametrize("divisor", [1, 8])
def test_definitions_say_what_level_one_computes(divisor: int) -> None:
    # eighths and 64ths: neither the floats nor num_layers = 8 round anything that the rationals do not
    form = formula("phinet", fix={"num_layers": 8, "divisor": divisor})
    meant = sympy.Function("make_divisible")
    for alpha, beta, t_zero in [(13, 64, 48), (21, 52, 17), (200, 96, 63), (64, 32, 64)]:
        knobs = {"alpha": alpha / 64, "beta": beta / 64, "t_zero": t_zero / 8}
        values: dict[Any, Any] = {knob(name): sympy.Rational(value) for name, value in knobs.items()}
        for symbol, meaning in form.definitions.items():
            values[symbol] = meaning.subs(values).doit().replace(meant, lambda v, d: make_divisible(int(v), int(d)))
        assert {s: v for s, v in at_integers(form, knobs, 96).items() if s != R}.items() <= values.items()


def test_definitions_come_in_an_order_in_which_each_is_made_of_earlier_ones() -> None:
    for form in forms():
        known = {ALPHA, BETA, T_ZERO}
        for symbol, meaning in form.definitions.items():
            assert meaning.free_symbols <= known
            known.add(symbol)
        assert (form.macs + form.params + form.flash).free_symbols <= known | {R}


def test_costs_hold_no_rounding_of_their_own() -> None:
    for form in forms():
        for cost in (form.macs, form.params, form.flash, *(size for _, size in form.ram_terms)):
            assert not cost.has(sympy.floor, sympy.Mod, sympy.Float)


def test_blocks_sum_to_the_whole() -> None:
    for form in forms():
        for cost in ("macs", "params", "flash"):
            assert same(sum(part for _, part in form.blocks[cost]), getattr(form, cost))


def test_a_width_of_fixed_hyperparameters_is_the_integer_of_the_reference_network() -> None:
    # t_1 = 5/3 and c24 = 9 make 15, but in the floats of the reference network 14.999...
    form = formula("phinet", fix={"alpha": 0.375, "beta": 0.5, "t_zero": 2, "num_layers": 3})
    assert [int(meaning) for symbol, meaning in form.definitions.items() if str(symbol) in ("c24", "E1")] == [9, 14]


def test_one_ram_term_is_left_where_every_width_is_known() -> None:
    form = formula("phinet", fix={"alpha": 0.2, "beta": 1, "t_zero": 6})
    assert [op for op, _ in form.ram_terms] == ["b1.dw"]


def test_assumptions_name_the_smallest_alpha_and_side() -> None:
    assert "alpha >= 1/24" in formula("phinet").assumptions
    assert "alpha >= 3/16" in formula("phinet", fix={"divisor": 8}).assumptions
    assert "alpha >= 1/4" in formula("xinet").assumptions
    large_kernels = formula("phinet", fix={"conv5_percent": 1.0}).assumptions
    assert "input of R x R px, R a multiple of 32, at least 96" in large_kernels


def test_divisor_and_unpadded_stem_exclude_alphas_between() -> None:
    excluded = formula("phinet", fix={"conv2d_input": True, "divisor": 8}).assumptions
    assert any(sentence.startswith("excluded: conv2d_input") for sentence in excluded)


@pytest.mark.parametrize("width", [40, 100])
def test_text_fits_the_width(width: int) -> None:
    for form in shown():
        assert max(map(len, form.text(width).splitlines())) <= width


def test_text_labels_every_ram_term_by_its_op() -> None:
    form = formula("phinet")
    lines = form.text().splitlines()
    for op, _ in form.ram_terms:
        assert sum(line.startswith(f"  {op} ") for line in lines) == 1


def test_latex_is_balanced_and_leaves_no_python_names() -> None:
    for form in shown():
        latex = form.latex()
        assert latex.startswith("\\begin{align*}\n")
        assert latex.endswith("\n\\end{align*}")
        depth = 0
        for before, letter in zip(" " + latex, latex, strict=False):
            depth += {"{": 1, "}": -1}.get(letter, 0) * (before not in "\\")
            assert depth >= 0
        assert depth == 0
        for row in latex.split("\\\\\n"):  # neither \left ... \right nor a cell may span rows
            assert len(re.findall(r"\\left\b", row)) == len(re.findall(r"\\right\b", row))
            assert row.replace("&&", "").count("&") == 1
        assert not any(name in latex for name in ("t_zero", "make_", "**", "floor(", "Max("))


def test_to_dict_is_json_with_a_schema() -> None:
    form = formula("phinet", fix={"num_layers": 8})
    read = json.loads(json.dumps(form.to_dict()))
    assert read["schema"] == "hwscale.formula/1"
    assert (read["family"], read["form"], read["settings"]["num_layers"]) == ("phinet", "exact", 8)
    names = {str(symbol): symbol for symbol in (*form.definitions, R)}
    assert same(sympy.sympify(read["macs"], locals=names), form.macs)
    assert [term["op"] for term in read["ram_terms"]] == [op for op, _ in form.ram_terms]


def test_importing_does_not_load_sympy() -> None:
    code = "import sys, hwscale.closed_form; sys.exit('sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("family", "fix", "runtime", "message"),
    [
        ("phinett", {}, "tensors", "did you mean 'phinet'"),
        ("phinet", {"alhpa": 1}, "tensors", "did you mean 'alpha'"),
        ("xinet", {"gama": 4}, "tensors", "did you mean 'gamma'"),
        ("xinet", {}, "tensor", "did you mean 'tensors'"),
        ("xinet", {"gamma": 1}, "tensors", "gamma = 1"),
        ("xinet", {"alpha": 0.01}, "tensors", "0 channels"),
        ("xinet", {"resolution": 99}, "tensors", "even height"),
        ("phinet", {"alpha": 0.2, "conv2d_input": True, "divisor": 8}, "tensors", "divisor"),
    ],
)
def test_what_cannot_be_written_down_is_a_config_error(
    family: str, fix: dict[str, Any], runtime: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        formula(family, fix=fix, runtime=runtime)
