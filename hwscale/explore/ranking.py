"""The order of preference among many candidates, the same to the last tie as that of `hwscale.problem.Problem.rank`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hwscale.explore.rows import Floats, Ints, Rows
from hwscale.explore.sieve import NEAR
from hwscale.objectives import Objective

Ties = Callable[[Rows], list[Ints]]
"""What decides between equals, see `hwscale.explore.pool.Source.ties`."""


def metric(goal: Objective, rows: Rows) -> Ints:
    """What an objective reads."""
    return rows.macs if goal.metric == "macs" else rows.params


def scalar_scores(goal: Objective, rows: Rows) -> Floats:
    """The scores of rows one by one, which are those that certificates print."""
    values = metric(goal, rows)
    if goal.plain:
        return values.astype(np.float64)
    pairs = zip(values.tolist(), rows.resolution.tolist(), strict=True)
    return np.array([goal.score(value, side) for value, side in pairs], np.float64)


def ranked(goal: Objective, rows: Rows, ties: Ties) -> Ints:
    """Rows in order of preference: score, then latency, RAM, Flash, and the rest of the tie order."""
    scores = goal.scores(metric(goal, rows), rows.resolution)
    if not goal.plain:
        scores = _settled(goal, rows, scores)
    keys = (rows.least_flash, rows.least_ram, rows.latency, -scores)
    order = np.lexsort(keys)
    apart = np.zeros(max(0, len(order) - 1), np.bool_)
    for key in keys:
        apart |= np.diff(key[order]) != 0
    alone = np.append(True, apart) & np.append(apart, True)
    if not alone.all():
        run = np.cumsum(np.append(True, apart))[~alone]
        equal = order[~alone]
        order[~alone] = equal[np.lexsort((*reversed(ties(rows[equal])), run))]
    return order


def equals(goals: Sequence[Objective], rows: Rows) -> Ints:
    """The rows whose score is, by one of the objectives, as good as that of another."""
    found = np.zeros(len(rows), np.bool_)
    for goal in goals:
        scores = goal.scores(metric(goal, rows), rows.resolution)
        order = np.argsort(scores, kind="stable")
        near = np.diff(scores[order]) <= NEAR * np.maximum(1.0, np.abs(scores[order][1:]))
        found[order[1:][near]] = True
        found[order[:-1][near]] = True
    return np.flatnonzero(found)


def _settled(goal: Objective, rows: Rows, scores: Floats) -> Floats:
    """Scores of arrays may be an ulp off: where several (metric, resolution) come as close, they are scored one by one."""
    order = np.argsort(scores, kind="stable")
    rising, values, sides = scores[order], metric(goal, rows)[order], rows.resolution[order]
    run = np.cumsum(np.append(True, np.diff(rising) > NEAR * np.maximum(1.0, np.abs(rising[1:])))) - 1
    mixed = np.zeros(len(order), np.bool_)
    mixed[run[1:][(run[1:] == run[:-1]) & ((np.diff(values) != 0) | (np.diff(sides) != 0))]] = True
    first = np.flatnonzero(np.append(True, run[1:] != run[:-1]))
    found = np.empty_like(scores)
    found[order] = rising[first[run]]
    close = order[mixed[run]]
    found[close] = scalar_scores(goal, rows[close])
    return found
