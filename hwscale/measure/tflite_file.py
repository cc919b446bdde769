"""Read a .tflite file into the records of `hwscale.measure.tflite_model`.

Nothing in the file is trusted: a damaged or hostile one is refused in a sentence, in bounded time and memory. One subgraph is
read, which is the whole network unless it has control flow.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from pathlib import Path

from hwscale.errors import ConfigError
from hwscale.measure.flatbuffer import Flatbuffer, Table
from hwscale.measure.tflite_model import FileModel, FileOperator, FileTensor, Quantisation
from hwscale.measure.tflite_options import read_options
from hwscale.measure.tflite_schema import BUILTINS, DTYPES, IDENTIFIER

MAX_FILE_BYTES = 256 << 20
MAX_TENSORS = 4096
MAX_OPERATORS = 4096
MAX_BUFFERS = 2 * MAX_TENSORS
MAX_EDGES = 8 * MAX_OPERATORS
"""Inputs and outputs of all operators together."""
MAX_RANK = 8
MAX_ELEMENTS = (1 << 31) - 1
"""Of one tensor: what an interpreter's int can count."""


def read_tflite(path: str | Path) -> FileModel:
    """The model in the .tflite file at ``path``.

    Raises
    ------
    ConfigError : no such file, or not one that can be read; the sentence says where and why.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise ConfigError(f"{path} is no file: pass the path of a .tflite model.")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ConfigError(
                f"{path} has {size} B, but at most {MAX_FILE_BYTES} B are read: pass a model for a device."
            )
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{str(path)!r} cannot be read ({error}): pass the path of a .tflite model.") from error
    return parse_tflite(data, path.name)


def parse_tflite(data: bytes, title: str = "model") -> FileModel:
    """The model in the bytes of a .tflite file, called ``title`` in sentences; ConfigError if it cannot be read."""
    file = Flatbuffer(data, title)
    model = file.root(IDENTIFIER)
    version = model.number(0, "<I")
    if version != 3:
        raise model.refusal(f"the schema has version {version}, but only 3 is read", "convert it with a current tool")
    stored = _buffers(model)
    subgraphs = model.tables(2, "subgraph", MAX_OPERATORS)
    if len(subgraphs) != 1:
        raise model.refusal(
            f"{len(subgraphs)} subgraphs are listed, but exactly 1 is read",
            "export the network without control flow and with a single signature",
        )
    graph = subgraphs[0]
    tables = graph.tables(0, "tensor", MAX_TENSORS)
    tensors = tuple(_tensor(index, table, stored) for index, table in enumerate(tables))
    inputs = _indices(graph, 1, len(tensors))
    outputs = _indices(graph, 2, len(tensors))
    operators = _operators(model, graph, tensors)
    _check_order(file, tensors, operators, inputs, outputs)
    return FileModel(title, len(data), tensors, operators, inputs, outputs, _offline(file, model, stored, len(tensors)))


def _buffers(model: Table) -> list[tuple[int, int]]:
    """Start and length of each buffer's data in the file."""
    spans = []
    for table in model.tables(4, "buffer", MAX_BUFFERS):
        offset = table.number(1, "<Q")
        if offset > 1:
            # kernels that ignore these fields compute with whatever the arena holds, without an error
            raise table.refusal(
                f"its {table.number(2, '<Q')} B stand behind the model, at offset {offset}, where TensorFlow Lite Micro does not look",
                "copy the data of external buffers into the model (Buffer.data), set offset and size to 0, and pack it again",
            )
        spans.append(table.span(0))
    return spans


