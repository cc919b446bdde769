"""The keys a platform descriptor may hold.

``TOP`` and ``TABLES`` are the one list of keys: the reader, the linter, the JSON Schema for editors and the template
of a new descriptor are all made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

SCHEMA = "hwscale-platform/1"
STATUSES = ("primary", "secondary", "paper", "derived", "estimated", "unverified")
"""How a number is known, strongest first; platforms/README.md defines each."""
LAYER_OPERATORS = ("conv2d", "pointwise", "depthwise", "fully_connected")
"""What a default rate set should cover, for latency to be known for every family."""
_UPSAMPLING = ("transposed_conv", "nn_interpolation", "bilinear_interpolation", "pixelshuffle")
OPERATORS = (*LAYER_OPERATORS, "grouped", *_UPSAMPLING, "whole_model", "separable_mix")
_MACS_PER_CYCLE = {"u55": (32, 64, 128, 256), "u65": (256, 512), "u85": (128, 256, 512, 1024, 2048)}
ACCELERATORS = tuple(f"ethos-{npu}-{macs}" for npu, sizes in _MACS_PER_CYCLE.items() for macs in sizes)
"""Accelerators that Vela 5.2.0 compiles for; the number is the MACs per cycle."""

Document: TypeAlias = dict[str, Any]

LARGEST = 2**63 - 1
_SIZE_TEXT = r"^\s*\+?([0-9][0-9_]*\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*([Bb]|[KkMmGg][Ii][Bb])?\s*$"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value: what it must be in words, as a JSON Schema fragment, and what stands for it until filled in."""

    wants: str
    rule: Mapping[str, Any]
    blank: str


def _integer(wants: str, **bounds: int) -> Kind:
    return Kind(wants, {"type": "integer", "maximum": LARGEST, **bounds}, "0")


def _size(wants: str, **bounds: int) -> Kind:
    as_text = {"type": "string", "pattern": _SIZE_TEXT}
    return Kind(wants, {"anyOf": [{"type": "integer", "maximum": LARGEST, **bounds}, as_text]}, "0")


def _one_of(allowed: tuple[str, ...]) -> Kind:
    return Kind("one of " + ", ".join(allowed), {"enum": list(allowed)}, f'"{allowed[-1]}"')


TEXT = Kind("text that is not empty", {"type": "string", "pattern": r"\S"}, '""')
NAME = Kind(
    "lower-case letters, digits and . _ -, starting with a letter or digit",
    {"type": "string", "pattern": r"^[a-z0-9][a-z0-9._-]*$"},
    '""',
)
COUNT = _integer("a whole number above zero", minimum=1)
ADDRESS = _integer("an address, a whole number from zero up, such as 0x20000000", minimum=0)
BYTES = _size("a whole number of bytes above zero, or text such as '512 KiB'", minimum=1)
OVERHEAD = _size("a whole number of bytes from zero up, or text such as '16 KiB'", minimum=0)
POWER = Kind("milliwatts, a number above zero", {"type": "number", "exclusiveMinimum": 0, "maximum": 1e9}, "0")
FLAG = Kind("true or false", {"type": "boolean"}, "true")


@dataclass(frozen=True, slots=True)
class Key:
    """One legal key of a table."""

    kind: Kind
    meaning: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """One legal table: ``[name]`` once, or ``[[name]]`` as often as needed."""

    meaning: str
    keys: Mapping[str, Key]
    repeated: bool = False
    required: bool = False

    def header(self, name: str) -> str:
        """How the table is opened in TOML."""
        return f"[[{name}]]" if self.repeated else f"[{name}]"


_SOURCED = {
    "source": Key(TEXT, "document or file where anybody can look the numbers up"),
    "status": Key(_one_of(STATUSES), "how they are known"),
    "note": Key(TEXT, "what a reader must know to use them", required=False),
}

TOP: Mapping[str, Key] = {
    "schema": Key(Kind(f"the text '{SCHEMA}'", {"const": SCHEMA}, f'"{SCHEMA}"'), "what kind of file this is"),
    "name": Key(NAME, "the file name without .toml"),
    "part": Key(TEXT, "ordering code, or the chip's name"),
    "vendor": Key(TEXT, "who makes it"),
    "core": Key(TEXT, "processor core"),
    "default_rates": Key(TEXT, "the [[throughput]] runtime whose rates give latency by default", required=False),
}

TABLES: Mapping[str, Table] = {
    "clock": Table("the core's clock", {"hz": Key(COUNT, "clock in Hz"), **_SOURCED}, required=True),
    "flash": Table(
        "where weights and code live; leave it out where there is none to speak of, and nothing limits Flash",
        {
            "size_bytes": Key(BYTES, "all of it, in bytes"),
            "location": Key(_one_of(("external", "internal")), "on the chip or beside it (QSPI, HyperFlash)"),
            **_SOURCED,
        },
    ),
    "ram": Table(
        "one bank of memory; banks that touch by address form one arena",
        {
            "name": Key(TEXT, "the datasheet's name of the bank"),
            "base_address": Key(ADDRESS, "first address; without it the bank is never merged", required=False),
            "size_bytes": Key(BYTES, "size in bytes"),
            "arena": Key(FLAG, "whether it may hold the tensor arena"),
            **_SOURCED,
        },
        repeated=True,
        required=True,
    ),
    "power": Table(
        "power while a network runs; energy = power x latency",
        {
            "power_mw": Key(POWER, "power in mW"),
            "condition": Key(TEXT, "voltage, clock, workload, what was measured"),
            "default": Key(FLAG, "true on the one used for energy, when there are several", required=False),
            **_SOURCED,
        },
        repeated=True,
    ),
    "runtime": Table(
        "what a runtime takes for itself, and which rates are its own",
        {
            "name": Key(TEXT, "tflm, tinyengine, xcubeai, executorch, or a variant in words"),
            "ram_overhead_bytes": Key(OVERHEAD, "RAM beside the tensor arena, in bytes", required=False),
            "flash_overhead_bytes": Key(OVERHEAD, "code beside the weights, in bytes", required=False),
            "rates": Key(TEXT, "the [[throughput]] runtime whose rates are this runtime's latency", required=False),
            **_SOURCED,
        },
        repeated=True,
    ),
    "throughput": Table(
        "speed of one operator under one runtime, int8, batch 1; one row for each pair",
        {
            "operator": Key(_one_of(OPERATORS), "which operator"),
            "runtime": Key(TEXT, "whose kernels, with their version"),
            "mac_per_s": Key(COUNT, "multiply-accumulates per second", required=False),
            "mac_per_mj": Key(COUNT, "multiply-accumulates per millijoule, as the source prints it", required=False),
            "efficiency_pct": Key(COUNT, "efficiency in whole % of conv2d, as the source prints it", required=False),
            "supported": Key(FLAG, "false, instead of mac_per_s, where the runtime cannot run it", required=False),
            **_SOURCED,
        },
        repeated=True,
    ),
    "vela": Table(
        "what Arm's compiler Vela is told of the Ethos-U beside the core, to estimate a network on it",
        {
            "accelerator": Key(_one_of(ACCELERATORS), "the NPU and its MACs per cycle"),
            "system_config": Key(TEXT, "section of Arm's vela.ini: clock and speed of the memories"),
            "memory_mode": Key(TEXT, "section of Arm's vela.ini: which memory holds maps and weights"),
            **_SOURCED,
        },
    ),
}
