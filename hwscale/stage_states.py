"""The states of a chain whose first links run on patches: the chain's joined with the halo that the links up to the split still need.

State in the stage = (that of the chain, h of the map, channels of the split map). h is `hwscale.schedules.halo`'s: the first link
chooses it, every link takes off what its window needs, and at the split it must be 1. The split map, which patches fill while
the stage runs, lies beside all of its ops, so that the first link chooses its channels too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwscale.chain_space import ChainGroup
from hwscale.stage_links import Combo, StageLinks
from hwscale.stage_plan import StagePlan

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Front:
    """One link of the stage: ``states`` (4, n) that enter, which are (place in the chain's layer, halo, channels of the split map, ops
    left up to the split, 0 where any number will do);
    ``ways``: the chain's way of each; (states, ways): ``heads``, ``halo`` of the map that leaves, ``split`` channels, ``same``: it adds
    its input; ``after`` as ``states``, that leave."""

    states: Ints
    ways: Ints
    heads: Ints
    halo: Ints
    split: Ints
    same: Bools
    after: Ints


def halos_of(group: ChainGroup, plan: StagePlan, links: StageLinks) -> list[set[int]]:
    """Per link of the stage the halos that the map which leaves it may need."""
    found = [{1}]
    for at in range(plan.at, 0, -1):
        link = group.model.links[at]
        needed = set(found[0]) if link.depth and link.place > 1 and at < plan.at else set()
        for combo in dict.fromkeys(combo for combo, same in kinds_of(group, at) if links.legal(at, combo, same, 0)):
            window = links.window(at, combo)
            needed |= {window.side(halo) for halo in found[0]}
        found.insert(0, needed)
    return found


def fronts_of(
    group: ChainGroup, plan: StagePlan, links: StageLinks, halos: list[set[int]], relaxed: bool
) -> list[Front] | None:
    """The ways through the links of the stage, less those from which no split can be reached; None if none is left."""
    splits = sorted({state[0] for state in group.layers[plan.at].states})
    first = (
        [(1, channels) for channels in splits] if plan.at == 0 else [(h, c) for h in sorted(halos[0]) for c in splits]
    )
    states = np.array([[0], [0], [0], [plan.split_idx or 0]], np.int64)
    fronts = []
    for at in range(plan.at + 1):
        front = _front(group, plan, links, at, states, np.array(first, np.int64).reshape(-1, 2).T, halos[at], relaxed)
        if not front.after.size:
            return None
        states = front.after
        fronts.append(front)
    alive: Bools = np.ones(len(group.layers[plan.at].states), np.bool_)
    for at in range(plan.at, -1, -1):
        front = fronts[at]
        front.heads[~alive[np.maximum(front.heads, 0)] | (front.heads < 0)] = -1
        kept = np.maximum(front.heads, 0)
        number = np.cumsum(alive) - 1
        if at < plan.at:
            front.heads = np.where(front.heads >= 0, number[kept], -1)
            front.after = front.after[:, alive]
        alive = np.asarray((front.heads >= 0).any(axis=1))
        front.states, front.heads, front.halo = front.states[:, alive], front.heads[alive], front.halo[alive]
        front.split, front.same = front.split[alive], front.same[alive]
    return fronts if len(fronts[0].heads) else None


def _front(
    group: ChainGroup,
    plan: StagePlan,
    links: StageLinks,
    at: int,
    states: Ints,
    first: Ints,
    halos: set[int],
    relaxed: bool,
) -> Front:
    """The ways through one link from ``states`` on; ``first`` (2, n) are the choices of halo and channels at the image."""
    model, layer = group.model, group.layers[at]
    absent = len(layer.values) - 1
    combos = combos_of(group, at)
    windows = [links.window(at, combo) for combo in combos]
    kernel = np.array([*(window.kernel for window in windows), 1])
    stride = np.array([*(window.stride for window in windows), 1])
    adds = np.array([*(model.family.may_add(model.settings, at, dict(combo)) for combo in combos), False])
    legal = {kind: links.legal(at, *kind, 0) for kind in kinds_of(group, at)}
    cut = np.array(
        [[legal[combo, False], legal.get((combo, True), False)] for combo in combos] + [[at < plan.at] * 2], np.bool_
    )
    ways = np.arange(layer.heads.shape[1])
    entering = np.array([state[0] for state in group.layers[at - 1].states] if at else [-1])
    leaving = np.array([state[0] for state in layer.states])
    place, before, split, left_ops = states
    if at == 0:
        ways, halo = np.repeat(ways, first.shape[1]), np.tile(first[0], len(ways))[None]
        split = np.tile(first[1], layer.heads.shape[1])[None]
        fits = np.ones(halo.shape, np.bool_)
    else:
        picked = layer.picks[place]
        halo, left = np.divmod(before[:, None] - kernel[picked], stride[picked])
        halo, fits = halo + 1, (left == 0) & (before[:, None] >= kernel[picked])
        if relaxed:
            halo, fits = np.full_like(halo, min(halos)), np.ones_like(fits)
        split = np.broadcast_to(split[:, None], halo.shape)
    heads, picks = layer.heads[place][:, ways], layer.picks[place][:, ways]
    out = leaving[np.maximum(heads, 0)]
    same = adds[picks] & (entering[place][:, None] == out)
    ops = np.zeros(halo.shape, np.int64)
    if plan.split_idx is not None:
        counts = [[links.ops(at, combo, adds) for adds in (False, True)] for combo in combos] + [[0, 0]]
        ops = left_ops[:, None] - np.array(counts)[picks, same.astype(np.int64)]
        fits &= ops == 0 if at == plan.at else ops >= 0
    fits &= (heads >= 0) & np.isin(halo, sorted(halos)) & cut[picks, same.astype(np.int64)]
    if at == plan.at:
        fits &= (picks != absent) & (out == split)
        after = np.zeros((4, len(layer.states)), np.int64)
        return Front(states, ways, np.where(fits, heads, -1), halo, split, same, after)
    rows = np.stack([heads, halo, split, ops])[:, fits]
    after, number = np.unique(rows, axis=1, return_inverse=True)
    onward = np.full(heads.shape, -1, np.int64)
    onward[fits] = number.ravel()
    return Front(states, ways, onward, halo, split, same, after)


def kinds_of(group: ChainGroup, at: int) -> list[tuple[Combo, bool]]:
    model = group.model
    combos = combos_of(group, at)
    return [
        (combo, same)
        for combo in dict.fromkeys(combos)
        for same in ((False, True) if model.family.may_add(model.settings, at, dict(combo)) else (False,))
    ]


def combos_of(group: ChainGroup, at: int) -> list[Combo]:
    """The structural hyperparameters of every way through a link that is there."""
    names = group.model.links[at].structural
    return [tuple((name, values[name]) for name in names) for values in group.layers[at].values[:-1]]
