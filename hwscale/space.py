"""The candidates of a domain, laid out for search.

A *root* pins everything that decides the graph or is not monotone (branch hyperparameters, options, input size) and keeps an
ascending list of alphas, one per distinct network, and the lattices of the box hyperparameters. Along both, every cost is
nondecreasing: widths never shrink, and costs are sums and maxima of products of widths. Roots that share code form a
*group* and are evaluated together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from hwscale.chain_space import LARGEST_COST, ChainSpace, make_chain_space
from hwscale.cost_model import CostModel, cost_model
from hwscale.cost_terms import CostArrays
from hwscale.domain import Domain, Interval
from hwscale.errors import ConfigError
from hwscale.formulas import find_family, find_lattice_family
from hwscale.formulas.family import Family, Hyperparameter, Settings, Structure
from hwscale.formulas.rounding import breakpoints, shortest_decimal
from hwscale.formulas.stagewise import StagewiseFamily, stagewise
from hwscale.runtimes.runtime import Facts, Lifetimes
from hwscale.search_space import SearchSpace
from hwscale.work import Work

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Root:
    """``branch`` holds its branch hyperparameters and options by name; ``alphas`` is ascending [1]; ``ends`` the upper end
    of each alpha's interval of equal networks."""

    branch: dict[str, Any]
    height: int
    width: int
    alphas: Floats
    ends: Floats


class Group:
    """Roots evaluated together: one cost model, one map structure, the same facts for the runtime; candidates are (root, alpha
    index, box indices)."""

    def __init__(
        self,
        model: CostModel,
        map_structure: Structure,
        width_structure: Structure,
        roots: Sequence[Root],
        boxes: Mapping[str, Floats],
        facts: Facts = (),
    ) -> None:
        self.model = model
        self.map_structure = map_structure
        self.width_structure = width_structure
        self.facts = facts
        self.roots = list(roots)
        self.boxes = dict(boxes)
        self.counts = np.array([len(root.alphas) for root in roots], np.int64)
        self.starts = np.concatenate([[0], np.cumsum(self.counts)[:-1]])
        self.alphas = np.concatenate([root.alphas for root in roots])
        self._knobs = {h.name: np.array([float(root.branch[h.name]) for root in roots]) for h in self.branch_knobs}
        self._heights = np.array([root.height for root in roots], np.int64)
        self._one_size = len({(root.height, root.width) for root in roots}) == 1
        self.resolutions = np.sqrt(np.array([float(root.height * root.width) for root in roots]))
        self.box_shape = tuple(len(values) for values in self.boxes.values())

    @property
    def branch_knobs(self) -> list[Hyperparameter]:
        """Hyperparameters that a root pins and that decide widths."""
        return [h for h in self.model.family.hyperparameters if h.axis == "branch" and h.knob]

    @property
    def size(self) -> int:
        """Candidates in the group."""
        return int(self.counts.sum()) * int(np.prod(self.box_shape, dtype=np.int64))

    def costs(self, root: Ints, alpha: Ints, box: Sequence[Ints]) -> CostArrays:
        """Exact costs of the candidates (root[n], alpha[n], box[0][n], ...)."""
        knobs, height, width = self._inputs(root, alpha, box)
        return self.model.many(knobs, height, width, self.map_structure, self.width_structure, self.facts)

    def buffers(self, root: Ints, alpha: Ints, box: Sequence[Ints]) -> tuple[Ints, Ints, Lifetimes] | None:
        """What a greedy planner packs for the same, see `hwscale.cost_model.CostModel.buffers`."""
        knobs, height, width = self._inputs(root, alpha, box)
        return self.model.buffers(knobs, height, width, (self.map_structure, self.facts), self.width_structure)

    def _inputs(self, root: Ints, alpha: Ints, box: Sequence[Ints]) -> tuple[dict[str, Any], Any, Any]:
        """Knobs by name, height and width of candidates."""
        knobs = {"alpha": self.alphas[self.starts[root] + alpha]}
        knobs |= {name: values[root] for name, values in self._knobs.items()}
        knobs |= {name: values[at] for (name, values), at in zip(self.boxes.items(), box, strict=True)}
        if not self._one_size:
            heights = self._heights[root]
            return knobs, heights, heights
        height, width = self.roots[0].height, self.roots[0].width
        return knobs, height, height if height == width else width

    def hyperparameters(self, root: int, alpha: int, box: Sequence[int]) -> dict[str, Any]:
        """The candidate in the family's names and declared order; alpha as the shortest decimal of its interval."""
        where = self.roots[root]
        values = dict(where.branch)
        values["alpha"] = self._printed(where, alpha)
        values |= {name: float(lattice[at]) for (name, lattice), at in zip(self.boxes.items(), box, strict=True)}
        return {h.name: values[h.name] for h in self.model.family.hyperparameters if h.name in values}

    def _printed(self, root: Root, at: int) -> float:
        low, high = float(root.alphas[at]), float(root.ends[at])
        return low if low == high else shortest_decimal(low, high)

    def lines(self) -> tuple[Ints, tuple[Ints, ...]]:
        """Every (root, box indices) of the group, in order."""
        grids = np.indices((len(self.roots), *self.box_shape)).reshape(1 + len(self.box_shape), -1)
        return grids[0], tuple(grids[1:])


