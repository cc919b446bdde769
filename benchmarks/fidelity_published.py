"""What the runtimes predict of published rows: TinyEngine's README, ST's model zoo, ExecuTorch, Table S1 of MCUNetV2.

Each data file names its source row by row: tests/data/tinyengine_readme_h743.csv, tests/data/st_modelzoo_memory.csv,
tests/data/mcunetv2_table_s1.csv.
"""

from __future__ import annotations

import csv
from pathlib import Path

import hwscale
from benchmarks import st_modelzoo
from benchmarks.fidelity_record import LeftOut, Record
from hwscale.configuration import configure
from hwscale.formulas.graph import Graph
from hwscale.runtimes import find_runtime
from hwscale.runtimes.xcubeai import XCubeAI

KIB = 1024
DATA = Path(__file__).parents[1] / "tests" / "data"
PRESETS = {"proxyless-w0.3-r176": ("proxyless-w0.3", None), "proxyless-w0.3-r64": ("proxyless-w0.3", 64)}
"""Preset and resolution of the rows whose name is not that of a preset."""
UNPUBLISHED = "mbv2-w0.3-r64"
EXECUTORCH_ARENA_BYTES = 1_505_280


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _zoo_graph(name: str) -> Graph:
    preset, side = PRESETS.get(name, (name, None))
    found = configure("mcunet", {"preset": preset}, input_shape=None if side is None else (3, side, side))
    return found.model("tensors", False).graph(found.knobs, *found.input_shape[1:])[0]


def tinyengine() -> tuple[list[Record], list[LeftOut]]:
    """SRAM and Flash of the README (STM32H743), in whole KiB; X-CUBE-AI 7.3 on the same networks, with runtime and
    application."""
    records: list[Record] = []
    left: list[LeftOut] = []
    tiny, cube = find_runtime("tinyengine"), find_runtime("xcubeai-7.3")
    assert isinstance(cube, XCubeAI)
    for row in _rows("tinyengine_readme_h743.csv"):
        name, source = row["model"], row["source"].partition(";")[0]
        own = row["runtime"].startswith("tinyengine")
        if name == UNPUBLISHED:
            runtime = tiny.name if own else cube.name
            left.append(LeftOut(runtime, name, "its architecture is not published; the zoo holds width 0.35", source))
            continue
        graph = _zoo_graph(name)
        sram, flash = KIB * int(row["peak_sram_kb"]), KIB * int(row["flash_kb"])
        if own:
            lowered = tiny.lower(graph, ())
            ram = sum(size for _, size in tiny.plan(lowered, False))
            image = int(tiny.flash_bytes(lowered))
            fitted = name.startswith("mcunet")
            records.append(Record(tiny.name, "SRAM", "mcunet", name, ram, ram, sram, source, digit=KIB))
            records.append(
                Record(
                    tiny.name,
                    "Flash image",
                    "mcunet",
                    name,
                    image,
                    image,
                    flash,
                    source,
                    allowed=2.5 * KIB,
                    fitted=fitted,
                )
            )
            continue
        lowered = cube.lower(graph, ())
        low, high = _with(cube.ram_interval(lowered), cube.profile.runtime_ram_bytes)
        records.append(Record(cube.name, "SRAM with runtime", "mcunet", name, low, high, sram, source))
        weights = int(cube.flash_bytes(lowered))
        low, high = _with((weights, weights), cube.profile.code_flash_bytes)
        records.append(Record(cube.name, "Flash image", "mcunet", name, low, high, flash, source))
    return records, left


def _with(interval: tuple[int, int], more: tuple[int, int]) -> tuple[int, int]:
    return interval[0] + more[0], interval[1] + more[1]


def st() -> tuple[list[Record], list[LeftOut]]:
    """Weights Flash and activation RAM of ST's model zoo; the flagged rows too, which no rule was fitted on."""
    records = []
    for row in st_modelzoo.rows():
        runtime = find_runtime(st_modelzoo.RUNTIMES[row["tool_version"]])
        assert isinstance(runtime, XCubeAI)
        lowered = runtime.lower(st_modelzoo.graph(row), ())
        low, high = runtime.ram_interval(lowered)
        weights = int(runtime.flash_bytes(lowered))
        name = f"{row['model']} {row['resolution']} {row['dataset']}" + (f" [{row['flags']}]" if row["flags"] else "")
        group = row["model"].split()[0].lower() + ("_" + row["model"].split()[1] if " v" in row["model"] else "")
        digits = (
            KIB
            if all(row[column].endswith(".0") for column in ("activation_ram_kib", "weights_flash_kib"))
            else KIB / 100
        )
        published = {column: KIB * float(row[column]) for column in ("activation_ram_kib", "weights_flash_kib")}
        fitted = st_modelzoo.used_for_fit(row)
        records.append(
            Record(
                runtime.name, "activation RAM", group, name, low, high, published["activation_ram_kib"], row["source"],
                fitted=fitted,
            )
        )  # fmt: skip
        records.append(
            Record(
                runtime.name, "weights Flash", group, name, weights, weights, published["weights_flash_kib"], row["source"],
                digit=digits,
            )
        )  # fmt: skip
    return records, []


def executorch() -> tuple[list[Record], list[LeftOut]]:
    """The one published arena."""
    fit = hwscale.cost("mobilenet_v2", {"alpha": 1.0, "resolution": 224}, classes=1000, runtime="executorch")
    ram, source = fit.cost.ram_bytes, "pytorch/executorch#17651"
    name = "MobileNet v2 1.0 224x224x3 imagenet"
    return [
        Record("executorch", "arena", "mobilenet_v2", name, ram, ram, EXECUTORCH_ARENA_BYTES, source, fitted=True)
    ], []


def mcunetv2() -> tuple[list[Record], list[LeftOut]]:
    """MACs and parameters of Table S1, which prints no memory; whole millions, and tenths of a million."""
    records: list[Record] = []
    left: list[LeftOut] = []
    for row in _rows("mcunetv2_table_s1.csv"):
        if row["left_out"]:
            left.append(LeftOut("any", f"{row['model']} ({row['budget']})", row["left_out"], row["source"]))
            continue
        values = {"alpha": float(row["alpha"]), "resolution": int(row["resolution"])}
        cost = hwscale.cost(row["net"], values, classes=1000, runtime="tensors").cost
        for quantity, predicted, printed, digit, unit in (
            ("MACs", cost.macs, float(row["macs_M"]) * 1e6, 1e6, "MAC"),
            ("parameters", cost.params, float(row["params_M"]) * 1e6, 1e5, "1"),
        ):
            records.append(
                Record(
                    "any", quantity, row["net"], row["model"], predicted, predicted, printed, row["source"], unit, digit
                )
            )
    return records, left
