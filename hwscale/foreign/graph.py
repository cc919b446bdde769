"""Somebody else's network in the words of `hwscale.formulas.graph`, so that every runtime's rules can price it.

What the formulas have words for becomes those: an activation goes into the op before it, a reshape is its operand, zeros in front of a
window are its padding. What they have no word for keeps its own kind ("softmax", "conv2d 10x4"), and a runtime that does not
know the kind refuses it by name. Sizes of tensors and weights are bytes, which for int8 are elements.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from hwscale.formulas.graph import HOLD, Graph, Op, Tensor

CLAMPS = ("relu", "relu6")
"""Activations that any kernel can apply to what it writes."""
CLAMPED_ONLY = ("average_pool", "batch_norm")
"""Kinds behind which no other activation can stand."""
VOCABULARY = frozenset(
    {
        "add",
        "average_pool",
        "batch_norm",
        "conv2d",
        "depthwise",
        "fully_connected",
        "max_pool",
        "mul",
        "pad",
        "pointwise",
    }
)
"""Kinds of the formulas, each with the operands that runtimes expect."""
LONE_PAD = "standalone pad"
"""Kind of a padding that no window takes over."""

Shape = tuple[int, ...]
"""Of an activation without the batch: (C, H, W), or fewer sides."""


@dataclass(frozen=True, slots=True)
class ForeignGraph:
    """A network that no formula made.

    ``unknown`` names the ops without a price, which count no MACs; ``plain`` those without a word in the formulas that map a
    tensor to one of its size. ``not_int8`` says what computes in another type, "" if nothing does.
    """

    graph: Graph
    unknown: tuple[str, ...] = ()
    plain: frozenset[str] = frozenset()
    not_int8: str = ""

    def without_plain(self) -> Graph:
        """The graph with each op of ``plain`` taken for its operand."""
        same: dict[int, int] = {}
        ops = []
        for op in self.graph.ops:
            inputs = tuple(same.get(tensor, tensor) for tensor in op.inputs)
            if op.name in self.plain:
                same[op.output] = inputs[0]
            else:
                ops.append(replace(op, inputs=inputs))
        return Graph(self.graph.tensors, ops)


class GraphWriter:
    """Builds a graph op by op from values that have names of the caller's.

    Parameters
    ----------
    readers : how many ops read each value; whoever gets the network's outputs counts as one.
    """

    def __init__(self, readers: Mapping[Hashable, int]) -> None:
        self.graph = Graph()
        self.plain: set[str] = set()
        self._readers = readers
        self._tensors: dict[Hashable, Tensor] = {}
        self._uses: Counter[int] = Counter()  # reads of a tensor under all its names
        self._makers: dict[int, int] = {}  # place of the op that makes a tensor

    def __contains__(self, value: Hashable) -> bool:
        return value in self._tensors

    def tensor(self, value: Hashable) -> Tensor:
        """Where a value is."""
        return self._tensors[value]

    def enter(self, value: Hashable, shape: Shape, size_bytes: int) -> Tensor:
        """A tensor for ``value``; what no `op` makes is an input."""
        channels, height, width = sides(shape)
        tensor = self.graph.tensor(channels, height, width)
        tensor.size = size_bytes
        self._name(value, tensor)
        return tensor

    def op(
        self,
        name: str,
        kind: str,
        inputs: Sequence[Hashable],
        output: Hashable,
        shape: Shape,
        size_bytes: int,
        *,
        elementwise: bool = False,
        **fields: Any,
    ) -> Op:
        """An op with a tensor of its own; ``elementwise`` may write over an operand of the output's size."""
        read = [self._tensors[value] for value in inputs]
        out = self.enter(output, shape, size_bytes)
        if elementwise:
            fields["in_place"] = tuple(place for place, tensor in enumerate(read) if tensor.size == out.size)
        made = Op(name, kind, tuple(tensor.index for tensor in read), out.index, **fields)
        self._makers[out.index] = len(self.graph.ops)
        self.graph.ops.append(made)
        return made

    def plain_op(self, name: str, kind: str, source: Hashable, output: Hashable) -> Op:
        """An op for which the formulas have no word, and which may write over its operand."""
        x = self._tensors[source]
        self.plain.add(name)
        return self.op(name, kind, [source], output, (x.channels, x.height, x.width), x.size, elementwise=True)

    def alias(self, output: Hashable, source: Hashable) -> None:
        """``output`` is ``source`` under another name."""
        tensor = self._tensors[source]
        self._name(output, tensor)
        self._uses[tensor.index] -= 1

    def behind(self, source: Hashable, readers: int = 1, activation: str = "") -> Op | None:
        """The op that makes ``source``, if that is read so often under all its names, and so far ``activation`` follows the op."""
        index = self._tensors[source].index
        if index not in self._makers or self._uses[index] != readers:
            return None
        op = self.graph.ops[self._makers[index]]
        return op if op.activation == activation else None

    def become(self, output: Hashable, op: Op) -> None:
        """``output`` is what ``op`` makes, and nothing else of it remains."""
        self._tensors[output] = self.graph.tensors[op.output]
        self._uses[op.output] = self._readers.get(output, 0)

    def activate(self, name: str, activation: str, source: Hashable, output: Hashable, readers: int = 1) -> None:
        """``output`` = activation(``source``): part of the op that makes ``source`` where it can be, else an op of its own."""
        op = self.behind(source, readers)
        if op is None or op.identity or op.name in self.plain or not _applies(op.kind, activation):
            self.plain_op(name, "logistic" if activation == "sigmoid" else activation, source, output)
        else:
            op.activation = activation
            self.become(output, op)

    def finish(self, outputs: Sequence[Hashable]) -> Graph:
        """The graph; what the network returns beside its last tensor is kept alive to the end."""
        if not self.graph.ops:
            return self.graph
        last = self.graph.ops[-1].output
        held = dict.fromkeys(self._tensors[value].index for value in outputs if value in self._tensors)
        early = tuple(index for index in held if index != last)
        if early:
            self.graph.ops.append(Op("outputs", HOLD, early, self.graph.tensor(0, 1, 1).index))
        return self.graph

    def _name(self, value: Hashable, tensor: Tensor) -> None:
        self._tensors[value] = tensor
        self._uses[tensor.index] += self._readers.get(value, 0)


def sides(shape: Shape) -> tuple[int, int, int]:
    """(C, H, W) of any shape without the batch: missing sides are 1, sides beyond the third go into the third."""
    padded = (*shape, 1, 1, 1)[: max(3, len(shape))]
    return padded[0], padded[1], prod(padded[2:])


def window_kind(kind: str, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int] = (1, 1)) -> str:
    """``kind`` if the formulas can say this window, (height, width) each, else a kind that names it."""
    text = ""
    if kernel[0] != kernel[1]:
        text += f" {kernel[0]}x{kernel[1]}"
    if stride[0] != stride[1]:
        text += f" by {stride[0]}x{stride[1]}"
    if dilation != (1, 1):
        text += f" dilated {dilation[0]}x{dilation[1]}"
    return kind + text


def _applies(kind: str, activation: str) -> bool:
    return activation in CLAMPS or kind not in CLAMPED_ONLY