@dataclass(frozen=True, eq=False)
class Space(SearchSpace[Group]):
    """All groups of a domain: its size counts distinct networks per lattice point."""

    @cached_property
    def kinds(self) -> frozenset[str]:
        found: set[str] = set()
        for group in self.groups:
            root = group.roots[0]
            knobs = {h.name: float(root.branch[h.name]) for h in group.branch_knobs} | {"alpha": float(root.alphas[0])}
            knobs |= {name: float(values[0]) for name, values in group.boxes.items()}
            graph, _ = group.model.graph(knobs, root.height, root.width)
            found |= {op.kind for op in graph.ops if op.macs}
        return frozenset(found)


@lru_cache(maxsize=64)
def make_space(
    domain: Domain, runtime: str, external_input: bool = False, works: tuple[Work, ...] = ()
) -> Space | ChainSpace:
    """Lay out ``domain`` for ``runtime``, the image in the arena or outside it, counting ``works`` for latency; ConfigError if the
    reference network can build nothing in it."""
    if stagewise(find_family(domain.family)):
        return make_chain_space(domain, runtime, external_input, works)
    return lattice_space(domain, runtime, external_input, works)


@lru_cache(maxsize=64)
def lattice_space(domain: Domain, runtime: str, external_input: bool = False, works: tuple[Work, ...] = ()) -> Space:
    """`make_space` for a family of global multipliers."""
    family = find_lattice_family(domain.family)
    boxes = _boxes(family, domain)
    grouped: dict[tuple[Any, ...], tuple[CostModel, list[Root]]] = {}
    refused: list[str] = []
    known: dict[tuple[Settings, int, int, Structure], tuple[Facts, str | None]] = {}
    alphas: dict[tuple[Any, ...], tuple[list[tuple[Structure, Floats, Floats]], str | None]] = {}
    for branch, height, width in _branches(family, domain):
        settings = make_settings(family, branch, domain.in_channels, domain.classes)
        knobs = {h.name: float(branch[h.name]) for h in family.hyperparameters if h.axis == "branch" and h.knob}
        reason = family.refuse_branch(settings, knobs, height, width)
        if reason is None:
            key = (settings, *knobs.values())
            if key not in alphas:
                alphas[key] = _alphas(family, domain, settings, knobs, boxes)
            runs, reason = alphas[key]
        if reason is not None:
            refused.append(f"{_describe(branch, height, width)}: {reason}")
            continue
        map_structure = family.map_structure(settings, height, width)
        model = cost_model(family.name, settings, runtime, external_input, works)
        lowest = {name: float(values[0]) for name, values in boxes.items()}
        for structure, starts, ends in runs:
            size = (settings, height, width, () if model.runtime.maps_decide else structure)
            if size not in known:
                graph, _ = model.graph({"alpha": float(starts[0])} | knobs | lowest, height, width)
                known[size] = model.runtime.facts(graph), model.runtime.refuse(graph)
            facts, reason = known[size]
            if reason is not None:
                refused.append(f"{_describe(branch, height, width)}: runtime {runtime} cannot run it: {reason}")
                continue
            group_key = (settings, map_structure, structure, height == width or (height, width), facts)
            grouped.setdefault(group_key, (model, []))[1].append(Root(branch, height, width, starts, ends))
    if not grouped:
        first = refused[0] if refused else "no candidates"
        raise ConfigError(f"nothing in this domain can be built by {family.name}; for example {first}")
    groups = tuple(Group(model, key[1], key[2], roots, boxes, key[4]) for key, (model, roots) in grouped.items())
    for group in groups:
        _check_range(group)
    return Space(domain, runtime, external_input, groups, tuple(refused))


