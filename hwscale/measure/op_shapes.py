"""What torch executes of a network, op by op, as shapes; and one op of a shape, on its own, as torch executes it.

Batch normalisations are folded into the convolutions in front of them, as deployment does; dropout is gone. Activations
are ops of their own kind here. Views (flatten, reshape) move no data and are no ops.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hwscale.errors import UnsupportedOpError
from hwscale.ledger import OpShape
from hwscale.measure.handlers import price_of
from hwscale.measure.program import Shape, Step, read_program

Map = tuple[int, int, int]
"""Channels, height and width; (C, 1, 1) for a vector."""

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "hard_swish": nn.Hardswish,
    "hard_sigmoid": nn.Hardsigmoid,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}
ELEMENTWISE: dict[str, Callable[[Any, Any], Any]] = {"add": operator.add, "mul": operator.mul}
CONVOLUTIONS = ("conv2d", "pointwise", "depthwise")
POOLS: dict[str, type[nn.MaxPool2d | nn.AvgPool2d]] = {"max_pool": nn.MaxPool2d, "average_pool": nn.AvgPool2d}
WINDOWS = (nn.Conv2d, *POOLS.values())
KINDS = (*CONVOLUTIONS, *POOLS, "fully_connected", "pad", *ELEMENTWISE, "batch_norm", *ACTIVATIONS)
"""What can be timed on its own."""
UNPRICED: dict[Any, str] = {
    **{module: kind for kind, module in ACTIVATIONS.items()},
    **{getattr(functional, kind.replace("hard_", "hard")): kind for kind in ACTIVATIONS},
    **{spelling: kind for kind in ("relu", "sigmoid", "tanh") for spelling in (kind, getattr(torch, kind))},
    nn.BatchNorm2d: "batch_norm",
}
"""Kinds of the ops that `price_of` gives none."""
WITHOUT_WINDOW = (functional.max_pool2d, functional.avg_pool2d)
"""Functions whose window is not written in the two maps."""
VIEWS = (nn.Flatten, torch.flatten, "contiguous", "squeeze", "unsqueeze", "flatten", "view", "reshape")
ABSENT = (nn.Dropout, nn.Dropout2d, nn.Identity)


def fold(network: nn.Module, input_shape: Map) -> fx.GraphModule:
    """A copy of ``network`` in evaluation mode: a flat list of ops, BN folded into convolutions, dropout removed.

    Flat, so that an op costs Python as much as on its own: no walk through the containers that hold it. Raises as
    `op_shapes` does where the network cannot be traced or run.
    """
    read_program(network, input_shape)
    root = copy.deepcopy(network).eval()
    tracer = fx.Tracer()
    if tracer.is_leaf_module(root, ""):
        root = nn.Sequential(root)
    graph = tracer.trace(root)
    owned: dict[str, Any] = {}
    for node in list(graph.nodes):
        if node.op == "get_attr":
            owned[str(node.target)] = operator.attrgetter(str(node.target))(root)
        if node.op != "call_module":
            continue
        module, source = root.get_submodule(str(node.target)), node.args[0]
        producer = owned.get(source.name)
        vanishes = isinstance(module, ABSENT)
        if isinstance(module, nn.BatchNorm2d) and isinstance(producer, nn.Conv2d) and len(source.users) == 1:
            owned[source.name], vanishes = fuse_conv_bn_eval(producer, module), True
        if vanishes:
            node.replace_all_uses_with(source)
            graph.erase_node(node)
        else:
            owned[node.name], node.target = module, node.name
    return fx.GraphModule(owned, graph).eval()


def op_shapes(network: nn.Module, input_shape: Map) -> tuple[OpShape, ...]:
    """The ops that torch executes of ``network`` after `fold`, in order of execution.

    An add or mul reads its smaller operand: as large as its result, or what is broadcast. Where a pool is adaptive its
    kernel is 1, and the two maps say all.

    Raises
    ------
    UnsupportedOpError : the network cannot be traced, or has an op that `OpShape` cannot describe.
    ConfigError : the network does not run on this input shape.
    """
    program = read_program(fold(network, input_shape), input_shape)
    shapes = {step.value: step.shape for step in program}
    executed = [step for step in program if step.spelling.startswith("call") and _spelling(step) not in VIEWS]
    return tuple(_op_shape(step, [shapes[operand] for operand in step.operands]) for step in executed)


def _spelling(step: Step) -> Any:
    return type(step.target) if step.spelling == "call_module" else step.target


def _op_shape(step: Step, operands: list[Shape | None]) -> OpShape:
    spelling, price = _spelling(step), price_of(step)
    kind = UNPRICED.get(spelling) or (price.kind if price else None)
    *inputs, output = (_map(shape) for shape in (*operands, step.shape))
    known = [read for read in inputs if read is not None]
    kernel = stride = 1
    if isinstance(step.target, WINDOWS):
        kernel, stride = _side(step.target.kernel_size), _side(step.target.stride)
        if _side(getattr(step.target, "dilation", 1)) != 1:
            kernel = 0
    if kind in KINDS and kernel and stride and output and known and spelling not in WITHOUT_WINDOW:
        return OpShape(str(kind), *min(known), *output, kernel, stride)
    name = getattr(spelling, "__name__", spelling)
    raise UnsupportedOpError(
        f"{step.path} cannot be timed on its own: {name} on {operands} is not among {', '.join(KINDS)}."
    )


def _map(shape: Shape | None) -> Map | None:
    match shape:
        case (1, channels, height, width):
            return channels, height, width
        case (1, channels):
            return channels, 1, 1
    return None


def _side(window: int | tuple[int, ...]) -> int:
    """The side of a square window, 0 if it is none."""
    sides = {window} if isinstance(window, int) else set(window)
    return sides.pop() if len(sides) == 1 else 0


@dataclass(frozen=True, slots=True)
class OpAlone:
    """One op: ``call`` executes it on ``maps``."""

    call: Callable[[], torch.Tensor]
    maps: tuple[torch.Tensor, ...]

    def write_maps(self) -> None:
        """Write what it reads, as the op in front of it does in a network: the maps are as near as their size allows."""
        for each in self.maps:
            each.neg_()


def op_alone(shape: OpShape) -> OpAlone:
    """An op of this shape by the module that networks hold, on random weights and maps made once.

    Raises UnsupportedOpError for a kind or a shape that torch does not execute.
    """
    read = torch.randn(1, shape.in_channels, shape.in_height, shape.in_width)
    if shape.kind in ELEMENTWISE:
        call, other = ELEMENTWISE[shape.kind], torch.randn(1, shape.out_channels, shape.out_height, shape.out_width)
        return OpAlone(lambda: call(other, read), (other, read))
    if shape.kind == "fully_connected":
        read = read.flatten(1)
    module = _module(shape).eval()
    return OpAlone(lambda: module(read), (read,))


def _module(shape: OpShape) -> nn.Module:
    kind, channels = shape.kind, shape.in_channels
    if kind in CONVOLUTIONS:
        groups = channels if kind == "depthwise" else 1
        return nn.Conv2d(channels, shape.out_channels, shape.kernel, shape.stride, _padding(shape), groups=groups)
    if kind == "average_pool" and shape.kernel == 1:
        return nn.AdaptiveAvgPool2d((shape.out_height, shape.out_width))
    if kind in POOLS:
        return POOLS[kind](shape.kernel, shape.stride, _padding(shape))
    if kind == "fully_connected":
        return nn.Linear(channels, shape.out_channels)
    if kind == "pad":
        rows, columns = shape.out_height - shape.in_height, shape.out_width - shape.in_width
        return nn.ZeroPad2d((columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
    if kind == "batch_norm":
        return nn.BatchNorm2d(channels)
    if kind in ACTIVATIONS:
        return ACTIVATIONS[kind]()
    raise UnsupportedOpError(f"torch executes no op of kind {kind!r}; allowed: {', '.join(KINDS)}.")


def _padding(shape: OpShape) -> tuple[int, int]:
    """Zeros on both sides of rows and of columns that give the output."""
    found = []
    for side, left in ((shape.in_height, shape.out_height), (shape.in_width, shape.out_width)):
        fitting = [p for p in range(shape.kernel) if (side + 2 * p - shape.kernel) // shape.stride + 1 == left]
        if not fitting:
            raise UnsupportedOpError(f"No padding turns {side} px into {left} px in {shape}.")
        found.append(fitting[0])
    return found[0], found[1]
