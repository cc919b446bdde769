"""Every published latency: a measured sample, or a row that is left out with its reason.

Whole networks are in `benchmarks.latency_networks`; single ops, timed alone or in a profile, are here: AtomNet's
database, the layers of person detection on RP2040, ESP-NN's kernels on ESP32-S3. `python -m
benchmarks.latency_published` counts them.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

from benchmarks import latency_networks, mlperf_tiny
from benchmarks.latency_record import LeftOut, Published, Row, clock_hz, executed, lines, single
from hwscale.calibration import Sample

__all__ = ["LeftOut", "Row", "left_out", "samples"]

ATOMDB, RP2040, ESP_NN = "AtomNet Table 1", "RP2040 person detection", "ESP-NN kernels"
ATOMDB_KINDS = {"pad": "pad", "conv2d_depthwise": "depthwise", "conv2d_pointwise": "pointwise"}
ESP_NN_LIBRARIES = {"cycles_esp_nn": "esp-nn", "cycles_ansi_c": "esp-nn, ansi c"}


def samples() -> list[Row]:
    """The rows that are samples, data set by data set."""
    return [row for part in _published() for row in part.rows]


def left_out() -> list[LeftOut]:
    """The rows that are none."""
    return [entry for part in _published() for entry in part.left]


@lru_cache(maxsize=1)
def _published() -> tuple[Published, ...]:
    networks = latency_networks
    whole = (networks.tinyengine_readme, networks.st_zoo, networks.atomnet, networks.mlperf, networks.person_detection)
    return tuple(load() for load in (*whole, networks.without_lowering, atomdb, rp2040_layers, esp_nn_kernels))


def atomdb() -> Published:
    """Three ops as timed in their block; the paper names no board, and only an STM32H743 at 480 MHz has these rates."""
    found = Published([], [])
    for line, row in lines("latency_atomnet_ops.csv"):
        maps = [int(row[f"c_{m}"]) * int(row[f"h_{m}"]) * int(row[f"w_{m}"]) for m in ("in", "out")]
        kind = ATOMDB_KINDS[row["operator"]]
        op = single(kind, int(row["macs_pure"]), sum(maps))
        sample = Sample(
            row["operator"], f"{kind} {maps}", (op,), float(row["latency_ms_test"]) / 1e3, row["source"], line
        )
        found.rows.append(Row("stm32h743", "x-cube-ai (AtomNet)", "xcubeai-7.3", clock_hz("stm32h743"), ATOMDB, sample))
    return found


def rp2040_layers() -> Published:
    """The layers on one core, with the CMSIS-NN that pico-tflmicro builds.

    The file prints "ms" where its numbers are us, as their sum of 782 ms says; it states no clock.
    """
    found = Published([], [])
    ops = executed(mlperf_tiny.person_detection(), "tensors")
    for (line, row), op in zip(lines("latency_rp2040_layers.csv"), ops, strict=True):
        assert op.macs == int(row["mac_count"])
        name = f"{row['layer']} {row['operator']} {row['shape']}".rstrip()
        alike = f"{op.kind} {op.macs} {op.elements}"  # layers of one shape say nothing of each other's prediction
        seconds = float(row["latency_us_single_core"]) / 1e6
        hz = int(row["clock_hz"].split()[0])
        sample = Sample(name, alike, (op,), seconds, row["source"], line)
        found.rows.append(Row("rp2040", "tflm + cmsis-nn", "tflm", hz, RP2040, sample))
    return found


def esp_nn_kernels() -> Published:
    """Cycles of each kernel, by Espressif's own and by its plain C.

    Maps lie in external memory but for the fully connected.
    """
    found = Published([], [])
    for line, row in lines("latency_esp_nn_kernels.csv"):
        op = single(row["operator"], int(row["mac_count"]), _esp_nn_elements(row["operator"], row["shape"]))
        name, hz = f"{row['operator']} {row['shape']}", int(row["clock_hz"])
        for column, library in ESP_NN_LIBRARIES.items():
            sample = Sample(name, name, (op,), int(row[column]) / hz, row["source"], line)
            found.rows.append(Row(row["platform"], library, "tflm", hz, ESP_NN, sample))
    return found


def _esp_nn_elements(kind: str, shape: str) -> int:
    """Input and output elements of a shape such as "12x12 in, 4ch x mult 8, 5x5, pad1"."""
    if kind == "fully_connected":
        return sum(int(features) for features in shape.split("->"))
    height, width = (int(side) for side in re.findall(r"\d+", shape)[:2])
    if channels := re.search(r"(\d+)->(\d+)", shape):
        inputs, outputs = int(channels[1]), int(channels[2])
    else:
        multiplier = re.search(r"mult (\d+)", shape)
        inputs = int(re.findall(r"(\d+)ch", shape)[0])
        outputs = inputs * (int(multiplier[1]) if multiplier else 1)
    kernel = int(re.findall(r"(\d+)x\1", shape)[-1])
    padding = re.search(r"pad(\d)", shape)
    lost = kernel - 1 - 2 * (int(padding[1]) if padding else 0)
    return inputs * height * width + outputs * (height - lost) * (width - lost)


def counts() -> str:
    """Samples by platform and library, rows left out by data set and reason."""
    kept = Counter((row.platform or "-", row.library) for row in samples())
    left = Counter((entry.group, entry.reason) for entry in left_out())
    body = [f"{n:4}  {platform:10}  {library}" for (platform, library), n in sorted(kept.items())]
    body += [f"{sum(kept.values()):4}  samples", ""]
    body += [f"{n:4}  {group}: {reason}" for (group, reason), n in sorted(left.items())]
    return "\n".join([*body, f"{sum(left.values()):4}  left out"])


if __name__ == "__main__":
    print(counts())
