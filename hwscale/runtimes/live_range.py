"""Live ranges: which buffers exist while each op runs, in the order of execution.

An op holds its inputs, its output and every buffer with a later use. An in-place op takes over an input buffer of its
output's size if that input dies there.
"""

from __future__ import annotations

from collections.abc import Sequence

from hwscale.formulas.graph import Op


def live_tensors(ops: Sequence[Op]) -> tuple[tuple[int, ...], ...]:
    """Per op the indices of live tensors, one per buffer; an alias is charged as the tensor that made the buffer."""
    buffer_of: dict[int, int] = {}

    def buffer(tensor: int) -> int:
        return buffer_of.setdefault(tensor, tensor)

    last_use: dict[int, int] = {}
    for at, op in enumerate(ops):
        for place, tensor in enumerate(op.inputs):
            last_use[buffer(tensor)] = at
            if place in op.in_place and op.output not in buffer_of and not _used_later(tensor, buffer_of, ops, at):
                buffer_of[op.output] = buffer(tensor)
        last_use[buffer(op.output)] = at
    live: list[tuple[int, ...]] = []
    born: dict[int, int] = {}
    for at, op in enumerate(ops):
        now = [buffer(tensor) for tensor in (*op.inputs, op.output)]
        for b in now:
            born.setdefault(b, at)
        held = [b for b, until in last_use.items() if born.get(b, len(ops)) <= at < until]
        live.append(tuple(dict.fromkeys(now + held)))
    return tuple(live)


def _used_later(tensor: int, buffer_of: dict[int, int], ops: Sequence[Op], at: int) -> bool:
    mates = {t for t, b in buffer_of.items() if b == buffer_of[tensor]}
    return any(mates & set(op.inputs) for op in ops[at + 1 :])
