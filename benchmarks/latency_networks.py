"""Published latencies of whole networks: TinyEngine's README, ST's model zoo, AtomNet, MLPerf Tiny, person detection.

Every file is tests/data/latency_*.csv and names its source row by row.
"""

from __future__ import annotations

import re
from functools import lru_cache

from benchmarks import mlperf_tiny, st_modelzoo
from benchmarks.fidelity_published import PRESETS, UNPUBLISHED
from benchmarks.latency_record import LeftOut, Published, Row, clock_hz, executed, half_digit_s, lines
from hwscale.calibration import Sample
from hwscale.configuration import configure
from hwscale.ledger import OpRecord
from hwscale.platform import platforms

README, ZOO, ATOMNET = "TinyEngine README", "ST model zoo", "AtomNet Table 3"
PERSON, STREAMNET, XINET = "ESP person detection", "StreamNet", "XiNet attention modules"
NO_ARCHITECTURE = "its architecture is not published"
README_LIBRARIES = {
    "tflite-micro@713b6ed": ("tflm reference", "tflm"),
    "tflm+cmsis-nn@011bf32": ("tflm + cmsis-nn", "tflm"),
    "x-cube-ai 7.3.0": ("x-cube-ai 7.3", "xcubeai-7.3"),
    "tinyengine@0363956": ("tinyengine", "tinyengine"),
}
ZOO_BOARDS = {"STM32H747I-DISCO": "stm32h747", "STM32F769I-DISCO": "", "STM32H769I-DISCO": ""}
"""Platform by board; the last name is a misprint of ST's for the one before."""
ZOO_RUNTIMES = {**st_modelzoo.RUNTIMES, "4.0.0": "st-edge-ai-3.0"}
ZOO_TOOLS = {"STM32Cube.AI": "x-cube-ai", "STEdgeAI-Core": "st-edge-ai"}
_ZOO_PUBLISHED = re.compile(r"(MobileNet v[12] [\d.]+|FdMobileNet 0.25|ResNet v1 8)( fft| tfs)?")
ATOMNET_NETWORKS = {
    "MCUNet-256KB": "mcunet-in2",
    "MCUNet-320KB": "mcunet-in3",
    "MCUNet-512KB": "mcunet-in4",
    "MbV2 0.35x r144": "mbv2-w0.35",
    "Proxyless 0.3x r176": "proxyless-w0.3-r176",
}
ATOMNET_RUNTIMES = {"x-cube-ai": "xcubeai-7.3", "tinyengine": "tinyengine"}
"""AtomNet states no version of either."""


@lru_cache(maxsize=256)
def _mcunet(name: str, runtime: str) -> tuple[OpRecord, ...]:
    preset, side = PRESETS.get(name, (name, None))
    found = configure("mcunet", {"preset": preset}, input_shape=None if side is None else (3, side, side))
    return executed(found.model("tensors", False).graph(found.knobs, *found.input_shape[1:])[0], runtime)


def tinyengine_readme() -> Published:
    """Four libraries on STM32H743, whole ms; the README states no clock."""
    found = Published([], [])
    for line, row in lines("latency_tinyengine_readme.csv"):
        name, source = row["model"], row["source"]
        library, runtime = README_LIBRARIES[row["runtime"]]
        if row["oom"] == "yes" or name == UNPUBLISHED:
            reason = (
                "out of memory"
                if row["oom"] == "yes"
                else "its architecture is not published; the zoo holds width 0.35"
            )
            found.left.append(LeftOut(README, f"{name} {row['runtime']}", reason, source))
            continue
        sample = Sample(
            name,
            name,
            _mcunet(name, runtime),
            float(row["latency_ms"]) / 1e3,
            source,
            line,
            half_digit_s(row["latency_ms"], 1e-3),
        )
        found.rows.append(Row("stm32h743", library, runtime, clock_hz("stm32h743"), README, sample, README))
    return found


