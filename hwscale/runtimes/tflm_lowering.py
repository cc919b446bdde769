"""What a network becomes on its way to TensorFlow Lite Micro: the ops of the int8 .tflite, in the order of execution.

Measured on 90 networks that litert-torch 0.10.0 and ai-edge-quantizer 0.10.0 converted (docs/tflm.md):

* A window whose zeros are those of TensorFlow's SAME, or that has none, needs nothing; any other gets a PAD in front.
* ReLU and ReLU6 fuse. HARD_SWISH has an output of its own, SiLU is LOGISTIC and MUL, a sigmoid LOGISTIC, a hard sigmoid a fused
  ReLU6 and a MUL by one shared 1/6.
* A global pool is MEAN; in front of the classifier of a single pixel it is SUM, elsewhere on a single pixel nothing. Pools that
  change nothing are dropped, equal ones shared, which lengthens the life of their output.
* A batch norm that cannot fold is SUB, MUL, MUL and ADD with constants of its own: one is a number, three are one per channel.
* MEAN and SUM ask for scratch: 4 B per output element, 16 B and 16 B.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from hwscale.errors import ConfigError
from hwscale.formulas.graph import Graph, Integer, Op, Tensor
from hwscale.runtimes.padding import Pads, pad, same_pads, split
from hwscale.runtimes.runtime import Facts

FUSED = ("", "relu", "relu6", "hard_sigmoid")
REDUCTIONS = ("mean", "sum")
MEAN_SCRATCH = (16, 16)
NORM = ("sub", "mul", "mul", "add")


def facts(graph: Graph) -> Facts:
    """By op of a graph in Python ints: the zeros that a PAD adds, and what becomes of an average pool. Only maps decide them."""
    found: list[tuple[str, object]] = []
    pools: dict[tuple[int, ...], str] = {}
    for at, op in enumerate(graph.ops):
        x, y = graph.tensors[op.inputs[0]], graph.tensors[op.output]
        fact: object = None
        if op.kind == "pad":
            mover = graph.ops[at + 1]
            fact = _needed(split(y.height - x.height, y.width - x.width), x, mover)
        elif op.padding and not op.same:
            fact = _needed((op.padding,) * 4, x, op)
        elif op.kind == "average_pool":
            key = (op.inputs[0], y.height, y.width)
            fact = pools.get(key) or ("mean" if (y.height, y.width) == (1, 1) else "average_pool")
            if not op.identity:
                pools.setdefault(key, op.name)
        if fact is not None:
            found.append((op.name, fact))
    return tuple(found)


def refuse(graph: Graph) -> str | None:
    """An adaptive pool that does not divide becomes GATHER_ND and a 6-D TRANSPOSE, which TensorFlow Lite Micro refuses."""
    for op in graph.ops:
        x, y = graph.tensors[op.inputs[0]], graph.tensors[op.output]
        if op.kind == "average_pool" and (x.height % y.height or x.width % y.width):
            return (
                f"{op.name} pools a {x.height}x{x.width} map to {y.height}x{y.width}, which does not divide it: TensorFlow Lite "
                "Micro refuses what that becomes (a 6-D TRANSPOSE); use another resolution"
            )
    return None


def lower(graph: Graph, facts: Facts) -> Graph:
    """The executed graph; ``facts`` of a graph of the same ops."""
    return _Lowering(graph, facts).graph


def _needed(pads: Pads, x: Tensor, mover: Op) -> Pads | None:
    """``pads`` unless they are what SAME would add to ``x`` in front of the window of ``mover``."""
    return None if pads == same_pads(x, mover.kernel, mover.stride) else pads


class _Lowering:
    def __init__(self, graph: Graph, facts: Facts) -> None:
        self.source = graph
        self.graph = Graph()
        made = {op.output for op in graph.ops}
        self.tensors = {t.index: self._copy(t) for t in graph.tensors if t.index not in made}
        self.outputs: dict[str, Tensor] = {}
        readers = {tensor: op.kind for op in graph.ops for tensor in op.inputs}
        known = dict(facts)
        for op in graph.ops:
            x = self.tensors[op.inputs[0]]
            out = self._op(op, known.get(op.name), x, readers.get(op.output, ""))
            self.tensors[op.output] = self.outputs[op.name] = out
        for at, op in enumerate(self.graph.ops):
            if op.kind in REDUCTIONS:
                out = self.graph.tensors[op.output]
                sizes = (4 * out.size, *MEAN_SCRATCH)
                scratch = tuple(self.graph.tensor(size, 1, 1, 1).index for size in sizes)
                self.graph.ops[at] = replace(op, scratch=scratch)

    def _op(self, op: Op, fact: object, x: Tensor, reader: str) -> Tensor:
        """Append what ``op`` becomes; its output."""
        if op.kind == "pad":
            return x if fact is None else pad(self.graph, op.name, x, cast(Pads, fact))
        if op.kind == "average_pool":
            return self._pool(op, fact, x, reader)
        if op.kind == "batch_norm":
            for n, kind in enumerate(NORM, start=1):
                constant = 1 if n == 2 else op.weights
                part = replace(op, name=f"{op.name}.{n}", kind=kind, weights=constant, bias=0, trained=0)
                x = self._append(part, [x], x)
            return x
        if fact is not None:
            x = pad(self.graph, f"{op.name}.pad", x, cast(Pads, fact))
        inputs = [x, *(self.tensors[t] for t in op.inputs[1:])]
        return self._activated(op, self._append(op, inputs, self.source.tensors[op.output]))

    def _activated(self, op: Op, x: Tensor) -> Tensor:
        name, nothing = op.activation, Op(op.name, "", (), 0)
        if name == "hard_swish":
            return self._append(replace(nothing, name=f"{op.name}.hard_swish", kind="hard_swish"), [x], x)
        if name in ("sigmoid", "silu"):
            gate = self._append(replace(nothing, name=f"{op.name}.logistic", kind="logistic"), [x], x)
            if name == "sigmoid":
                return gate
            return self._append(replace(nothing, name=f"{op.name}.mul", kind="mul"), [x, gate], x)
        if name == "hard_sigmoid":
            return self._append(replace(nothing, name=f"{op.name}.sixth", kind="mul"), [x], x)
        if name not in FUSED:
            raise ConfigError(
                f"{op.name}: runtime tflm knows no lowering of the activation {name!r}; use runtime tensors"
            )
        return x

    def _pool(self, op: Op, fact: object, x: Tensor, reader: str) -> Tensor:
        if op.identity and reader != "fully_connected":
            return x
        if isinstance(fact, str) and fact in self.outputs:
            return self.outputs[fact]
        kind = "sum" if op.identity else str(fact)
        return self._append(replace(op, kind=kind, identity=False), [x], self.source.tensors[op.output])

    def _append(self, op: Op, inputs: list[Tensor], shape: Tensor) -> Tensor:
        out = self._copy(shape)
        index = tuple(tensor.index for tensor in inputs)
        self.graph.ops.append(replace(op, inputs=index, output=out.index, in_place=()))
        return out

    def _copy(self, tensor: Tensor) -> Tensor:
        size: Integer = tensor.size
        made = Tensor(len(self.graph.tensors), tensor.channels, tensor.height, tensor.width, tensor.area, size)
        self.graph.tensors.append(made)
        return made
