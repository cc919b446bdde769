"""Chains whose first links run on patches, priced: states as in `hwscale.stage_states`; behind the split the chain is the ordinary
one, whose arrays are shared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hwscale.chain_model import Layer
from hwscale.chain_space import ChainGroup
from hwscale.stage_links import Combo, StageLinks
from hwscale.stage_plan import StagePlan
from hwscale.stage_states import Front, combos_of, fronts_of, halos_of, kinds_of
from hwscale.stage_work import BEHIND
from hwscale.work import Work

Ints = npt.NDArray[np.int64]


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
            legal = tuple(every.legal(at, *kind, root) for at in range(plan.at + 1) for kind in kinds_of(group, at))
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
    model, combos, layer = group.model, combos_of(group, at), group.layers[at]
    kinds = {kind: links.ops(at, *kind) for kind in kinds_of(group, at) if links.legal(at, *kind, 0)}
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


def _scheduled(
    group: ChainGroup, plan: StagePlan, roots: list[int], sizes: list[tuple[int, int]], relaxed: bool
) -> ChainGroup | None:
    links = StageLinks(group.model, plan, sizes)
    if not group.model.links[plan.at].width:
        return None  # a head leaves no map to go on from
    halos = halos_of(group, plan, links)
    if not all(halos):
        return None  # a link before the split that patches cannot be cut through, whatever is chosen there
    fronts = fronts_of(group, plan, links, [{min(some)} for some in halos] if relaxed else halos, relaxed)
    if fronts is None:
        return None
    leads = _leads(group, plan, links)
    layers = [_layer(group, links, at, front, leads[at], roots) for at, front in enumerate(fronts)]
    rest = [_behind(layer, roots, len(group.roots), plan.name) for layer in group.layers[plan.at + 1 :]]
    members = tuple(group.roots[root] for root in roots)
    return ChainGroup(group.model, members, group.axes, (*layers, *rest), plan)


def _leads(group: ChainGroup, plan: StagePlan, links: StageLinks) -> list[Ints]:
    found = [np.zeros((2, len(links.sizes)), np.int64)]
    for at in range(plan.at, 0, -1):
        legal = [combo for combo, same in kinds_of(group, at) if not same and links.legal(at, combo, same, 0)]
        found.insert(0, links.lead(legal, at, found[0]))
    return found


def _layer(group: ChainGroup, links: StageLinks, at: int, front: Front, lead: Ints, roots: list[int]) -> Layer:
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
    staged = {work: np.zeros_like(executed) for work in chain.works}
    numbers: dict[Combo, int] = {}
    kinds = np.array([numbers.setdefault(combo, len(numbers)) for combo in combos_of(group, at)] + [-1])[picks]
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
            for work, units in staged.items():
                units[:, mine] = priced.works[work][:, *where]
    # the split map fills while the stage runs: it lies beside every op
    height, width = (np.array([[side[axis]] for side in links.leaving[links.plan.at]]) for axis in (0, 1))
    channels, numbers_of = np.unique(front.split, return_inverse=True)
    for region, kept in enumerate(links.kept(channels, height, width)):
        beside = np.broadcast_to(kept, (len(roots), len(channels)))[:, numbers_of.reshape(picks.shape)]
        regions[region] += np.where(here, beside, 0)
    flash, params = chain.flash[place][:, front.ways], chain.params[place][:, front.ways]
    macs = chain.macs[roots][:, place][:, :, front.ways]
    states = tuple(chain.states[p] for p in front.after[0]) if at < links.plan.at else chain.states
    works: dict[Work, Ints] = {}
    for work, units in chain.works.items():
        works[work] = units[roots][:, place][:, :, front.ways]
        works |= _apart(links.plan.name, work, staged[work], np.broadcast_to(np.int64(0), macs.shape))
    return Layer(front.heads, picks, chain.values, states, regions, persistent, flash, macs, params, works, executed)


def _behind(layer: Layer, roots: Sequence[int], count: int, schedule: str) -> Layer:
    """A layer behind the split, of some of the roots."""
    some = layer
    if len(roots) != count:
        apart = {work: units[roots] for work, units in layer.works.items()}
        some = replace(layer, regions=layer.regions[:, roots], macs=layer.macs[roots], works=apart)
    works = dict(some.works)
    for work, units in some.works.items():
        works |= _apart(schedule, work, np.broadcast_to(np.int64(0), units.shape), units)
    return replace(some, works=works, executed=some.macs)


def _apart(schedule: str, work: Work, staged: Ints, behind: Ints) -> dict[Work, Ints]:
    """One work of a layer under a schedule, as `hwscale.stage_work` has it; beside it the layer keeps that of execution op by op, which
    is never more and bounds all schedules."""
    return {replace(work, stage=schedule): staged, replace(work, stage=BEHIND): behind}
