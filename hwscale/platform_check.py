"""The keys a platform descriptor may hold, and every rule a descriptor can break.

``TOP`` and ``TABLES`` are the one list of keys: the reader, the linter, the JSON Schema for editors and the template
of a new descriptor are all made from it. Nothing here opens a file: `hwscale.platform` hands over what it parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from hwscale.errors import ConfigError, nearest
from hwscale.units import parse_bytes

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
Place: TypeAlias = tuple[str | int, ...]
"""Where in a document: ``("ram", 1, "size_bytes")`` is the key size_bytes of the second [[ram]]."""
Severity: TypeAlias = Literal["error", "warning"]
Fault: TypeAlias = tuple[Severity, Place, str]

_LARGEST = 2**63 - 1
_LEAST = (
    ("hz", 1_000_000, "MHz"),
    ("size_bytes", 1024, "KiB"),
    ("mac_per_s", 10_000, "millions"),
    ("mac_per_mj", 1000, "millions"),
)
_SIZE_TEXT = r"^\s*\+?([0-9][0-9_]*\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*([Bb]|[KkMmGg][Ii][Bb])?\s*$"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value: what it must be in words, as a JSON Schema fragment, and what stands for it until filled in."""

    wants: str
    rule: Mapping[str, Any]
    blank: str


def _integer(wants: str, **bounds: int) -> Kind:
    return Kind(wants, {"type": "integer", "maximum": _LARGEST, **bounds}, "0")


def _size(wants: str, **bounds: int) -> Kind:
    as_text = {"type": "string", "pattern": _SIZE_TEXT}
    return Kind(wants, {"anyOf": [{"type": "integer", "maximum": _LARGEST, **bounds}, as_text]}, "0")


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


def examine(document: Document) -> tuple[Document, list[Fault]]:
    """The usable part of a parsed descriptor (sizes as integer bytes) and everything wrong with it.

    An error must stop the reader; a warning asks for a second look. In the usable part every table of ``TABLES`` is a
    list, empty where the descriptor leaves it out, and a value that cannot be used is None; without errors none is.
    """
    clean, faults = _check_keys(document)
    for rule in (_banks, _rates, _powers, _runtimes, _slips):
        faults += rule(clean)
    return clean, faults


def _check_keys(document: Document) -> tuple[Document, list[Fault]]:
    clean, faults = _check_table(document, "the top of the file", TOP, (), TABLES)
    for name, table in TABLES.items():
        header = table.header(name)
        given = document.get(name, [])
        rows = given if isinstance(given, list) else [given]
        clean[name] = []
        if name in document and (
            isinstance(given, list) != table.repeated or not all(isinstance(r, dict) for r in rows)
        ):
            faults.append(("error", (name,), f"{name} is {_got(given)}, but it is written as {header}; open it so"))
            continue
        if table.required and not rows:
            faults.append(("error", (), f"{header} is missing ({table.meaning}); add it as platforms/README.md shows"))
        for number, row in enumerate(rows):
            place: Place = (name, number) if table.repeated else (name,)
            checked, more = _check_table(row, header, table.keys, place, ())
            clean[name].append(checked)
            faults += more
    return clean, faults


def _check_table(
    given: Document, header: str, keys: Mapping[str, Key], place: Place, tables: Iterable[str]
) -> tuple[Document, list[Fault]]:
    clean: Document = {}
    faults: list[Fault] = []
    for name, value in given.items():
        if name in keys:
            problem, clean[name] = judge(value, keys[name].kind, _spell((*place, name)))
            if problem:
                faults.append(("error", (*place, name), problem))
        elif name not in tables:
            remedy = nearest(name[:60], [*keys, *tables])
            faults.append(("error", (*place, name), f"{header} has no key {_got(name)}; {remedy}"))
    last = [name for name in given if name not in tables][-1:]  # where to add what is missing, and after a misspelt key
    for name, key in keys.items():
        if key.required and name not in given:
            faults.append(
                ("error", (*place, *last), f"{header} lacks {name}: {key.meaning}; add it as {key.kind.wants}")
            )
    return clean, faults


def judge(value: object, kind: Kind, what: str) -> tuple[str, Any]:
    """What is wrong with a value in one sentence, or an empty sentence and the value to use (sizes in bytes)."""
    wrong = f"{what} is {_got(value)}, but it must be {kind.wants}"
    if isinstance(value, str) and kind in (BYTES, OVERHEAD):
        try:
            size = parse_bytes(value, what)
        except ConfigError as error:
            return str(error), None
        return (wrong, None) if size > _LARGEST else ("", size)
    if not any(_obeys(value, rule) for rule in kind.rule.get("anyOf", [kind.rule])):
        return wrong, None
    return "", int(value) if isinstance(value, float) and kind is not POWER else value


def _obeys(value: object, rule: Mapping[str, Any]) -> bool:
    """Whether a value obeys a JSON Schema fragment of the few keywords that the kinds above use."""
    match rule.get("type"):
        case "string":
            return isinstance(value, str) and re.search(rule["pattern"], value) is not None
        case "boolean":
            return isinstance(value, bool)
        case "integer" | "number" as wanted:
            if isinstance(value, bool) or not isinstance(value, int | float):
                return False
            whole = isinstance(value, int) or value.is_integer()
            low = value > rule["exclusiveMinimum"] if "exclusiveMinimum" in rule else value >= rule["minimum"]
            return low and value <= rule["maximum"] and (whole or wanted == "number")
    return value == rule["const"] if "const" in rule else value in rule["enum"]


