"""Chains whose first links run on patches: the chain's states joined with the halo that the links up to the split still need.

State in the stage = (that of the chain, h of the map, channels of the split map). h is `hwscale.schedules.halo`'s: the first link
chooses it, every link takes off what its window needs, and at the split it must be 1. The split map, which patches fill while
the stage runs, lies beside all of its ops, so that the first link chooses its channels too. Behind the split the chain is the ordinary
one, whose arrays are shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hwscale.chain_model import Layer
from hwscale.chain_space import ChainGroup
from hwscale.stage_links import Combo, StageLinks
from hwscale.stage_plan import StagePlan

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(slots=True)
class _Front:
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


def scheduled_groups(group: ChainGroup, plan: StagePlan, *, relaxed: bool = False) -> list[ChainGroup]:
    """The chain of ``group`` under a plan, for every root whose split map can be cut so; roots at which other ways can be cut apart.

    ``relaxed``: every map is given the smallest halo that any choice behind it leaves. All costs are nondecreasing in halos, so that
    no network costs less than there, and the chain has few states: it bounds what the plan can do.
    """
    sizes = [(root.height, root.width) for root in group.roots]
    every = StageLinks(group.model, plan, sizes)
    alike: dict[Any, list[int]] = {}
    for root, (side, n_patch) in enumerate(zip(every.leaving[plan.at], every.patches, strict=True)):
        if n_patch > 1 and not side[0] % n_patch and not side[1] % n_patch:
            legal = tuple(every.legal(at, *kind, root) for at in range(plan.at + 1) for kind in _kinds(group, at))
            # lines that are kept depend on the size of the map, and what persists must be one number per way
            alone = root if plan.name.startswith("stream") else -1
            alike.setdefault((legal, alone), []).append(root)
    found = (_scheduled(group, plan, roots, [sizes[root] for root in roots], relaxed) for roots in alike.values())
    return [made for made in found if made is not None]


def legal_chains(group: ChainGroup, split_idx: int | None, root: int) -> list[int]:
    """Per link how many networks of a root can be split behind it (behind ``split_idx`` ops), in whatever number of patches."""
    where = group.roots[root]
    last = max(at for at, link in enumerate(group.model.links) if link.width)
    links = StageLinks(group.model, StagePlan("patch", last), [(where.height, where.width)])
    after = [[1] * len(group.layers[-1].states)]
    for layer in reversed(group.layers):
        after.insert(0, [sum(after[0][head] for head in row if head >= 0) for row in layer.heads.tolist()])
    before: dict[tuple[int, int], int] = {(0, 0): 1}  # ways to a state with so many ops
    found = [0] * len(group.layers)
    for at in range(last + 1):
        onward: dict[tuple[int, int], int] = {}
        arcs = _legal_arcs(group, links, at)
        for (state, ops), count in before.items():
            for head, more in arcs[state]:
                total = ops + max(more, 0) if split_idx is not None else 0
                onward[head, total] = onward.get((head, total), 0) + count
                if more >= 0 and group.model.links[at].width and split_idx in (None, total):
                    found[at] += count * after[at + 1][head]
        before = onward
    return found


def _legal_arcs(group: ChainGroup, links: StageLinks, at: int) -> list[list[tuple[int, int]]]:
    """Per state the ways through a link that patches can be cut through: where they lead, and how many ops they have (-1: absent)."""
    model, combos, layer = group.model, _combos(group, at), group.layers[at]
    kinds = {kind: links.ops(at, *kind) for kind in _kinds(group, at) if links.legal(at, *kind, 0)}
    entering = [state[0] for state in group.layers[at - 1].states] if at else [-1]
    adds = [model.family.may_add(model.settings, at, dict(combo)) for combo in combos]
    found: list[list[tuple[int, int]]] = []
    for state, row in enumerate(layer.heads.tolist()):
        mine = []
        for way, head in enumerate(row):
            pick = int(layer.picks[state, way])
            if head >= 0 and pick == len(combos):
                mine.append((head, -1))
            elif head >= 0:
                same = adds[pick] and layer.states[head][0] == entering[state]
                if (combos[pick], same) in kinds:
                    mine.append((head, kinds[combos[pick], same]))
        found.append(mine)
    return found


def _kinds(group: ChainGroup, at: int) -> list[tuple[Combo, bool]]:
    model = group.model
    combos = _combos(group, at)
    return [
        (combo, same)
        for combo in dict.fromkeys(combos)
        for same in ((False, True) if model.family.may_add(model.settings, at, dict(combo)) else (False,))
    ]


def _combos(group: ChainGroup, at: int) -> list[Combo]:
    """The structural hyperparameters of every way through a link that is there."""
    names = group.model.links[at].structural
    return [tuple((name, values[name]) for name in names) for values in group.layers[at].values[:-1]]


def _scheduled(
    group: ChainGroup, plan: StagePlan, roots: list[int], sizes: list[tuple[int, int]], relaxed: bool
) -> ChainGroup | None:
    links = StageLinks(group.model, plan, sizes)
    if not group.model.links[plan.at].width:
        return None  # a head leaves no map to go on from
    halos = _halos(group, plan, links)
    fronts = _fronts(group, plan, links, [{min(some)} for some in halos] if relaxed else halos, relaxed)
    if fronts is None:
        return None
    leads = _leads(group, plan, links)
    layers = [_layer(group, links, at, front, leads[at], roots) for at, front in enumerate(fronts)]
    rest = [_behind(layer, roots, len(group.roots)) for layer in group.layers[plan.at + 1 :]]
    members = tuple(group.roots[root] for root in roots)
    return ChainGroup(group.model, members, group.axes, (*layers, *rest), plan)


def _leads(group: ChainGroup, plan: StagePlan, links: StageLinks) -> list[Ints]:
    found = [np.zeros((2, len(links.sizes)), np.int64)]
    for at in range(plan.at, 0, -1):
        legal = [combo for combo, same in _kinds(group, at) if not same and links.legal(at, combo, same, 0)]
        found.insert(0, links.lead(legal, at, found[0]))
    return found


def _halos(group: ChainGroup, plan: StagePlan, links: StageLinks) -> list[set[int]]:
    """Per link of the stage the halos that the map which leaves it may need."""
    found = [{1}]
    for at in range(plan.at, 0, -1):
        link = group.model.links[at]
        needed = set(found[0]) if link.depth and link.place > 1 and at < plan.at else set()
        for combo in dict.fromkeys(combo for combo, same in _kinds(group, at) if links.legal(at, combo, same, 0)):
            window = links.window(at, combo)
            needed |= {window.side(halo) for halo in found[0]}
        found.insert(0, needed)
    return found


def _fronts(
    group: ChainGroup, plan: StagePlan, links: StageLinks, halos: list[set[int]], relaxed: bool
) -> list[_Front] | None:
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
) -> _Front:
    """The ways through one link from ``states`` on; ``first`` (2, n) are the choices of halo and channels at the image."""
    model, layer = group.model, group.layers[at]
    absent = len(layer.values) - 1
    combos = _combos(group, at)
    windows = [links.window(at, combo) for combo in combos]
    kernel = np.array([*(window.kernel for window in windows), 1])
    stride = np.array([*(window.stride for window in windows), 1])
    adds = np.array([*(model.family.may_add(model.settings, at, dict(combo)) for combo in combos), False])
    legal = {kind: links.legal(at, *kind, 0) for kind in _kinds(group, at)}
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
        return _Front(states, ways, np.where(fits, heads, -1), halo, split, same, after)
    rows = np.stack([heads, halo, split, ops])[:, fits]
    after, number = np.unique(rows, axis=1, return_inverse=True)
    onward = np.full(heads.shape, -1, np.int64)
    onward[fits] = number.ravel()
    return _Front(states, ways, onward, halo, split, same, after)


def _layer(group: ChainGroup, links: StageLinks, at: int, front: _Front, lead: Ints, roots: list[int]) -> Layer:
    """One link of the stage, priced."""
    chain = group.layers[at]
    place = front.states[0]
    picks = chain.picks[place][:, front.ways]
    heads = chain.heads[place][:, front.ways]
    entering = np.array([state[0] for state in group.layers[at - 1].states] if at else [-1])
    leaving = np.array([state[0] for state in chain.states])
    real = front.heads >= 0
    here = real & (picks < len(chain.values) - 1)
    c_in, c_out = np.broadcast_to(entering[place][:, None], picks.shape), leaving[np.maximum(heads, 0)]
    regions = np.zeros((len(group.model.regions), len(roots), *picks.shape), np.int64)
    persistent = np.zeros(picks.shape, np.int64)
    executed = np.zeros((len(roots), *picks.shape), np.int64)
    numbers: dict[Combo, int] = {}
    kinds = np.array([numbers.setdefault(combo, len(numbers)) for combo in _combos(group, at)] + [-1])[picks]
    for combo, number in numbers.items():
        for same in (False, True):
            mine = here & (kinds == number) & (front.same == same)
            if not mine.any():
                continue
            cells, cell = np.unique(np.stack([c_in[mine], c_out[mine]]), axis=1, return_inverse=True)
            halos, halo = np.unique(front.halo[mine], return_inverse=True)
            priced = links.price(at, combo, same, (cells[0], cells[1]), halos, lead)
            where = (halo.ravel(), cell.ravel())
            regions[:, :, mine] = priced.regions[:, :, *where]
            persistent[mine] = priced.persistent[where]
            executed[:, mine] = priced.executed[:, *where]
    # the split map fills while the stage runs: it lies beside every op
    height, width = (np.array([[side[axis]] for side in links.leaving[links.plan.at]]) for axis in (0, 1))
    channels, numbers_of = np.unique(front.split, return_inverse=True)
    for region, kept in enumerate(links.kept(channels, height, width)):
        beside = np.broadcast_to(kept, (len(roots), len(channels)))[:, numbers_of.reshape(picks.shape)]
        regions[region] += np.where(here, beside, 0)
    flash, params = chain.flash[place][:, front.ways], chain.params[place][:, front.ways]
    macs = chain.macs[roots][:, place][:, :, front.ways]
    states = tuple(chain.states[p] for p in front.after[0]) if at < links.plan.at else chain.states
    works = {work: np.broadcast_to(np.int64(0), macs.shape) for work in chain.works}
    return Layer(front.heads, picks, chain.values, states, regions, persistent, flash, macs, params, works, executed)


def _behind(layer: Layer, roots: Sequence[int], count: int) -> Layer:
    """A layer behind the split, of some of the roots."""
    some = layer if len(roots) == count else replace(layer, regions=layer.regions[:, roots], macs=layer.macs[roots])
    works = {work: np.broadcast_to(np.int64(0), some.macs.shape) for work in layer.works}
    return replace(some, works=works, executed=some.macs)
