"""Somebody else's network under the rules of one runtime: RAM, Flash, how they are known, and the memory that they fit.

The rules were checked on hwscale's families. On any other network what they call exact is an estimate; runtime `tensors` is exact
everywhere, being its own definition. A runtime that refuses a network gets the bytes that no execution op by op can go below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hwscale.errors import ConfigError
from hwscale.foreign.graph import ForeignGraph
from hwscale.formulas.graph import Graph
from hwscale.platform import Platform
from hwscale.runtimes.gapless import weights_and_biases
from hwscale.runtimes.out_of_place import between_ops
from hwscale.runtimes.runtime import Runtime, least_ram
from hwscale.runtimes.tensors import Tensors, folded

FLASH = "flash"
"""Name of the Flash among the regions of a platform."""
FLOOR = {
    "ram": "at least: bytes alive between two ops",
    "flash": "at least: weights and biases",
}


@dataclass(frozen=True, slots=True)
class RuntimeCost:
    """What a network takes in one runtime [B]; None where its rules say nothing.

    ``ram_low_bytes`` is the lower end where RAM is known as an interval, ``ram_bytes`` then the upper. ``at_least``: both numbers are
    lower bounds, for the ``reason`` given. ``fits`` says by region of the platform, Flash among them, whether the network fits
    there: None where a lower bound or an interval does not tell.
    """

    name: str
    ram_bytes: int | None
    flash_bytes: int | None
    evidence: Mapping[str, str] = field(default_factory=dict)
    ram_low_bytes: int | None = None
    at_least: bool = False
    reason: str = ""
    fits: Mapping[str, bool | None] = field(default_factory=dict)


def runtime_cost(network: ForeignGraph, runtime: Runtime) -> RuntimeCost:
    """The row of ``runtime`` for a network in Python ints, without a platform."""
    if network.not_int8 and not isinstance(runtime, Tensors):
        return RuntimeCost(runtime.name, None, None, reason=f"int8 only: {network.not_int8}")
    try:
        ram, low, flash = _priced(network.graph, runtime)
    except ConfigError as refusal:
        return _refused(network, runtime, str(refusal))
    if network.unknown:
        return _at_least(runtime, ram if low is None else low, flash, f"no price for {listed(network.unknown)}")
    return RuntimeCost(runtime.name, ram, flash, _evidence(runtime), low)


def regions(platform: Platform) -> dict[str, int]:
    """Bytes by name: every bank of RAM, 0 for one that the platform keeps from the arena, the largest span of banks that follow each
    other, and the Flash where something limits it."""
    found = {bank.name: bank.size_bytes if bank.arena else 0 for bank in platform.ram}
    if len(platform.arena_regions) > 1:
        found[" + ".join(platform.arena_regions)] = platform.arena_bytes
    if platform.flash_bytes is not None:
        found[FLASH] = platform.flash_bytes
    return found


def fits(cost: RuntimeCost, sizes: Mapping[str, int]) -> dict[str, bool | None]:
    """Whether a network fits each of the `regions` of a platform."""
    low = cost.ram_bytes if cost.ram_low_bytes is None else cost.ram_low_bytes
    found = {}
    for name, size in sizes.items():
        if name == FLASH:
            whole = not cost.at_least or cost.evidence.get("flash", "").startswith("exact")
            found[name] = _fits(cost.flash_bytes, cost.flash_bytes if whole else None, size)
        else:
            found[name] = _fits(low, None if cost.at_least else cost.ram_bytes, size)
    return found


def _fits(low: int | None, high: int | None, size: int) -> bool | None:
    if low is not None and low > size:
        return False
    return True if high is not None and high <= size else None


def _priced(graph: Graph, runtime: Runtime) -> tuple[int, int | None, int]:
    """RAM, its lower end where it is an interval, Flash [B]; ConfigError if the runtime refuses the graph."""
    if not graph.ops:
        raise ConfigError("nothing is left to run")
    if reason := runtime.refuse(graph):
        raise ConfigError(reason)
    lowered = runtime.lower(graph, runtime.facts(graph))
    flash = int(runtime.flash_bytes(lowered))
    ram = sum(size for _, size in runtime.plan(lowered, False))
    return ram, least_ram(runtime, lowered, False), flash


def _refused(network: ForeignGraph, runtime: Runtime, reason: str) -> RuntimeCost:
    """Lower bounds: the runtime's own without the ops that change no sizes, or else what holds for all."""
    if network.plain and not network.unknown:
        try:
            ram, low, flash = _priced(network.without_plain(), runtime)
        except ConfigError:
            pass
        else:
            reason += f"; counted without {listed(sorted(network.plain))}"
            return _at_least(runtime, ram if low is None else low, flash, reason)
    graph = folded(network.graph)
    return RuntimeCost(
        runtime.name, between_ops(graph), int(weights_and_biases(graph)), FLOOR, at_least=True, reason=reason
    )


def _at_least(runtime: Runtime, ram: int, flash: int, reason: str) -> RuntimeCost:
    rules = {name: f"at least; otherwise {text}" for name, text in _evidence(runtime).items()}
    return RuntimeCost(runtime.name, ram, flash, rules, at_least=True, reason=reason)


def _evidence(runtime: Runtime) -> dict[str, str]:
    if isinstance(runtime, Tensors):
        return dict(runtime.evidence)
    return {
        name: f"estimated, by rules that are {text}" if text.startswith("exact") else text
        for name, text in runtime.evidence.items()
    }


def listed(names: Sequence[str]) -> str:
    """The first three of them, and how many more."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