def st_zoo() -> Published:
    """ST's boards; a measurement that several commits print counts once, where its tool version is printed."""
    found = Published([], [])
    table = lines("latency_st_modelzoo.csv")
    versioned = {_measurement(row) for _, row in table if row["tool_version"]}
    for line, row in table:
        row["resolution"] = _with_channels(row["resolution"])
        name = f"{row['model']} {row['resolution']} {row['dataset']}"
        reason = _zoo_reason(row, _measurement(row) in versioned)
        if reason:
            label = f"{name} {row['board']} {row['tool']} {row['tool_version']}".rstrip()
            found.left.append(LeftOut(ZOO, label, reason, row["source"]))
            continue
        runtime = ZOO_RUNTIMES[row["tool_version"]]
        library = f"{ZOO_TOOLS[row['tool']]} {row['tool_version'].removesuffix('.0')}"
        platform = ZOO_BOARDS[row["board"]]
        ops, title = executed(st_modelzoo.graph(row), runtime), st_modelzoo.title(row)
        sample = Sample(
            name,
            title,
            ops,
            float(row["inference_ms"]) / 1e3,
            row["source"],
            line,
            half_digit_s(row["inference_ms"], 1e-3),
        )
        bar = "ST MobileNet" if row["model"].startswith("MobileNet") else ""
        found.rows.append(Row(platform, library, runtime, int(row["freq_mhz"]) * 10**6, ZOO, sample, bar))
    return found


def _with_channels(resolution: str) -> str:
    return resolution if resolution.count("x") == 2 else f"{resolution}x3"


def _measurement(row: dict[str, str]) -> tuple[str, ...]:
    return (row["model"], _with_channels(row["resolution"]), row["board"], row["inference_ms"])


def _zoo_reason(row: dict[str, str], versioned: bool) -> str:
    if row["format"] != "int8":
        return "mixed precision"
    if not _ZOO_PUBLISHED.fullmatch(row["model"]):
        return "its architecture is not among those built here"
    if "not re-measured" in row["flags"]:
        return row["flags"]
    if not row["tool_version"]:
        return (
            "another commit prints the same measurement with its tool version"
            if versioned
            else "tool version not printed"
        )
    return ""


def atomnet() -> Published:
    """The networks of other authors, by X-CUBE-AI and TinyEngine of a version that is not stated."""
    found = Published([], [])
    for line, row in lines("latency_atomnet_networks.csv"):
        name = ATOMNET_NETWORKS.get(row["model"], "")
        reason = "" if name else NO_ARCHITECTURE if row["quant"] == "int8" else "not int8"
        reason = "out of memory" if row["oom"] == "yes" else reason
        if reason:
            found.left.append(
                LeftOut(ATOMNET, f"{row['model']} {row['platform']} {row['runtime']}", reason, row["source"])
            )
            continue
        platform, runtime = row["platform"], ATOMNET_RUNTIMES[row["runtime"]]
        sample = Sample(
            row["model"],
            name,
            _mcunet(name, runtime),
            float(row["latency_ms"]) / 1e3,
            row["source"],
            line,
            half_digit_s(row["latency_ms"], 1e-3),
        )
        library = f"{row['runtime']} (AtomNet)"
        found.rows.append(Row(platform, library, runtime, clock_hz(platform), ATOMNET, sample))
    return found


MLPERF_PLATFORMS = {
    "NUCLEOL4R5ZI": "stm32l4r5",
    "NUCLEOH7A3ZI": "stm32h7a3",
    "NUCLEOU575ZI": "stm32u585",
    "BU585IIOT02A": "stm32u585",
    "DISCOF746NG": "stm32f746",
    "NRF5340DK": "nrf5340",
}
"""Platform by part of the system's name, without dashes; the STM32U575 is the U585 without its crypto cores."""
MLPERF_RUNTIMES = {
    "7.3": "xcubeai-7.3",
    "8.0": "xcubeai-8.1",
    "8.1": "xcubeai-8.1",
    "9.0": "xcubeai-10.0",
    "10.2": "xcubeai-10.0",
}


