"""Many candidates with their costs, one row each, wherever they are in the space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
UNKNOWN = -1
"""Of a latency that has not been asked for yet."""


@dataclass(slots=True)
class Rows:
    """``ram`` and ``flash`` [B]: what the runtime needs where ``planned``, else what it needs at least; ``least_ram`` and ``least_flash``
    as a search counts them, which decides between equals. ``macs``, ``params``; ``latency`` [fs]; ``resolution`` [px]; ``group`` and
    ``root`` in the space, and ``place`` (n, axes): indices of alpha and the boxes, or the ways of a path."""

    ram: Ints
    flash: Ints
    least_ram: Ints
    least_flash: Ints
    macs: Ints
    params: Ints
    latency: Ints
    resolution: Floats
    planned: Flags
    group: Ints
    root: Ints
    place: Ints

    def __len__(self) -> int:
        return len(self.ram)

    def __getitem__(self, rows: Ints | Flags) -> Rows:
        if rows.dtype == np.bool_:
            rows = np.flatnonzero(rows)  # once, not once per array
        return Rows(*(getattr(self, field.name).take(rows, axis=0) for field in fields(self)))

    def costs(self, over: Sequence[str]) -> Ints:
        """The costs named, "ram" and "flash" [B] and "latency" [fs], (len(over), n)."""
        return np.stack([getattr(self, name) for name in over])

    @property
    def groups(self) -> Ints:
        """The groups that there are, ascending."""
        return np.flatnonzero(np.bincount(self.group))

    @staticmethod
    def joined(parts: Sequence[Rows]) -> Rows:
        """One after the other."""
        return Rows(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Rows)))
