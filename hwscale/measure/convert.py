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
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwscale.errors import ConfigError, UnsupportedOpError
from hwscale.measure.tflm_file import SCHEMA, inlined, write
from hwscale.measure.tflm_images import random_images

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import nn

CALIBRATION_IMAGES = 8
PACKAGES = (SCHEMA, "litert_torch", "ai_edge_quantizer", "ai_edge_litert")


def convert(network: nn.Module, input_shape: tuple[int, int, int], path: Path | str, *, seed: int = 0) -> Path:
    """Write ``network`` in evaluation mode to ``path`` as an int8 .tflite: (1, H, W, C) in, int8 out; return the path.

    The same network and ``seed`` give the same bytes. Neither the network nor its mode changes.

    Parameters
    ----------
    input_shape : (C, H, W) in pixels.
    seed : of the random images that set the quantisation ranges. RAM does not depend on them.

    Raises
    ------
    ConfigError : a package of ``hwscale[convert]`` is missing.
    UnsupportedOpError : the converter refuses the network.
    """
    return _written(type(network).__name__, lambda: _quantised(network, input_shape, seed), path)


def convert_channels_last(
    network: nn.Module, map_shapes: Sequence[tuple[int, int, int]], path: Path | str, *, seed: int = 0
) -> Path:
    """The same for a network that takes maps as the file stores them: (1, H, W, C) each of ``map_shapes`` (C, H, W).

    `convert` wraps a network in two transpositions, which vanish beside convolutions, but not beside a lone ADD.
    """
    return _written(type(network).__name__, lambda: _int8(copy.deepcopy(network).eval(), map_shapes, seed), path)


def _written(title: str, quantised: Callable[[], bytes], path: Path | str) -> Path:
    with _silence():
        for package in PACKAGES:
            _package(package)
        try:
            contents = inlined(quantised())
        except Exception as error:
            reason = str(error).strip().partition("\n")[0].rstrip(".")
            raise UnsupportedOpError(f"{title} cannot be converted to TensorFlow Lite: {reason}.") from error
    return write(contents, path)


def calibration_images(input_shape: tuple[int, int, int], seed: int = 0) -> npt.NDArray[np.float32]:
    """The images (N, H, W, C) that set the quantisation ranges; ``input_shape`` is (C, H, W)."""
    return random_images(CALIBRATION_IMAGES, input_shape, seed)


def _quantised(network: nn.Module, input_shape: tuple[int, int, int], seed: int) -> bytes:
    """The file as the quantiser makes it, external buffers included."""
    import torch

    module = copy.deepcopy(network).eval()
    with torch.no_grad():
        maps = [0] if module(torch.zeros(1, *input_shape)).dim() == 4 else []
    nhwc = import_module("litert_torch").to_channel_last_io(module, args=[0], outputs=maps).eval()
    return _int8(nhwc, (input_shape,), seed)


def _int8(nhwc: nn.Module, map_shapes: Sequence[tuple[int, int, int]], seed: int) -> bytes:
    """The file of a module that takes (1, H, W, C) of each (C, H, W)."""
    import torch

    litert_torch = import_module("litert_torch")
    quantizer = import_module("ai_edge_quantizer.quantizer")
    calibrators = import_module("ai_edge_quantizer.calibrator")
    managers = import_module("ai_edge_quantizer.recipe_manager")
    recipes = import_module("ai_edge_quantizer.recipe")
    updates = import_module("ai_edge_quantizer.utils.qsv_utils")
    interpreters = import_module("ai_edge_litert.interpreter")

    samples = tuple(torch.zeros(1, height, width, channels) for channels, height, width in map_shapes)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "float.tflite")
        litert_torch.convert(nhwc, samples).export(path)
        (signature, names), *_ = interpreters.Interpreter(path).get_signature_list().items()
        recipe = recipes.static_wi8_ai8()
        manager = managers.RecipeManager()
        manager.load_quantization_recipe(recipe)
        # not the quantiser's own calibration: its moving average keeps 95 % of the first image and clips the others
        calibrator = calibrators.Calibrator(path, num_threads=1, qsv_update_func=updates.min_max_update)
        images = [calibration_images(shape, seed + place) for place, shape in enumerate(map_shapes)]
        inputs = sorted(names["inputs"])  # args_0, args_1
        calibrator.calibrate(
            {
                signature: [
                    {name: image[None] for name, image in zip(inputs, row, strict=True)}
                    for row in zip(*images, strict=True)
                ]
            },
            manager,
        )
        worker = quantizer.Quantizer(path)
        worker.load_quantization_recipe(recipe)
        ranges = calibrator.get_model_qsvs()
        return bytes(worker.quantize(ranges).quantized_model)


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"Conversion to TensorFlow Lite needs the package {error.name or name}: pip install 'hwscale[convert]'."
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
