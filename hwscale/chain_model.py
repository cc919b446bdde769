"""Cost of stage-wise networks: one configuration, or every way through every link of the chain at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np
import numpy.typing as npt

from hwscale.cost_terms import Ints, NetworkModel, sums
from hwscale.errors import ConfigError
from hwscale.formulas.family import Settings, Structure
from hwscale.formulas.graph import HOLD, Graph, Op, Tensor
from hwscale.formulas.stagewise import Link, StagewiseFamily, held_by, maps
from hwscale.runtimes.runtime import Facts, Memory, Runtime
from hwscale.work import Work, works_of

State = tuple[int, int, int]
"""What passes from link to link: channels of the map, the depth of the stage that is under way and the channels of a map that is
held for later (0: none)."""


Cost = str | int | Work
"""What a cost is called: its name, the number of a memory region, or a work."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Every way through one link: from state s, way m leads to state ``heads[s, m]`` (-1: no such way).

    ``macs`` and ``works`` (what latency is made of) have the shape (roots, states, ways), ``regions`` [B], what each memory region
    must hold, (regions, roots, states, ways), ``persistent`` and ``flash`` [B] and ``params`` (states, ways). ``picks[s, m]`` says which of ``values``, hyperparameters by name, way m chooses; ways are in
    the order that breaks ties. ``states`` are those that leave.
    """

    heads: Ints
    picks: Ints
    values: tuple[Mapping[str, Any], ...]
    states: tuple[State, ...]
    regions: Ints
    persistent: Ints
    flash: Ints
    macs: Ints
    params: Ints
    works: Mapping[Work, Ints]
    executed: Ints | None = None
    """MACs that a schedule of patches executes (roots, states, ways); None: ``macs``."""


class ChainModel(NetworkModel):
    """One stage-wise family under one setting of its options, in one runtime."""

    def __init__(
        self,
        family: StagewiseFamily,
        settings: Settings,
        runtime: Runtime,
        external_input: bool,
        works: tuple[Work, ...] = (),
    ) -> None:
        super().__init__(settings, runtime, external_input, works)
        self.family = family
        if reason := family.refuse(settings):
            raise ConfigError(f"{family.name} cannot be built: {reason}")
        self.links = family.links(settings)
        self.held = held_by(self.links)
        for link, follower in pairwise(self.links):
            if link.held_until and follower.place > 1:  # else the map that enters later is the held one, or is not
                raise ValueError(
                    f"{family.name}: {follower.name} follows {link.name}, whose map is held, and may be absent"
                )
        self.base_persistent, self.base_flash = runtime.base()
        self.regions = tuple(region.name for region in runtime.memory(Graph()).regions)
        self.refusal = ""
        self._known_facts: dict[Any, Facts] = {}

    def graph(self, knobs: Mapping[str, Any], height: int, width: int) -> tuple[Graph, Structure]:
        return self.stage(knobs, height, width, len(self.links) - 1), ()

    def stage(self, knobs: Mapping[str, Any], height: int, width: int, last: int) -> Graph:
        """The graph of one configuration up to the end of link ``last``."""
        g = Graph()
        x = g.tensor(self.settings.in_channels, height, width)
        left: dict[int, Tensor] = {}
        for at, (link, leaving) in enumerate(
            zip(self.links[: last + 1], maps(self.links, height, width), strict=False)
        ):
            if not link.absent(knobs):
                channels = self.family.channels(self.settings, at, knobs[link.width]) if link.width else 0
                same, pixel = channels == x.channels, leaving == (1, 1)
                holder = self.held[at]
                held = None if holder is None else left[holder]
                x = self.family.append(g, self.settings, at, x, knobs, channels, same=same, pixel=pixel, held=held)
            left[at] = x
        return g

    def facts(self, at: int, values: Mapping[str, Any], entering: tuple[int, int], *, pixel: bool) -> Facts:
        """What the runtime must know of the maps of link ``at``."""
        combo = tuple((name, values[name]) for name in self.links[at].structural)
        key = (at, combo, entering, pixel)
        if key not in self._known_facts:
            self._known_facts[key] = self.runtime.facts(self._sample(at, combo, entering, pixel, same=False))
        return self._known_facts[key]

    def _sample(
        self, at: int, combo: tuple[tuple[str, Any], ...], entering: tuple[int, int], pixel: bool, *, same: bool
    ) -> Graph:
        """The ops of link ``at`` with some channels."""
        g = Graph()
        x = g.tensor(8, *entering)
        self.family.append(g, self.settings, at, x, dict(combo), 8 if same else 16, same=same, pixel=pixel, held=x)
        return g

    def _refused(self, at: int, combo: Mapping[str, Any], place: _Place, *, same: bool) -> bool:
        """Can the runtime not run link ``at``, with as many channels out as in, or without?"""
        sample = self._sample(at, tuple(combo.items()), place.entering[0], place.pixel, same=same)
        reason = self.runtime.refuse(sample)
        self.refusal = reason or self.refusal
        return reason is not None

    def kinds(self, axes: Mapping[str, Sequence[Any]]) -> frozenset[str]:
        """Operator kinds with MACs that its networks may run."""
        found = set()
        for at, link in enumerate(self.links):
            for combo in product(*(axes[name] for name in link.structural)):
                named = tuple(zip(link.structural, combo, strict=True))
                sample = self._sample(at, named, (8, 8), False, same=False)
                found |= {op.kind for op in sample.ops if not isinstance(op.macs, int) or op.macs}
        return frozenset(found)

    def pattern(self, axes: Mapping[str, Sequence[Any]], height: int, width: int) -> tuple[Any, ...]:
        """Inputs of one pattern have chains of one structure: which maps are a pixel, and what the runtime makes of windows that
        stride over them."""
        found: list[Any] = []
        entering = (height, width)
        for at, (link, leaving) in enumerate(zip(self.links, maps(self.links, height, width), strict=True)):
            pixel = leaving == (1, 1)
            found.append(pixel)
            if link.stride > 1:
                for combo in product(*(axes[name] for name in link.structural)):
                    values = dict(zip(link.structural, combo, strict=True))
                    found.append(self.facts(at, values, entering, pixel=pixel))
            entering = leaving
        return tuple(found)

    def layers(self, axes: Mapping[str, Sequence[Any]], sizes: Sequence[tuple[int, int]]) -> tuple[Layer, ...]:
        """The ways through each link, for inputs of several sizes (height, width) whose maps shrink to a pixel at one place.

        ``axes`` holds the values of every hyperparameter of the chain, each in the order that breaks ties.
        """
        states: list[State] = [(self.settings.in_channels, 0, 0)]
        shrinking = [maps(self.links, *size) for size in sizes]
        found = []
        for at, link in enumerate(self.links):
            before = list(sizes) if at == 0 else [steps[at - 1] for steps in shrinking]
            holder = self.held[at]
            holding = None if holder is None else [steps[holder] for steps in shrinking]
            layer = self._layer(at, link, states, axes, _Place(before, holding, shrinking[0][at] == (1, 1)))
            states = list(layer.states)
            found.append(layer)
        return tuple(found)

    def _layer(
        self, at: int, link: Link, states: list[State], axes: Mapping[str, Sequence[Any]], place: _Place
    ) -> Layer:
        """One link, from ``states`` on."""
        depths = list(axes[link.depth]) if link.depth and link.place == 1 else [0]
        combos = [dict(zip(link.structural, c, strict=True)) for c in product(*(axes[n] for n in link.structural))]
        widths = self._widths(at, link, axes)
        present = [not link.depth or link.place == 1 or depth >= link.place for _, depth, _ in states]
        entering = sorted({(c, held) for (c, _, held), here in zip(states, present, strict=True) if here})
        may_add = [self.family.may_add(self.settings, at, combo) for combo in combos]
        refused = [[self._refused(at, combo, place, same=same) for same in (False, True)] for combo in combos]
        grids = self._grids(at, combos, entering, [c for _, c in widths], place)

        ways = list(product(range(len(depths)), range(len(combos)), range(len(widths))))
        values = [
            ({link.depth: depths[d]} if depths[d] else {})
            | combos[c]
            | ({link.width: widths[w][0]} if link.width else {})
            for d, c, w in ways
        ]
        values.append({})  # what an absent link chooses
        shape = (len(states), len(ways))
        heads, picks = np.full(shape, -1, np.int64), np.full(shape, len(ways), np.int64)
        leaving: dict[State, int] = {}
        rows = {name: np.zeros((len(place.entering), *shape), np.int64) for name in grids}
        regions = [name for name in grids if isinstance(name, int)]
        combo, width = np.array([c for _, c, _ in ways]), np.array([w for _, _, w in ways])
        for s, ((c_in, depth, held), here) in enumerate(zip(states, present, strict=True)):
            if not here:
                heads[s, 0] = leaving.setdefault(self._after(at, c_in, depth, held), len(leaving))
                continue
            picks[s] = np.arange(len(ways))
            for m, (d, c, w) in enumerate(ways):
                if refused[c][may_add[c] and widths[w][1] == c_in]:
                    continue
                state = self._after(at, widths[w][1], depths[d] or depth, held)
                heads[s, m] = leaving.setdefault(state, len(leaving))
            for name, grid in grids.items():
                rows[name][:, s] = grid[:, combo, entering.index((c_in, held)), width]
        fixed = {"macs": rows["macs"]} | {name: rows[name][0] for name in ("persistent", "flash", "params")}
        fixed["regions"] = np.stack([rows[region] for region in regions])
        works = {work: rows[work] for work in self.works}
        return Layer(heads, picks, tuple(values), tuple(leaving), **fixed, works=works)

    def _after(self, at: int, channels: int, depth: int, held: int) -> State:
        """What passes on from link ``at``: nothing that no later link needs."""
        if at + 1 == len(self.links):
            return (channels, 0, 0)
        follower, holder = self.links[at + 1], self.held[at + 1]
        continues = bool(follower.depth) and follower.place > 1
        kept = 0 if holder is None else channels if holder == at else held
        return (channels, depth if continues else 0, kept)

    def _widths(self, at: int, link: Link, axes: Mapping[str, Sequence[Any]]) -> list[tuple[Any, int]]:
        """(value, channels) of each width of a link; of values that round to the same channels, the first."""
        if not link.width:
            return [(None, 0)]
        found: dict[int, Any] = {}
        for value in axes[link.width]:
            found.setdefault(self.family.channels(self.settings, at, value), value)
        return [(value, channels) for channels, value in found.items()]

    def _grids(
        self,
        at: int,
        combos: list[dict[str, Any]],
        entering: list[tuple[int, int]],
        leaving: list[int],
        place: _Place,
    ) -> dict[Cost, Ints]:
        """Costs over (root, combination, channels (in, held), channels out)."""
        shape = (len(place.entering), len(combos), len(entering), len(leaving))
        row, column = (grid.ravel() for grid in np.indices(shape[2:]))
        c_in, held = np.array(entering, np.int64).reshape(-1, 2).T[:, row]
        c_out = np.array(leaving, np.int64)[column]
        names: tuple[Cost, ...] = ("persistent", "flash", "macs", "params", *range(len(self.regions)), *self.works)
        found: dict[Cost, Ints] = {name: np.zeros(shape, np.int64) for name in names}
        for n, combo in enumerate(combos):
            parts: list[tuple[Any, bool]] = [(np.arange(len(c_in)), False)]
            if self.family.may_add(self.settings, at, combo):
                parts = [(np.flatnonzero(c_in != c_out), False), (np.flatnonzero(c_in == c_out), True)]
            for cells, same in parts:
                if len(cells):
                    costs = self._part(at, combo, (c_in[cells], held[cells], c_out[cells]), same, place)
                    for name, cost in costs.items():
                        found[name][:, n, row[cells], column[cells]] = cost
        return found

    def _part(
        self, at: int, combo: dict[str, Any], channels: tuple[Ints, Ints, Ints], same: bool, place: _Place
    ) -> dict[Cost, npt.NDArray[np.int64]]:
        """Costs of one graph, shape (roots, cells) or (cells,); ``channels`` of the maps in, held and out."""
        g = Graph()
        c_in, c_held, c_out = channels
        x = g.tensor(self.settings.in_channels if at == 0 else c_in, *_sides(place.entering))
        held: Tensor | None = None
        if place.holding is not None:  # what the link before left to hold is the map that enters
            held = x if self.held[at] == at - 1 else g.tensor(c_held, *_sides(place.holding))
        if held is not None:
            _hold(g, held)
        self.family.append(g, self.settings, at, x, combo, c_out, same=same, pixel=place.pixel, held=held)
        holder = self.held[at]
        if held is not None and holder is not None and self.links[holder].held_until != self.links[at].name:
            _hold(g, held)
        facts = self.facts(at, combo, place.entering[0], pixel=place.pixel)
        lowered = self.runtime.lower(g, facts)
        memory = self.runtime.memory(lowered)
        if self.external_input and at == 0:
            memory = Memory(tuple(region.without(0) for region in memory.regions), memory.persistent)
        found: dict[Cost, Any] = {}
        for work, units in works_of(lowered, self.works).items():
            found[work] = units
        for number, region in enumerate(memory.regions):
            largest, *others = region.peaks(lowered.tensors)
            for other in others:
                largest = np.maximum(largest, other)
            found[number] = largest
        persistent, flash = self.runtime.shares(lowered)
        macs, params = sums(g)
        return found | {"persistent": persistent, "flash": flash, "macs": macs, "params": params}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a link stands: the (height, width) of the map that enters and of one that is held, per root; whether the map that
    leaves is a single pixel."""

    entering: list[tuple[int, int]]
    holding: list[tuple[int, int]] | None
    pixel: bool


def _sides(sizes: list[tuple[int, int]]) -> tuple[Any, Any]:
    """Height and width per root, one and the same array where maps are square."""
    height = np.array([[h] for h, _ in sizes])
    return height, height if all(h == w for h, w in sizes) else np.array([[w] for _, w in sizes])


def _hold(g: Graph, held: Tensor) -> None:
    """A reader without work or output, so that the map is alive here."""
    g.ops.append(Op(HOLD, HOLD, (held.index,), g.tensor(0, 1, 1).index))
