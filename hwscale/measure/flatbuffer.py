"""A reader of flatbuffers that trusts nothing: every offset and length is held against the file before it is followed.

Format: https://flatbuffers.dev/internals (little endian; a table starts with the distance to its vtable, which holds the
place of each field; offsets point forward). The schema bounds the depth, so a cycle of offsets cannot loop; `MAX_DECODED_BYTES`
bounds what overlapping vectors, each of which fits the file, make of it together.
"""

from __future__ import annotations

import struct
from typing import Any

from hwscale.errors import ConfigError

MAX_DECODED_BYTES = 16 << 20
"""Numbers and text decoded per file; the bytes of constants are measured, not decoded."""

_OFFSET_BYTES = 4


class Flatbuffer:
    """The bytes of one file.

    Parameters
    ----------
    data : the whole file.
    title : how sentences name it.
    """

    def __init__(self, data: bytes, title: str) -> None:
        self.data = data
        self.title = title
        self._left = MAX_DECODED_BYTES

    def refusal(self, where: str, problem: str, repair: str = "the file is damaged, so export it again") -> ConfigError:
        """The error to raise: one sentence that names the file, the place, the problem and the repair."""
        return ConfigError(f"{self.title}, {where}: {problem}: {repair}.")

    def root(self, identifier: bytes) -> Table:
        """The root table of a file of the kind ``identifier`` (4 bytes at offset 4); ConfigError for any other."""
        if len(self.data) < 2 * _OFFSET_BYTES:
            raise self.refusal("header", f"the file has {len(self.data)} B, but even an empty one has 8")
        found = self.data[_OFFSET_BYTES : 2 * _OFFSET_BYTES]
        if found != identifier:
            raise self.refusal(
                "header",
                f"bytes 4 to 7 are {found!r}, but must be {identifier!r}",
                "pass a file in this format",
            )
        return Table(self, self.follow(0, "header"), "model")

    def unpack(self, code: str, at: int, where: str) -> int:
        """The integer of struct ``code`` at offset ``at``."""
        if not 0 <= at <= len(self.data) - struct.calcsize(code):
            raise self.refusal(where, f"offset {at} lies outside the file's {len(self.data)} B")
        return int(struct.unpack_from(code, self.data, at)[0])

    def follow(self, at: int, where: str) -> int:
        """Where the forward offset stored at ``at`` points."""
        step = self.unpack("<I", at, where)
        if step == 0:
            raise self.refusal(where, f"the offset at {at} points to itself")
        return at + step

    def vector(self, at: int, width: int, where: str) -> tuple[int, int]:
        """Start and element count of the vector at ``at``, whose elements have ``width`` bytes."""
        count = self.unpack("<I", at, where)
        start = at + _OFFSET_BYTES
        if count * width > len(self.data) - start:
            left = len(self.data) - start
            raise self.refusal(where, f"a list declares {count} x {width} B, but only {left} B of the file are left")
        return start, count

    def decode(self, count: int, where: str) -> None:
        """Charge ``count`` decoded bytes to the file's budget."""
        self._left -= count
        if self._left < 0:
            raise self.refusal(where, f"the file's lists overlap or exceed {MAX_DECODED_BYTES} B without its constants")


class Table:
    """One table; fields by their place in the schema, 0 first. A missing field reads as its default or as empty."""

    __slots__ = ("_bytes", "_file", "_slots", "_start", "_vtable", "where")

    def __init__(self, file: Flatbuffer, start: int, where: str) -> None:
        self._file = file
        self._start = start
        self.where = where
        self._vtable = start - file.unpack("<i", start, where)
        self._slots = file.unpack("<H", self._vtable, where) // 2 - 2
        self._bytes = file.unpack("<H", self._vtable + 2, where)
        if self._slots < 0 or self._bytes < _OFFSET_BYTES or start + self._bytes > len(file.data):
            raise file.refusal(where, "a table does not fit the file")

    def refusal(self, problem: str, repair: str = "the file is damaged, so export it again") -> ConfigError:
        """As `Flatbuffer.refusal`, at this table."""
        return self._file.refusal(self.where, problem, repair)

    def _field(self, field: int, width: int) -> int | None:
        """Offset of a field of ``width`` bytes, None if the table lacks it."""
        if field >= self._slots:
            return None
        at = self._file.unpack("<H", self._vtable + 4 + 2 * field, self.where)
        if at == 0:
            return None
        if at < _OFFSET_BYTES or at + width > self._bytes:
            raise self.refusal(f"field {field} lies outside its table")
        return self._start + at

    def number(self, field: int, code: str = "<i", default: int = 0) -> int:
        """An integer field of struct ``code``."""
        at = self._field(field, struct.calcsize(code))
        return default if at is None else self._file.unpack(code, at, self.where)

    def has(self, field: int) -> bool:
        """Whether an offset field is there; what it points to is not looked at."""
        return self._field(field, _OFFSET_BYTES) is not None

    def table(self, field: int) -> Table | None:
        """The table that a field points to."""
        at = self._field(field, _OFFSET_BYTES)
        return None if at is None else Table(self._file, self._file.follow(at, self.where), self.where)

    def tables(self, field: int, name: str, most: int) -> list[Table]:
        """The tables of a list, ``most`` at most; ``name`` is what sentences call one of them."""
        start, count = self._vector(field, _OFFSET_BYTES)
        if count > most:
            raise self.refusal(
                f"{count} {name}s are listed, but at most {most} are read", "pass a model for a microcontroller"
            )
        wheres = (f"{name} {i}" for i in range(count))
        return [
            Table(self._file, self._file.follow(start + i * _OFFSET_BYTES, where), where)
            for i, where in enumerate(wheres)
        ]

    def integers(self, field: int, code: str = "i") -> tuple[int, ...]:
        """A list of integers, struct ``code`` each."""
        return self._numbers(field, code)

    def floats(self, field: int) -> tuple[float, ...]:
        """A list of float32."""
        return self._numbers(field, "f")

    def text(self, field: int) -> str:
        """A string; bytes that are no UTF-8 or not printable are spelled as escapes, so that any terminal may show it."""
        start, count = self._vector(field, 1)
        self._file.decode(count, self.where)
        text = self._file.data[start : start + count].decode("utf-8", "backslashreplace")
        return text if text.isprintable() else ascii(text)[1:-1]

    def span(self, field: int) -> tuple[int, int]:
        """Offset and length of a list of bytes; (0, 0) if the field is missing."""
        return self._vector(field, 1)

    def _numbers(self, field: int, code: str) -> tuple[Any, ...]:
        start, count = self._vector(field, struct.calcsize("<" + code))
        self._file.decode(count * struct.calcsize("<" + code), self.where)
        return struct.unpack_from(f"<{count}{code}", self._file.data, start)

    def _vector(self, field: int, width: int) -> tuple[int, int]:
        at = self._field(field, _OFFSET_BYTES)
        return (0, 0) if at is None else self._file.vector(self._file.follow(at, self.where), width, self.where)
