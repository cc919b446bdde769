"""From the operators of a .tflite file to the ops of a network, as somebody would write it down before a converter lowers it.

A converter's steps are taken back: LOGISTIC and MUL are SiLU, a ReLU6 and a MUL by one number a hard sigmoid, SUB, MUL, MUL and ADD of
constants a batch norm, MEAN over the map a global pool, and a PAD in front of a VALID window is the window's padding. Shapes of
the file are (N, H, W, C), those of the graph (C, H, W).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable
from typing import Any

from hwscale.foreign.dtypes import NUMBERS, moves, other_type
from hwscale.foreign.graph import LONE_PAD, VOCABULARY, ForeignGraph, GraphWriter, Shape, window_kind
from hwscale.measure.tflite_macs import Price, price_of
from hwscale.measure.tflite_model import FileModel, FileOperator, FileTensor

ACTIVATIONS = {"HARD_SWISH": "hard_swish", "LOGISTIC": "sigmoid", "RELU": "relu", "RELU6": "relu6"}
FUSED = {"NONE": "", "RELU": "relu", "RELU6": "relu6"}
ARITHMETIC = ("ADD", "DIV", "MUL", "SUB")
POOLS = {"AVERAGE_POOL_2D": "average_pool", "MAX_POOL_2D": "max_pool"}
WINDOWS = ("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D")
"""Operators whose window can stand on the zeros of a PAD in front of it."""
RENAMINGS = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")


def file_graph(model: FileModel) -> ForeignGraph:
    """The network of a file, for the shapes that the file stores; weights that several operators share count once.

    Raises
    ------
    ConfigError : shapes contradict an operator, or a map's size is left open.
    """
    return _Translation(model).run()


class _Translation:
    def __init__(self, model: FileModel) -> None:
        self.model = model
        self.readers: dict[int, list[FileOperator]] = defaultdict(list)
        for operator in model.operators:
            for tensor in dict.fromkeys(operator.inputs):
                self.readers[tensor].append(operator)
        counts: Counter[Hashable] = Counter({tensor: len(found) for tensor, found in self.readers.items()})
        counts.update(dict.fromkeys(model.outputs, 1))
        self.writer = GraphWriter(counts)
        self.zeros: dict[int, int] = {}  # of a PAD, by its output, on each side
        self.taken: set[int] = set()  # operators that an earlier one stands for
        self.stored: set[int] = set()  # buffers of constants that an op has
        self.unknown: list[str] = []
        self.not_int8 = ""

    def run(self) -> ForeignGraph:
        for tensor in self.model.inputs:
            if moves(self._tensor(tensor)):
                self._enter(tensor)
        for operator in self.model.operators:
            price = price_of(self.model, operator)
            if not price.is_known:
                self.unknown.append(operator.name)
            self.not_int8 = self.not_int8 or other_type(self.model, operator)
            if operator.index not in self.taken and any(moves(self._tensor(tensor)) for tensor in operator.outputs):
                self._translate(operator, price)
        graph = self.writer.finish(self.model.outputs)
        return ForeignGraph(graph, tuple(self.unknown), frozenset(self.writer.plain), self.not_int8)

    def _translate(self, operator: FileOperator, price: Price) -> None:
        sources = [tensor for tensor in operator.inputs if tensor in self.writer]
        handler = HANDLERS.get(operator.builtin)
        if handler is None or not sources or not handler(self, operator, sources, price):
            self._general(operator, sources, price)

    def _general(self, operator: FileOperator, sources: list[int], price: Price) -> None:
        """What has no word: one op per output, all of which read the inputs."""
        computes = (tensor for tensor in operator.inputs if tensor >= 0 and self._tensor(tensor).dtype in NUMBERS)
        weights = sum(self._constant(tensor) for tensor in computes)
        kind = f"{price.kind} of another form" if price.kind in VOCABULARY else price.kind
        for place, output in enumerate(operator.outputs):
            if not moves(self._tensor(output)):
                continue
            name = operator.name if place == 0 else f"{operator.name}.{place}"
            same = len(sources) == 1 and self._tensor(output).activation_bytes == self.writer.tensor(sources[0]).size
            if same and price.is_known:
                self.writer.plain_op(name, kind, sources[0], output).weights = weights
            else:
                macs = price.macs if place == 0 else 0
                unknown = not price.is_known
                self._op(name, kind, sources, output, elementwise=unknown, macs=macs, weights=weights)
            weights = 0

    def _weighted(self, operator: FileOperator, sources: list[int], price: Price) -> bool:
        weight = self._tensor(operator.inputs[1])
        fields: dict[str, Any] = {"macs": price.macs, "weights": self._constant(weight.index)}
        if len(operator.inputs) > 2:
            fields["bias"] = self._constant(operator.inputs[2]) // 4
        kind = price.kind
        if operator.builtin != "FULLY_CONNECTED":
            kind, found = self._window(operator, sources[0], kind, (weight.shape[1], weight.shape[2]))
            fields |= found
            if kind == "depthwise" and weight.elements != weight.shape[1] * weight.shape[2] * self._depth(sources[0]):
                kind = "depthwise with a multiplier"
        self._op(operator.name, kind, sources, operator.outputs[0], activation=self._fused(operator), **fields)
        return True

    def _pool(self, operator: FileOperator, sources: list[int], price: Price) -> bool:
        if any(len(self._tensor(index).shape) != 4 for index in (sources[0], operator.outputs[0])):
            return False
        options = operator.options
        kind, fields = self._window(operator, sources[0], POOLS[operator.builtin], options.kernel)
        fields |= {"identity": options.kernel == options.stride == (1, 1), "activation": self._fused(operator)}
        self._op(operator.name, kind, sources, operator.outputs[0], **fields)
        return True

    def _reduction(self, operator: FileOperator, sources: list[int], price: Price) -> bool:
        x, y = self._tensor(sources[0]), self._tensor(operator.outputs[0])
        if len(x.shape) != 4 or y.elements != x.shape[0] * x.shape[3] or y.shape[-1] != x.shape[3]:
            return False
        pixel = x.shape[1:3] == (1, 1)
        self._op(operator.name, "average_pool", sources, y.index, identity=pixel)
        return True

    def _arithmetic(self, operator: FileOperator, sources: list[int], price: Price) -> bool:
        output, activation = operator.outputs[0], self._fused(operator)
        if len(sources) == 2:
            sources.sort(key=lambda tensor: -self.writer.tensor(tensor).size)  # what is broadcast comes last
            self._op(operator.name, price.kind, sources, output, elementwise=True, activation=activation)
            return True
        constants = [self._tensor(tensor) for tensor in operator.inputs if tensor >= 0 and tensor not in sources]
        x = self.writer.tensor(sources[0])
        if len(sources) != 1 or len(constants) != 1 or constants[0].elements not in (1, x.channels):
            return False
        clamped = self.writer.behind(sources[0], activation="relu6")
        if operator.builtin == "MUL" and constants[0].elements == 1 and clamped is not None:
            clamped.activation = "hard_sigmoid"
            self.writer.become(output, clamped)
            return True
        before = self.writer.behind(sources[0])
        if before is not None and (before.name in self.writer.plain or before.kind == "batch_norm") and before.weights:
            before.kind, before.weights, before.bias = "batch_norm", x.channels, x.channels
            before.activation = activation
            self.writer.plain.discard(before.name)
            self.writer.become(output, before)
            return True
        alone = self.writer.plain_op(operator.name, f"{price.kind} of a constant", sources[0], output)
        alone.weights, alone.activation = self._constant(constants[0].index), activation
        return True

    def _activation(self, operator: FileOperator, sources: list[int], price: Price) -> bool:
        source, output = sources[0], operator.outputs[0]
        gated = self._gated(operator, source)
        if gated is None:
            self.writer.activate(operator.name, ACTIVATIONS[operator.builtin], source, output)
        else:
            self.taken.add(gated.index)
            self.writer.activate(operator.name, "silu", source, gated.outputs[0], readers=2)
        return True

    def _gated(self, operator: FileOperator, x: int) -> FileOperator | None:
        """The MUL that makes the LOGISTIC of ``x`` a SiLU."""
        gate = operator.outputs[0]
        if operator.builtin != "LOGISTIC" or len(self.readers[gate]) != 1 or len(self.readers[x]) != 2:
            return None
        (product,) = self.readers[gate]
        multiplies = (
            product.builtin == "MUL" and sorted(product.inputs) == sorted((x, gate)) and not self._fused(product)
        )
        inside = not {x, gate} & set(self.model.outputs)
        return product if multiplies and inside and len(product.outputs) == 1 else None

    def _renaming(self, operator: FileOperator, sources: list[int], price: Price) -> bool:
        self.writer.alias(operator.outputs[0], sources[0])
        return True

    def _pad(self, operator: FileOperator, sources: list[int], price: Price) -> bool:
        x, y = self._tensor(sources[0]), self._tensor(operator.outputs[0])
        found = self.readers[y.index]
        windows = all(reader.builtin in WINDOWS and reader.options.padding == "VALID" for reader in found)
        taken = windows and bool(found) and y.index not in self.model.outputs and len(x.shape) == len(y.shape) == 4
        if not taken or (x.shape[0], x.shape[3]) != (y.shape[0], y.shape[3]):
            self._op(operator.name, LONE_PAD, sources, y.index)
            return True
        height, width = y.shape[1] - x.shape[1], y.shape[2] - x.shape[2]
        if height == width and height % 2 == 0 and len(found) == 1:
            self.zeros[y.index] = height // 2
            self.writer.alias(y.index, x.index)
        else:
            self._op(operator.name, "pad", sources, y.index)
        return True

    def _window(
        self, operator: FileOperator, source: int, kind: str, kernel: tuple[int, int]
    ) -> tuple[str, dict[str, Any]]:
        """The kind of an op with a window, and what the graph says of that."""
        options = operator.options
        fields: dict[str, Any] = {
            "kernel": kernel[0],
            "stride": options.stride[0],
            "padding": self.zeros.get(source, 0),
        }
        if options.padding == "SAME":
            maps = zip(self._tensor(source).shape[1:3], self._tensor(operator.outputs[0]).shape[1:3], strict=True)
            height, width = (
                max((out - 1) * s + k - side, 0) for (side, out), k, s in zip(maps, kernel, options.stride, strict=True)
            )
            fields |= {"padding": height // 2} if height == width and height % 2 == 0 else {"same": True}
        return window_kind(kind, kernel, options.stride, options.dilation), fields

    def _op(self, name: str, kind: str, sources: list[int], output: int, **fields: Any) -> None:
        tensor = self._tensor(output)
        self.writer.op(name, kind, sources, output, _shape(tensor), tensor.activation_bytes, **fields)

    def _enter(self, index: int) -> None:
        tensor = self._tensor(index)
        self.writer.enter(index, _shape(tensor), tensor.activation_bytes)

    def _tensor(self, index: int) -> FileTensor:
        return self.model.tensors[index]

    def _depth(self, index: int) -> int:
        return self._tensor(index).shape[-1]

    def _constant(self, index: int) -> int:
        """Bytes of a constant that computes, the first time that an op has it."""
        if index < 0 or not self._tensor(index).is_constant or self._tensor(index).buffer in self.stored:
            return 0
        self.stored.add(self._tensor(index).buffer)
        return self._tensor(index).stored_bytes

    def _fused(self, operator: FileOperator) -> str:
        name = operator.options.activation
        return FUSED.get(name, name.lower())


def _shape(tensor: FileTensor) -> Shape:
    """(C, H, W) of (N, H, W, C)."""
    rest = tensor.shape[1:] or tensor.shape
    return (*rest[-1:], *rest[:-1])


HANDLERS: dict[str, Callable[[_Translation, FileOperator, list[int], Price], bool]] = {
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"), _Translation._weighted),
    **dict.fromkeys(POOLS, _Translation._pool),
    **dict.fromkeys(("MEAN", "SUM"), _Translation._reduction),
    **dict.fromkeys(ARITHMETIC, _Translation._arithmetic),
    **dict.fromkeys(ACTIVATIONS, _Translation._activation),
    **dict.fromkeys(RENAMINGS, _Translation._renaming),
    **dict.fromkeys(("PAD", "PADV2"), _Translation._pad),
}
"""What writes an operator down; False where it has no word for this one."""
