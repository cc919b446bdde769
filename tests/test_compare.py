"""Families on platforms side by side: every row is a fit of its own, and needs are decided as an enumeration decides them."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import re
import shlex
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

import hwscale
from hwscale.explore.platform_list import find_places
from hwscale.runtimes import find_runtime

NETS = ("mobilenet_v1", "mobilenet_v2")
SOME = ("stm32l452", "nrf52840", "stm32f746", "ethos-u55-32")
ALPHAS = tuple(round(0.2 + 0.05 * step, 2) for step in range(17))
SIDES = (64, 96, 128)
GRID = {"alpha": ",".join(map(str, ALPHAS)), "resolution": ",".join(map(str, SIDES))}


@lru_cache(maxsize=16)
def grid(platform: str) -> tuple[tuple[hwscale.result.Cost, int], ...]:
    """Every MobileNetV2 of the grid, priced one by one."""
    return tuple(
        (hwscale.cost("mobilenet_v2", {"alpha": alpha, "resolution": side}, platform=platform).cost, side)
        for alpha, side in itertools.product(ALPHAS, SIDES)
    )


def usable(platform: str) -> dict[str, float]:
    """RAM and Flash that the default runtime leaves."""
    report = hwscale.cost("mobilenet_v2", {"alpha": 0.2, "resolution": 64}, platform=platform)
    return {name: report.usable.get(name, math.inf) for name in ("ram", "flash")}


def balanced(cost: Any, side: int) -> float:
    return math.log(cost.macs) - 1.5 * math.log(side / (160 * (cost.macs / 1e8) ** 0.25)) ** 2


def test_every_row_is_the_fit_of_its_family_and_platform() -> None:
    options: dict[str, Any] = {"limits": {"flash": "600 KiB"}, "fix": {"resolution": 64}, "reserve_ram": "8 KiB"}
    found = hwscale.compare(NETS, list(SOME), jobs=1, **options)
    assert [(row.family, row.platform) for row in found.rows[:4]] == [
        (NETS[0], name) for name in sorted(SOME, key=lambda name: usable(name)["ram"])
    ]
    for row in found.rows:
        fit = hwscale.fit(row.family, row.platform, verify="none", **options)
        assert row.verdict == "fits"
        assert row.good
        assert row.fit is not None
        assert row.hyperparameters == fit.hyperparameters == row.fit.hyperparameters
        assert row.cost == fit.cost
        assert row.binding == fit.binding
        assert row.status == "optimal"
        for name, limit in fit.limits.items():
            assert row.utilisation[name] == pytest.approx((fit.cost.quantity(name) or 0) / limit)


def test_processes_change_nothing_and_a_fit_survives_the_journey() -> None:
    alone, spread = (hwscale.compare("mobilenet_v2", list(SOME[:3]), domain=GRID, jobs=jobs) for jobs in (1, 2))
    assert [row.platform for row in spread.rows] == [row.platform for row in alone.rows]
    for one, other in zip(alone.rows, spread.rows, strict=True):
        assert one.to_dict() | {"seconds": 0} == other.to_dict() | {"seconds": 0}
        assert one.fit is not None
        assert other.fit is not None
        mine, theirs = one.fit.to_dict(), other.fit.to_dict()
        mine["certificate"]["seconds"] = theirs["certificate"]["seconds"] = 0
        assert mine == theirs
        assert other.fit.neighbours() == one.fit.neighbours()


@pytest.mark.parametrize("latency", [None, 0.05, 0.4])
@pytest.mark.parametrize("floor", [3_000_000, 30_000_000, 70_000_000])
def test_needs_are_met_where_an_enumeration_finds_a_network(floor: int, latency: float | None) -> None:
    needs: dict[str, Any] = {"macs": floor} | ({} if latency is None else {"latency": latency})
    found = hwscale.compare("mobilenet_v2", list(SOME), needs=needs, domain=GRID, objective="balanced", jobs=1)
    for row in found.rows:
        if latency is not None and row.platform == "ethos-u55-32":
            assert row.verdict == "unusable"
            assert row.reason.startswith("latency unknown")
            continue
        room = usable(row.platform)
        fitting = [
            (cost, side)
            for cost, side in grid(row.platform)
            if cost.ram_bytes <= room["ram"]
            and cost.flash_bytes <= room["flash"]
            and (latency is None or (cost.latency_s or 0) <= latency)
        ]
        most = max((cost.macs for cost, _ in fitting), default=0)
        assert row.verdict == ("meets" if most >= floor else "fails")
        if row.good:
            best = max(balanced(cost, side) for cost, side in fitting if cost.macs >= floor)
            assert row.cost is not None
            assert row.cost.macs >= floor
            assert row.hyperparameters is not None
            assert balanced(row.cost, row.hyperparameters["resolution"]) == pytest.approx(best, rel=1e-12)
            assert row.fit is not None
            assert row.fit.hyperparameters == row.hyperparameters
        elif fitting:
            assert row.reached == {"macs": most}
            assert f"reaches {most / 1e6:,.2f} M of {floor / 1e6:,.2f} M MACs" in row.reason
        else:
            assert "needs" in row.reason
    assert {row.platform for row in found.good} == {row.platform for row in found.rows if row.verdict == "meets"}


def test_beside_a_floor_the_best_by_the_objective_is_shown_with_the_proof_of_the_search() -> None:
    """At 320 KiB the best balanced network has fewer MACs than a coarser one: a floor between the two decides."""
    fits = {
        name: hwscale.fit("xinet", "stm32f746", fix={"num_layers": 5}, objective=name, verify="none")
        for name in ("balanced", "macs")
    }
    floor = fits["balanced"].cost.macs + 1
    assert floor <= fits["macs"].cost.macs
    found = hwscale.compare("xinet", "stm32f746", needs={"macs": floor}, fix={"num_layers": 5}, jobs=1)
    (row,) = found.rows
    assert row.verdict == "meets"
    assert "best by balanced" in row.note
    assert row.fit is not None
    certificate = row.fit.certificate
    assert certificate.status == "optimal"
    assert certificate.domain_size == fits["balanced"].certificate.domain_size
    assert fits["balanced"].certificate.objective >= certificate.objective
    assert row.cost is not None
    assert floor <= row.cost.macs <= fits["macs"].cost.macs


def test_two_floors_are_met_by_one_network_or_not_at_all() -> None:
    """MACs want a fine map, params a wide network: each floor is reached, and both together only where one network has both."""
    room = usable("stm32l452")
    fitting = [
        cost for cost, _ in grid("stm32l452") if cost.ram_bytes <= room["ram"] and cost.flash_bytes <= room["flash"]
    ]
    most_macs, most_params = (max(getattr(cost, name) for cost in fitting) for name in ("macs", "params"))
    verdicts = set()
    for share in (0.5, 1.0):
        floors = {"macs": int(share * most_macs), "params": int(share * most_params)}
        found = hwscale.compare("mobilenet_v2", "stm32l452", needs=floors, domain=GRID, jobs=1)
        both = any(cost.macs >= floors["macs"] and cost.params >= floors["params"] for cost in fitting)
        assert found.rows[0].verdict == ("meets" if both else "fails")
        verdicts.add(both)
    assert True in verdicts


def test_a_need_of_ram_is_a_ceiling_besides_what_the_platform_has() -> None:
    needs = {"ram": "200 KiB", "flash": "100 MiB"}
    found = hwscale.compare("mobilenet_v2", ["stm32l452", "stm32f746"], needs=needs, domain=GRID, jobs=1)
    small, large = found.rows
    assert small.limits == usable("stm32l452")
    assert large.limits == {"ram": 200 * 1024, "flash": usable("stm32f746")["flash"]}
    assert large.cost is not None
    assert large.cost.ram_bytes <= 200 * 1024
    kept = hwscale.compare("mobilenet_v2", "stm32f746", needs=needs, domain=GRID, jobs=1, margin="50%")
    assert kept.rows[0].limits["ram"] == usable("stm32f746")["ram"] // 2, "half of what it has is less than the need"


def test_what_is_wrong_with_one_platform_is_the_reason_of_its_row(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("schema = ", encoding="utf-8")
    found = hwscale.compare("mobilenet_v2", [broken, "stm32l452"], domain=GRID, jobs=1)
    assert [row.verdict for row in found.rows] == ["fits", "unusable"]
    assert "broken.toml:1" in found.rows[1].reason
    assert found.rows[1].fit is None
    narrow = hwscale.compare(NETS[1], ["stm32l452", "stm32f746"], limits={"latency": "1 ms"}, domain=GRID, jobs=1)
    assert [row.verdict for row in narrow.rows] == ["fails", "fails"]
    assert all(row.reason.startswith("latency: needs ") for row in narrow.rows)


def test_what_is_wrong_everywhere_is_refused() -> None:
    for wrong in (
        {"fix": {"alfa": 1}},
        {"runtime": "tlfm"},
        {"objective": "speed"},
        {"needs": {"rom": 1}},
        {"needs": {"ram": "1 KiB"}, "limits": {"ram": "2 KiB"}},
        {"needs": {"latency": "100"}},
        {"jobs": 0},
        {"platforms": "stm33*"},
        {"platforms": ","},
    ):
        with pytest.raises(hwscale.ConfigError):
            hwscale.compare("mobilenet_v2", **{"platforms": "stm32l452", "jobs": 1, **wrong})  # type: ignore[arg-type]
    with pytest.raises(hwscale.PlatformError, match="stm32f746"):
        hwscale.compare("mobilenet_v2", "stm32f747")
    with pytest.raises(hwscale.ConfigError, match="mobilenet"):
        hwscale.compare("mobilenet_v9", "stm32l452")


def test_platforms_are_named_by_globs_lists_and_all_each_once() -> None:
    runtime = find_runtime("tflm")
    everything = find_places("all", runtime)
    assert {place.name for place in everything} == set(hwscale.platforms())
    sizes = [place.size(runtime) for place in everything]
    assert sizes == sorted(sizes)
    names = {place.name for place in find_places("stm32h7*, STM32H743,nrf52840", runtime)}
    assert names == {name for name in hwscale.platforms() if name.startswith("stm32h7")} | {"nrf52840"}


def test_progress_has_a_line_a_row() -> None:
    lines: list[str] = []
    found = hwscale.compare("mobilenet_v2", list(SOME[:2]), domain=GRID, jobs=1, progress=lines.append)
    assert len(lines) == len(found.rows) == 2
    assert lines[-1].startswith("2/2 mobilenet_v2 on ")


ARGUMENTS = ("compare", "--net", "mobilenet_v2", "--jobs", "1", "--domain", f"alpha={GRID['alpha']}")


def test_the_command_prints_a_table_json_and_csv_of_the_same(cli: Any) -> None:
    arguments = (*ARGUMENTS, "--platforms", "stm32l452,nrf52840", "--fix", "resolution=64")
    answer = cli(*arguments)
    assert (answer.code, answer.err) == (0, "")
    record = json.loads(cli(*arguments, "--json").out)
    assert record["schema"] == "hwscale.compare/1"
    rows = list(csv.DictReader(io.StringIO(cli(*arguments, "--csv").out)))
    assert [row["platform"] for row in rows] == [row["platform"] for row in record["rows"]] == ["stm32l452", "nrf52840"]
    for row, line in zip(record["rows"], rows, strict=True):
        assert type(row["cost"]["ram_bytes"]) is int
        assert int(line["ram_bytes"]) == row["cost"]["ram_bytes"]
        assert json.loads(line["hyperparameters"]) == row["hyperparameters"]
        printed = next(text for text in answer.out.splitlines() if text.strip().startswith(row["platform"]))
        assert f"{row['cost']['ram_bytes'] / 1024:,.1f} KiB" in printed
        assert f"{100 * row['utilisation']['ram']:.1f} %" in printed
        assert "~" in printed, "a latency is estimated"
        assert f"alpha={row['hyperparameters']['alpha']}" in printed
    assert "by usable RAM" in answer.out


def test_exit_codes_say_whether_anything_meets_the_needs(cli: Any, refused: Any) -> None:
    arguments = (*ARGUMENTS, "--platforms", "stm32l452,ethos-u55-32")
    met = cli(*arguments, "--need", "macs=2M")
    assert met.code == 0
    assert "2 of 2 platforms meet the needs" in met.out
    unmet = cli(*arguments, "--need", "macs=200M", "--need", "latency=300ms")
    assert unmet.code == 3
    assert "not stm32l452: reaches" in unmet.out
    assert "not ethos-u55-32: unusable: latency unknown" in unmet.out
    assert cli(*ARGUMENTS, "--platforms", "stm32l452", "--limit", "ram=1KiB").code == 3
    assert "stm32" in refused(*ARGUMENTS, "--platforms", "stm33*")
    refused(*arguments, "--need", "macs")
    refused(*arguments, "--json", "--csv")


DOCS = (Path(__file__).parents[1] / "docs" / "what_if.md").read_text(encoding="utf-8")


def test_the_outputs_in_the_docs_are_what_the_commands_print(cli: Any) -> None:
    commands = [shlex.split(line)[1:] for line in DOCS.splitlines() if line.startswith("    hwscale ")]
    explained, _, met = commands
    shown = re.findall(r"```text\n(.+?)\n```", DOCS, re.DOTALL)
    assert len(shown) == 2
    printed = [cli(*explained, "--verify", "none").out, cli(*met, "--jobs", "1").out]
    for block, out in zip(shown, printed, strict=True):
        assert (
            block.splitlines()
            == [line.rstrip() for line in out[out.index(block[:20]) :].splitlines()][: block.count("\n") + 1]
        )
