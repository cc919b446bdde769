"""This very machine as a platform: its descriptor, and an operator model from ops that it is timed on."""

from __future__ import annotations

import os
import platform as machine
import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hwscale.calibrated import Calibrated, store
from hwscale.calibrated_files import new_descriptor
from hwscale.calibration import Sample, calibrate
from hwscale.errors import ConfigError
from hwscale.ledger import OpShape
from hwscale.measured_shapes import described
from hwscale.platform import Platform, load_platform
from hwscale.platform_keys import SCHEMA
from hwscale.work import shape_record

RUNTIME = "tensors"
"""torch executes networks as they are written."""
SOURCE = "measured on this machine"
CPU_INFO = Path("/proc/cpuinfo")
UNKNOWN_CLOCK_HZ = 1_000_000_000


def _maps(channels: int, side: int) -> tuple[int, int, int]:
    return channels, side, side


DENSE = (
    (3, 160, 24, 2),
    (3, 96, 16, 2),
    (8, 48, 16, 1),
    (16, 24, 16, 1),
    (24, 80, 24, 2),
    (32, 12, 64, 2),
    (64, 6, 64, 1),
)
POINTWISE = (
    (16, 80, 96),
    (96, 48, 24),
    (24, 24, 144),
    (48, 12, 16),
    (192, 12, 32),
    (64, 6, 384),
    (320, 6, 96),
    (96, 1, 16),
)
DEPTHWISE = (
    (24, 80, 3, 1),
    (96, 48, 3, 2),
    (144, 24, 3, 1),
    (96, 24, 5, 1),
    (192, 12, 3, 1),
    (64, 12, 5, 2),
    (384, 6, 5, 1),
    (48, 6, 3, 1),
)
FULLY_CONNECTED = (
    (16, 10),
    (32, 10),
    (256, 10),
    (64, 100),
    (320, 100),
    (576, 256),
    (128, 1000),
    (640, 500),
    (1280, 1000),
)
MAPS = ((16, 80), (24, 48), (96, 24), (32, 24), (96, 12), (64, 6))
POOLED = ((16, 80), (96, 48), (24, 48), (144, 24), (32, 12), (384, 6))
SHAPES = (
    *(OpShape("conv2d", *_maps(c, side), *_maps(k, side // s), 3, s) for c, side, k, s in DENSE),
    *(OpShape("pointwise", *_maps(c, side), *_maps(k, side)) for c, side, k in POINTWISE),
    *(OpShape("depthwise", *_maps(c, side), *_maps(c, side // s), k, s) for c, side, k, s in DEPTHWISE),
    *(OpShape("fully_connected", c, 1, 1, k, 1, 1) for c, k in FULLY_CONNECTED),
    *(OpShape(kind, *_maps(c, side), *_maps(c, side)) for kind in ("add", "mul") for c, side in MAPS),
    *(OpShape("max_pool", *_maps(c, side), *_maps(c, side // 2), 2, 2) for c, side in POOLED),
    *(OpShape("average_pool", *_maps(c, side), c, 1, 1) for c, side in POOLED),
)
"""Ops as large as those of the families, kind by kind."""


def calibrate_host(output: str | Path, *, progress: Callable[[str], None] | None = None) -> Calibrated:
    """Time `SHAPES` in torch on one core, and write a descriptor of this machine to ``output`` with its operator model beside it.

    ConfigError if ``output`` is no new .toml file or cannot be written.
    """
    target = new_descriptor(output)
    text = descriptor(target.stem)
    home = _platform(text, target)
    if progress:
        progress(f"timing {len(SHAPES)} ops on one core")
    found = calibrate(measured())
    import torch

    return store(home, text, found, f"torch {torch.__version__}, 1 thread", RUNTIME, SOURCE)


def measured() -> tuple[Sample, ...]:
    """What `SHAPES` take here, one by one."""
    from hwscale.measure.host import time_ops

    timed = time_ops(SHAPES)
    return tuple(
        Sample(described(shape), described(shape), (shape_record(shape),), timed[shape].median_s, SOURCE)
        for shape in SHAPES
    )


def _platform(text: str, target: Path) -> Platform:
    """The platform of a descriptor that is not written yet."""
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "host.toml"
        draft.write_text(text, encoding="utf-8")
        return replace(load_platform(draft), origin=target)


def descriptor(name: str) -> str:
    """A descriptor of this machine: physical memory as one bank, no Flash."""
    hz, how, status = clock_hz()
    about = _cpu_info()
    part = about.get("model name") or machine.processor() or machine.machine() or "unknown"
    vendor = about.get("vendor_id") or machine.system() or "unknown"
    return f"""schema = "{SCHEMA}"
name = "{_plain(name)}"
part = "{_plain(part)}"
vendor = "{_plain(vendor)}"
core = "{_plain(machine.machine() or part)}"

[clock]
hz = {hz}
source = "{how}"
status = "{status}"

[[ram]]
name = "memory"
size_bytes = {memory_bytes()}
arena = true
source = "{SOURCE}: physical memory"
status = "derived"
"""


def clock_hz() -> tuple[int, str, str]:
    """The clock [Hz] as the system says it, how it is known, and the status of that."""
    text = _read(CPU_INFO)
    if speeds := [float(mhz) for mhz in re.findall(r"^cpu MHz\s*:\s*([\d.]+)", text, re.MULTILINE)]:
        return round(max(speeds) * 1e6), f"{SOURCE}: {CPU_INFO}", "derived"
    if printed := re.search(r"@\s*([\d.]+)\s*GHz", text + machine.processor()):
        return round(float(printed[1]) * 1e9), f"{SOURCE}: the processor's name", "derived"
    return UNKNOWN_CLOCK_HZ, "the system names no clock: see the processor's data sheet", "unverified"


def memory_bytes() -> int:
    """Physical memory [B]; ConfigError where the system does not say it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        raise ConfigError("this system does not say how much memory it has; write its descriptor by hand") from None


def _cpu_info() -> dict[str, str]:
    """What the system says of its first core."""
    pairs = (line.partition(":") for line in _read(CPU_INFO).partition("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _plain(text: str) -> str:
    """Text that TOML holds between quotes."""
    return "".join(c for c in text if c.isprintable() and c not in '"\\')
