"""The record of one estimate, read from the summary that Vela writes and from what it prints."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass

from hwscale.errors import ConfigError

REMEDY = "pip install 'hwscale[vela]'"


@dataclass(frozen=True, slots=True)
class VelaRecord:
    """One compilation; every value is Vela's estimate.

    Attributes
    ----------
    version, accelerator, system_config, memory_mode : what estimated, and for what.
    sram_target_bytes : the SRAM that Vela was told of. It trades SRAM for speed up to there, so ``sram_bytes`` is no
        minimum, and goes beyond where it must.
    sram_bytes : peak in SRAM of feature maps, and of weights copied there for speed.
    dram_bytes, off_chip_flash_bytes : what it places there: compressed weights, scales, biases, and in DRAM also maps.
    on_chip_flash_bytes : the constants in the mode Sram_Only, where they stand in SRAM beside ``sram_bytes``; else 0.
    compiled_bytes : the compiled file: the constants, and the NPU's commands, which no memory above includes.
    macs : multiply-accumulates that the NPU executes, padding and Vela's own rewriting of operators included.
    cycles : of the NPU with its memory for one image; operators on the CPU are not in it.
    clock_hz : of the system configuration, whatever the board runs at.
    inference_s : ``cycles`` / ``clock_hz``, seconds.
    npu_operators, cpu_operators : counts after Vela's rewriting, hence not those of the file.
    cpu_kinds : schema names of the file's operators that stay on the CPU, sorted.
    """

    version: str
    accelerator: str
    system_config: str
    memory_mode: str
    sram_target_bytes: int
    sram_bytes: int
    dram_bytes: int
    on_chip_flash_bytes: int
    off_chip_flash_bytes: int
    compiled_bytes: int
    macs: int
    cycles: int
    clock_hz: int
    inference_s: float
    npu_operators: int
    cpu_operators: int
    cpu_kinds: tuple[str, ...]

    @property
    def ram_bytes(self) -> int:
        """SRAM that the chip must have: with the constants, where the memory mode keeps them there."""
        return self.sram_bytes + self.on_chip_flash_bytes

    @property
    def flash_bytes(self) -> int:
        """Constants, wherever they stand at run time; 0 where the memory mode has them in DRAM, see ``compiled_bytes``."""
        return self.on_chip_flash_bytes + self.off_chip_flash_bytes

    @property
    def is_at_least(self) -> bool:
        """Whether cycles, MACs and memory are lower bounds, because the CPU executes some operators."""
        return self.cpu_operators > 0


def read_summary(
    summary: str, log: str, *, version: str, compiled_bytes: int, writers: Mapping[str, str] | None = None
) -> VelaRecord:
    """The record in a summary (CSV: a line of labels, a line of values, memory in KiB) and in what Vela printed.

    ``writers`` gives, by the name of a tensor, the schema name of the file's operator that writes it: Vela itself calls a
    convolution with a ReLU "RELU".

    Raises
    ------
    ConfigError : a label is missing, or its value is no number from zero up.
    """
    counts = dict(re.findall(r"^(CPU|NPU) operators = (\d+)", log, re.MULTILINE))
    left = re.findall(r"^Warning \(supported operators\) operator: (\w+), ofm: '(.*)'$", log, re.MULTILINE)
    try:
        (row,) = csv.DictReader(summary.splitlines())
        return VelaRecord(
            version=version,
            accelerator=row["accelerator_configuration"].lower().replace("_", "-"),
            system_config=row["system_config"],
            memory_mode=row["memory_mode"],
            sram_target_bytes=_whole(row, "arena_cache_size", 1024),
            sram_bytes=_whole(row, "sram_memory_used", 1024),
            dram_bytes=_whole(row, "dram_memory_used", 1024),
            on_chip_flash_bytes=_whole(row, "on_chip_flash_memory_used", 1024),
            off_chip_flash_bytes=_whole(row, "off_chip_flash_memory_used", 1024),
            compiled_bytes=compiled_bytes,
            macs=_whole(row, "nn_macs"),
            cycles=_whole(row, "cycles_total"),
            clock_hz=_whole(row, "core_clock"),
            inference_s=float(row["inference_time"]),
            npu_operators=int(counts["NPU"]),
            cpu_operators=int(counts["CPU"]),
            cpu_kinds=tuple(sorted({(writers or {}).get(tensor, label) for label, tensor in left})),
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError, csv.Error) as error:
        raise ConfigError(
            f"The summary of Vela {version} cannot be read ({type(error).__name__}: {error}); install the version that is read here: {REMEDY}."
        ) from error


def _whole(row: Mapping[str, str], label: str, unit: int = 1) -> int:
    value = round(float(row[label]) * unit)
    if value < 0:
        raise ValueError(f"{label} is {row[label]}")
    return value
