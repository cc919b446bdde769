"""Execution op by op in which every output is a tensor of its own, and what no such execution can go below.

The convolution does its own zero padding; ReLU and ReLU6 are fused, other activations are an op of their own; a pool
that changes nothing is dropped.
"""

from __future__ import annotations

from dataclasses import replace

from hwscale.formulas.graph import Graph, Op, Tensor
from hwscale.runtimes.tensors import folded

FUSED = ("", "relu", "relu6")


def out_of_place(graph: Graph) -> Graph:
    """The executed graph: no op takes over an input's buffer."""
    source = folded(graph)
    tensors = list(source.tensors)
    made: dict[int, int] = {}  # by output of an op, that of the activation behind it
    ops: list[Op] = []
    for op in source.ops:
        inputs = tuple(made.get(tensor, tensor) for tensor in op.inputs)
        ops.append(replace(op, inputs=inputs, in_place=()))
        if op.activation not in FUSED:
            x = tensors[op.output]
            tensors.append(Tensor(len(tensors), x.channels, x.height, x.width, x.area, x.size))
            made[op.output] = tensors[-1].index
            ops.append(Op(f"{op.name}.{op.activation}", op.activation, (op.output,), made[op.output]))
    return Graph(tensors, ops)


def between_ops(lowered: Graph, external_input: bool = False) -> int:
    """Bytes of a graph in Python ints that are alive between two of its ops, at the fullest moment.

    No execution op by op can do with less, even if every op writes over what it reads. The image counts from the start.
    """
    made = {op.output: at for at, op in enumerate(lowered.ops)}
    read = {tensor: at for at, op in enumerate(lowered.ops) for tensor in op.inputs}
    sizes = [0] * (len(lowered.ops) + 1)  # before each op, and after the last
    for tensor in made.keys() | read.keys():
        if tensor == 0 and external_input:
            continue
        born = made.get(tensor, -1) + 1
        for moment in range(born, max(read.get(tensor, born), born) + 1):
            sizes[moment] += int(lowered.tensors[tensor].size)
    return max(sizes)
