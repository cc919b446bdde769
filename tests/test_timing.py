"""Which measurements speak for a latency, how far it may be off, and what limits on it hold for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import hwscale
from hwscale.latency_file import SCHEMA, latency_models, written
from hwscale.latency_model import LatencyModel, Term
from hwscale.platform import load_platform
from hwscale.runtimes import find_runtime
from hwscale.timing import ANOTHER_RUNTIME, LITERATURE, TRANSFER, UNSEEN, core_of, make_timing
from hwscale.work import KERNELS, Work

MOBILE = {"alpha": 0.25, "resolution": 96}
"""A network of pointwise and depthwise convolutions, as those that were measured."""


def model_of(platform: str, runtime: str) -> LatencyModel:
    model = make_timing(load_platform(platform), find_runtime(runtime)).model
    assert model is not None
    return model


def test_latency_is_the_sum_of_works_times_their_coefficients() -> None:
    report = hwscale.cost("mobilenet_v1", MOBILE, platform="stm32h743", runtime="xcubeai-7.3")
    kernels = [op for op in report.ops if op.kind in KERNELS]
    dense = sum(op.macs for op in kernels if op.kind != "depthwise")
    depthwise = sum(op.macs for op in kernels if op.kind == "depthwise")
    units = {
        "macs": {True: depthwise, False: dense},
        "elements": sum(op.elements for op in kernels),
        "ops": len(kernels),
    }
    total = 0.0
    for term in model_of("stm32h743", "xcubeai-7.3").terms:
        found = units[term.work.quantity]
        total += term.seconds * (found[term.work.operators == ("depthwise",)] if isinstance(found, dict) else found)
    assert report.cost.latency_s == pytest.approx(total, rel=1e-5)


def test_elements_are_those_of_every_map_that_an_op_reads_and_writes() -> None:
    ops = {op.name: op for op in hwscale.cost("mobilenet_v2", {"alpha": 0.35, "resolution": 32}, runtime="tensors").ops}
    stem = next(iter(ops.values()))
    assert stem.elements == 3 * 32 * 32 + 16 * 16 * 16
    adds = [op for op in ops.values() if op.kind == "add"]
    assert adds
    assert all(op.elements % 3 == 0 for op in adds), "two equal maps in, one out"


@pytest.mark.parametrize(
    ("platform", "runtime", "library"),
    [
        ("stm32h743", "tflm", "tflm + cmsis-nn"),
        ("stm32h743", "tinyengine", "tinyengine"),
        ("stm32h743", "xcubeai-7.3", "x-cube-ai 7.3"),
        ("stm32h743", "tensors", "x-cube-ai 7.3"),
        ("stm32h7a3", "xcubeai-7.3", "x-cube-ai 7.3"),
        ("stm32u585", "xcubeai-7.3", "x-cube-ai 7.3"),
    ],
)
def test_a_runtime_measured_on_the_part_speaks_for_itself(platform: str, runtime: str, library: str) -> None:
    model = model_of(platform, runtime)
    assert (model.name, model.measured_on, model.borrowed) == (library, platform, "")
    assert model.source
    assert model.n >= model.networks >= 3
    assert model.left_out_error is not None
    assert model.left_out_error < 0.1
    assert model.interval[0] < 1 < model.interval[1]


def test_a_rate_of_another_part_is_scaled_by_the_clock_and_widened_and_says_so() -> None:
    ours, theirs = model_of("stm32f746", "tflm"), model_of("stm32h743", "tflm")
    for mine, other in zip(ours.terms, theirs.terms, strict=True):
        assert mine.seconds == pytest.approx(other.seconds * 480 / 216, rel=1e-12)
    assert ours.interval == pytest.approx((theirs.interval[0] / TRANSFER, theirs.interval[1] * TRANSFER))
    text = str(hwscale.cost("mobilenet_v1", MOBILE, platform="stm32f746").evidence["latency"])
    assert "on stm32h743" in text
    assert "480 MHz, scaled by the clock to 216 MHz and widened" in text


def test_a_part_measured_at_another_clock_is_scaled_and_widened_too() -> None:
    measured = next(m for m in latency_models(load_platform("stm32h747")) if m.name == "x-cube-ai 10.0")
    model = model_of("stm32h747", "xcubeai-10.0")
    assert measured.clock_hz == 400_000_000
    assert model.terms[0].seconds == pytest.approx(measured.terms[0].seconds * 400 / 480, rel=1e-12)
    assert "400 MHz" in model.borrowed


@pytest.mark.parametrize("core", ["Cortex-M7 + Cortex-M4", "Cortex-M7"])
def test_parts_with_one_application_core_lend_to_each_other(core: str, tmp_path: Path) -> None:
    text = (
        load_platform("stm32f746").origin.read_text(encoding="utf-8").replace('core = "Cortex-M7"', f'core = "{core}"')
    )
    (tmp_path / "board.toml").write_text(text.replace('name = "stm32f746"', 'name = "board"'), encoding="utf-8")
    board = load_platform(tmp_path / "board.toml")
    assert core_of(board) == "Cortex-M7"
    assert make_timing(board, find_runtime("xcubeai-10.0")).model is not None


def test_published_operator_rates_are_as_wide_as_such_rates_were_seen_to_be_off() -> None:
    model = model_of("gap8", "tensors")
    assert model.interval == pytest.approx((1 / LITERATURE, LITERATURE))
    assert model.left_out_error is None


def test_another_runtime_stands_in_only_widened_and_says_so() -> None:
    model, plain = model_of("stm32u585", "tflm"), model_of("stm32u585", "tensors")
    assert model.terms == plain.terms
    assert model.interval == pytest.approx((plain.interval[0] / ANOTHER_RUNTIME, plain.interval[1] * ANOTHER_RUNTIME))
    assert "in place of tflm" in model.borrowed


def test_without_data_there_is_no_number_but_the_reason() -> None:
    report = hwscale.cost("mobilenet_v1", MOBILE, platform="ethos-u55-128")
    assert report.cost.latency_s is report.cost.latency_interval_s is report.cost.energy_j is None
    assert report.to_dict()["evidence"]["latency"]["is"] == "none"
    assert "ethos-u55-128" in str(report.evidence["latency"])
    assert "none: no platform" in str(hwscale.cost("mobilenet_v1", MOBILE).evidence["latency"])


def test_a_network_of_another_make_than_the_measured_ones_is_known_less_well() -> None:
    alike = hwscale.cost("mobilenet_v1", MOBILE, platform="stm32h743").evidence["latency"]
    unlike = hwscale.cost("xinet", {"alpha": 0.5, "resolution": 96}, platform="stm32h743").evidence["latency"]
    assert not isinstance(alike, str)
    assert not isinstance(unlike, str)
    assert alike.interval is not None
    assert unlike.interval == pytest.approx((alike.interval[0] / UNSEEN, alike.interval[1] * UNSEEN))
    assert "conv2d" in unlike.borrowed


def test_rates_names_another_model_of_the_platform() -> None:
    slow = hwscale.cost("mobilenet_v1", MOBILE, platform="stm32h743", rates="tflm reference").cost.latency_s
    fast = hwscale.cost("mobilenet_v1", MOBILE, platform="stm32h743").cost.latency_s
    assert slow > 5 * fast, "plain C against CMSIS-NN: 587 and 53 ms on mcunet-vww0"
    published = hwscale.cost("mobilenet_v1", MOBILE, platform="stm32h743", rates="xinet-supplementary").evidence
    assert "xinet-supplementary" in str(published["latency"])
    with pytest.raises(hwscale.PlatformError, match=r"stm32h743 has no rates 'cmsis'.*tflm"):
        hwscale.cost("mobilenet_v1", MOBILE, platform="stm32h743", rates="cmsis")


@pytest.mark.parametrize("family", ["phinet", "xinet", "mobilenet_v2", "atomnet"])
def test_a_limit_on_the_worst_holds_for_the_upper_end(family: str) -> None:
    ask: dict[str, Any] = {"limits": {"latency": "150 ms"}, "verify": "none", "runtime": "xcubeai-7.3"}
    fit = hwscale.fit(family, "stm32h743", latency_limit="worst", **ask)
    assert fit.cost.latency_interval_s[1] <= 0.15
    assert fit.slack["latency"] == pytest.approx(0.15 - fit.cost.latency_interval_s[1])
    assert fit.certificate.gap == 0
    stretch = fit.cost.latency_interval_s[1] / fit.cost.latency_s
    same = hwscale.fit(family, "stm32h743", **{**ask, "limits": {"latency": 0.15 / stretch}})
    assert same.hyperparameters == fit.hyperparameters
    expected = hwscale.fit(family, "stm32h743", **ask)
    assert fit.cost.latency_s < expected.cost.latency_s <= 0.15
    assert (fit.latency_limit, expected.latency_limit) == ("worst", "expected")


def test_a_limit_on_the_worst_energy_holds_for_the_upper_end() -> None:
    fit = hwscale.fit("xinet", "stm32h743", limits={"energy": "5 mJ"}, latency_limit="worst", verify="none")
    assert fit.cost.energy_j < fit.cost.energy_interval_j[1] <= 0.005
    assert fit.cost.energy_interval_j == pytest.approx(tuple(0.1282 * s for s in fit.cost.latency_interval_s))


def test_what_a_limit_holds_for_is_one_of_two_words() -> None:
    with pytest.raises(hwscale.ConfigError, match=r"latency_limit 'best'.*worst"):
        hwscale.fit("xinet", "stm32h743", latency_limit="best")


MODEL = LatencyModel(
    "kernels 1.0",
    ("tflm",),
    "board",
    100_000_000,
    (Term(Work("macs", KERNELS), 1.25e-8), Term(Work("ops", ("add", "pad")), 2e-5)),
    12,
    9,
    0.0421,
    (0.9, 1.11),
    'lab "A" \\ 3',
    "primary",
    "a note",
    {"conv2d": 0.25},
)


def board(folder: Path, text: str) -> Path:
    file = folder / "board.toml"
    source = load_platform("stm32f746").origin.read_text(encoding="utf-8")
    file.write_text(source.replace('name = "stm32f746"', 'name = "board"'), encoding="utf-8")
    (folder / "board.latency.toml").write_text(text, encoding="utf-8")
    return file


def test_a_written_file_reads_back_as_it_was(tmp_path: Path) -> None:
    platform = load_platform(board(tmp_path, written("board", 100_000_000, [MODEL])))
    assert latency_models(platform) == (MODEL,)


BROKEN = {
    "schema": ('schema = "hwscale-latency/1"', 'schema = "other"', SCHEMA),
    "coefficient": ("seconds_per_unit = 1.2500e-08", "seconds_per_unit = -1.0", "seconds_per_unit"),
    "unit slip": ("seconds_per_unit = 1.2500e-08", "seconds_per_unit = 12.5", "between 0 and 1 s"),
    "work": ('work = "macs"', 'work = "flops"', "macs, elements, ops"),
    "interval": ("interval = [0.900, 1.110]", "interval = [1.1, 1.2]", "around 1"),
    "unknown key": ("n = 12", "n = 12\nspeed = 3", "speed"),
    "missing key": ("n = 12\n", "", "lacks n"),
    "kind of value": ("n = 12", 'n = "12"', "whole number"),
    "default": ('default = "kernels 1.0"', 'default = "kernel"', "kernels 1.0"),
    "status": ('status = "primary"', 'status = "sure"', "primary"),
    "share": ("conv2d = 0.25", "conv2d = 25", "share"),
    "not TOML": ("[[model]]", "[[model", "calibrate"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_latency_file_is_refused_in_a_sentence_that_names_it(fault: str, tmp_path: Path) -> None:
    good = written("board", 100_000_000, [MODEL])
    before, after, said = BROKEN[fault]
    assert before in good
    file = board(tmp_path, good.replace(before, after, 1))
    with pytest.raises(hwscale.PlatformError) as caught:
        hwscale.cost("mobilenet_v1", MOBILE, platform=file)
    assert "board.latency.toml" in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
