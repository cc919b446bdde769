"""To the byte, what paths need beyond the sum of their links: shared constants and roundings of TensorFlow Lite Micro.

Which constants a path has (`hwscale.solve.shared`), whether it reduces an odd number of times, and what persists, modulo 16 B, decide
it. Most searches need no more than the constants that all paths share. Where many networks fit a limit but for these few bytes, a
search reckons with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from hwscale.chain_space import ChainGroup
from hwscale.formulas.graph import aligned
from hwscale.runtimes import tflm
from hwscale.runtimes.tflm_lowering import REDUCTIONS
from hwscale.solve.shared import constant_bytes, constants_of, lowered_ops, shared
from hwscale.solve.windows import Ints, kinds_of


@dataclass(frozen=True, slots=True)
class Extras:
    """``traits`` of every arc by layer (states, ways): bit 0 says that it reduces an odd number of times, the others which constants
    it has, which take ``flash`` [B] by bit. ``first`` [B] are the data of the first op; ``taken`` (persistent RAM, Flash) [B] is
    what every path needs, of which the limits are cleared already."""

    group: ChainGroup
    traits: tuple[Ints, ...]
    flash: tuple[int, ...]
    first: int
    taken: tuple[int, int]

    def least_ram(self, traits: Ints) -> Ints:
        """What persists besides, at least [B]."""
        return np.asarray(np.maximum(_constants(traits) - self.taken[0], 0))

    def ram(self, traits: Ints, persistent: Ints) -> Ints:
        """What persists besides the ``persistent`` [B] of the links of a whole path."""
        odd, constants = traits & 1, _constants(traits)
        # the first op's data are rounded up with all that is counted; the links' sum has them rounded up by themselves
        rounded = -(persistent - 24 * odd + self.first + constants) % 16 + self.first - aligned(self.first)
        return np.asarray(constants + rounded + 8 + 8 * (1 - odd) - self.taken[0])

    def flash_bytes(self, traits: Ints) -> Ints:
        """Flash besides that of the links so far."""
        found = np.zeros(traits.shape, np.int64)
        for bit, size in enumerate(self.flash, start=1):
            found += size * (traits >> bit & 1)
        return np.maximum(found - self.taken[1], 0)

    def completions(self, start: int) -> Ints:
        """Traits of every way from layer ``start`` to the end (states, n), in the order of `hwscale.solve.completions`."""
        found = np.zeros((len(self.group.layers[-1].states), 1), np.int64)
        for at in range(len(self.traits) - 1, start - 1, -1):
            heads = np.maximum(self.group.layers[at].heads, 0)
            found = joint(self.traits[at][:, :, None], found[heads]).reshape(len(heads), -1)
        return found


def _constants(traits: Ints) -> Ints:
    return np.asarray(np.bitwise_count(traits >> 1).astype(np.int64) * tflm.TENSOR_BYTES)


def joint(traits: Ints, others: Ints) -> Ints:
    """Those of two parts of a path together."""
    return np.asarray((traits | others) & -2 | (traits ^ others) & 1)


@lru_cache(maxsize=64)
def extras(group: ChainGroup) -> Extras | None:
    """Those of a group; None where the runtime has none, or its paths begin in different ways."""
    if not isinstance(group.model.runtime, tflm.Tflm):
        return None
    bits: dict[Any, int] = {}
    found, firsts = [], set()
    for at, layer in enumerate(group.layers):
        traits = np.zeros(layer.heads.shape, np.int64)
        for (combo, same), cells in kinds_of(group, at).items():
            ops = lowered_ops(group, at, dict(combo), same)
            firsts |= {tflm.OP_DATA[ops[0].kind]} if at == 0 and ops else set()
            odd = sum(op.kind in REDUCTIONS for op in ops) % 2
            traits[cells] = odd + sum(2 << bits.setdefault(key, len(bits)) for key in constants_of(ops))
        found.append(traits)
    if len(firsts) != 1 or (group.layers[0].picks[group.layers[0].heads >= 0] == len(group.layers[0].values) - 1).any():
        return None
    flash = tuple(tflm.FILE_TENSOR_BYTES + constant_bytes(key) for key in bits)
    return Extras(group, tuple(found), flash, firsts.pop(), shared(group))
