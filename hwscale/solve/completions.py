"""Every way to finish a path from the last few layers, tabulated: labels meet their completions in the middle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwscale.chain_space import decoded
from hwscale.problem import LONGEST_FS
from hwscale.solve.chain import Ints, Stack

MOST = 1024
"""Completions of one state that are worth a table."""
CHUNK = 1 << 19
"""Pairs of label and completion looked at in one go."""


@dataclass(frozen=True, slots=True)
class Completions:
    """From layer ``start`` on, per root and state every completion in the order that breaks ties: ``value``, ``latency`` and
    ``ram`` (roots, states, n), ``flash`` (states, n), ``used`` (kinds, roots, states, n), ``allowed``; ``radix`` holds the ways
    of each layer, from which `ways` reads the index of a completion."""

    start: int
    value: Ints
    latency: Ints
    ram: Ints
    flash: Ints
    used: Ints
    allowed: npt.NDArray[np.bool_]
    radix: tuple[int, ...]

    def ways(self, at: int) -> tuple[int, ...]:
        """The way through each layer from ``start`` on."""
        return decoded(at, self.radix)


def tabulate(stack: Stack) -> Completions:
    """As many of the last layers as `MOST` allows."""
    roots, kinds = len(stack.roots), len(stack.limits)
    states = 1 + int(stack.heads[-1].max())
    zeros = np.zeros((roots, states, 1), np.int64)
    found = Completions(
        len(stack.heads),
        zeros,
        zeros,
        zeros,
        np.zeros((states, 1), np.int64),
        np.zeros((kinds, roots, states, 1), np.int64),
        np.ones((roots, states, 1), np.bool_),
        (),
    )
    while found.start and found.value.shape[2] * stack.heads[found.start - 1].shape[1] <= MOST:
        found = _longer(stack, found)
    return found


def _longer(stack: Stack, tail: Completions) -> Completions:
    """The table one layer earlier."""
    at = tail.start - 1
    heads = stack.heads[at]
    shape = (heads.shape[0], heads.shape[1] * tail.value.shape[2])

    def joined(arcs: Ints, rest: Ints) -> Ints:
        both = arcs[..., None] + rest[..., heads, :]
        return both.reshape(*both.shape[:-3], *shape)

    ram = np.maximum(stack.ram[at][..., None], tail.ram[:, heads])
    allowed = stack.allowed[at][..., None] & tail.allowed[:, heads]
    return Completions(
        at,
        joined(stack.value[at], tail.value),
        np.minimum(joined(stack.latency[at], tail.latency), LONGEST_FS),
        ram.reshape(-1, *shape),
        joined(stack.flash[at], tail.flash),
        # past any limit it need not be exact, and must not wrap
        np.minimum(joined(stack.resources[at], tail.used), LONGEST_FS),
        allowed.reshape(-1, *shape),
        (heads.shape[1], *tail.radix),
    )


@dataclass(frozen=True, slots=True)
class Partial:
    """Partial paths of one root: state, value, resources used (kinds, n), what breaks ties (latency, RAM, Flash so far; 3, n) and
    an upper bound on the value of any completion, ``promise``."""

    state: Ints
    value: Ints
    used: Ints
    ties: Ints
    promise: npt.NDArray[np.float64]


def join(
    labels: Partial, table: Completions, at: int, limits: Ints, wanted: tuple[float, int], noise: float
) -> tuple[int, int, int] | None:
    """The label and completion of the largest value in ``wanted`` (at least, at most), ties decided by latency, RAM, Flash and order;
    and how many labels were looked at. None if no pair keeps the limits."""
    order = np.argsort(-labels.promise, kind="stable")
    (best, cap), found, examined = wanted, [], 0
    step = max(1, CHUNK // table.value.shape[2])
    for begin in range(0, len(order), step):
        rows = order[begin : begin + step]
        rows = rows[labels.promise[rows] + noise >= best]
        if not len(rows):
            break
        examined += len(rows)
        state = labels.state[rows]
        total = labels.value[rows][:, None] + table.value[at, state]
        fits = table.allowed[at, state] & (total >= best) & (total <= cap)
        for kind, limit in enumerate(limits):
            fits &= table.used[kind, at][state] <= (limit - labels.used[kind, rows])[:, None]
        row, end = np.nonzero(fits)
        if len(row):
            values = total[row, end]
            best = float(values.max())
            top = values == values.max()
            found.append((values[top], rows[row[top]], end[top]))
    kept = [(rows, ends) for values, rows, ends in found if values[0] == best]
    if not kept:
        return None
    row, end = (np.concatenate(part) for part in zip(*kept, strict=True))
    state = labels.state[row]
    latency = np.minimum(labels.ties[0, row] + table.latency[at, state, end], LONGEST_FS)
    ram = np.maximum(labels.ties[1, row], table.ram[at, state, end])
    flash = labels.ties[2, row] + table.flash[state, end]
    first = np.lexsort((end, row, flash, ram, latency))[0]
    return int(row[first]), int(end[first]), examined
