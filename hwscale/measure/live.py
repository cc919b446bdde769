"""Which activation buffers are alive at each step of a program; knows steps and bytes, nothing of torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class LiveBuffers:
    """Bytes of the buffers alive while each step of a straight-line program runs.

    Every step may produce one *value*, known by a name; a value sits in one *buffer*, and several values may share it.
    A buffer is alive at a step that reads or writes one of its values, and between its first write and its last read.

    Parameters
    ----------
    last_use : for each value, the number of the last step that reads it (the step that makes it, if none does).
    """

    def __init__(self, last_use: Mapping[str, int]) -> None:
        self._last_use = last_use
        self._sizes: list[int] = []
        self._buffer_of: dict[str, int] = {}

    def __contains__(self, value: str) -> bool:
        return value in self._buffer_of

    def allocate(self, value: str, size: int) -> None:
        """Put ``value`` in a new buffer of ``size`` bytes."""
        self._buffer_of[value] = len(self._sizes)
        self._sizes.append(size)

    def share(self, value: str, source: str) -> None:
        """Let ``value`` be another name of the buffer of ``source``, alive as long as either is read."""
        self._buffer_of[value] = self._buffer_of[source]

    def overwrite(self, value: str, size: int, operands: Iterable[str], step: int) -> None:
        """Write ``value`` over the first operand of ``size`` bytes that nothing reads after ``step``, else allocate."""
        for operand in operands:
            buffer = self._buffer_of[operand]
            if self._sizes[buffer] == size and self._dies(buffer, step):
                self._buffer_of[value] = buffer
                return
        self.allocate(value, size)

    def live_bytes(self, step: int, values: Iterable[str]) -> int:
        """Bytes alive at ``step``, which reads and writes ``values``."""
        touched = {self._buffer_of[value] for value in values}
        awaited = {buffer for value, buffer in self._buffer_of.items() if self._last_use[value] > step}
        return sum(self._sizes[buffer] for buffer in touched | awaited)

    def _dies(self, buffer: int, step: int) -> bool:
        return all(self._last_use[value] <= step for value, home in self._buffer_of.items() if home == buffer)