def _check_range(group: Group) -> None:
    """ConfigError if the largest candidate, priced in Python ints, would not fit the int64 of the search."""
    names = [h.name for h in group.branch_knobs]
    ends = {
        name: {min(r.branch[name] for r in group.roots), max(r.branch[name] for r in group.roots)} for name in names
    }
    # costs rise or fall along each branch knob, so the dearest root has every one of them at an end
    corners: dict[tuple[Any, ...], Root] = {}
    for root in group.roots:
        key = tuple(root.branch[name] for name in names)
        if all(value in ends[name] for name, value in zip(names, key, strict=True)):
            known = corners.get(key, root)
            corners[key] = max(known, root, key=lambda r: r.height * r.width * float(r.alphas[-1]) ** 2)
    boxes = {name: float(lattice[-1]) for name, lattice in group.boxes.items()}
    for root in corners.values():
        knobs = {name: float(root.branch[name]) for name in names} | boxes | {"alpha": float(root.alphas[-1])}
        terms = group.model.one(knobs, root.height, root.width)
        if max(terms.macs, terms.flash_bytes) > LARGEST_COST:
            raise ConfigError(
                f"the largest candidate has {float(terms.macs):.3g} MACs and {float(terms.flash_bytes):.3g} bytes of "
                "Flash, beyond exact search; lower the upper ends of the domain (alpha, beta, resolution) or classes"
            )


def _boxes(family: Family, domain: Domain) -> dict[str, Floats]:
    names = [h.name for h in family.hyperparameters if h.axis == "box"]
    return {name: np.array(_listed(domain, name), np.float64) for name in names}


def _listed(domain: Domain, name: str) -> tuple[Any, ...]:
    values = domain[name]
    if isinstance(values, Interval):
        raise ConfigError(f"{name} needs a step: write {name}=LOW:HIGH:STEP")
    return values


def _branches(family: Family, domain: Domain) -> Iterator[tuple[dict[str, Any], int, int]]:
    """Every combination of branch hyperparameters and options, with its input size."""
    names = [h.name for h in family.hyperparameters if h.axis == "branch"] + [o.name for o in family.options]
    if domain.input_size is not None:
        names.remove("resolution")
    for values in product(*(_listed(domain, name) for name in names)):
        branch = dict(zip(names, values, strict=True))
        height, width = domain.input_size or (branch["resolution"], branch["resolution"])
        yield branch, height, width


def make_settings(
    family: Family | StagewiseFamily, values: Mapping[str, Any], in_channels: int, classes: int
) -> Settings:
    """The part of a configuration that decides the graph."""
    kept = [h.name for h in family.hyperparameters if h.axis == "branch" and not h.knob and h.name != "resolution"]
    kept += [option.name for option in family.options]
    return Settings(tuple((name, values[name]) for name in kept), in_channels, classes)


def _alphas(
    family: Family, domain: Domain, settings: Settings, knobs: dict[str, float], boxes: dict[str, Floats]
) -> tuple[list[tuple[Structure, Floats, Floats]], str | None]:
    """Runs of alphas with one width structure, first and last alpha of every distinct network; or why there is none."""
    given = domain["alpha"]
    if isinstance(given, Interval):
        starts = breakpoints(family.alpha_factors(settings, knobs), given.low, given.high)
        ends = np.append(starts[1:], np.nextafter(given.high, np.inf))
    else:
        starts = np.array(given, np.float64)
        ends = starts
    lowest = {name: np.full(len(starts), values[0]) for name, values in boxes.items()}
    fixed = {name: np.full(len(starts), value) for name, value in knobs.items()}
    widths = family.widths(settings, {"alpha": starts, **fixed, **lowest})
    valid = np.ones(len(starts), np.bool_)
    reason = "no alpha in the domain"
    for condition, why in family.refuse_widths(settings, widths):
        if np.all(condition):
            reason = why
        valid &= ~np.broadcast_to(condition, valid.shape)
    if not valid.any():
        return [], reason
    # with a divisor many alphas give one network: keep the first of each
    channels = np.stack([np.broadcast_to(width, valid.shape) for width in widths.values()])
    fresh = np.append(True, (np.diff(channels, axis=1) != 0).any(axis=0))
    if isinstance(given, Interval):
        ends = np.append(starts[fresh][1:], ends[-1])[np.cumsum(fresh) - 1]
    keep = np.flatnonzero(fresh & valid)
    flags = np.stack(
        [np.broadcast_to(flag, valid.shape) for flag in (*family.width_structure(settings, widths), np.True_)]
    )[:, keep]
    edges = np.flatnonzero((np.diff(flags, axis=1) != 0).any(axis=0)) + 1
    runs = [
        (tuple(bool(flag) for flag in flags[:-1, run[0]]), starts[keep[run]], ends[keep[run]])
        for run in np.split(np.arange(len(keep)), edges)
    ]
    return runs, None


def _describe(branch: Mapping[str, Any], height: int, width: int) -> str:
    numbers = ", ".join(f"{name} = {value:g}" for name, value in branch.items() if type(value) in (int, float))
    return f"{numbers} at {height}x{width}"
