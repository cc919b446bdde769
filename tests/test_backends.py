"""`--verify tflm` and `--verify vela`: what is compared with what, and what is said where a package or a platform is missing.

The measurements themselves are replaced here; tests/test_tflm_route.py and tests/test_vela.py make real ones.
"""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

import hwscale
from hwscale import backends
from hwscale.configuration import configure
from hwscale.errors import ConfigError, VerificationError
from hwscale.measure import tflm_measure
from hwscale.measure.tflm_measure import TflmMeasurement
from hwscale.result import Fit
from hwscale.verification import Row

NET: dict[str, Any] = {
    "limits": {"ram": "128 KiB"},
    "fix": {"resolution": 48, "alpha": 0.3, "gamma": 3, "num_layers": 5},
}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: ModuleSpec(name, None))


def measurement(**changed: Any) -> TflmMeasurement:
    """What TensorFlow Lite Micro would say of the answer to `NET`, if the prediction is right."""
    record = configure("xinet", {"alpha": 0.3, "resolution": 48, "gamma": 3}).record("tflm", False)
    parts = dict(record.ram_parts)
    values = {
        "total_bytes": record.ram_bytes,
        "head_bytes": parts["head"],
        "tail_bytes": parts["tail"],
        "sections": {},
        "exported_bytes": record.flash_bytes + 20_000,
        "stripped_bytes": record.flash_bytes,
        "versions": {"tflite-micro": "x"},
        "correlation": 0.9995,
        "image_correlation": 0.999,
        "max_error": 0.01,
    }
    return TflmMeasurement(**{**values, **changed})


def fit_with(monkeypatch: pytest.MonkeyPatch, found: TflmMeasurement) -> Fit:
    monkeypatch.setattr(tflm_measure, "measure_network", lambda *_args, **_kwargs: found)
    return hwscale.fit("xinet", **NET, verify="tflm")


@pytest.mark.usefixtures("installed")
def test_arena_and_file_are_held_against_the_prediction_of_runtime_tflm(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = fit_with(monkeypatch, measurement())
    rows = {row.quantity: row for row in fit.verification.rows}
    assert set(rows) == {"params", "macs", "ram_bytes", "head_bytes", "tail_bytes", "flash_bytes"}
    assert rows["ram_bytes"].predicted == fit.cost.ram_bytes
    assert rows["head_bytes"].tolerance == 16
    assert rows["ram_bytes"].tolerance == fit.cost.ram_bytes * 5 // 1000
    assert (fit.verification.backend, fit.verification.runtime, fit.verification.ok) == ("tflm", "tflm", True)
    assert fit.verification.figures["correlation"] == 0.9995
    assert fit.to_dict()["verification"]["figures"]["exported_bytes"] == fit.cost.flash_bytes + 20_000


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("quantity", "field", "share"), [("ram_bytes", "total_bytes", 1.006), ("flash_bytes", "stripped_bytes", 0.99)]
)
def test_more_than_half_a_percent_off_is_a_mismatch(
    monkeypatch: pytest.MonkeyPatch, quantity: str, field: str, share: float
) -> None:
    wrong = round(getattr(measurement(), field) * share)
    with pytest.raises(VerificationError, match=f"{quantity}: predicted .*, measured {wrong}"):
        fit_with(monkeypatch, measurement(**{field: wrong}))


@pytest.mark.usefixtures("installed")
def test_a_head_off_by_more_than_its_alignment_is_a_mismatch(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VerificationError, match="head_bytes"):
        fit_with(monkeypatch, measurement(head_bytes=measurement().head_bytes + 32))


@pytest.mark.usefixtures("installed")
def test_outputs_that_do_not_correlate_are_a_mismatch(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VerificationError, match=r"correlate with torch's by 0\.430"):
        fit_with(monkeypatch, measurement(correlation=0.43))


def test_a_missing_package_is_named_with_its_extra_before_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda _name: None)
    with pytest.raises(
        ConfigError, match=r"--verify tflm needs the package tflite-micro: pip install 'hwscale\[convert\]'"
    ):
        hwscale.fit("xinet", **NET, verify="tflm")
    with pytest.raises(ConfigError, match=r"pip install 'hwscale\[convert,vela\]'"):
        hwscale.fit("xinet", platform="ethos-u55-128", verify="vela")


@pytest.mark.usefixtures("installed")
def test_vela_is_for_ethos_u_only() -> None:
    with pytest.raises(
        ConfigError, match=r"stm32h743 has none; use --platform with one of: ethos-u55-128, .*ethos-u55-64"
    ):
        hwscale.fit("xinet", "stm32h743", verify="vela")
    with pytest.raises(ConfigError, match="no platform was named"):
        hwscale.fit("xinet", **NET, verify="vela")


@pytest.mark.usefixtures("installed")
def test_a_saved_fit_is_measured_again_by_the_backend_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fit = fit_with(monkeypatch, measurement())
    fit.save(tmp_path / "best")
    assert hwscale.verify(tmp_path / "best", backend="tflm").backend == "tflm"
    assert hwscale.verify(tmp_path / "best").backend == "torch"
    with pytest.raises(ConfigError, match="unknown backend 'none'"):
        hwscale.verify(tmp_path / "best", backend="none")


def test_a_torch_trace_is_held_against_runtime_tensors_whatever_the_answer_was_found_for() -> None:
    fit = hwscale.fit("xinet", **NET)
    tensors = hwscale.cost("xinet", fit.hyperparameters, runtime="tensors")
    rows = {row.quantity: row.measured for row in fit.verification.rows}
    assert fit.verification.runtime == "tensors"
    assert rows["ram_bytes"] == tensors.ram_bytes < fit.cost.ram_bytes


@pytest.mark.parametrize(("measured", "ok"), [(100, True), (103, True), (104, False), (97, True), (96, False)])
def test_a_row_is_right_up_to_its_tolerance(measured: int, ok: bool) -> None:
    assert Row("ram_bytes", 100, measured, tolerance=3).ok is ok
