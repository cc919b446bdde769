"""From a torch module to the int8 .tflite that TensorFlow Lite Micro runs.

torch -> litert-torch (float) -> ai-edge-quantizer (static, int8 weights and activations, int32 biases) -> every buffer put
back inside the flatbuffer. The quantiser moves weights of 256 KiB and more behind it, where TensorFlow Lite Micro does not
look: it would compute on garbage and say nothing.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwscale.errors import ConfigError, UnsupportedOpError
from hwscale.measure.census import IDENTIFIER, SCHEMA, parse

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import nn

CALIBRATION_IMAGES = 8


def convert(network: nn.Module, input_shape: tuple[int, int, int], path: Path | str, *, seed: int = 0) -> Path:
    """Write ``network`` in evaluation mode to ``path`` as an int8 .tflite: (1, H, W, C) in, int8 out; return the path.

    The same network and ``seed`` give the same bytes. Neither the network nor its mode changes.

    Parameters
    ----------
    input_shape : (C, H, W) in pixels.
    seed : of the images, drawn from N(0, 1), that set the quantisation ranges. RAM and Flash do not depend on them.

    Raises
    ------
    ConfigError : a package of ``hwscale[convert]`` is missing.
    UnsupportedOpError : the converter refuses the network.
    """
    with _silence():
        for package in (SCHEMA, "litert_torch", "ai_edge_quantizer", "ai_edge_litert"):
            _package(package)
        try:
            contents = inlined(_quantised(network, input_shape, seed))
        except Exception as error:
            reason = str(error).strip().partition("\n")[0].rstrip(".")
            raise UnsupportedOpError(
                f"{type(network).__name__} cannot be converted to TensorFlow Lite: {reason}."
            ) from error
    return _write(contents, path)


def calibration_images(input_shape: tuple[int, int, int], seed: int = 0) -> npt.NDArray[np.float32]:
    """The images (N, H, W, C) that set the quantisation ranges; ``input_shape`` is (C, H, W)."""
    import numpy as np

    channels, height, width = input_shape
    shape = (CALIBRATION_IMAGES, height, width, channels)
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def strip(source: Path | str, path: Path | str) -> Path:
    """Copy a .tflite without what its deployment does not read; return ``path``.

    Dropped are names, signatures, description, metadata, shape signatures and the min and max of quantisation; outputs
    and arena stay. The length of names is an accident of the converter, so file sizes are compared after this.

    Raises
    ------
    ConfigError : a package of ``hwscale[convert]`` is missing, or ``source`` is not a .tflite.
    """
    return _write(stripped(_contents(source)), path)


def inline(source: Path | str, path: Path | str) -> Path:
    """Copy a .tflite with every external buffer put back inside the flatbuffer; return ``path``.

    Raises
    ------
    ConfigError : a package of ``hwscale[convert]`` is missing, or ``source`` is not a .tflite.
    """
    return _write(inlined(_contents(source)), path)


def stripped(contents: bytes) -> bytes:
    """What `strip` writes, from what it reads."""
    model = _objects(contents)
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
    return packed(_objects(contents))


def _quantised(network: nn.Module, input_shape: tuple[int, int, int], seed: int) -> bytes:
    """The file as the quantiser makes it, external buffers included."""
    import torch

    litert_torch = import_module("litert_torch")
    quantizer = import_module("ai_edge_quantizer.quantizer")
    calibrators = import_module("ai_edge_quantizer.calibrator")
    managers = import_module("ai_edge_quantizer.recipe_manager")
    recipes = import_module("ai_edge_quantizer.recipe")
    updates = import_module("ai_edge_quantizer.utils.qsv_utils")
    interpreters = import_module("ai_edge_litert.interpreter")

    channels, height, width = input_shape
    module = copy.deepcopy(network).eval()
    with torch.no_grad():
        maps = [0] if module(torch.zeros(1, *input_shape)).dim() == 4 else []
    nhwc = litert_torch.to_channel_last_io(module, args=[0], outputs=maps).eval()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "float.tflite")
        litert_torch.convert(nhwc, (torch.zeros(1, height, width, channels),)).export(path)
        (signature, names), *_ = interpreters.Interpreter(path).get_signature_list().items()
        recipe = recipes.static_wi8_ai8()
        manager = managers.RecipeManager()
        manager.load_quantization_recipe(recipe)
        # not the quantiser's own calibration: its moving average keeps 95 % of the first image and clips the others
        calibrator = calibrators.Calibrator(path, num_threads=1, qsv_update_func=updates.min_max_update)
        images = calibration_images(input_shape, seed)
        calibrator.calibrate({signature: [{names["inputs"][0]: image[None]} for image in images]}, manager)
        worker = quantizer.Quantizer(path)
        worker.load_quantization_recipe(recipe)
        ranges = calibrator.get_model_qsvs()
        return bytes(worker.quantize(ranges).quantized_model)


def _objects(contents: bytes) -> Any:
    """The model as objects that can be packed again, its external buffers inline."""
    import numpy as np

    _package(SCHEMA)
    if contents[4:8] != IDENTIFIER:
        raise ConfigError("This is no .tflite file: the identifier TFL3 is missing.")
    try:
        model = parse(contents)
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


def _write(contents: bytes, path: Path | str) -> Path:
    """Write the file whole or not at all."""
    target = Path(path)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(contents)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return target


def _contents(path: Path | str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}.") from error


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"Conversion to TensorFlow Lite needs the package {error.name}: pip install 'hwscale[convert]'."
        ) from error


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Discard what the converters print, from C++ to the file descriptors too, log and warn."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    disabled = logging.root.manager.disable
    nowhere = os.open(os.devnull, os.O_WRONLY)
    text = io.StringIO()
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        logging.disable(logging.CRITICAL)
        with warnings.catch_warnings(), contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        for descriptor in (*kept, nowhere):
            os.close(descriptor)
