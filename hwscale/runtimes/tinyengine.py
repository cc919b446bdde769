"""Runtime `tinyengine`: the SRAM that TinyEngine's code generator allocates and the Flash of its whole image.

SRAM = activations + im2col + kernel, each as large as its neediest op asks (mit-han-lab/tinyengine@47bb283,
code_generator):

* activations: live int8 tensors, each rounded up to 4 B, placed by first fit (`hwscale.runtimes.first_fit`). A
  depthwise convolution writes over its input: no output beside it while it runs, afterwards the output's own size. The
  sum of a residual is a new tensor, so that an ADD holds three maps. Convolutions pad by themselves, ReLU and ReLU6 are
  fused.
* im2col: two columns of int16, 4 k k C_in, for a convolution (the classifier is one with k = 1); one channel of int16
  with its zeros, 2 (H + 2p) (W + 2p) with p = k // 2, for a depthwise convolution.
* kernel: an int16 copy of the weights, 2 k k C_in C_out, where k > 1.

Flash = 1 B per weight + 8 B per output channel (int32 bias, float32 scale) + 63 KiB of code: kernels, board support,
application.

The terms of the activations are live sums, which no placement can go below. First fit reaches them on all published
networks, but not everywhere: some 5 % of random MCUNets and MobileNetV2s need more, up to 17 %, so `TinyEngine.plan`
places. Behind a depthwise convolution of stride 2 the generator counts a quarter of the input, less than the output of
an odd map: where it would reserve less than is alive, the live sum stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hwscale.formulas.graph import Graph, Integer, Op, aligned, total
from hwscale.runtimes.first_fit import Block, first_fit
from hwscale.runtimes.live_range import live_steps
from hwscale.runtimes.out_of_place import FUSED
from hwscale.runtimes.runtime import Facts, Memory, Parts, Region, Steps, largest
from hwscale.runtimes.tensors import folded

ALIGNMENT_BYTES = 4
CODE_BYTES = 63 * 1024
"""Mean over eight published images, 62.6 to 65.5 KiB; the mean of seven predicts the eighth within 2.5 KiB."""
CHANNEL_BYTES = 8
DENSE_KERNEL = 3
SUPPORTED = frozenset(
    {"conv2d", "pointwise", "depthwise", "fully_connected", "add", "mul", "average_pool", "max_pool", "pad", "hold"}
)


class TinyEngine:
    """See the module docstring."""

    name = "tinyengine"
    meaning = "SRAM of TinyEngine (activations, im2col and kernel buffers), layer by layer; whole image in Flash"
    evidence: Mapping[str, str] = {
        "ram": "exact to the printed KiB on 10 of 10 published networks; the code generator was not run here",
        "flash": "estimated: within 2.5 KiB on 8 published images, board support and application included",
    }
    sources: tuple[str, ...] = (
        "mit-han-lab/tinyengine@47bb283: code_generator/GeneralMemoryScheduler.py, code_generator/operators/",
        "mit-han-lab/tinyengine@47bb283: README.md (SRAM and Flash on STM32H743)",
    )
    exact_plan = True
    rate_set: str | None = "tinyengine"
    strict_measure = False
    maps_decide = False

    def facts(self, graph: Graph) -> Facts:
        return ()

    def refuse(self, graph: Graph) -> str | None:
        """An op that the code generator does not know, or one that would read what a depthwise convolution has
        overwritten."""
        return _unknown(graph) or _overwritten(folded(graph).ops)

    def lower(self, graph: Graph, facts: Facts) -> Graph:
        source = folded(graph)
        lowered = Graph(list(source.tensors))
        for op in source.ops:
            sizes = [size for size in (_im2col(source, op), _kernel(op)) if size is not None]
            scratch = tuple(lowered.tensor(1, 1, size, size).index for size in sizes)
            lowered.ops.append(replace(op, in_place=(), scratch=scratch))
        return lowered

    def memory(self, lowered: Graph) -> Memory:
        activations = Region("activations", _overlapping(lowered.ops), _aligned_total)
        im2col = Region("im2col", tuple((op.name, op.scratch[:1]) for op in lowered.ops), _total)
        kernel = Region("kernel", tuple((op.name, op.scratch[1:]) for op in lowered.ops), _total)
        return Memory((activations, im2col, kernel))

    def plan(self, lowered: Graph, external_input: bool) -> Parts:
        (name, live), *scratch = largest(self.memory(lowered), lowered, external_input)
        return (name, max(live, first_fit(_blocks(lowered, external_input)))), *scratch

    def flash_bytes(self, lowered: Graph) -> Integer:
        return total([CODE_BYTES, self.shares(lowered)[1]])

    def shares(self, lowered: Graph) -> tuple[Integer, Integer]:
        return 0, total([lowered.weights(), CHANNEL_BYTES * lowered.biases()])

    def base(self) -> tuple[int, int]:
        return 0, CODE_BYTES


def _overlapping(ops: Sequence[Op]) -> Steps:
    """Live tensors per op; a depthwise convolution has no output beside its input."""
    plain = live_steps([replace(op, scratch=()) for op in ops])
    return tuple(
        (name, tuple(t for t in live if not (op.kind == "depthwise" and t == op.output)))
        for op, (name, live) in zip(ops, plain, strict=True)
    )


def _blocks(lowered: Graph, external_input: bool) -> list[Block]:
    """Buffers in order of their first op; a chain of in-place convolutions is one."""
    owner: dict[int, int] = {}
    blocks: dict[int, Block] = {}
    for at, op in enumerate(lowered.ops):
        if op.kind == "depthwise" and not (external_input and op.inputs[0] == 0):
            owner[op.output] = owner.get(op.inputs[0], op.inputs[0])
        for tensor in (*op.inputs, op.output):
            buffer = owner.get(tensor, tensor)
            size = 0 if buffer == 0 and external_input else int(aligned(lowered.tensors[buffer].size, ALIGNMENT_BYTES))
            blocks[buffer] = replace(blocks.get(buffer, Block(size, at, at)), last_op=at)
        if op.stride == 2 and op.output in owner:
            whole = blocks[owner[op.output]]
            blocks[owner[op.output]] = replace(whole, shrinks_at=at, rest_bytes=-(-whole.size_bytes // 4))
    return list(blocks.values())


def _im2col(graph: Graph, op: Op) -> Integer | None:
    if op.kind not in ("conv2d", "pointwise", "depthwise", "fully_connected"):
        return None
    x = graph.tensors[op.inputs[0]]
    if op.kind == "depthwise":
        zeros = 2 * (op.kernel // 2)
        height = x.height + zeros
        return 2 * (height * (height if x.width is x.height else x.width + zeros))
    return 4 * x.size if op.kind == "fully_connected" else 4 * op.kernel * op.kernel * x.channels


def _kernel(op: Op) -> Integer | None:
    return 2 * op.weights if op.kind == "conv2d" else None


def _total(sizes: Sequence[Integer]) -> Integer:
    return total(list(sizes))


def _aligned_total(sizes: Sequence[Integer]) -> Integer:
    return total([aligned(size, ALIGNMENT_BYTES) for size in sizes])


def _unknown(graph: Graph) -> str | None:
    gates = {op.output for op in graph.ops if op.activation == "hard_sigmoid"}
    scaled = {gate for op in graph.ops if op.kind == "mul" for gate in op.inputs[1:]}
    for op in graph.ops:
        if op.kind not in SUPPORTED or (op.kind == "mul" and not gates.intersection(op.inputs[1:])):
            return f"TinyEngine has no operator for {op.name} ({op.kind})"
        if op.activation not in FUSED and not (op.activation == "hard_sigmoid" and op.output in scaled):
            return f"TinyEngine has no operator for the {op.activation} behind {op.name}; use ReLU or ReLU6"
        if op.kind == "conv2d" and op.kernel != DENSE_KERNEL:
            return f"{op.name} is {op.kernel}x{op.kernel}: TinyEngine's dense convolutions are 1x1 and 3x3"
        if op.kind == "add" and len(op.in_place) < len(op.inputs):
            return f"{op.name} adds maps of different sizes, which TinyEngine cannot"
    return None


def _overwritten(ops: Sequence[Op]) -> str | None:
    """A reader of a depthwise convolution's input that comes after it: all depthwise convolutions work in place."""
    for at, op in enumerate(ops):
        late = [after.name for after in ops[at + 1 :] if op.kind == "depthwise" and op.inputs[0] in after.inputs]
        if late:
            return (
                f"{late[0]} reads the input of {op.name}, which TinyEngine computes in place: it is overwritten by then"
            )
    return None
