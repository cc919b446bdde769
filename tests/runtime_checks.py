"""What every runtime's test file asserts of random networks: readings agree, shares add up, a plan is never below its
terms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from hwscale.closed_form import Formula, formula
from hwscale.configuration import configure
from hwscale.cost_model import cost_model
from hwscale.cost_terms import NetworkModel
from hwscale.domain import make_domain
from hwscale.errors import ConfigError
from hwscale.formulas import FAMILIES, find_family
from hwscale.formulas.graph import Graph
from hwscale.formulas.stagewise import stagewise
from hwscale.runtimes.runtime import Runtime
from hwscale.space import make_settings, make_space

LATTICE = [name for name in FAMILIES if not stagewise(find_family(name))]
CHAINS = [name for name in FAMILIES if stagewise(find_family(name))]


def plain_options(family: str) -> dict[str, Any]:
    """Options under which most runtimes have every op: ReLU6, no gates, no residual around a depthwise convolution."""
    known = {option.name for option in find_family(family).options}
    wanted = {"squeeze_excite": False, "activation": "relu6", "attention": False, "residual": "none"}
    return {name: value for name, value in wanted.items() if name in known}


def priced(
    family: str, values: Mapping[str, Any], shape: tuple[int, int, int], runtime: str
) -> tuple[Graph, NetworkModel]:
    """The graph of one configuration in Python ints, and its model; ConfigError where there is none."""
    configuration = configure(family, values, input_shape=shape, classes=7)
    model = configuration.model(runtime, False)
    graph, _ = model.graph(configuration.knobs, *shape[1:])
    model.check(graph)
    return graph, model


@cache
def lowered_networks(
    runtime: str, family: str, options: tuple[tuple[str, Any], ...] = (), count: int = 25
) -> list[Graph]:
    """Random networks of a family as the runtime executes them."""
    rng, found = np.random.default_rng(5), []
    for values, shape in _drawn(family, dict(options), rng):
        try:
            graph, model = priced(family, values, shape, runtime)
        except ConfigError:
            continue
        found.append(model.lowered(graph))
        if len(found) == count:
            break
    return found


def _drawn(
    family: str, options: dict[str, Any], rng: np.random.Generator
) -> Iterator[tuple[dict[str, Any], tuple[int, int, int]]]:
    for _ in range(2000):
        values: dict[str, Any] = dict(options)
        for hyper in find_family(family).hyperparameters:
            if hyper.axis == "line":
                values[hyper.name] = round(float(rng.uniform(0.2, 1.5)), 3)
            elif hyper.name != "resolution":
                values[hyper.name] = hyper.domain[rng.integers(len(hyper.domain))]
        height, width = (int(side) for side in rng.integers(24, 113, 2))
        yield values, (int(rng.choice([1, 3])), height, width if rng.random() < 0.3 else height)


def shares_add_up(runtime: Runtime, lowered: Graph) -> None:
    """Base and the shares of the parts of a network, however it is cut, are the persistent RAM and the Flash of the
    whole."""
    rng = np.random.default_rng(len(lowered.ops))
    cuts = sorted({0, len(lowered.ops), *rng.integers(0, len(lowered.ops), 4).tolist()})
    parts = [Graph(lowered.tensors, lowered.ops[a:b]) for a, b in pairwise(cuts)]
    persistent, flash = (sum(values) for values in zip(runtime.base(), *map(runtime.shares, parts), strict=True))
    assert persistent == runtime.memory(lowered).persistent
    assert flash == runtime.flash_bytes(lowered)


def plan_holds_its_terms(runtime: Runtime, lowered: Graph) -> None:
    """No region of a plan is smaller than its neediest op; where the runtime needs no plan they are equal."""
    sizes = [tensor.size for tensor in lowered.tensors]
    memory = runtime.memory(lowered)
    plan = dict(runtime.plan(lowered, False))
    for region in memory.regions:
        largest = max(size for _, size in region.terms(sizes))
        assert plan[region.name] >= largest
        assert runtime.exact_plan or plan[region.name] == largest
    assert plan.get("persistent", 0) == memory.persistent
    outside = sum(size for _, size in runtime.plan(lowered, True))
    assert outside <= sum(plan.values())


def arrays_equal_ints(runtime: str, family: str, options: Mapping[str, Any] | None = None, points: int = 60) -> None:
    """RAM terms and Flash of many configurations at once are those of each on its own."""
    rng = np.random.default_rng(3)
    member = find_family(family)
    defaults = {o.name: o.default for o in member.options} | {h.name: h.default for h in member.hyperparameters}
    values = defaults | dict(options or {})
    settings = make_settings(member, values, 3, 7)
    model = cost_model(family, settings, runtime)
    knobs = {h.name: np.full(points, float(values[h.name])) for h in member.hyperparameters if h.knob}
    knobs["alpha"] = np.round(rng.uniform(0.5, 1.5, points), 3)
    for side in (32, 96):
        structure = model.family.map_structure(settings, side, side)
        arrays = model.many(knobs, side, side, structure)
        for n in range(points):
            terms = model.one({name: float(array[n]) for name, array in knobs.items()}, side, side)
            assert (terms.ram_bytes, terms.flash_bytes) == (arrays.ram_bytes[n], arrays.flash_bytes[n])


def symbols_equal_ints(runtime: str, family: str, options: Mapping[str, Any] | None = None, points: int = 12) -> None:
    """The printed closed form, evaluated, is the cost of the network."""
    rng = np.random.default_rng(6)
    form = formula(family, fix=dict(options or {}), runtime=runtime)
    settings = form.question.settings
    model = cost_model(family, settings, runtime)
    fixed = {name: float(value) for name, value in form.question.fixed.items()}
    for _ in range(points):
        knobs = {h.name: float(h.default) for h in model.family.hyperparameters if h.knob} | fixed
        knobs["alpha"] = round(float(rng.uniform(1, 3)), 3)  # widths that differ by a factor of 2 are distinct there
        side = model.family.map_multiple(settings) * int(rng.integers(2, 6))
        numbers = model.family.widths(settings, knobs) | {"R": side}
        at = {symbol: numbers[str(symbol)] for e in _expressions(form) for symbol in e.free_symbols}
        regions = [max(size.subs(at) for _, size in terms) for _, terms in form.ram_regions]
        terms = model.one(knobs, side, side)
        assert sum(regions) + form.persistent == terms.ram_bytes
        assert form.flash.subs(at) == terms.flash_bytes


def _expressions(form: Formula) -> list[Any]:
    return [form.flash, *(size for _, terms in form.ram_regions for _, size in terms if hasattr(size, "free_symbols"))]


def paths_equal_networks(runtime: str, family: str, options: Mapping[str, Any] | None = None, paths: int = 40) -> None:
    """What adds up along a path of a chain is what the whole network costs."""
    domain = make_domain(family, options, {"resolution": [48, 96]}, classes=7)
    rng, seen = np.random.default_rng(4), 0
    for group in make_space(domain, runtime).groups:
        for _ in range(paths):
            root, ways, state = int(rng.integers(len(group.roots))), [], 0
            for layer in group.layers:
                ways.append(int(rng.choice(np.flatnonzero(layer.heads[state] >= 0))))
                state = int(layer.heads[state, ways[-1]])
            side = group.roots[root].height
            try:
                graph, model = priced(family, group.values(root, ways), (3, side, side), runtime)
            except ConfigError:
                continue
            terms, (costs, _) = model.terms(graph), group.price(root, ways)
            assert (costs["ram"], costs["flash"]) == (terms.ram_bytes, terms.flash_bytes)
            seen += 1
    assert seen
