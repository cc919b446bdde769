"""First fit by decreasing size: TinyEngine's placement of buffers, some of which need less from some op on.

Source: mit-han-lab/tinyengine@47bb283, ``code_generator/allocator/firstFit.py`` (order and placement) and
``code_generator/GeneralMemoryScheduler.py`` (lifetimes; what a depthwise convolution of stride 2 leaves free).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """``size_bytes`` that live from ``first_op`` to ``last_op``, both inclusive. To what is born after ``shrinks_at``
    only ``rest_bytes`` of them are taken; None: they never shrink."""

    size_bytes: int
    first_op: int
    last_op: int
    shrinks_at: int | None = None
    rest_bytes: int = 0

    def seen_from(self, op: int) -> int:
        """Bytes that it takes from a block that is born at ``op``."""
        return self.size_bytes if self.shrinks_at is None or op <= self.shrinks_at else self.rest_bytes


def first_fit(blocks: Sequence[Block]) -> int:
    """Bytes from 0 to the end of the highest block, each placed in the lowest gap that is wide enough; O(n^2).

    The largest goes first, of equal ones the one listed first. A block that shrinks must fit with its full size for as
    long as it lives, even where only its rest would be needed.
    """
    placed: list[tuple[int, Block]] = []
    for block in sorted(blocks, key=lambda b: -b.size_bytes):
        offset = 0
        for start, other in sorted(placed, key=lambda pair: pair[0]):
            if block.first_op > other.last_op or other.first_op > block.last_op:
                continue
            if start - offset >= block.size_bytes:
                break
            offset = max(offset, start + other.seen_from(block.first_op))
        placed.append((offset, block))
    return max((offset + block.size_bytes for offset, block in placed), default=0)
