"""A writer of flatbuffers for tests: tables as dicts of numbered fields, written front to back, nothing shared but `TAIL`."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass
class Number:
    """A scalar of struct code ``code``."""

    code: str
    value: int


@dataclass
class Vector:
    """A list of numbers of struct code ``code``."""

    code: str
    values: Sequence[Any]


Table = dict[int, Any]
"""Value by field: `Number`, `Vector`, bytes, str, Table or a list of tables."""


TAIL = object()
"""A value that stands once, at the end of the file, however many fields hold it; see `flatbuffer`."""


class _Out(bytearray):
    """The file so far, and where offsets to its tail stand."""

    def __init__(self, start: bytes) -> None:
        super().__init__(start)
        self.to_tail: list[int] = []


def flatbuffer(root: Table, tail: bytes = b"") -> bytes:
    """The file of ``root``; every `TAIL` in it is the same list of the bytes ``tail``."""
    out = _Out(bytes(4) + b"TFL3")
    struct.pack_into("<I", out, 0, _table(out, root))
    _align(out, 4)
    for at in out.to_tail:
        struct.pack_into("<I", out, at, len(out) - at)
    return bytes(out) + (struct.pack("<I", len(tail)) + tail if tail else b"")


def _table(out: _Out, fields: Table) -> int:
    places, body = {}, 4
    for number, value in fields.items():
        width = struct.calcsize("<" + value.code) if isinstance(value, Number) else 4
        body = -(-body // width) * width
        places[number] = body
        body += width
    slots = [places.get(number, 0) for number in range(max(fields, default=-1) + 1)]
    _align(out, 16)
    vtable = len(out)
    out += struct.pack(f"<{2 + len(slots)}H", 4 + 2 * len(slots), body, *slots)
    _align(out, 16)
    start = len(out)
    out += struct.pack("<i", start - vtable) + bytes(body - 4)
    for number, value in fields.items():
        at = start + places[number]
        if isinstance(value, Number):
            struct.pack_into("<" + value.code, out, at, value.value)
        elif value is TAIL:
            out.to_tail.append(at)
        else:
            struct.pack_into("<I", out, at, _value(out, value) - at)
    return start


def _value(out: _Out, value: Any) -> int:
    if isinstance(value, dict):
        return _table(out, value)
    if isinstance(value, list):
        _align(out, 4)
        start = len(out)
        out += struct.pack("<I", len(value)) + bytes(4 * len(value))
        for i, item in enumerate(value):
            at = start + 4 + 4 * i
            struct.pack_into("<I", out, at, _table(out, item) - at)
        return start
    if isinstance(value, Vector):
        payload, count = struct.pack(f"<{len(value.values)}{value.code}", *value.values), len(value.values)
    else:
        payload = value.encode() if isinstance(value, str) else value
        count = len(payload)
    _align(out, 16)
    out += bytes(12)
    start = len(out)
    out += struct.pack("<I", count) + payload + b"\0"
    return start


def _align(out: bytearray, to: int) -> None:
    out += bytes(-len(out) % to)
