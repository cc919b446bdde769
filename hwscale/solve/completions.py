"""Every way to finish a path from the last few layers, tabulated: labels meet their completions in the middle."""

from __future__ import annotations

from collections.abc import Callable
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
    """From layer ``start`` on, per row and state every completion in the order that breaks ties: ``value`` and ``latency``
    (rows, states, n), ``regions`` (regions, rows, states, n), ``persistent`` and ``flash`` (states, n), ``used`` (kinds, rows,
    states, n), ``allowed``; ``radix`` holds the ways of each layer, from which `ways` reads the index of a completion."""

    start: int
    value: Ints
    latency: Ints
    regions: Ints
    persistent: Ints
    flash: Ints
    used: Ints
    allowed: npt.NDArray[np.bool_]
    radix: tuple[int, ...]

    def ways(self, at: int) -> tuple[int, ...]:
        """The way through each layer from ``start`` on."""
        return decoded(at, self.radix)


def tabulate(stack: Stack, start: int = 0) -> Completions:
    """As many of the last layers, from ``start`` on, as `MOST` allows."""
    roots, kinds, regions = len(stack.rooms), len(stack.limits), len(stack.regions[0])
    states = 1 + int(stack.heads[-1].max())
    zeros = np.zeros((roots, states, 1), np.int64)
    found = Completions(
        len(stack.heads),
        zeros,
        zeros,
        np.zeros((regions, roots, states, 1), np.int64),
        np.zeros((states, 1), np.int64),
        np.zeros((states, 1), np.int64),
        np.zeros((kinds, roots, states, 1), np.int64),
        np.ones((roots, states, 1), np.bool_),
        (),
    )
    while found.start > start and found.value.shape[2] * stack.heads[found.start - 1].shape[1] <= MOST:
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

    regions = np.maximum(stack.regions[at][..., None], tail.regions[:, :, heads])
    allowed = stack.allowed[at][..., None] & tail.allowed[:, heads]
    return Completions(
        at,
        joined(stack.value[at], tail.value),
        np.minimum(joined(stack.latency[at], tail.latency), LONGEST_FS),
        regions.reshape(*regions.shape[:2], *shape),
        joined(stack.persistent[at], tail.persistent),
        joined(stack.flash[at], tail.flash),
        # past any limit it need not be exact, and must not wrap
        np.minimum(joined(stack.resources[at], tail.used), LONGEST_FS),
        allowed.reshape(-1, *shape),
        (heads.shape[1], *tail.radix),
    )


Check = Callable[[Ints, Ints], npt.NDArray[np.bool_]]
"""From places of labels and of completions."""


@dataclass(frozen=True, slots=True)
class Partial:
    """Partial paths of one row: state, value, resources used (kinds, n), what breaks ties so far (latency, each memory region,
    what persists, Flash; 3 + regions, n), an upper bound on the value of any completion, ``promise``, what their plan needs of the
    memory regions at least, ``arena`` (n), beside the bounds in ``ties``, and ``traits`` as in `hwscale.solve.extras` (n)."""

    state: Ints
    value: Ints
    used: Ints
    ties: Ints
    promise: npt.NDArray[np.float64]
    arena: Ints
    traits: Ints


@dataclass(frozen=True, slots=True)
class Pairs:
    """Labels and completions that add up to one ``value``, those that ties prefer first; ``examined`` labels were looked at."""

    value: float
    label: Ints
    end: Ints
    examined: int


def join(
    labels: Partial,
    table: Completions,
    at: int,
    limits: Ints,
    wanted: tuple[float, int],
    noise: float,
    check: Check | None = None,
) -> Pairs | None:
    """The labels and completions of the largest value in ``wanted`` (at least, at most), in the order of latency, RAM, Flash and
    place. None if no pair keeps the limits. ``check`` says of pairs, by places, which keep those limits that the rest does not
    see to."""
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
        if check is not None:
            kept = check(rows[row], end)
            row, end = row[kept], end[kept]
        if len(row):
            values = total[row, end]
            best = float(values.max())
            top = values == values.max()
            found.append((values[top], rows[row[top]], end[top]))
    top_pairs = [(rows, ends) for values, rows, ends in found if values[0] == best]
    if not top_pairs:
        return None
    row, end = (np.concatenate(part) for part in zip(*top_pairs, strict=True))
    state = labels.state[row]
    latency = np.minimum(labels.ties[0, row] + table.latency[at, state, end], LONGEST_FS)
    flash = labels.ties[-1, row] + table.flash[state, end]
    regions, persistent = memory(labels, row, table, at, end)
    first = np.lexsort((end, row, flash, regions + persistent, latency))
    return Pairs(best, row[first], end[first], examined)


def memory(labels: Partial, row: Ints, table: Completions, at: int, end: Ints) -> tuple[Ints, Ints]:
    """What labels ``row`` with completions ``end`` need of the memory regions, and what persists, less that without ops."""
    state = labels.state[row]
    regions = np.maximum(labels.ties[1:-2, row], table.regions[:, at, state, end])
    return regions.sum(axis=0), labels.ties[-2, row] + table.persistent[state, end]
