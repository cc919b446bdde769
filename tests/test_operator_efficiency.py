"""Efficiency of operators: the printed tables are held unchanged, and exactly what contradicts itself in them is flagged.

Printed numbers: XiNets: Efficient Neural Networks for tinyML, supplementary material, Tables 2 and 4.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwscale.errors import PlatformError
from hwscale.operator_efficiency import EfficiencyTable, OperatorEfficiency, operator_efficiency
from hwscale.platform import Platform, check_platform, load_platform, platforms
from hwscale.platform_records import Rate, Source

DATA = Path(__file__).parent / "data" / "xinet_operator_efficiency.csv"
NAMES = {"nrf52": "nrf52840"}  # the paper says only nRF52
XINET = "xinet-supplementary"
with DATA.open(encoding="utf-8") as stream:
    PRINTED = {(NAMES.get(row["platform"], row["platform"]), row["operator"]): row for row in csv.DictReader(stream)}
SEVEN = sorted({platform for platform, _ in PRINTED})

# what the figures of Tables 2 and 4 cannot be reconciled in; the notes are the arithmetic on the printed digits
FLAGGED = {
    ("stm32l452", "grouped"): ["implied_power", "printed_efficiency"],  # 5.30/31.3 = 17 %, 0.41/1.40 = 29 %, printed 25
    ("gap8", "pixelshuffle"): ["implied_power"],  # 341/4823 = 7 %, 4.30/16.55 = 26 %, printed 26
    ("gap8", "depthwise"): ["truncated_efficiency"],  # 1445/4823 = 29.96 %, 4.96/16.55 = 29.97 %, printed 29
    ("rpi4", "depthwise"): ["truncated_efficiency"],  # 3122/15820 = 19.7 %, 0.62/3.13 = 19.8 %, printed 19
}
# the line "AVG" of both tables [%]
AVERAGES = {"conv2d": 100, "pointwise": 78, "depthwise": 30, "grouped": 35}
AVERAGES |= {"transposed_conv": 19, "nn_interpolation": 25, "bilinear_interpolation": 30, "pixelshuffle": 17}


def of_xinet(platform: str) -> EfficiencyTable:
    (table,) = (table for table in operator_efficiency(load_platform(platform)) if table.runtime == XINET)
    return table


def row_of(table: EfficiencyTable, operator: str) -> OperatorEfficiency:
    (row,) = (row for row in table.operators if row.operator == operator)
    return row


def kinds(row: OperatorEfficiency) -> list[str]:
    return [found.kind for found in row.contradictions]


def board(rates: Sequence[tuple[str, int, int | None, int | None]]) -> Platform:
    source = Source("drawn", "derived")
    throughput = tuple(Rate(name, "rt", speed, energy, printed, source) for name, speed, energy, printed in rates)
    return replace(load_platform("rp2040"), name="board", throughput=throughput, default_rates=None)


@pytest.mark.parametrize(("platform", "operator"), PRINTED)
def test_a_row_holds_the_printed_figures(platform: str, operator: str) -> None:
    printed, row = PRINTED[platform, operator], row_of(of_xinet(platform), operator)
    figures = [printed[name] for name in ("mac_per_s", "mac_per_mj", "eff_printed_pct")]
    assert (row.source, row.status) == (printed["source"], "paper")
    assert [row.mac_per_s, row.mac_per_mj, row.printed_pct] == [int(figure) if figure else None for figure in figures]
    assert (row.mac_per_s is None) == (printed["supported"] == "no")


def test_what_the_paper_does_not_print_has_no_energy() -> None:
    rows = [(name, row.operator) for name in SEVEN for row in of_xinet(name).operators if row.mac_per_mj is None]
    unsupported = {key for key, printed in PRINTED.items() if printed["supported"] == "no"}
    assert {key for key in rows if key[1] != "fully_connected"} == unsupported
    assert len(PRINTED) == 7 * 8


@pytest.mark.parametrize("platform", SEVEN)
def test_ratios_are_those_of_the_printed_figures(platform: str) -> None:
    reference = PRINTED[platform, "conv2d"]
    for row in of_xinet(platform).operators:
        if row.mac_per_mj is not None:
            printed = PRINTED[platform, row.operator]
            speed, energy = int(printed["mac_per_s"]), int(printed["mac_per_mj"])
            assert row.speed_pct == pytest.approx(100 * speed / int(reference["mac_per_s"]))
            assert row.energy_pct == pytest.approx(100 * energy / int(reference["mac_per_mj"]))
            assert row.implied_power_mw == pytest.approx(float(printed["implied_power_mw"]), abs=0.005)


def test_exactly_the_rows_that_contradict_themselves_are_flagged() -> None:
    found = {
        (name, row.operator): kinds(row)
        for name in platforms()
        for table in operator_efficiency(load_platform(name))
        for row in table.operators
        if row.contradictions
    }
    assert found == FLAGGED


@pytest.mark.parametrize("platform", SEVEN)
def test_the_energy_column_is_speed_over_one_power(platform: str) -> None:
    table = of_xinet(platform)
    assert table.constant_power_mw is not None
    least, most = table.constant_power_mw
    power_mw = (least + most) / 2
    for row in table.operators:
        if row.mac_per_s and row.mac_per_mj and "implied_power" not in kinds(row):
            assert round(row.mac_per_s / power_mw, -4) == row.mac_per_mj  # printed with two decimals of a million


def test_other_rates_claim_nothing_of_energy() -> None:
    tables = operator_efficiency(load_platform("stm32h743"))
    assert [table.runtime for table in tables if table.constant_power_mw] == [XINET]
    assert row_of(tables[0], "depthwise").speed_pct == pytest.approx(100 * 91.96 / 390.384, rel=1e-4)
    assert all(row.speed_pct is None for row in tables[-1].operators), "no conv2d among them"


def test_two_printed_averages_do_not_follow_from_their_columns() -> None:
    columns: dict[str, list[int]] = {}
    for name in SEVEN:
        for row in of_xinet(name).operators:
            if row.printed_pct is not None:
                columns.setdefault(row.operator, []).append(row.printed_pct)
    off = {name: round(mean(column), 1) for name, column in columns.items() if round(mean(column)) != AVERAGES[name]}
    assert off == {"grouped": 33.6, "bilinear_interpolation": 31.7}
    readme = (Path(__file__).parents[1] / "platforms" / "README.md").read_text(encoding="utf-8")
    assert all(f"{AVERAGES[name]} % where the column gives {value} %" in readme for name, value in off.items())


def named(number: int) -> str:
    return f"operator {number}" if number else "conv2d"


@settings(derandomize=True, deadline=None)
@given(st.lists(st.floats(0.05, 50), min_size=3, max_size=8), st.floats(5, 5000), st.sampled_from([10_000, 100_000]))
def test_rounding_alone_is_never_flagged(energies: list[float], power_mw: float, unit: int) -> None:
    rates = []
    for number, energy in enumerate(energies):  # [M MAC/mJ], printed with two decimals, MAC/s with one or two
        speed = round(energy * power_mw * 1e6 / unit) * unit
        rates.append((named(number), speed, round(energy * 100) * 10_000, round(100 * energy / energies[0]) or None))
    (table,) = operator_efficiency(board(rates))
    assert table.constant_power_mw is not None
    assert not any(map(kinds, table.operators))


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(100, 20_000), min_size=4, max_size=8), st.data())
def test_the_one_changed_figure_is_flagged(drawn: list[int], data: st.DataObject) -> None:
    chosen, percent = data.draw(st.integers(0, len(drawn) - 1)), data.draw(st.sampled_from([50, 80, 125, 200]))
    rates = []
    for number, value in enumerate(drawn):
        exact = 1000 * value + 1  # ends in no zero, so that it is known to 1 in 100,000
        rates.append((named(number), 1000 * exact, exact * (percent if number == chosen else 100), None))
    (table,) = operator_efficiency(board(rates))
    assert [(row.operator, kinds(row)) for row in table.operators if kinds(row)] == [(named(chosen), ["implied_power"])]


def test_an_energy_that_was_measured_contradicts_nothing() -> None:
    rates = [
        ("conv2d", 40_000_000, 1_410_000, 100),
        ("pointwise", 30_000_000, 930_000, 75),
        ("depthwise", 9_000_000, 510_000, 36),
    ]
    (table,) = operator_efficiency(board(rates))
    assert table.constant_power_mw is None
    assert not any(map(kinds, table.operators))


def test_a_printed_efficiency_is_judged_by_the_one_column_there_is() -> None:
    (table,) = operator_efficiency(board([("conv2d", 40_100_000, None, 100), ("depthwise", 10_100_000, None, 30)]))
    (found,) = row_of(table, "depthwise").contradictions
    assert (found.kind, found.message) == (
        "printed_efficiency",
        "printed 30 % follows from no other figure: MAC/s says 25.19 %",
    )


# ---- command line ----------------------------------------------------------------------------------------------------


def test_the_command_shows_the_table_with_footnotes(cli: Any) -> None:
    answer = cli("platforms", "show", "stm32l452", "--operators")
    assert answer.code == 0
    (grouped,) = (line.split() for line in answer.out.splitlines() if line.startswith("  grouped "))
    assert grouped == ["grouped", "5.3", "16.9", "0.41", "29.3", "25", "12.93", "[1][2]", "paper"]
    (shuffle,) = (line.split() for line in answer.out.splitlines() if line.startswith("  pixelshuffle "))
    assert shuffle == ["pixelshuffle", "not", "supported", *5 * "-", "paper"]
    notes = re.findall(r"^  (\[\d\] .*)$", answer.out, re.MULTILINE)
    assert notes == [
        "[1] grouped: implied power 12.93 mW, of the other operators 22.24 to 22.38 mW: MAC/s says 16.93 %, MAC/mJ says 29.29 %, printed 25 %",
        "[2] grouped: printed 25 % follows from no other figure: MAC/s says 16.93 %, MAC/mJ says 29.29 %",
    ]
    assert answer.out.count("the energy column holds no independent measurement") == 1
    assert "22.24 to 22.38 mW, except for grouped:" in answer.out


def test_the_command_has_one_table_for_each_rate_set(cli: Any) -> None:
    shown = cli("platforms", "show", "stm32h743", "--operators").out
    sets = list(dict.fromkeys(rate.runtime for rate in load_platform("stm32h743").throughput))
    assert re.findall(r"^rates (.*)$", shown, re.MULTILINE) == sets
    assert "[1]" not in shown


@pytest.mark.parametrize("platform", SEVEN)
def test_json_holds_the_raw_numbers(cli: Any, platform: str) -> None:
    shown = json.loads(cli("platforms", "show", platform, "--operators", "--json").out)
    assert shown["platform"] == platform
    (table,) = (table for table in shown["rate_sets"] if table["runtime"] == XINET)
    assert table["constant_power_mw"] == list(of_xinet(platform).constant_power_mw or ())
    for row in table["operators"]:
        expected = row_of(of_xinet(platform), row["operator"])
        assert (row["mac_per_s"], row["mac_per_mj"]) == (expected.mac_per_s, expected.mac_per_mj)
        assert (row["speed_pct"], row["energy_pct"]) == (expected.speed_pct, expected.energy_pct)
        assert [found["kind"] for found in row["contradictions"]] == FLAGGED.get((platform, row["operator"]), [])


def test_a_platform_without_rates_is_answered_in_a_sentence(cli: Any) -> None:
    answer = cli("platforms", "show", "ethos-u55-32", "--operators")
    assert answer.code == 0
    assert "no operator rates, so efficiency is unknown; add [[throughput]] rows" in answer.out
    assert json.loads(cli("platforms", "show", "ethos-u55-32", "--operators", "--json").out)["rate_sets"] == []


# ---- user errors -----------------------------------------------------------------------------------------------------


def test_an_unknown_platform_is_refused_in_a_sentence(refused: Any) -> None:
    assert "did you mean 'stm32f746'?" in refused("platforms", "show", "stm32f74", "--operators")
    assert "nowhere.toml" in refused("platforms", "show", "./nowhere.toml", "--operators", "--json")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("efficiency_pct = 22.5", "must be a whole number above zero"),
        ("mac_per_mj = 0", "must be a whole number above zero"),
        ("mac_per_mj = '1.4M'", "must be a whole number above zero"),
    ],
)
def test_a_figure_that_cannot_be_used_is_refused_with_its_line(
    refused: Any, tmp_path: Path, line: str, sentence: str
) -> None:
    key = line.split(" = ")[0]
    text = re.sub(rf"^{key} = .*$", line, load_platform("rpi4").origin.read_text(), flags=re.MULTILINE)
    file = tmp_path / "rpi4.toml"
    file.write_text(text)
    number = text.splitlines().index(line) + 1
    told = refused("platforms", "show", file, "--operators")
    assert f"rpi4.toml:{number}: " in told
    assert sentence in told


def test_an_efficiency_without_a_speed_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "gap8.toml"
    text = load_platform("gap8").origin.read_text().replace("mac_per_s = 341_000_000\n", "supported = false\n")
    file.write_text(text)
    with pytest.raises(PlatformError, match=r"pixelshuffle has mac_per_mj and no mac_per_s; add that or leave"):
        load_platform(file)


def test_macs_per_millijoule_in_millions_are_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "gap8.toml"
    file.write_text(load_platform("gap8").origin.read_text().replace("mac_per_mj = 16_550_000", "mac_per_mj = 17"))
    assert [f.message for f in check_platform(file) if "mac_per_mj is only 17" in f.message]
