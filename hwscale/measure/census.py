"""What a .tflite holds: its ops in order of execution, its tensors, and what its constants take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any

from hwscale.errors import ConfigError

SCHEMA = "tflite_micro.tensorflow.lite.micro.python.schema_py_generated"
IDENTIFIER = b"TFL3"
WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
ITEM_BYTES = {"FLOAT32": 4, "FLOAT16": 2, "INT32": 4, "UINT8": 1, "INT64": 8, "BOOL": 1, "INT16": 2, "INT8": 1}


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """A tensor of the file, at its index: ``size_bytes`` as computed from shape and type."""

    shape: tuple[int, ...]
    type: str
    size_bytes: int
    constant: bool


@dataclass(frozen=True, slots=True)
class OpEntry:
    """An op by its builtin name, with tensor indices; absent optional inputs are left out."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GraphFile:
    """The only subgraph of a .tflite: ``ops`` in order of execution, ``inputs`` and ``outputs`` as tensor indices."""

    tensors: tuple[TensorEntry, ...]
    ops: tuple[OpEntry, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Census:
    """Counts of a .tflite.

    ``op_counts`` by builtin name, in order of first execution; ``n_tensors`` constants included; ``weight_bytes`` of int8
    constants, ``int32_bytes`` of int32 ones (biases, paddings, axes, shapes), a buffer that several tensors share counted
    once; ``sum_c_out`` output channels of all convolutions and fully connected layers; sizes of the file as it is and
    `stripped <hwscale.measure.convert.strip>`.
    """

    ops: tuple[str, ...]
    op_counts: Mapping[str, int]
    n_ops: int
    n_tensors: int
    weight_bytes: int
    int32_bytes: int
    sum_c_out: int
    exported_bytes: int
    stripped_bytes: int


def census(path: Path | str) -> Census:
    """Count what a .tflite holds; raises what `read_graph` raises."""
    from hwscale.measure.convert import stripped

    graph = read_graph(path)
    contents = Path(path).read_bytes()
    names = tuple(op.name for op in graph.ops)
    constants = {"INT8": 0, "INT32": 0}
    for size, kind in _constant_buffers(contents):
        constants[kind] = constants.get(kind, 0) + size
    return Census(
        ops=names,
        op_counts=dict(Counter(names)),
        n_ops=len(names),
        n_tensors=len(graph.tensors),
        weight_bytes=constants["INT8"],
        int32_bytes=constants["INT32"],
        sum_c_out=sum(graph.tensors[op.outputs[0]].shape[-1] for op in graph.ops if op.name in WEIGHTED),
        exported_bytes=len(contents),
        stripped_bytes=len(stripped(contents)),
    )


def read_graph(path: Path | str) -> GraphFile:
    """The graph of a .tflite whose constants all lie, whole, inside the flatbuffer.

    Raises
    ------
    ConfigError : a package of ``hwscale[tflm]`` is missing, or the file cannot be read, is damaged, holds several
        subgraphs, or keeps constants outside of the flatbuffer, where TensorFlow Lite Micro does not look.
    """
    try:
        contents = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.") from error
    if contents[4:8] != IDENTIFIER:
        raise ConfigError(f"{path} is no .tflite file: the identifier TFL3 is missing.")
    try:
        model = parse(contents)
        lengths = [buffer.size if buffer.data is None else len(buffer.data) for buffer in model.buffers]
        external = any(buffer.offset > 1 for buffer in model.buffers)
        graphs = [_graph(model, graph, lengths) for graph in model.subgraphs]
    except ConfigError:
        raise
    except Exception as error:  # flatbuffers follows any offset, and says what struct or numpy said
        raise ConfigError(f"{path} is damaged ({error}).") from error
    if external:
        raise ConfigError(
            f"{path} keeps weights outside of the flatbuffer, which TensorFlow Lite Micro takes for garbage without a word: "
            "put them back with hwscale.measure.convert.inline."
        )
    if len(graphs) != 1:
        raise ConfigError(f"{path} has {len(graphs)} subgraphs; only files with one are measured.")
    return graphs[0]


def parse(contents: bytes) -> Any:
    """The model as objects of the schema."""
    try:
        schema = import_module(SCHEMA)
    except ModuleNotFoundError as error:
        raise ConfigError(f"Reading a .tflite needs the package {error.name}: pip install 'hwscale[tflm]'.") from error
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(contents, 0))


def _graph(model: Any, graph: Any, lengths: list[int]) -> GraphFile:
    schema = import_module(SCHEMA)
    type_names = {code: name for name, code in vars(schema.TensorType).items() if not name.startswith("_")}
    op_names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    tensors = []
    for index, tensor in enumerate(graph.tensors):
        shape = tuple(int(side) for side in tensor.shape) if tensor.shape is not None else ()
        kind = type_names[tensor.type]
        size = prod(shape) * ITEM_BYTES[kind]
        length = lengths[tensor.buffer]
        if length not in (0, size):
            raise ConfigError(f"The .tflite file is damaged: tensor {index} of {size} B has {length} B of data.")
        tensors.append(TensorEntry(shape, kind, size, constant=length > 0))
    ops = []
    for op in graph.operators:
        code = model.operatorCodes[op.opcodeIndex]
        name = op_names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        ops.append(OpEntry(name, _indices(op.inputs), _indices(op.outputs)))
    return GraphFile(tuple(tensors), tuple(ops), _indices(graph.inputs), _indices(graph.outputs))


def _indices(vector: Any) -> tuple[int, ...]:
    return tuple(int(index) for index in vector if index >= 0) if vector is not None else ()


def _constant_buffers(contents: bytes) -> list[tuple[int, str]]:
    """(bytes, type) of every buffer that a tensor reads."""
    schema = import_module(SCHEMA)
    type_names = {code: name for name, code in vars(schema.TensorType).items() if not name.startswith("_")}
    model = parse(contents)
    kinds = {tensor.buffer: type_names[tensor.type] for graph in model.subgraphs for tensor in graph.tensors}
    sizes = {index: 0 if buffer.data is None else len(buffer.data) for index, buffer in enumerate(model.buffers)}
    return [(sizes[buffer], kind) for buffer, kind in kinds.items() if sizes[buffer]]
