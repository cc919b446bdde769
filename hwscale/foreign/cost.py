"""What a model that is nobody's family costs: a .tflite file or a torch module, op by op, and in every runtime side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hwscale.errors import ConfigError
from hwscale.foreign.report import ModelCost, ModelOp, PeakTensor
from hwscale.foreign.runtimes import fits, regions, runtime_cost
from hwscale.formulas.graph import Graph
from hwscale.platform import Platform, load_platform
from hwscale.runtimes import RUNTIMES
from hwscale.runtimes.gapless import BIAS_BYTES
from hwscale.runtimes.live_range import live_tensors
from hwscale.runtimes.tensors import folded
from hwscale.runtimes.tflm import Tflm

if TYPE_CHECKING:
    from torch import nn

    from hwscale.measure.tflite_cost import FileCost
    from hwscale.measure.tflite_model import FileModel

MOST_VALUES = 1 << 24
"""Of an input image: 16 MiB in int8, more than any microcontroller holds."""
MOST_OPS = 1024
"""Of a model; the planners compare every tensor with every other."""
FILE_RULE = "the file's own tensors, no operator in place"
TENSORS_RULE = "int8 tensors; activations, add and mul in place, as in runtime tensors"


def cost_tflite(path: str | Path, *, platform: str | Path | Platform | None = None) -> ModelCost:
    """What the network in a .tflite file costs.

    >>> hwscale.cost_tflite("model.tflite", platform="stm32h743").totals["macs"]

    In runtime `tflm` the file itself runs: its arena is planned from its own tensors, its Flash is its size. The other runtimes get the
    network as it was before a converter lowered it; float32 networks have a cost in `tflm` and `tensors` only.

    Raises
    ------
    ConfigError : the file cannot be read, is damaged, or leaves a map's size open.
    PlatformError : the platform cannot be used.
    """
    from hwscale.foreign.stripped import stripped_size
    from hwscale.foreign.tflite import file_graph
    from hwscale.foreign.tflm import file_row
    from hwscale.measure.tflite_cost import tflite_cost
    from hwscale.measure.tflite_file import read_tflite

    where = None if platform is None else load_platform(platform)
    sizes = {} if where is None else regions(where)
    model = read_tflite(path)
    if len(model.operators) > MOST_OPS:
        raise ConfigError(
            f"{model.title} has {len(model.operators)} operators, but at most {MOST_OPS} are priced: pass a model for a microcontroller."
        )
    cost = tflite_cost(model)
    network = file_graph(model)
    stripped = stripped_size(path, model)
    rows = [
        file_row(runtime, model, stripped) if isinstance(runtime, Tflm) else runtime_cost(network, runtime)
        for runtime in RUNTIMES.values()
    ]
    totals = {
        "macs": cost.macs,
        "weights": sum(op.weights for op in cost.operators),
        "ram_bytes": cost.ram_bytes,
        "flash_bytes": cost.constant_bytes,
        "file_bytes": cost.file_bytes,
        "stripped_bytes": stripped.size_bytes,
    }
    ops = [
        ModelOp(op.name, op.kind, op.macs, op.weights, op.biases, op.constant_bytes, op.live_bytes)
        for op in cost.operators
    ]
    return ModelCost(
        source=str(path),
        input_shape=_input_shape(model),
        platform=None if where is None else where.name,
        regions=sizes,
        ops=tuple(ops),
        totals=totals,
        peak_op=cost.peak.name,
        peak_tensors=_alive_in_file(model, cost),
        ram_rule=FILE_RULE,
        runtimes=tuple(replace(row, fits=fits(row, sizes)) for row in rows),
        unknown_ops=network.unknown,
    )


def cost_module(
    module: nn.Module, input_shape: Sequence[int], *, platform: str | Path | Platform | None = None
) -> ModelCost:
    """What a torch module costs once deployed in int8, on one image ``input_shape`` (C, H, W).

    >>> hwscale.cost_module(network, (3, 96, 96)).totals["ram_bytes"]

    Neither weights nor mode of the module change.

    Raises
    ------
    UnsupportedOpError : the module cannot be traced.
    ConfigError : it is no torch module, or does not run on this input shape.
    PlatformError : the platform cannot be used.
    """
    from torch import nn

    from hwscale.foreign.trace import module_graph

    where = None if platform is None else load_platform(platform)
    sizes = {} if where is None else regions(where)
    if not isinstance(module, nn.Module):
        raise ConfigError(f"{type(module).__name__} is no torch.nn.Module; pass the network itself")
    shape = image_shape(input_shape)
    network = module_graph(module, shape)
    graph = folded(network.graph)
    if not graph.ops:
        raise ConfigError(f"{type(module).__name__} runs no op, so there is nothing to price; pass a network")
    if len(graph.ops) > MOST_OPS:
        raise ConfigError(
            f"{type(module).__name__} runs {len(graph.ops)} ops, but at most {MOST_OPS} are priced; pass a model for a microcontroller"
        )
    ops, live = _ops(graph)
    rows = [runtime_cost(network, runtime) for runtime in RUNTIMES.values()]
    peak = max(range(len(ops)), key=lambda at: ops[at].live_bytes)
    return ModelCost(
        source=type(module).__name__,
        input_shape=shape,
        platform=None if where is None else where.name,
        regions=sizes,
        ops=tuple(ops),
        totals={
            "macs": sum(op.macs for op in ops),
            "weights": sum(op.weights for op in ops),
            "ram_bytes": ops[peak].live_bytes,
            "flash_bytes": sum(op.flash_bytes for op in ops),
            "params": sum(p.numel() for p in module.parameters() if p.requires_grad),
        },
        peak_op=ops[peak].name,
        peak_tensors=_alive(graph, live[peak]),
        ram_rule=TENSORS_RULE,
        runtimes=tuple(replace(row, fits=fits(row, sizes)) for row in rows),
        unknown_ops=network.unknown,
    )


def image_shape(given: Sequence[int]) -> tuple[int, int, int]:
    """``given`` as (C, H, W); ConfigError unless it is three positive integers of a size that a device could hold."""
    shape = tuple(given)
    whole = all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in shape)
    if len(shape) != 3 or not whole:
        raise ConfigError(
            f"input shape {given}: give (channels, height, width) as positive integers, such as (3, 96, 96)"
        )
    channels, height, width = shape
    if channels * height * width > MOST_VALUES:
        raise ConfigError(
            f"input shape {channels}x{height}x{width} has {channels * height * width} values, but at most {MOST_VALUES} are "
            "priced; give a size for a microcontroller"
        )
    return channels, height, width


def _ops(graph: Graph) -> tuple[list[ModelOp], tuple[tuple[int, ...], ...]]:
    """The ops of a folded graph under the rules of runtime `tensors`, and the tensors alive at each."""
    live = live_tensors(graph.ops)
    ops = [
        ModelOp(
            op.name,
            op.kind,
            op.macs,
            op.weights,
            op.bias,
            op.weights + BIAS_BYTES * op.bias,
            sum(graph.tensors[index].size for index in alive),
        )
        for op, alive in zip(graph.ops, live, strict=True)
    ]
    return ops, live


def _alive(graph: Graph, live: tuple[int, ...]) -> tuple[PeakTensor, ...]:
    makers = {op.output: op.name for op in graph.ops}
    tensors = [graph.tensors[index] for index in live]
    found = [PeakTensor(makers.get(t.index, "input"), (t.channels, t.height, t.width), t.size) for t in tensors]
    return tuple(sorted(found, key=lambda tensor: -tensor.size_bytes))


def _alive_in_file(model: FileModel, cost: FileCost) -> tuple[PeakTensor, ...]:
    makers = {output: operator.name for operator in model.operators for output in operator.outputs}
    return tuple(
        PeakTensor(makers.get(tensor.index, "input"), _channels_first(tensor.shape), tensor.size)
        for tensor in cost.peak_tensors
    )


def _input_shape(model: FileModel) -> tuple[int, ...]:
    return _channels_first(model.tensors[model.inputs[0]].shape) if model.inputs else ()


def _channels_first(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(C, H, W) of (N, H, W, C); of other shapes what follows the batch."""
    return (shape[3], *shape[1:3]) if len(shape) == 4 else shape[1:]
