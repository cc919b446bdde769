"""docs/latency.md, its rows and plot are what `python -m benchmarks.latency_report` writes; bars and constants hold."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1]))  # benchmarks/ is not installed, and bare `pytest` does not add the root

from benchmarks import additivity, latency_constants, latency_fit, latency_report
from benchmarks.latency_bars import BARS, COVERAGE_BAR, SPEARMAN_BAR, Judged, judged
from benchmarks.latency_predicted import NO_PRICE, SHIPPED, TOO_WIDE, predictions, statistics
from benchmarks.latency_published import left_out, samples
from hwscale import timing
from hwscale.calibration import LeftOut, Sample
from hwscale.measure.host import Additivity

FITTED = [one for one in judged() if one.ground == SHIPPED]
FEW = {("STM32F746, AtomNet Table 3", "x-cube-ai (AtomNet)"): 3}
"""Rows inside their interval where one miss among four rows is below the bar."""


def name(one: Judged) -> str:
    return f"{one.bar.name}, {one.library}"


@pytest.mark.parametrize(
    "file", [latency_report.DOCUMENT, latency_report.ROWS, latency_report.PLOT], ids=lambda file: file.name
)
def test_the_file_is_what_the_script_writes(file: Path) -> None:
    assert file.read_text(encoding="utf-8") == latency_report.expected()[file], "run make fidelity"


def test_every_bar_judges_the_fitted_libraries_of_its_rows() -> None:
    assert Counter(one.bar.name for one in FITTED) == {BARS[0].name: 4, BARS[1].name: 5, BARS[2].name: 2}


@pytest.mark.parametrize("one", FITTED, ids=name)
def test_the_mean_error_of_networks_left_out_keeps_its_bar(one: Judged) -> None:
    assert one.found.mape <= one.bar.mape


@pytest.mark.parametrize("one", [one for one in FITTED if one.found.n > 2], ids=name)
def test_networks_left_out_are_ranked_as_published(one: Judged) -> None:
    assert one.found.spearman is not None
    assert one.found.spearman >= SPEARMAN_BAR


@pytest.mark.parametrize("one", FITTED, ids=name)
def test_intervals_hold_the_networks_left_out(one: Judged) -> None:
    wanted = FEW.get((one.bar.name, one.library), COVERAGE_BAR * one.found.n)
    assert one.found.inside >= wanted


def test_intervals_of_all_fitted_rows_together_hold_nine_tenths() -> None:
    assert sum(one.found.inside for one in FITTED) >= 0.9 * sum(one.found.n for one in FITTED)


def test_the_document_names_every_bar_that_is_missed() -> None:
    text = latency_report.DOCUMENT.read_text(encoding="utf-8")
    missed = {(one.bar.name, one.library, one.missed) for one in judged() if one.missed}
    assert missed == {(BARS[2].name, "x-cube-ai (AtomNet)", ("coverage",))}
    assert all(f"* Missed: {bar}, {library} " in text for bar, library, _ in missed)


def test_the_shipped_models_are_what_the_data_give() -> None:
    texts = latency_fit.texts()
    shipped = {file.name: file.read_text(encoding="utf-8") for file in latency_fit.PLATFORMS.glob("*.latency.toml")}
    assert shipped == {f"{platform}.latency.toml": text for platform, text in texts.items()}


def test_every_published_row_is_in_the_table_of_rows_or_left_out() -> None:
    with latency_report.ROWS.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["data_set"], row["library"], row["row"], row["source"]) for row in rows] == [
        (row.group, row.library, row.sample.name, row.sample.source) for row in samples()
    ]
    assert all(row["predicted_ms"] for row in rows if row["ground"] != NO_PRICE)
    assert f"| all | {len(left_out())} |" in latency_report.DOCUMENT.read_text(encoding="utf-8")


def test_every_row_that_multiplies_is_predicted_and_those_of_fits_without_their_network() -> None:
    for one in predictions():
        assert (one.ground == NO_PRICE) == (not any(op.macs for op in one.row.sample.ops))
        assert (one.model == "") == (one.ground in (SHIPPED, TOO_WIDE, NO_PRICE))
    assert sum(one.ground == SHIPPED for one in predictions()) == sum(len(fit.rows) for fit in latency_fit.fits())


def test_rates_of_papers_were_off_by_no_more_than_their_interval() -> None:
    found = latency_constants.literature()
    assert len(found) == 16
    assert latency_constants.worst(found).factor <= timing.LITERATURE


def test_optimised_libraries_differ_by_no_more_than_stated() -> None:
    found = latency_constants.another_runtime()
    assert len(found) == 28
    assert latency_constants.worst(found).factor <= timing.ANOTHER_RUNTIME


def test_a_network_of_another_make_was_off_by_no_more_than_stated() -> None:
    found = latency_constants.unseen()
    assert len(found) == 13
    assert latency_constants.worst(found).factor <= timing.UNSEEN


def test_models_moved_to_other_parts_keep_to_the_factor_and_their_intervals_hold() -> None:
    assert latency_constants.share_within(latency_constants.transfer(), 0.9) <= timing.TRANSFER
    moved = [one.found for one in latency_constants.moved()]
    assert len(moved) == 18
    assert sum(one is not None and one.covered for one in moved) >= COVERAGE_BAR * len(moved)


def test_statistics_are_of_predicted_over_published() -> None:
    sample = [Sample(str(n), str(n), (), seconds) for n, seconds in enumerate((1.0, 2.0, 4.0))]
    pairs = zip(sample, (1.1, 1.0, 4.0), strict=True)
    found = statistics([LeftOut(one, seconds, (0.9 * seconds, 1.1 * seconds)) for one, seconds in pairs])
    assert (found.n, found.networks, found.inside) == (3, 3, 2)
    assert found.mape == pytest.approx((0.1 + 0.5 + 0) / 3)
    assert found.worst == pytest.approx(-0.5)
    assert found.spearman == pytest.approx(0.5)


def test_a_document_without_one_of_the_tables_is_refused() -> None:
    text = latency_report.DOCUMENT.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="must have"):
        latency_report.filled(text.replace("<!-- begin: bars -->", ""))


def test_the_check_names_the_files_that_are_stale(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert latency_report.main(["--check"]) == 0
    monkeypatch.setattr(latency_report, "PLOT", tmp_path / "latency.svg")
    assert latency_report.main(["--check"]) == 1
    assert "latency.svg" in capsys.readouterr().err
    assert latency_report.main([]) == 0
    assert latency_report.main(["--check"]) == 0


def timed(difference: float, noise: float) -> additivity.Result:
    return additivity.Result((additivity.Row("net", (Additivity(1 + difference, 1.0, noise, 3),)),))


def test_a_noisy_machine_leaves_a_text_without_figures() -> None:
    noisy = additivity.document(timed(0.02, 0.06), "a")
    assert noisy == additivity.document(timed(0.4, 0.2), "b")
    assert "Too noisy: " in noisy
    assert "| net | 3 | 1020.000 | 1000.000 | +2.0 | 1.0 |" in additivity.document(timed(0.02, 0.01), "a")