def _got(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "a table"
        case list():
            return "an array"
        case int() if value.bit_length() > 64:
            return f"a number of {value.bit_length()} bits"
        case str() if len(value) > 60:
            return f"{value[:60]!r}..."
    return repr(value)


def _spell(place: Place) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def _twice(rows: list[Document], keys: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    seen: set[tuple[Any, ...]] = set()
    for number, row in enumerate(rows):
        label = tuple(row.get(key) for key in keys)
        if None not in label:
            if label in seen:
                yield number, " under ".join(map(repr, label))
            seen.add(label)


def _banks(clean: Document) -> Iterator[Fault]:
    rows: list[Document] = clean["ram"]
    for number, label in _twice(rows, ("name",)):
        yield "error", ("ram", number, "name"), f"[[ram]] {label} is there twice; give each bank its own name"
    if rows and all(row.get("arena") is False for row in rows):
        yield "error", ("ram",), "no [[ram]] has arena = true, so no tensor has a place; set it on the usable banks"
    sizes = [row.get("size_bytes") or 0 for row in rows]
    placed = [(row["base_address"], sizes[n], n) for n, row in enumerate(rows) if row.get("base_address") is not None]
    reach, lower = -1, -1
    for base, size, number in sorted(placed):
        if base < reach:
            first, second = (_span(rows[n], sizes[n]) for n in (lower, number))
            message = (
                f"[[ram]] {first} and {second} overlap; correct one of them, or leave out the one that is an alias"
            )
            yield "error", ("ram", number, "base_address"), message
        if base + size > reach:
            reach, lower = base + size, number
    arena = sum(size for size, row in zip(sizes, rows, strict=True) if row.get("arena"))
    for flash in clean["flash"]:
        size = flash.get("size_bytes") or arena
        if flash.get("location") == "internal" and arena > size:
            message = f"arena RAM ({arena} B) exceeds internal Flash ({size} B); see that the two are not swapped"
            yield "warning", ("flash", "size_bytes"), message


def _span(row: Document, size: int) -> str:
    base: int = row["base_address"]
    return f"{row.get('name') or 'a bank'} ({base:#x}-{base + max(size, 1) - 1:#x})"


def _rates(clean: Document) -> Iterator[Fault]:
    rows: list[Document] = clean["throughput"]
    for number, label in _twice(rows, ("operator", "runtime")):
        message = f"[[throughput]] {label} is there twice; keep the slower and put the other into its note"
        yield "error", ("throughput", number, "operator"), message
    for number, row in enumerate(rows):
        if ("mac_per_s" in row) == (row.get("supported", True) is not True):
            message = f"[[throughput]] {row.get('operator')} needs either mac_per_s or supported = false; write one"
            yield "error", ("throughput", number), message
        for key in ("mac_per_mj", "efficiency_pct"):
            if key in row and "mac_per_s" not in row:
                message = (
                    f"[[throughput]] {row.get('operator')} has {key} and no mac_per_s; add that or leave {key} out"
                )
                yield "error", ("throughput", number, key), message
    names = {row["runtime"] for row in rows if row.get("runtime")}
    chosen = clean.get("default_rates")
    if chosen is None:
        return
    if chosen not in names:
        yield "error", ("default_rates",), _no_rates("default_rates", chosen, names)
        return
    known = {row.get("operator") for row in rows if row.get("runtime") == chosen and "mac_per_s" in row}
    if missing := [operator for operator in LAYER_OPERATORS if operator not in known]:
        message = f"default_rates {chosen!r} has no rate for {', '.join(missing)}; nets that use it have no latency"
        yield "warning", ("default_rates",), message


def _no_rates(key: str, chosen: str, names: set[str]) -> str:
    remedy = nearest(chosen, names) if names else f"add [[throughput]] rows or leave {key} out"
    return f"{key} is {chosen!r}, but no [[throughput]] has that runtime; {remedy}"


def _powers(clean: Document) -> Iterator[Fault]:
    rows: list[Document] = clean["power"]
    chosen = [number for number, row in enumerate(rows) if row.get("default")]
    if len(chosen) > 1 or (len(rows) > 1 and not chosen):
        place: Place = ("power", chosen[1]) if chosen else ("power",)
        message = f"{len(chosen)} of {len(rows)} [[power]] tables have default = true; set it on exactly one"
        yield "error", place, message


def _runtimes(clean: Document) -> Iterator[Fault]:
    rows: list[Document] = clean["runtime"]
    names = {row["runtime"] for row in clean["throughput"] if row.get("runtime")}
    for number, label in _twice(rows, ("name",)):
        yield "error", ("runtime", number, "name"), f"[[runtime]] {label} is there twice; give each its own name"
    for number, row in enumerate(rows):
        if not row.keys() & {"ram_overhead_bytes", "flash_overhead_bytes", "rates"}:
            message = "[[runtime]] says nothing; add ram_overhead_bytes, flash_overhead_bytes or rates"
            yield "error", ("runtime", number), message
        if row.get("rates") and row["rates"] not in names:
            yield "error", ("runtime", number, "rates"), _no_rates("rates", row["rates"], names)


def _slips(clean: Document) -> Iterator[Fault]:
    """Values that are legal and yet most likely not in the unit of their key, and numbers nobody has checked."""
    for name, table in TABLES.items():
        for number, row in enumerate(clean[name]):
            place: Place = (name, number) if table.repeated else (name,)
            for key, least, slip in _LEAST:
                if (row.get(key) or least) < least:
                    message = f"{_spell((*place, key))} is only {row[key]}; see that it is not in {slip}"
                    yield "warning", (*place, key), message
            if name == "ram" and (row.get("size_bytes") or 0) % 1024:
                message = f"{row['size_bytes']} B is not a whole number of KiB; see that it is not 1000 x the KiB"
                yield "warning", (*place, "size_bytes"), message
            if row.get("status") == "unverified":
                message = f"{_spell(place)} is unverified; look it up in the datasheet and name that as source"
                yield "warning", (*place, "status"), message
