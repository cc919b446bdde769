"""Live ranges: which buffers exist while each op runs, in the order of execution.

An op holds its inputs, its output, its scratch and every buffer with a later use. An in-place op takes over an input buffer of
its output's size if that input dies there.
"""

from __future__ import annotations

from collections.abc import Sequence

from hwscale.formulas.graph import Op
from hwscale.runtimes.runtime import Steps


def live_steps(ops: Sequence[Op]) -> Steps:
    """Per op its name and the live tensors, one per buffer; an alias is charged as the tensor that made the buffer."""
    return tuple((op.name, live) for op, live in zip(ops, live_tensors(ops), strict=True))


def live_tensors(ops: Sequence[Op]) -> tuple[tuple[int, ...], ...]:
    """Per op the indices of live tensors, one per buffer; an alias is charged as the tensor that made the buffer."""
    final = {tensor: at for at, op in enumerate(ops) for tensor in op.inputs}
    buffer_of: dict[int, int] = {}
    last_use: dict[int, int] = {}
    for at, op in enumerate(ops):
        for place, tensor in enumerate(op.inputs):
            buffer = buffer_of.setdefault(tensor, tensor)
            if place in op.in_place and op.output not in buffer_of:
                mates = [t for t, b in buffer_of.items() if b == buffer]
                if all(final.get(mate, -1) <= at for mate in mates):
                    buffer_of[op.output] = buffer
            last_use[buffer] = at
        last_use[buffer_of.setdefault(op.output, op.output)] = at
    live: list[tuple[int, ...]] = []
    held: dict[int, None] = {}  # in the order of birth
    for at, op in enumerate(ops):
        now = [buffer_of[tensor] for tensor in (*op.inputs, op.output)]
        live.append(tuple(dict.fromkeys([*now, *held, *op.scratch])))
        for buffer in now:
            if last_use[buffer] > at:
                held[buffer] = None
            else:
                held.pop(buffer, None)
    return tuple(live)
