"""From a traced torch module to the ops of a network: the same steps that `hwscale.measure.trace` prices, as a graph.

A batch norm goes into the convolution that it alone follows, an activation behind the op that it alone follows; dropout is nothing and a
reshape another name. What `hwscale.measure.handlers` has no price for is named, and holds its operands and its result.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from hwscale.foreign.graph import LONE_PAD, ForeignGraph, GraphWriter, window_kind
from hwscale.measure.handlers import Output, Price, price_of
from hwscale.measure.program import Step, read_program

ACTIVATIONS: dict[Any, str] = {
    **dict.fromkeys((nn.ReLU, functional.relu, torch.relu, "relu"), "relu"),
    **dict.fromkeys((nn.ReLU6, functional.relu6), "relu6"),
    **dict.fromkeys((nn.SiLU, functional.silu), "silu"),
    **dict.fromkeys((nn.Hardswish, functional.hardswish), "hard_swish"),
    **dict.fromkeys((nn.Sigmoid, torch.sigmoid, "sigmoid"), "sigmoid"),
    **dict.fromkeys((nn.Hardsigmoid, functional.hardsigmoid), "hard_sigmoid"),
}
"""By type of module, function, or name of a method."""
RENAMINGS = (nn.Flatten, nn.Identity, torch.flatten, "flatten", "view", "reshape", "contiguous", "squeeze", "unsqueeze")


def module_graph(module: nn.Module, input_shape: tuple[int, int, int]) -> ForeignGraph:
    """The network that ``module`` computes in evaluation mode on one image (C, H, W), deployed in int8.

    Raises
    ------
    UnsupportedOpError : it cannot be traced.
    ConfigError : it does not run on this input shape.
    """
    return _Translation(read_program(module, input_shape)).run()


class _Translation:
    def __init__(self, program: list[Step]) -> None:
        self.program = program
        self.steps = {step.value: step for step in program}
        readers: Mapping[Hashable, int] = {step.value: len(step.readers) for step in program}
        self.writer = GraphWriter(readers)
        self.unknown: list[str] = []
        self.calls: Counter[str] = Counter()
        self.stored: set[int] = set()  # weights that an op has

    def run(self) -> ForeignGraph:
        outputs: tuple[str, ...] = ()
        for step in self.program:
            if step.spelling == "placeholder":
                self.writer.enter(step.value, _shape(step), step.elements)
            elif step.spelling == "output":
                outputs = step.operands
            else:
                self._translate(step)
        graph = self.writer.finish(outputs)
        return ForeignGraph(graph, tuple(self.unknown), frozenset(self.writer.plain))

    def _translate(self, step: Step) -> None:
        price = price_of(step)
        sources = [operand for operand in step.operands if operand in self.writer]
        if price is None:
            what = type(step.target).__name__ if step.spelling == "call_module" else ""
            self.unknown.append(f"{step.path}: {what}" if what else step.path)
            if step.spelling != "get_attr":
                self._op(step, what or _plain_name(step), sources, elementwise=True)
        elif price.output is Output.OPERAND or (self._word(step) in RENAMINGS and self._whole(step, sources)):
            self.writer.alias(step.value, sources[0])
        elif activation := ACTIVATIONS.get(self._word(step)):
            self.writer.activate(self._name(step), activation, sources[0], step.value)
        else:
            handler = HANDLERS.get(price.kind or "", HANDLERS.get(self._word(step), _Translation._general))
            handler(self, step, sources, price)

    def _general(self, step: Step, sources: list[str], price: Price) -> None:
        kind = price.kind or _plain_name(step)
        if price.output is Output.IN_PLACE and len(sources) == 1 and self._whole(step, sources):
            self.writer.plain_op(self._name(step), kind, sources[0], step.value)
        else:
            self._op(step, kind, sources, macs=price.macs)

    def _convolution(self, step: Step, sources: list[str], price: Price) -> None:
        module: nn.Conv2d = step.target
        padding = module.padding if isinstance(module.padding, tuple) else (0, 0)
        kind = window_kind(str(price.kind), _pair(module.kernel_size), _pair(module.stride), _pair(module.dilation))
        if padding[0] != padding[1] or module.padding_mode != "zeros":
            kind += f" padded {padding[0]}x{padding[1]} {module.padding_mode}"
        if price.kind == "depthwise" and module.out_channels != module.in_channels:
            kind += " with a multiplier"
        self._weighted(
            step,
            sources,
            price,
            kind,
            kernel=module.kernel_size[0],
            stride=module.stride[0],
            padding=padding[0],
            same=module.padding == "same",
        )

    def _linear(self, step: Step, sources: list[str], price: Price) -> None:
        self._weighted(step, sources, price, str(price.kind))

    def _weighted(self, step: Step, sources: list[str], price: Price, kind: str, **fields: Any) -> None:
        fresh = id(step.target.weight) not in self.stored
        self.stored.add(id(step.target.weight))
        weights, biases = (price.weights, price.biases) if fresh else (0, 0)
        self._op(step, kind, sources, macs=price.macs, weights=weights, bias=biases, trained=1, **fields)

    def _batch_norm(self, step: Step, sources: list[str], price: Price) -> None:
        before = self.writer.behind(sources[0])
        if before is not None and before.macs and before.trained == 1:
            before.trained = 2
            self.writer.become(step.value, before)
            return
        self._op(step, "batch_norm", sources, elementwise=True, weights=price.weights, bias=price.biases, trained=1)

    def _arithmetic(self, step: Step, sources: list[str], price: Price) -> None:
        if len(sources) == 2:
            sources.sort(key=lambda value: -self.writer.tensor(value).size)  # what is broadcast comes last
            self._op(step, str(price.kind), sources, elementwise=True)
        else:
            self.writer.plain_op(self._name(step), f"{price.kind} of one operand", sources[0], step.value)

    def _max_pool(self, step: Step, sources: list[str], price: Price) -> None:
        module = step.target
        if not isinstance(module, nn.MaxPool2d):
            self._op(step, self._dividing("max_pool", step, sources), sources, kernel=self._ratio(step, sources))
            return
        padding, kernel = _pair(module.padding), _pair(module.kernel_size)
        kind = window_kind("max_pool", kernel, _pair(module.stride), _pair(module.dilation))
        kind += "" if padding[0] == padding[1] else f" padded {padding[0]}x{padding[1]}"
        self._op(step, kind, sources, kernel=kernel[0], stride=_pair(module.stride)[0], padding=padding[0])

    def _average_pool(self, step: Step, sources: list[str], price: Price) -> None:
        adaptive = price.output is Output.UNLESS_IDENTITY
        kind = "average_pool" if adaptive else self._dividing("average_pool", step, sources)
        self._op(step, kind, sources, identity=adaptive and step.shape == self.steps[sources[0]].shape)

    def _mean(self, step: Step, sources: list[str], price: Price) -> None:
        x = self.steps[sources[0]].shape
        pools = x is not None and len(x) == 4 and step.elements == x[0] * x[1]
        self._op(step, "average_pool" if pools else "mean", sources, identity=pools and x[2:] == (1, 1) if x else False)

    def _pad(self, step: Step, sources: list[str], price: Price) -> None:
        windows = all(isinstance(self.steps[reader].target, nn.Conv2d) for reader in step.readers)
        self._op(step, "pad" if windows and step.readers else LONE_PAD, sources)

    def _dividing(self, kind: str, step: Step, sources: list[str]) -> str:
        """``kind`` of a pool if its windows tile the map, else a kind of its own: the formulas' pools do."""
        ratio = self._ratio(step, sources)
        x, y = self.writer.tensor(sources[0]), _shape(step)
        tiles = len(y) == 3 and (x.height, x.width) == (ratio * y[1], ratio * y[2])
        return kind if tiles else f"{kind} of overlapping or cut windows"

    def _ratio(self, step: Step, sources: list[str]) -> int:
        y = _shape(step)
        return max(int(self.writer.tensor(sources[0]).height) // y[1], 1) if len(y) == 3 and y[1] else 1

    def _op(self, step: Step, kind: str, sources: list[str], **fields: Any) -> None:
        self.writer.op(self._name(step), kind, sources, step.value, _shape(step), step.elements, **fields)

    def _name(self, step: Step) -> str:
        """Unique, as in `hwscale.measure.trace.measure`."""
        self.calls[step.path] += 1
        return step.path if self.calls[step.path] == 1 else f"{step.path}#{self.calls[step.path]}"

    def _whole(self, step: Step, sources: list[str]) -> bool:
        """Has the result as many elements as the operand?"""
        return bool(sources) and step.elements == self.writer.tensor(sources[0]).size

    def _word(self, step: Step) -> Any:
        return type(step.target) if step.spelling == "call_module" else step.target


def _shape(step: Step) -> tuple[int, ...]:
    return (step.elements,) if step.shape is None else step.shape[1:]


def _pair(size: Any) -> tuple[int, int]:
    return (size[0], size[1]) if isinstance(size, tuple) else (size, size)


def _plain_name(step: Step) -> str:
    """The name of a function, or that of a module's type as a function has it: leaky_relu of LeakyReLU."""
    if step.spelling != "call_module":
        return step.path.rpartition(".")[2]
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(step.target).__name__).lower()


Handler = Callable[[_Translation, Step, list[str], Price], None]
HANDLERS: dict[Any, Handler] = {
    **dict.fromkeys(("conv2d", "depthwise", "grouped", "pointwise"), _Translation._convolution),
    "fully_connected": _Translation._linear,
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d), _Translation._batch_norm),
    **dict.fromkeys(("add", "mul", "sub", "div"), _Translation._arithmetic),
    "max_pool": _Translation._max_pool,
    "average_pool": _Translation._average_pool,
    "mean": _Translation._mean,
    "pad": _Translation._pad,
}
"""What writes an op down, by its kind, or by its type where it has none."""
