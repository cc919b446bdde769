"""Runtimes `xcubeai-*` and `st-edge-ai-3.0` against the memory tables of ST's model zoo
(tests/data/st_modelzoo_memory.csv).

Every row names its source; ``flags`` marks rows that contradict themselves or another row, which no claim here rests
on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import sympy
from runtime_checks import (
    CHAINS,
    LATTICE,
    arrays_equal_ints,
    lowered_networks,
    paths_equal_networks,
    plan_holds_its_terms,
    shares_add_up,
    symbols_equal_ints,
)

sys.path.append(str(Path(__file__).parents[1]))  # benchmarks/ is not installed, and bare `pytest` does not add the root

from benchmarks import st_modelzoo
from hwscale.formulas import FAMILIES
from hwscale.formulas.graph import Graph
from hwscale.runtimes import find_runtime
from hwscale.runtimes.xcubeai import PROFILES, XCubeAI

ROWS = st_modelzoo.rows()
UNFLAGGED = [row for row in ROWS if not row["flags"]]
FITTED = [row for row in ROWS if st_modelzoo.used_for_fit(row)]


def runtime_of(row: dict[str, str]) -> XCubeAI:
    found = find_runtime(st_modelzoo.RUNTIMES[row["tool_version"]])
    assert isinstance(found, XCubeAI)
    return found


def interval(row: dict[str, str]) -> tuple[float, float]:
    """Activation RAM [KiB], both ends."""
    runtime = runtime_of(row)
    low, high = runtime.ram_interval(runtime.lower(st_modelzoo.graph(row), ()))
    return low / 1024, high / 1024


def label(row: dict[str, str]) -> str:
    return f"{st_modelzoo.title(row)}-{row['dataset']}-{row['tool_version']}"


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_weights_flash_equals_the_printed_kib(row: dict[str, str]) -> None:
    runtime = runtime_of(row)
    flash = runtime.flash_bytes(runtime.lower(st_modelzoo.graph(row), ())) / 1024
    digits = 0 if row["weights_flash_kib"].endswith(".0") and row["model"] == "FdMobileNet 0.25" else 2
    if "another classifier" in row["flags"]:
        assert flash < float(row["weights_flash_kib"])
    elif digits == 0:
        assert abs(flash - float(row["weights_flash_kib"])) < 1  # 128.32 KiB is printed as 129
    else:
        assert round(flash, 2) == float(row["weights_flash_kib"])


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_the_interval_contains_the_published_activation_ram(row: dict[str, str]) -> None:
    low, high = interval(row)
    assert low <= float(row["activation_ram_kib"]) <= high


def test_the_rows_are_those_of_four_versions() -> None:
    assert (len(ROWS), len(UNFLAGGED), len(FITTED)) == (50, 45, 37)
    for version, name in st_modelzoo.RUNTIMES.items():
        assert PROFILES[name].rows == sum(row["tool_version"] == version for row in FITTED)


@pytest.mark.parametrize("versions", st_modelzoo.SHARED, ids=str)
def test_factor_and_scratch_are_what_the_stated_procedure_gives(versions: tuple[str, ...]) -> None:
    scratch, factor = st_modelzoo.fitted([row for row in FITTED if row["tool_version"] in versions])
    for version in versions:
        profile = PROFILES[st_modelzoo.RUNTIMES[version]]
        assert profile.scratch_bytes == 8 * 1024 * scratch
        assert 20 * profile.factor[0] == factor * profile.factor[1]


def test_a_network_left_out_of_the_fit_is_held_but_for_two() -> None:
    missed = {}
    for versions in st_modelzoo.SHARED:
        for row, short in st_modelzoo.left_out([row for row in FITTED if row["tool_version"] in versions]):
            if short:
                missed[st_modelzoo.title(row), row["tool_version"]] = round(short, 3)
    assert missed == {
        ("ResNet v1 8 32x32x3", "7.3.0"): 0.132,  # the only small network whose RAM exceeds its live sum there
        ("MobileNet v2 1.0 224x224x3", "10.0.0"): 0.012,
    }


@pytest.mark.parametrize("row", [row for row in UNFLAGGED if not row["model"].startswith("ResNet")], ids=label)
def test_runtime_ram_and_code_flash_of_mobilenets_lie_in_the_stated_ranges(row: dict[str, str]) -> None:
    profile = runtime_of(row).profile
    for column, (low, high) in {
        "runtime_ram_kib": profile.runtime_ram_bytes,
        "code_flash_kib": profile.code_flash_bytes,
    }.items():
        assert low <= 1024 * float(row[column]) <= high


def test_the_lower_end_is_what_lives_between_two_ops() -> None:
    g = Graph()
    x = g.tensor(3, 8, 8)
    y = g.conv("expand", x, 16)
    g.add("add", g.conv("project", y, 3), x)
    runtime = find_runtime("xcubeai-8.1")
    assert isinstance(runtime, XCubeAI)
    # between expand and project: 16 channels, and the image that the ADD reads
    assert runtime.ram_interval(runtime.lower(g, ())) == ((16 + 3) * 64, (16 + 3 + 3) * 64 + 8 * 1024)
    assert runtime.ram_interval(runtime.lower(g, ()), True) == (16 * 64, (16 + 3) * 64 + 8 * 1024)


def test_a_factor_rounds_up_in_ints_floats_and_symbols_alike() -> None:
    runtime = find_runtime("xcubeai-10.0")
    (region,) = runtime.memory(Graph()).regions
    a, b = sympy.symbols("a b", integer=True, positive=True)
    symbolic = region.size([3 * a, b])
    for x, y in ((1, 1), (2, 4), (7, 6), (1000, 1)):
        exact = -(-6 * (3 * x + y) // 5)
        assert region.size([3 * x, y]) == exact
        assert symbolic.subs({a: x, b: y}) == exact
        assert 0 <= exact - region.size([3.0 * x, float(y)]) < 1


@pytest.mark.parametrize("name", PROFILES)
def test_the_name_of_each_profile_is_registered(name: str) -> None:
    assert find_runtime(name).name == name


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ["xcubeai-7.3", "xcubeai-10.0"])
def test_shares_add_up_and_the_interval_ends_at_the_plan(name: str, family: str) -> None:
    runtime = find_runtime(name)
    assert isinstance(runtime, XCubeAI)
    for lowered in lowered_networks(name, family):
        shares_add_up(runtime, lowered)
        plan_holds_its_terms(runtime, lowered)
        low, high = runtime.ram_interval(lowered)
        assert low < high == sum(size for _, size in runtime.plan(lowered, False))


@pytest.mark.parametrize("family", LATTICE)
def test_arrays_and_symbols_equal_ints(family: str) -> None:
    arrays_equal_ints("xcubeai-10.0", family)
    symbols_equal_ints("xcubeai-10.0", family)


@pytest.mark.parametrize("family", CHAINS)
def test_paths_equal_networks(family: str) -> None:
    paths_equal_networks("xcubeai-10.0", family)
