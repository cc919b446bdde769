"""Every rule that a platform descriptor can break. Nothing here opens a file: `hwscale.platform` hands over what it parsed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

from hwscale.errors import ConfigError, nearest
from hwscale.platform_keys import BYTES, LARGEST, LAYER_OPERATORS, OVERHEAD, POWER, TABLES, TOP, Document, Key, Kind
from hwscale.units import parse_bytes

Place: TypeAlias = tuple[str | int, ...]
"""Where in a document: ``("ram", 1, "size_bytes")`` is the key size_bytes of the second [[ram]]."""
Severity: TypeAlias = Literal["error", "warning"]
Fault: TypeAlias = tuple[Severity, Place, str]

_LEAST = (
    ("hz", 1_000_000, "MHz"),
    ("size_bytes", 1024, "KiB"),
    ("mac_per_s", 10_000, "millions"),
    ("mac_per_mj", 1000, "millions"),
)


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
        return (wrong, None) if size > LARGEST else ("", size)
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