def mlperf() -> Published:
    """Performance runs, one of each platform, library and benchmark; energy runs may have another clock."""
    found = Published([], [])
    seen: set[tuple[str, str, str]] = set()
    for line, row in lines("latency_mlperf_tiny.csv"):
        benchmark, group = row["benchmark"], f"MLPerf Tiny {row['round']}"
        plain = re.sub("[-_]", "", row["system"]).upper()
        platform = next((name for part, name in MLPERF_PLATFORMS.items() if part in plain), "")
        library, runtime = _mlperf_library(row["runtime"], row["system"].lower())
        key, name = (platform, library, benchmark), f"{benchmark} {row['submitter']} {row['system']}"
        reason = _mlperf_reason(row, platform)
        if not reason and key in seen:
            reason = "repeats a row of the same platform, library and benchmark"
        if reason:
            found.left.append(LeftOut(group, name, reason, row["source"]))
            continue
        seen.add(key)
        ops, seconds = executed(mlperf_tiny.graph(benchmark), runtime), float(row["latency_ms"]) / 1e3
        sample = Sample(
            name,
            mlperf_tiny.NETWORKS[benchmark],
            ops,
            seconds,
            row["source"],
            line,
            half_digit_s(row["latency_ms"], 1e-3),
        )
        found.rows.append(Row(platform, library, runtime, int(row["clock_hz"]), group, sample))
    return found


def _mlperf_reason(row: dict[str, str], platform: str) -> str:
    if not row["latency_ms"]:
        return "streaming wake word: no latency is published"
    if row["division"] == "open":
        return row["flag"]
    if not platform:
        return "no platform of hwscale"
    return "float32" if row["system"].endswith("_float") else row["flag"]


def _mlperf_library(tool: str, system: str) -> tuple[str, str]:
    """(library, runtime) by the tool that a submission names and, where it has several settings, by its system."""
    if match := re.match(r"X-CUBE-AI v(\d+\.\d)", tool):
        return f"x-cube-ai {match[1]}", MLPERF_RUNTIMES[match[1]]
    if tool == "microTVM":
        return "microtvm + cmsis-nn" if "cmsis" in system else "microtvm native", "tensors"
    if match := re.match(r"Plumerai Inference Engine ?(.*)", tool):
        return f"plumerai {match[1] or '(version not stated)'}", "tensors"
    if match := re.match(r"Bosch .* version ([\d.]+)", tool):
        setting = re.search("max_performance|min_ram", system)
        return f"hale {match[1]}" + (f", {setting[0].replace('_', ' ')}" if setting else ""), "tensors"
    return f"{tool.lower()}, {system.rpartition('-')[2].replace('_', ' ')}", "tensors"  # ONNC on two operating systems


PERSON_LIBRARIES = {"tflm reference kernels": "tflm reference", "tflm + esp-nn": "tflm + esp-nn"}


def person_detection() -> Published:
    """The example of TensorFlow Lite Micro on Espressif's boards; its file holds the ops as they are executed."""
    found = Published([], [])
    ops = executed(mlperf_tiny.person_detection(), "tensors")
    for line, row in lines("latency_esp_person_detection.csv"):
        platform, library = row["platform"], PERSON_LIBRARIES[row["runtime"]]
        if platform not in platforms():
            label = f"{platform} {row['runtime']}"
            found.left.append(LeftOut(PERSON, label, "no platform of hwscale", row["source"]))
            continue
        network, seconds = mlperf_tiny.PERSON_DETECTION, float(row["latency_ms"]) / 1e3
        sample = Sample(network, network, ops, seconds, row["source"], line, half_digit_s(row["latency_ms"], 1e-3))
        found.rows.append(Row(platform, library, "tflm", int(row["clock_hz"]), PERSON, sample))
    return found


def without_lowering() -> Published:
    """Rows of schedules and modules that no lowering here describes."""
    found = Published([], [])
    for _, row in lines("latency_streamnet.csv"):
        label = f"{row['model']} {row['method']} ({row['n_patch_split_idx']}) {row['scope']}"
        found.left.append(LeftOut(STREAMNET, label, "patch-based or streaming schedule", row["source"]))
    for _, row in lines("latency_xinet_modules.csv"):
        reason = "shapes, exact board, clock and library not stated"
        found.left.append(LeftOut(XINET, row["attention_module"], reason, row["source"]))
    return found
