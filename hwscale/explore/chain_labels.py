"""Partial paths through a chain, many at once: what they cost so far, and which of them others make superfluous."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from hwscale.chain_space import ChainGroup
from hwscale.explore.dominance import foremost
from hwscale.explore.rows import Ints
from hwscale.problem import LONGEST_FS, Problem
from hwscale.solve.dominance import undominated

CHUNK = 1 << 17
"""Partial paths times ways looked at in one go."""


@dataclass(slots=True)
class Labels:
    """``state`` (n,), ``regions`` [B] (n, regions), ``persistent`` and ``flash`` [B], ``latency`` [fs], ``macs``, ``params`` (n,) of the links so
    far, and their ``ways`` (n, links), in the order that breaks ties."""

    state: Ints
    regions: Ints
    persistent: Ints
    flash: Ints
    latency: Ints
    macs: Ints
    params: Ints
    ways: Ints

    def __len__(self) -> int:
        return len(self.state)

    def __getitem__(self, rows: Ints | slice) -> Labels:
        return Labels(*(getattr(self, field.name)[rows] for field in fields(self)))

    @staticmethod
    def joined(parts: Sequence[Labels]) -> Labels:
        """One after the other."""
        return Labels(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Labels)))

    @staticmethod
    def start(regions: int) -> Labels:
        """The path without links."""
        none = np.zeros(1, np.int64)
        held = np.zeros((1, regions), np.int64)
        return Labels(none, held, none, none, none, none, none, np.zeros((1, 0), np.int64))


def extended(problem: Problem, group: ChainGroup, root: int, labels: Labels) -> Iterator[Labels]:
    """Every way on through the next link, in parts."""
    step = labels.ways.shape[1]
    layer = group.layers[step]
    latency = np.minimum(problem.works_fs(layer.works, layer.macs.shape), LONGEST_FS)[root]
    rows = max(1, CHUNK // layer.heads.shape[1])
    for begin in range(0, len(labels), rows):
        part = labels[begin : begin + rows]
        row, way = np.nonzero(layer.heads[part.state] >= 0)
        arc = part.state[row], way
        yield Labels(
            layer.heads[arc],
            np.maximum(part.regions[row], layer.regions[:, root][:, arc[0], arc[1]].T),
            part.persistent[row] + layer.persistent[arc],
            part.flash[row] + layer.flash[arc],
            np.minimum(part.latency[row] + latency[arc], LONGEST_FS),
            part.macs[row] + layer.macs[root][arc],
            part.params[row] + layer.params[arc],
            np.concatenate([part.ways[row], way[:, None].astype(np.int16)], axis=1),
        )


def needed(labels: Labels, metric: str, over: Sequence[str]) -> Labels:
    """Those that lead to the best answer of some budget, where a larger ``metric`` is always better.

    One goes if another in its state is worth more and costs no more, whatever follows; or is worth as much and stays ahead of it in
    the tie order: less latency stays less, less Flash too, and less RAM may become as much, so that the order of the ways decides.
    """
    value = labels.macs if metric == "macs" else labels.params
    used = [*labels.regions.T]
    if labels.persistent.any():
        used.append(labels.persistent)
    used.append(labels.flash)
    if "latency" in over:
        used.append(labels.latency)
    costs = np.stack(used)
    if len(costs) > 3:
        ties = np.concatenate([labels.latency[None], labels.regions.T, labels.persistent[None], labels.flash[None]])
        return labels[undominated(labels.state, value, costs, ties)]
    kept = []
    for state in np.unique(labels.state):
        rows = np.flatnonzero(labels.state == state)
        order = rows[np.lexsort((labels.flash[rows], labels.latency[rows], -value[rows]))]
        kept.append(order[foremost(costs[:, order])])
    return labels[np.sort(np.concatenate(kept))]
