"""The activation arena of a .tflite file as TensorFlow Lite Micro plans it, from the file's own tensors and lifetimes.

Time 0 is before the first operator; operator j (from 0) runs at time j + 1. A tensor lives from the operator that writes it to
the last that reads it, both inclusive; nothing is in place. Inputs live from time 0, outputs to the last operator. Constants and
variables are not planned, nor is scratch memory, which kernels ask for at run time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwscale.errors import ConfigError
from hwscale.measure.tflite_model import FileModel

ALIGNMENT = 16
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A planned tensor: ``size`` in bytes, not aligned; alive at times ``start`` to ``end``, both inclusive."""

    tensor: int
    size: int
    start: int
    end: int


def lifetimes(model: FileModel) -> tuple[Lifetime, ...]:
    """The tensors of ``model`` that the arena holds, by index.

    A tensor that no operator touches is planned too, at the time -1, as the interpreter does.

    Raises
    ------
    ConfigError : an activation whose elements have no fixed size.
    """
    start = dict.fromkeys(model.inputs, 0)
    end = dict(start)
    for time, operator in enumerate(model.operators, 1):
        for index in operator.outputs:
            start[index] = end[index] = time
        for index in operator.inputs:
            end[index] = time
    for index in model.outputs:
        start.setdefault(index, 0)
        end[index] = len(model.operators)
    planned = []
    for tensor in model.tensors:
        if tensor.is_constant or tensor.is_variable:
            continue
        if tensor.bits == 0 and tensor.elements:
            raise ConfigError(
                f"{model.title}, tensor {tensor.index}: elements of type {tensor.dtype} have no fixed size, so RAM cannot be "
                "counted: remove that part of the network."
            )
        if tensor.activation_bytes:
            first, last = start.get(tensor.index, -1), end.get(tensor.index, -1)
            planned.append(Lifetime(tensor.index, tensor.activation_bytes, first, last))
    return tuple(planned)


def live_sums(planned: tuple[Lifetime, ...], times: int, alignment: int = 1) -> list[int]:
    """Bytes alive at each time from 0 to ``times``, every size rounded up to ``alignment``."""
    change = [0] * (times + 2)
    for life in planned:
        if life.start >= 0:
            size = -(-life.size // alignment) * alignment
            change[life.start] += size
            change[life.end + 1] -= size
    return np.cumsum(change)[:-1].tolist()  # type: ignore[no-any-return]


def arena_head(model: FileModel, planned: tuple[Lifetime, ...]) -> int:
    """Bytes of the planned arena, each tensor aligned to 16 B; a plan in the file's metadata is kept."""
    sizes = np.array([-(-life.size // ALIGNMENT) * ALIGNMENT for life in planned], dtype=np.int64)
    starts = np.array([life.start for life in planned], dtype=np.int64)
    ends = np.array([life.end for life in planned], dtype=np.int64)
    given = model.offline_offsets
    fixed = np.array([-1 if given is None else given[life.tensor] for life in planned], dtype=np.int64)
    return int(np.max(pack(sizes, starts, ends, fixed) + sizes, initial=0))


def pack(sizes: Integers, starts: Integers, ends: Integers, fixed: Integers) -> Integers:
    """Offset of each buffer, shape (n,) as all arguments: the interpreter's greedy plan.

    Buffers with ``fixed`` >= 0 keep that offset. The others follow by size, largest first and later ones before earlier
    ones of the same size, each at the lowest offset from which it fits below the next buffer of its time.
    """
    n = len(sizes)
    movable = np.flatnonzero(fixed < 0)
    order = [*np.flatnonzero(fixed >= 0), *movable[::-1][np.argsort(-sizes[movable[::-1]], kind="stable")]]
    offsets = np.zeros(n, dtype=np.int64)
    seats: NDArray[Any] = np.empty(0, dtype=np.int64)  # buffers that have an offset, in its order
    for buffer in order:
        if fixed[buffer] >= 0:
            offsets[buffer] = fixed[buffer]
        else:
            near = seats[(starts[seats] <= ends[buffer]) & (ends[seats] >= starts[buffer])]
            floors = np.maximum.accumulate(np.append(0, offsets[near] + sizes[near]))
            ceilings = np.append(offsets[near], np.iinfo(np.int64).max)
            offsets[buffer] = floors[np.argmax(ceilings - floors >= sizes[buffer])]
        seats = np.insert(seats, np.searchsorted(offsets[seats], offsets[buffer], side="right"), buffer)
    return offsets
