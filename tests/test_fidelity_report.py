"""docs/fidelity.md, its rows and its plot are what `python -m benchmarks.fidelity_runtimes` writes, and say what they
claim."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1]))  # benchmarks/ is not installed, and bare `pytest` does not add the root

from benchmarks import fidelity_runtimes, fidelity_tflm
from benchmarks.fidelity_record import Record


@pytest.mark.parametrize(
    "file", [fidelity_runtimes.DOCUMENT, fidelity_runtimes.ROWS, fidelity_runtimes.PLOT], ids=lambda file: file.name
)
def test_the_file_is_what_the_script_writes(file: Path) -> None:
    assert file.read_text(encoding="utf-8") == fidelity_runtimes.expected()[file], "run make fidelity"


def rows(runtime: str, quantity: str) -> list[Record]:
    return [r for r in fidelity_runtimes.compared()[0] if (r.runtime, r.quantity) == (runtime, quantity)]


def test_every_measured_network_is_compared_or_named() -> None:
    measured = 0
    for name in fidelity_tflm.FILES:
        with (fidelity_tflm.DATA / name).open(newline="", encoding="utf-8") as file:
            measured += len(list(csv.DictReader(file)))
    left = [entry for entry in fidelity_runtimes.compared()[1] if entry.runtime == "tflm"]
    assert len(rows("tflm", "arena")) + len(left) == measured
    assert measured >= 60


def test_the_arena_of_every_network_is_exact_and_its_file_within_the_stated_error() -> None:
    for quantity in ("head", "tail", "arena"):
        assert all(r.excess == 0 for r in rows("tflm", quantity))
    assert all(abs(r.error) <= 0.0035 for r in rows("tflm", "stripped file"))
    assert any(not r.fitted for r in rows("tflm", "arena"))


def test_intervals_hold_95_percent_of_the_published_rows_of_each_version() -> None:
    for name in ("xcubeai-7.3", "xcubeai-8.1", "xcubeai-10.0", "st-edge-ai-3.0"):
        own = rows(name, "activation RAM")
        assert sum(not r.miss for r in own) >= 0.95 * len(own)
        assert all(r.interval for r in own)


def test_misses_are_named_with_their_row() -> None:
    text = fidelity_runtimes.DOCUMENT.read_text(encoding="utf-8").partition("### Misses")[2]
    missed = [r for r in fidelity_runtimes.compared()[0] if r.miss]
    assert missed
    assert all(r.network in text for r in missed)


@pytest.mark.parametrize(
    ("low", "high", "measured", "digit", "verdict"),
    [
        (100, 100, 100, 1, "equal"),
        (100, 100, 100.9, 1, "equal"),
        (100, 100, 125, 1, "miss -20.00 %"),
        (150, 150, 125, 1, "miss +20.00 %"),
        (90, 110, 100, 1, "inside"),
        (90, 100, 125, 1, "miss -20.00 %"),
        (150, 160, 125, 1, "miss +20.00 %"),
    ],
)
def test_an_error_is_what_a_prediction_or_the_nearer_end_of_an_interval_lies_off(
    low: float, high: float, measured: float, digit: float, verdict: str
) -> None:
    assert Record("", "", "", "", low, high, measured, "", digit=digit).verdict == verdict


def test_an_error_that_the_runtime_states_is_no_miss() -> None:
    assert not Record("", "", "", "", 101, 101, 100, "", allowed=2).miss
    assert Record("", "", "", "", 103, 103, 100, "", allowed=2).miss


def test_the_check_names_the_files_that_are_stale(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fidelity_runtimes.main(["--check"]) == 0
    monkeypatch.setattr(fidelity_runtimes, "PLOT", tmp_path / "fidelity.svg")
    assert fidelity_runtimes.main(["--check"]) == 1
    assert "fidelity.svg" in capsys.readouterr().err
    assert fidelity_runtimes.main([]) == 0
    assert fidelity_runtimes.main(["--check"]) == 0
