"""A network measured in TensorFlow Lite Micro: what ``--verify tflm`` holds against the prediction.

`measure_network` converts a torch module and runs it, `measure_file` runs somebody's .tflite, `check_file` holds a stored
.tflite against the torch module that it is said to be. All leave the module and its mode as they are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from hwscale.errors import ConfigError
from hwscale.measure.tflm import TflmRun, require, run
from hwscale.measure.tflm_file import read_runnable, stripped

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import nn

Progress = Callable[[str], None]
"""Takes a line for standard error before each step that takes seconds."""

LEAST_CORRELATION = 0.99
LEAST_IMAGE_CORRELATION = 0.8
RUNNERS = ("tflite-micro",)
CONVERTERS = (*RUNNERS, "torch", "litert-torch", "ai-edge-quantizer", "ai-edge-litert")


@dataclass(frozen=True, slots=True)
class TflmMeasurement:
    """What TensorFlow Lite Micro took and computed; all sizes in bytes.

    ``total_bytes`` = ``head_bytes`` (activations and scratch) + ``tail_bytes`` (all that persists), of which
    ``sections`` are the parts that the runtime records. ``exported_bytes`` is the file as it is, constants inside,
    ``stripped_bytes`` the file without names and what else no board reads.
    ``correlation`` and ``max_error`` (absolute) are those of all outputs against torch in float32 on the images of ``seed``;
    ``image_correlation`` that of what each image changes: the outputs less their mean over the images. A file with wrong weights
    may keep the means and so the first, but not the last. All three are None where no network was compared. ``settled`` says
    that fresh batch normalisations were used to images first. ``versions`` are the packages behind the numbers.
    """

    total_bytes: int
    head_bytes: int
    tail_bytes: int
    sections: Mapping[str, int]
    exported_bytes: int
    stripped_bytes: int
    versions: Mapping[str, str]
    correlation: float | None = None
    image_correlation: float | None = None
    max_error: float | None = None
    settled: bool = False
    seed: int | None = None

    @property
    def disagreement(self) -> str:
        """Why the file does not hold the network, in a sentence; empty if it does or nothing was compared."""
        if self.correlation is None or self.image_correlation is None:
            return ""
        if self.image_correlation < LEAST_IMAGE_CORRELATION:
            return (
                f"from image to image the outputs of the .tflite correlate with torch's by {self.image_correlation:.3f} only, and "
                f"{LEAST_IMAGE_CORRELATION} is the least: the file is damaged, or holds another network or other weights."
            )
        if self.correlation < LEAST_CORRELATION:
            return (
                f"the outputs of the .tflite correlate with torch's by {self.correlation:.3f} only, and {LEAST_CORRELATION} is "
                "the least: int8 is too coarse for this network and its weights, or the file is damaged."
            )
        return ""


def measure_network(
    network: nn.Module,
    input_shape: tuple[int, int, int],
    *,
    path: Path | str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> TflmMeasurement:
    """Convert ``network`` to int8, run it in TensorFlow Lite Micro, and compare its outputs with torch in float32.

    Parameters
    ----------
    input_shape : (C, H, W) in pixels.
    path : where to keep the .tflite; it is thrown away by default.
    seed : of the images that settle batch normalisations, set quantisation ranges, and are compared; RAM does not depend on it.

    Raises
    ------
    ConfigError : a package of ``hwscale[convert]`` is missing, the network does not run on this input, or ``path`` cannot be written.
    UnsupportedOpError : the converter or TensorFlow Lite Micro refuses the network.
    """
    tell = progress or _silent
    require()
    from hwscale.measure.convert import convert

    module, was_fresh = _prepared(network, input_shape, seed)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(path or Path(folder) / "network.tflite")
        if not target.parent.is_dir():
            raise ConfigError(f"{target} cannot be written: there is no folder {target.parent}.")
        tell(f"converting {_title(network, input_shape)} to an int8 .tflite: 10 to 60 s")
        convert(module, input_shape, target, seed=seed)
        tell("running it in TensorFlow Lite Micro, beside torch")
        measurement = _compared(module, input_shape, target, seed)
    return replace(measurement, settled=was_fresh, versions=_versions(CONVERTERS))


def measure_file(path: Path | str, *, progress: Progress | None = None) -> TflmMeasurement:
    """Run a .tflite in TensorFlow Lite Micro, on zeros; needs neither torch nor a converter.

    Raises
    ------
    ConfigError : a package of ``hwscale[tflm]`` is missing, or the file cannot be read, is damaged, or keeps buffers outside of the
        flatbuffer; the sentence names the repair.
    UnsupportedOpError : TensorFlow Lite Micro refuses the graph; the message is its reason.
    """
    tell = progress or _silent
    tell(f"running {path} in TensorFlow Lite Micro")
    return _measurement(path, run(path))


def check_file(
    path: Path | str,
    network: nn.Module,
    input_shape: tuple[int, int, int],
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> TflmMeasurement:
    """Run a stored .tflite of ``network`` and compare its outputs with torch in float32; needs no converter.

    ``seed`` is that of the conversion: the same images are drawn, which the file does not clip, and fresh batch normalisations
    are settled as they were then. Read `TflmMeasurement.disagreement`.

    Raises
    ------
    ConfigError : as `measure_file`; also a file for another input, or of another number of outputs, than the network's.
    UnsupportedOpError : TensorFlow Lite Micro refuses the graph.
    """
    tell = progress or _silent
    require()
    read_runnable(path)
    module, was_fresh = _prepared(network, input_shape, seed)
    tell(f"running {path} in TensorFlow Lite Micro, beside torch")
    return replace(_compared(module, input_shape, path, seed), settled=was_fresh)


def _prepared(network: nn.Module, input_shape: tuple[int, int, int], seed: int) -> tuple[nn.Module, bool]:
    """A settled copy, and whether there was something to settle."""
    import torch

    from hwscale.measure.tflm_settle import is_fresh, settled

    try:
        copied = settled(network, input_shape, seed)
        with torch.no_grad():
            output = copied(torch.zeros(1, *input_shape))
    except Exception as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise ConfigError(f"{_title(network, input_shape)} does not run: {reason}.") from error
    if not isinstance(output, torch.Tensor):
        raise ConfigError(
            f"{type(network).__name__} returns a {type(output).__name__}: only a network with one output tensor is converted."
        )
    return copied, is_fresh(network)


def _compared(module: nn.Module, input_shape: tuple[int, int, int], path: Path | str, seed: int) -> TflmMeasurement:
    """Run the file on the images of ``seed`` and hold its outputs against the module's."""
    import numpy as np
    import torch

    from hwscale.measure.convert import calibration_images

    images = calibration_images(input_shape, seed)
    done = run(path, inputs=images)
    with torch.no_grad():
        truth = module(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous())
    expected = (truth.movedim(1, -1) if truth.dim() == 4 else truth).numpy().astype(np.float64)
    found = done.real_outputs
    if found is None or found.size != expected.size:
        count = 0 if found is None else found[0].size
        raise ConfigError(
            f"{path} gives {count} numbers per image and {type(module).__name__} {expected[0].size}: "
            "pass the file of this network."
        )
    found = found.reshape(expected.shape)
    return replace(
        _measurement(path, done),
        correlation=_correlation(expected - expected.mean(), found - found.mean()),
        image_correlation=_correlation(expected - expected.mean(0), found - found.mean(0)),
        max_error=float(np.abs(found - expected).max()),
        seed=seed,
    )


def _correlation(expected: npt.NDArray[np.float64], found: npt.NDArray[np.float64]) -> float:
    """Of values whose mean is 0; 0 if one side does not vary."""
    spread = float((expected**2).sum() * (found**2).sum()) ** 0.5
    return float((expected * found).sum()) / spread if spread else 0.0


def _measurement(path: Path | str, done: TflmRun) -> TflmMeasurement:
    contents = Path(path).read_bytes()
    return TflmMeasurement(
        total_bytes=done.total_bytes,
        head_bytes=done.head_bytes,
        tail_bytes=done.tail_bytes,
        sections=done.sections,
        exported_bytes=len(contents),
        stripped_bytes=len(stripped(contents)),
        versions=_versions(RUNNERS),
    )


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


def _title(network: nn.Module, input_shape: tuple[int, int, int]) -> str:
    return f"{type(network).__name__} on {'x'.join(map(str, input_shape))}"


def _silent(line: str) -> None:
    """No progress."""
