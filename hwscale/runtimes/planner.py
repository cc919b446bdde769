"""TensorFlow Lite Micro's greedy memory planner: where each buffer of a network sits in the activation arena.

Source: tensorflow/tflite-micro, ``micro/memory_planner/greedy_memory_planner.cc`` (order and placement) and
``micro/micro_allocation_info.cc`` (what is planned, when it lives, sizes rounded up to 16 B). The head of the arena that the
planner returns is the one that the interpreter reports, byte for byte.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass

from hwscale.errors import ConfigError

ALIGNMENT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Buffer:
    """An activation tensor, or a kernel's scratch memory, that the arena must hold.

    ``size_bytes`` before alignment. It lives from ``first_op`` to ``last_op``, both inclusive and on one clock: an op's
    inputs and outputs therefore coexist. TFLM's clock gives op j (from 0) the time j + 1 and the network's inputs time 0;
    network outputs live to the last op, a tensor that nobody reads lives at its producer only.
    """

    size_bytes: int
    first_op: int
    last_op: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Offset of each buffer [B], in the order given, and the bytes from 0 to the end of the highest one."""

    offsets: tuple[int, ...]
    head_bytes: int


def aligned(size_bytes: int) -> int:
    """``size_bytes`` rounded up to the arena's alignment of 16 B."""
    return -(-size_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def plan_arena(buffers: Sequence[Buffer]) -> Layout:
    """Where the planner puts ``buffers``, listed in order of their tensor index; O(n^2), the same for every call.

    Largest aligned size first; of equal sizes the highest index first, since TFLM fills its list back to front and sorts it
    stably. Each goes into the lowest gap that is wide enough between the buffers, already placed, that live at one of its times.
    Empty buffers are not planned and get offset 0. The order of equal sizes moves the result: up to 16 % on published
    networks, so the order of ``buffers`` must be that of the file.

    Raises
    ------
    ConfigError : a buffer of negative size, or one that dies before it is born.
    """
    _check(buffers)
    sizes = [aligned(buffer.size_bytes) for buffer in buffers]
    offsets = [0] * len(buffers)
    placed: list[int] = []  # by offset
    for index in sorted(range(len(buffers)), key=lambda i: (-sizes[i], -i)):
        if not sizes[index]:
            continue
        offset = 0
        for other in placed:
            if not _coexist(buffers[index], buffers[other]):
                continue
            if offsets[other] - offset >= sizes[index]:
                break
            offset = max(offset, offsets[other] + sizes[other])
        offsets[index] = offset
        insort(placed, index, key=lambda i: offsets[i])
    return Layout(tuple(offsets), max((offsets[i] + sizes[i] for i in placed), default=0))


def live_bound(buffers: Sequence[Buffer]) -> int:
    """Bytes that no planner can go below: the largest sum, over times, of the aligned sizes alive at that time.

    The greedy plan reaches it on most networks, but not on all: gaps may be left that no buffer fits.

    Raises
    ------
    ConfigError : as `plan_arena`.
    """
    _check(buffers)
    change: dict[int, int] = {}
    for buffer in buffers:
        size = aligned(buffer.size_bytes)
        change[buffer.first_op] = change.get(buffer.first_op, 0) + size
        change[buffer.last_op + 1] = change.get(buffer.last_op + 1, 0) - size
    live = bound = 0
    for time in sorted(change):
        live += change[time]
        bound = max(bound, live)
    return bound


def _coexist(a: Buffer, b: Buffer) -> bool:
    return a.first_op <= b.last_op and b.first_op <= a.last_op


def _check(buffers: Sequence[Buffer]) -> None:
    for index, buffer in enumerate(buffers):
        if buffer.size_bytes < 0:
            raise ConfigError(
                f"buffer {index} of the arena has {buffer.size_bytes} B, but a size must be 0 B or more: check its shape."
            )
        if buffer.last_op < buffer.first_op:
            raise ConfigError(
                f"buffer {index} of the arena lives from op {buffer.first_op} to op {buffer.last_op}, but the last op must "
                "not come before the first: list the ops in order of execution."
            )
