"""A .tflite as a file for TensorFlow Lite Micro: read with suspicion, repaired, stripped."""

from __future__ import annotations

import os
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from hwscale.errors import ConfigError
from hwscale.measure.flatbuffer import Flatbuffer
from hwscale.measure.tflite_file import MAX_BUFFERS, MAX_FILE_BYTES, read_tflite
from hwscale.measure.tflite_model import FileModel
from hwscale.measure.tflite_schema import IDENTIFIER

SCHEMA = "tflite_micro.tensorflow.lite.micro.python.schema_py_generated"
"""Classes of the whole schema: what reads a .tflite into objects and packs it again."""


def read_runnable(path: Path | str) -> FileModel:
    """The records of a .tflite that TensorFlow Lite Micro may be given: it checks no file, and crashes on a damaged one.

    Raises
    ------
    ConfigError : the file cannot be read or is damaged, or keeps constants outside of the flatbuffer, where the runtime does not
        look: it would compute on garbage and say nothing.
    """
    try:
        return read_tflite(path)
    except ConfigError as refusal:
        if _keeps_buffers_outside(Path(path)):
            raise ConfigError(
                f"{path} keeps weights outside of the flatbuffer, which TensorFlow Lite Micro takes for garbage without a word: "
                "put them back with hwscale.measure.tflm_file.inline(path, new_path) and pass the new file."
            ) from refusal
        raise


def strip(source: Path | str, path: Path | str) -> Path:
    """Copy a .tflite without what its deployment does not read; return ``path``.

    Dropped are names, signatures, description, metadata, shape signatures and the min and max of quantisation; outputs
    and arena stay. The length of names is an accident of the converter, so file sizes are compared after this.

    Raises
    ------
    ConfigError : a package of ``hwscale[tflm]`` is missing, or ``source`` is not a .tflite.
    """
    return write(stripped(_contents(source)), path)


def inline(source: Path | str, path: Path | str) -> Path:
    """Copy a .tflite with every external buffer put back inside the flatbuffer; return ``path``.

    Raises
    ------
    ConfigError : a package of ``hwscale[tflm]`` is missing, or ``source`` is not a .tflite.
    """
    return write(inlined(_contents(source)), path)


def stripped(contents: bytes) -> bytes:
    """What `strip` writes, from what it reads."""
    model = unpacked(contents)
    model.signatureDefs = model.description = model.metadata = model.metadataBuffer = None
    for graph in model.subgraphs:
        graph.name = None
        for tensor in graph.tensors:
            tensor.name = tensor.shapeSignature = None
            if tensor.quantization is not None:
                tensor.quantization.min = tensor.quantization.max = None
    return packed(model)


def inlined(contents: bytes) -> bytes:
    """What `inline` writes, from what it reads."""
    return packed(unpacked(contents))


def unpacked(contents: bytes) -> Any:
    """The model as objects of the schema that can be packed again, its external buffers inline."""
    import numpy as np

    schema = _package(SCHEMA)
    if contents[4:8] != IDENTIFIER:
        raise ConfigError("This is no .tflite file: the identifier TFL3 is missing.")
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(contents, 0))
        for buffer in model.buffers:
            if buffer.offset > 1:  # 0 says inline, 1 is a place holder
                buffer.data = np.frombuffer(contents, np.uint8, buffer.size, buffer.offset)
                buffer.offset = buffer.size = 0
    except Exception as error:  # flatbuffers reads any offset it is told to
        raise ConfigError(f"This .tflite file is damaged ({error}).") from error
    return model


def packed(model: Any) -> bytes:
    """The file of a model that is held as objects."""
    builder = _package("flatbuffers").Builder(1024)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def write(contents: bytes, path: Path | str) -> Path:
    """Write the file whole or not at all; ConfigError if that is impossible."""
    target = Path(path)
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(contents)
            os.chmod(name, 0o644)  # a temporary file is its owner's alone
            os.replace(name, target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
    return target


def _keeps_buffers_outside(path: Path) -> bool:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            return False
        buffers = Flatbuffer(path.read_bytes(), path.name).root(IDENTIFIER).tables(4, "buffer", MAX_BUFFERS)
        return any(buffer.number(1, "<Q") > 1 for buffer in buffers)
    except (ConfigError, OSError, ValueError):
        return False


def _contents(path: Path | str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"Packing a .tflite file needs the package {error.name}: pip install 'hwscale[tflm]'."
        ) from error
