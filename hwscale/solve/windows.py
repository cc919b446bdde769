"""Windows: what a few links in a row ask of TensorFlow Lite Micro's arena, whatever the rest of the path is.

The planner leaves gaps that the sum of live tensors does not see, and it leaves them between neighbours: a buffer's place depends on
the larger ones that it coexists with. All buffers of consecutive links but the maps that enter and leave live and die among
them, so that `hwscale.solve.arena` bounds the arena of every path through them by what it makes of these links alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from hwscale.chain_space import ChainGroup
from hwscale.formulas.graph import Graph, aligned
from hwscale.formulas.stagewise import maps
from hwscale.runtimes.tflm import Tflm
from hwscale.solve.arena import least_heads

Ints = npt.NDArray[np.int64]
Lives = list[tuple[Any, int, int, bool]]
"""Size [B], first and last op and whether it is scratch, of buffers in the order of their tensors."""

Kind = tuple[tuple[tuple[str, Any], ...], bool]
"""Structural hyperparameters by name, and whether the link adds its input."""


@dataclass(frozen=True, slots=True)
class Arcs:
    """The buffers of every way through one link at one root: aligned ``sizes`` [B], ``first`` and ``last`` op, ``scratch``
    (states, ways, buffers); by (states, ways) the number of ``ops``, the last that ``reads`` the map that enters (0: none),
    which buffer ``leaves`` (-1: the map that enters) and the first way ``like`` it, with the same buffers; ``onward`` the first that
    leads to the same state besides."""

    sizes: Ints
    first: Ints
    last: Ints
    scratch: npt.NDArray[np.bool_]
    ops: Ints
    reads: Ints
    leaves: Ints
    like: Ints
    onward: Ints


def has_windows(group: ChainGroup) -> bool:
    """Is the planner of its runtime the one that `hwscale.solve.arena` knows, and no map held past the next link?"""
    return isinstance(group.model.runtime, Tflm) and not any(holder is not None for holder in group.model.held)


@dataclass(frozen=True, slots=True)
class Buffers:
    """The buffers of links in a row, a row per way through them: aligned ``sizes`` [B], ``first`` and ``last`` op and ``order`` as
    `hwscale.solve.arena.least_heads` takes them (n, buffers); the ``link`` that makes each (buffers,), -1: the one before; and
    per end of a link the buffer of the map there, ``maps`` (n, links + 1)."""

    sizes: Ints
    first: Ints
    last: Ints
    order: Ints
    link: Ints
    maps: Ints


def buffers(group: ChainGroup, root: int, start: int, state: Ints, ways: Ints) -> Buffers:
    """Of paths that enter link ``start`` in ``state`` (n,) and go on by ``ways`` (n, links)."""
    n, width = len(state), 1
    sizes = [aligned(_entering(group, root, start, state)[:, None])]
    first, last, scratch = ([np.zeros((n, 1), np.int64)] for _ in range(3))
    ops = np.zeros(n, np.int64)
    link, maps_, reads = [-1], [ops], list[Ints]()
    for at, way in enumerate(ways.T, start=start):
        arcs = link_arcs(group, root, at)
        arc = (state, way)
        reads.append(np.where(arcs.reads[arc] > 0, ops + arcs.reads[arc], 0))
        maps_.append(np.where(arcs.leaves[arc] >= 0, width + arcs.leaves[arc], maps_[-1]))
        sizes.append(arcs.sizes[arc])
        first.append(arcs.first[arc] + ops[:, None])
        last.append(arcs.last[arc] + ops[:, None])
        scratch.append(arcs.scratch[arc].astype(np.int64))
        link += [at] * arcs.sizes.shape[2]
        ops = ops + arcs.ops[arc]
        width += arcs.sizes.shape[2]
        state = np.maximum(group.layers[at].heads[arc], 0)
    if start + ways.shape[1] == len(group.layers):
        reads.append(ops)  # the network's output lives to the end
    until, rows = np.concatenate(last, axis=1), np.arange(n)
    for op, place in zip(reads, maps_, strict=False):
        until[rows, place] = np.maximum(until[rows, place], op)
    order = np.arange(width) + width * np.concatenate(scratch, axis=1)
    both = np.concatenate(sizes, axis=1), np.concatenate(first, axis=1)
    return Buffers(*both, until, order, np.array(link), np.stack(maps_, axis=1))


def least_arena(group: ChainGroup, root: int, start: int, state: Ints, ways: Ints) -> Ints:
    """What the arena of any path needs at least [B] that enters link ``start`` in ``state`` (n,) and goes on by ``ways`` (n, links);
    exactly what it needs if those are all its links."""
    found = buffers(group, root, start, state, ways)
    crossing = np.zeros(found.sizes.shape, np.bool_)
    crossing[:, 0] = start > 0
    if start + ways.shape[1] < len(group.layers):
        crossing[np.arange(len(state)), found.maps[:, -1]] = True
    return least_heads(found.sizes, found.first, found.last, found.order, crossing)


def least_arenas(group: ChainGroup, root: int, ways: tuple[int, ...], length: int) -> Ints:
    """The same of every ``length`` links in a row of one path."""
    count = len(ways) - length + 1
    path = buffers(group, root, 0, np.zeros(1, np.int64), np.array([ways]))
    rows, start = np.arange(count), np.arange(count)[:, None]
    inside = (path.link >= start) & (path.link < start + length)
    crossing = np.zeros((count, len(path.link)), np.bool_)
    inside[rows, path.maps[0, :count]] = True
    crossing[rows[1:], path.maps[0, 1:count]] = True
    crossing[rows[:-1], path.maps[0, length:-1]] = True
    shape = inside.shape
    first, last, order = (np.broadcast_to(values, shape) for values in (path.first, path.last, path.order))
    return least_heads(np.where(inside, path.sizes, 0), first, last, order, crossing)


def _entering(group: ChainGroup, root: int, at: int, state: Ints) -> Ints:
    """Bytes of the map that enters a link, before they are aligned."""
    height, width = _side(group, root, at)
    if at == 0:
        held = 0 if group.model.external_input else group.model.settings.in_channels
        return np.full(len(state), held * height * width, np.int64)
    return np.array([channels for channels, _, _ in group.layers[at - 1].states])[state] * (height * width)


def _side(group: ChainGroup, root: int, at: int) -> tuple[int, int]:
    where = group.roots[root]
    return (where.height, where.width) if at == 0 else maps(group.model.links, where.height, where.width)[at - 1]


@lru_cache(maxsize=4096)
def link_arcs(group: ChainGroup, root: int, at: int) -> Arcs:
    """The buffers of link ``at``."""
    layer = group.layers[at]
    c_in, c_out = _channels(group, at)
    parts = [
        (cells, *_lives(group, root, at, dict(combo), same, c_in[cells], c_out[cells]))
        for (combo, same), cells in kinds_of(group, at).items()
    ]
    most = max((len(lives) for _, lives, *_ in parts), default=0)
    shape = (*layer.heads.shape, most)
    sizes, first, last = (np.zeros(shape, np.int64) for _ in range(3))
    scratch = np.zeros(shape, np.bool_)
    ops, reads, leaves = np.zeros(shape[:2], np.int64), np.zeros(shape[:2], np.int64), np.full(shape[:2], -1)
    for cells, lives, count, read, leaving in parts:
        ops[cells], reads[cells], leaves[cells] = count, read, leaving
        for buffer, (size, birth, death, extra) in enumerate(lives):
            sizes[cells, buffer], first[cells, buffer], last[cells, buffer] = aligned(size), birth, death
            scratch[cells, buffer] = extra
    traits = np.concatenate(
        [sizes, first, last, scratch, np.stack([ops, reads, leaves, layer.heads >= 0], axis=2)], axis=2
    )
    like, onward = _firsts(traits), _firsts(np.concatenate([traits, layer.heads[:, :, None]], axis=2))
    return Arcs(sizes, first, last, scratch, ops, reads, leaves, like, onward)


def kinds_of(group: ChainGroup, at: int) -> dict[Kind, npt.NDArray[np.bool_]]:
    """Which ways through link ``at`` (states, ways) have which ops."""
    model, layer = group.model, group.layers[at]
    c_in, c_out = _channels(group, at)
    real = (layer.heads >= 0) & (layer.picks < len(layer.values) - 1)  # the last pick is that of an absent link
    found: dict[Kind, npt.NDArray[np.bool_]] = {}
    for pick, values in enumerate(layer.values[:-1]):
        combo = tuple((name, values[name]) for name in model.links[at].structural)
        adds = (c_in == c_out) & model.family.may_add(model.settings, at, dict(combo))
        for same, some in ((False, ~adds), (True, adds)):
            mine = real & (layer.picks == pick) & some
            if mine.any():
                found[combo, same] = found.get((combo, same), np.zeros_like(real)) | mine
    return found


def _channels(group: ChainGroup, at: int) -> tuple[Ints, Ints]:
    """What enters and what leaves by every way through link ``at`` (states, ways)."""
    layer = group.layers[at]
    before = [group.model.settings.in_channels] if at == 0 else [c for c, _, _ in group.layers[at - 1].states]
    c_out = np.array([channels for channels, _, _ in layer.states])[np.maximum(layer.heads, 0)]
    return np.broadcast_to(np.array(before)[:, None], layer.heads.shape), c_out


def _firsts(traits: Ints) -> Ints:
    """The first way of each state that has the same traits (states, ways, n)."""
    found = np.zeros(traits.shape[:2], np.int64)
    for state, rows in enumerate(traits):
        _, place, kind = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        found[state] = place[kind.ravel()]
    return found


def _lives(
    group: ChainGroup, root: int, at: int, combo: dict[str, Any], same: bool, c_in: Ints, c_out: Ints
) -> tuple[Lives, int, int, int]:
    """The buffers of one graph, its number of ops, the last that reads the map that enters, and the place of the one that leaves."""
    model = group.model
    side = _side(group, root, at)
    pixel = maps(model.links, group.roots[root].height, group.roots[root].width)[at] == (1, 1)
    g = Graph()
    x = g.tensor(model.settings.in_channels if at == 0 else c_in, *side)
    leaving = model.family.append(g, model.settings, at, x, combo, c_out, same=same, pixel=pixel, held=None)
    facts = model.facts(at, combo, side, pixel=pixel)
    lowered = model.runtime.lower(g, facts)
    born = {op.output: time for time, op in enumerate(lowered.ops, start=1)}
    dies = {tensor: time for time, op in enumerate(lowered.ops, start=1) for tensor in op.inputs}
    own = {tensor: time for time, op in enumerate(lowered.ops, start=1) for tensor in op.scratch}
    lives: Lives = []
    for tensor in lowered.tensors[1:]:
        index = tensor.index
        birth = own[index] if index in own else born[index]
        lives.append((tensor.size, birth, max(birth, dies.get(index, birth)), index in own))
    assert lowered.ops or leaving.index == x.index
    final = lowered.ops[-1].output - 1 if lowered.ops else -1
    return lives, len(lowered.ops), dies.get(0, 0), final
