"""Somebody else's network as the schedules of patches need it: one int8 image, and windows whose weights are known."""

from __future__ import annotations

from hwscale.errors import ConfigError
from hwscale.foreign.graph import ForeignGraph
from hwscale.foreign.runtimes import listed
from hwscale.formulas.graph import Graph
from hwscale.runtimes.runtime import Runtime
from hwscale.schedules.macs import WINDOWED


def patch_graph(network: ForeignGraph, runtime: Runtime) -> tuple[Graph, str]:
    """The graph to cut, and what it leaves out, "" if nothing: ops that the runtime lacks and that keep a map's size.

    Raises
    ------
    ConfigError : the network computes in another type, has several inputs or ops without a price, or shares weights.
    """
    graph = network.graph
    if network.not_int8:
        raise ConfigError(f"schedules of patches are known of int8 networks, but {network.not_int8}; quantise it")
    if network.unknown:
        raise ConfigError(f"no price for {listed(network.unknown)}, so schedules cannot be compared; use known ones")
    made = {op.output for op in graph.ops}
    read = {tensor for op in graph.ops for tensor in op.inputs}
    inputs = read - made
    if inputs - {0}:
        raise ConfigError(f"the network has {len(inputs | {0})} inputs, but patches are cut from one image")
    for op in graph.ops:
        x = graph.tensors[op.output]
        if op.kind in WINDOWED and op.macs != op.weights * x.area:
            raise ConfigError(f"{op.name} shares its weights or packs them, so its MACs on patches are not known")
    used = [graph.tensors[tensor] for tensor in sorted(read | made)]
    if odd := [tensor.index for tensor in used if tensor.size != tensor.channels * tensor.area]:
        raise ConfigError(
            f"tensor {odd[0]} is no int8 map of batch 1, and patches are cut from no others; convert the network so"
        )
    if runtime.refuse(graph) and network.plain and runtime.refuse(bare := network.without_plain()) is None:
        return bare, f"counted without {listed(sorted(network.plain))}, which keeps the size of its map"
    return graph, ""