def _tensor(index: int, table: Table, stored: list[tuple[int, int]]) -> FileTensor:
    shape = table.integers(0)
    if len(shape) > MAX_RANK:
        raise table.refusal(f"{len(shape)} dimensions, but at most {MAX_RANK} are read", "reshape it")
    if any(size < 0 for size in shape):
        raise table.refusal(f"shape {shape} has a negative size", "convert with a fixed input shape")
    if prod(shape) > MAX_ELEMENTS:
        raise table.refusal(f"shape {shape} has more than {MAX_ELEMENTS} elements")
    code = table.number(1, "<b")
    if code not in DTYPES:
        raise table.refusal(
            f"data type {code} is not known, but must be 0 to {max(DTYPES)}", "quantise to int8 or keep float32"
        )
    dtype, bits = DTYPES[code]
    buffer = table.number(2, "<I")
    if buffer >= len(stored):
        raise table.refusal(f"buffer {buffer} does not exist, the file has {len(stored)}")
    stored_bytes = stored[buffer][1]
    needed = -(-prod(shape) * bits // 8)
    if 0 < stored_bytes < needed and not table.has(6):  # field 6: sparse tensors store less than their shape says
        raise table.refusal(f"shape {shape} of {dtype} takes {needed} B, but its buffer holds {stored_bytes}")
    signature = table.integers(7)
    return FileTensor(
        index=index,
        name=table.text(3),
        shape=shape,
        signature=signature if len(signature) == len(shape) else (),
        dtype=dtype,
        bits=bits,
        buffer=buffer,
        stored_bytes=stored_bytes,
        is_variable=table.number(5, "<B") != 0,
        quantisation=_quantisation(table.table(4)),
    )


def _quantisation(table: Table | None) -> Quantisation | None:
    scales = table.floats(2) if table else ()
    return Quantisation(scales, table.integers(3, "q"), table.number(6)) if table and scales else None


def _operators(model: Table, graph: Table, tensors: tuple[FileTensor, ...]) -> tuple[FileOperator, ...]:
    names = [_builtin(table) for table in model.tables(1, "operator code", MAX_OPERATORS)]
    tables = graph.tables(3, "operator", MAX_OPERATORS)
    if not tables:
        raise graph.refusal("no operator is listed, so there is nothing to run", "export a trained network")
    operators, edges = [], 0
    for index, table in enumerate(tables):
        code = table.number(0, "<I")
        if code >= len(names):
            raise table.refusal(f"operator code {code} does not exist, the file has {len(names)}")
        inputs = _indices(table, 1, len(tensors), least=-1)
        outputs = _indices(table, 2, len(tensors))
        edges += len(inputs) + len(outputs)
        if edges > MAX_EDGES:
            raise table.refusal(f"more than {MAX_EDGES} inputs and outputs are listed", "pass a model for a device")
        operators.append(FileOperator(index, names[code], inputs, outputs, read_options(table, names[code])))
    return tuple(operators)


def _builtin(table: Table) -> str:
    code = max(table.number(0, "<b"), table.number(3))  # old files fill the first field only
    if code < 0:
        raise table.refusal(f"builtin operator {code} does not exist, codes start at 0")
    name = BUILTINS[code] if code < len(BUILTINS) else f"BUILTIN_{code}"
    return table.text(1) or name if name == "CUSTOM" else name


def _indices(table: Table, field: int, count: int, least: int = 0) -> tuple[int, ...]:
    """A list of tensor indices, each in [least, count)."""
    indices = table.integers(field)
    if indices and not least <= min(indices) <= max(indices) < count:
        wrong = next(i for i in indices if not least <= i < count)
        raise table.refusal(f"tensor {wrong} does not exist, the file has {count}")
    return indices


def _check_order(
    file: Flatbuffer,
    tensors: tuple[FileTensor, ...],
    operators: Iterable[FileOperator],
    inputs: Iterable[int],
    outputs: Iterable[int],
) -> None:
    """Every value is written once, and before it is read."""
    known = {t.index for t in tensors if t.is_constant or t.is_variable or not t.activation_bytes} | set(inputs)
    written: set[int] = set()
    for operator in operators:
        where = f"operator {operator.index} ({operator.builtin})"
        for tensor in operator.inputs:
            if tensor >= 0 and tensor not in known:
                raise file.refusal(
                    where,
                    f"it reads tensor {tensor}, which no earlier operator writes and for which the file holds no data",
                    "export the model with its weights inside and its operators in order of execution",
                )
        for tensor in operator.outputs:
            if tensor in written or tensors[tensor].is_constant:
                raise file.refusal(where, f"it writes tensor {tensor}, which has a value already")
        known.update(operator.outputs)
        written.update(operator.outputs)
    for tensor in outputs:
        if tensor not in known:
            raise file.refusal("subgraph 0", f"no operator writes its output, tensor {tensor}")


def _offline(file: Flatbuffer, model: Table, stored: list[tuple[int, int]], tensors: int) -> tuple[int, ...] | None:
    """The memory plan in the metadata: int32 version, subgraph, count, then an offset per tensor, -1 for none."""
    for entry in model.tables(6, "metadata", MAX_BUFFERS):
        if entry.text(0) != "OfflineMemoryAllocation":
            continue
        buffer = entry.number(1, "<I")
        start, size = stored[buffer] if buffer < len(stored) else (0, 0)
        if size < 4 * (3 + tensors) or file.unpack("<i", start + 8, entry.where) != tensors:
            raise entry.refusal(f"the offline memory plan does not list the file's {tensors} tensors")
        offsets = tuple(file.unpack("<i", start + 12 + 4 * i, entry.where) for i in range(tensors))
        if min(offsets, default=0) < -1:
            raise entry.refusal(f"the offline memory plan holds offset {min(offsets)}, but -1 is the least")
        return offsets
    return None
