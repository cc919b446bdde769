"""The candidates of a stage-wise domain, laid out for search: one chain of layers per input size, options and linked width.

A candidate is a path: one way through every layer. Costs add along it and RAM is the largest on it; see
`hwscale.formulas.stagewise`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from hwscale.chain_model import ChainModel, Layer
from hwscale.cost_model import network_model
from hwscale.domain import Domain, Interval
from hwscale.errors import ConfigError
from hwscale.formulas import find_family
from hwscale.formulas.family import Settings
from hwscale.formulas.stagewise import StagewiseFamily, stagewise
from hwscale.search_space import SearchSpace
from hwscale.stage_plan import StagePlan
from hwscale.work import Work

LARGEST_COST = 2**52
"""float64 values are exact and int64 sums far from overflow up to here."""


@dataclass(frozen=True, slots=True)
class ChainRoot:
    """``branch`` holds the resolution and the options by name; input of ``height`` x ``width`` [px]."""

    branch: Mapping[str, Any]
    height: int
    width: int


@dataclass(frozen=True, eq=False)
class ChainGroup:
    """Roots that share layers: first index of the cost arrays. ``axes`` holds the values of each hyperparameter of the chain,
    in the order that breaks ties. ``plan``: how its first links run on patches; None: op by op."""

    model: ChainModel
    roots: tuple[ChainRoot, ...]
    axes: Mapping[str, tuple[Any, ...]]
    layers: tuple[Layer, ...]
    plan: StagePlan | None = None

    @cached_property
    def resolutions(self) -> tuple[float, ...]:
        """sqrt(H W) of each root [px]."""
        return tuple(float(np.sqrt(root.height * root.width)) for root in self.roots)

    @cached_property
    def paths(self) -> int:
        """Candidates of one root."""
        counts = [1] * len(self.layers[-1].states)
        for layer in reversed(self.layers):
            counts = [sum(counts[head] for head in row if head >= 0) for row in layer.heads]
        return counts[0]

    @property
    def size(self) -> int:
        """Candidates of all roots."""
        return self.paths * len(self.roots)

    def values(self, root: int, ways: Sequence[int]) -> dict[str, Any]:
        """Options and hyperparameters of a path; those of absent blocks left out."""
        found, state = dict(self.roots[root].branch), 0
        for layer, way in zip(self.layers, ways, strict=True):
            found |= layer.values[layer.picks[state, way]]
            state = int(layer.heads[state, way])
        return found

    def walk(self, values: Mapping[str, Any]) -> tuple[int, ...] | None:
        """The ways that ``values`` choose; None if they leave the domain."""
        ways, state = [], 0
        for layer, index in zip(self.layers, self._index, strict=True):
            names = layer.values[int(layer.picks[state, 0])]
            chosen = index.get(tuple((name, values.get(name)) for name in names), -1)
            found = np.flatnonzero((layer.picks[state] == chosen) & (layer.heads[state] >= 0))
            if not len(found):
                return None
            ways.append(int(found[0]))
            state = int(layer.heads[state, ways[-1]])
        return tuple(ways)

    @cached_property
    def _index(self) -> list[dict[tuple[Any, ...], int]]:
        found: list[dict[tuple[Any, ...], int]] = []
        for layer in self.layers:
            index: dict[tuple[Any, ...], int] = {}
            for n, values in enumerate(layer.values):
                index.setdefault(tuple(values.items()), n)
            found.append(index)
        return found

    def price(self, root: int, ways: Sequence[int]) -> tuple[dict[str, int], dict[Work, int]]:
        """Cost of a path: ram, flash, macs, params and, under a plan, executed MACs by name, and what its latency is made of. RAM and Flash
        are what adds up along it, see `hwscale.runtimes.runtime.Runtime.shares`."""
        total = {
            "ram": self.model.base_persistent,
            "flash": self.model.base_flash,
            "macs": 0,
            "params": 0,
        }
        regions = [0] * len(self.model.regions)
        works = dict.fromkeys(self.model.works, 0)
        state = 0
        for layer, way in zip(self.layers, ways, strict=True):
            regions = [
                max(most, int(size)) for most, size in zip(regions, layer.regions[:, root, state, way], strict=True)
            ]
            total["ram"] += int(layer.persistent[state, way])
            total["flash"] += int(layer.flash[state, way])
            total["macs"] += int(layer.macs[root, state, way])
            total["params"] += int(layer.params[state, way])
            if self.plan is not None:
                done = layer.macs if layer.executed is None else layer.executed
                total["executed"] = total.get("executed", 0) + int(done[root, state, way])
            for work, units in layer.works.items():
                works[work] = works.get(work, 0) + int(units[root, state, way])
            state = int(layer.heads[state, way])
        total["ram"] += sum(regions)
        return total, works


def decoded(at: int, radix: Sequence[int]) -> tuple[int, ...]:
    """The ways through layers of ``radix`` ways each of number ``at``, counted with the last layer fastest."""
    found = []
    for size in reversed(radix):
        at, way = divmod(at, size)
        found.append(way)
    return tuple(reversed(found))


@dataclass(frozen=True, eq=False)
class ChainSpace(SearchSpace[ChainGroup]):
    """All chains of a domain: its size counts distinct paths."""

    @cached_property
    def kinds(self) -> frozenset[str]:
        found: set[str] = set()
        for group in self.groups:
            found |= group.model.kinds(group.axes)
        return frozenset(found)


def make_chain_space(domain: Domain, runtime: str, external_input: bool, works: tuple[Work, ...] = ()) -> ChainSpace:
    """Lay out a stage-wise ``domain``; ConfigError if nothing in it can be built."""
    family = find_family(domain.family)
    assert stagewise(family)
    groups: list[ChainGroup] = []
    refused: list[str] = []
    for options in _options(family, domain):
        settings = Settings(tuple(options.items()), domain.in_channels, domain.classes)
        try:
            model = network_model(family.name, settings, runtime, external_input, works)
        except ConfigError as error:
            refused.append(str(error))
            continue
        assert isinstance(model, ChainModel)
        for axes in _axes(family, settings, domain):
            found = list(_groups(model, axes, domain, options))
            groups += [group for group in found if group.paths]
            if not all(group.paths for group in found):
                refused.append(f"runtime {runtime} cannot run it: {model.refusal}")
    if not groups:
        raise ConfigError(f"nothing in this domain can be built: {refused[0] if refused else 'no candidates'}")
    for group in groups:
        dearest = max(
            sum(int(layer.macs.max()) for layer in group.layers), sum(int(a.flash.max()) for a in group.layers)
        )
        if dearest > LARGEST_COST:
            raise ConfigError(
                f"the largest candidate has {float(dearest):.3g} MACs or bytes of Flash, beyond exact search; lower the upper "
                "ends of the domain (widths, resolution) or classes"
            )
    return ChainSpace(domain, runtime, external_input, tuple(groups), tuple(refused))


def _options(family: StagewiseFamily, domain: Domain) -> Iterator[dict[str, Any]]:
    names = [option.name for option in family.options]
    for values in product(*(_listed(domain, name) for name in names)):
        yield dict(zip(names, values, strict=True))


def _axes(family: StagewiseFamily, settings: Settings, domain: Domain) -> Iterator[dict[str, tuple[Any, ...]]]:
    """The axes of the chain; where hyperparameters are linked, one set of axes per common value."""
    axes = {h.name: _listed(domain, h.name) for h in family.hyperparameters if h.axis == "stage"}
    linked = family.linked(settings)
    if not linked:
        yield axes
        return
    common = [value for value in axes[linked[0]] if all(value in axes[name] for name in linked)]
    if not common:
        raise ConfigError(
            f"{linked[0]} to {linked[-1]} must share one value here, but their domains have none in common"
        )
    seen = set()
    for value in common:
        channels = tuple(
            family.channels(settings, at, value) for at, link in enumerate(family.links(settings)) if link.width
        )
        if channels not in seen:  # multipliers that round to the same network are one candidate
            seen.add(channels)
            yield axes | dict.fromkeys(linked, (value,))


def _groups(
    model: ChainModel, axes: dict[str, tuple[Any, ...]], domain: Domain, options: dict[str, Any]
) -> Iterator[ChainGroup]:
    roots: dict[Any, list[ChainRoot]] = {}
    sizes = [domain.input_size] if domain.input_size else [(side, side) for side in _listed(domain, "resolution")]
    for height, width in sizes:
        branch = ({} if domain.input_size else {"resolution": height}) | options
        roots.setdefault(model.pattern(axes, height, width), []).append(ChainRoot(branch, height, width))
    for members in roots.values():
        layers = model.layers(axes, [(root.height, root.width) for root in members])
        yield ChainGroup(model, tuple(members), axes, layers)


def _listed(domain: Domain, name: str) -> tuple[Any, ...]:
    values = domain[name]
    assert not isinstance(values, Interval)  # only a line axis is one, and a chain has none
    return values
