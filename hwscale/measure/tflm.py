"""What TensorFlow Lite Micro really allocates for a .tflite, and what it computes: measured with its own interpreter.

Bytes are those of the x86-64 build of the pinned tflite-micro, before any scratch of CMSIS-NN: pointers take 8 B where a
Cortex-M has 4, so the tail is larger than on a board; the head (the tensors, as its greedy planner packs them) is not.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwscale.errors import ConfigError, UnsupportedOpError
from hwscale.measure.census import census, read_graph

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import nn

__all__ = ["Quantisation", "TflmRecord", "census", "compare", "measure_tflm", "run"]

RUNTIME = "tflite_micro.python.tflite_micro.runtime"
ROOMY_ARENA = 64 * 1024 * 1024
REFUSED = 3
"""Exit status of the worker when TensorFlow Lite Micro refuses the graph."""


@dataclass(frozen=True, slots=True)
class Quantisation:
    """real value = scale (int8 value - zero_point)."""

    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True, eq=False)
class TflmRecord:
    """One run of TensorFlow Lite Micro; all sizes in bytes.

    ``total_bytes`` = ``head_bytes`` (tensors and scratch, at the planner's offsets) + ``tail_bytes`` (everything that
    persists); ``sections`` are the parts of the tail that the runtime records, by its own names, alignment included:
    their sum is less than the tail. ``outputs`` int8, ``dequantised`` the same as real values: (images, ...).
    ``correlation`` and ``max_error`` against torch in float32 over all outputs, None where nothing was compared.
    """

    total_bytes: int
    head_bytes: int
    tail_bytes: int
    sections: Mapping[str, int]
    input: Quantisation
    output: Quantisation
    outputs: npt.NDArray[np.int8]
    dequantised: npt.NDArray[np.float64]
    correlation: float | None = None
    max_error: float | None = None


def run(
    path: Path | str,
    *,
    arena_bytes: int | None = None,
    inputs: npt.NDArray[np.float32] | None = None,
    timeout_s: float = 120,
) -> TflmRecord:
    """Run a .tflite with int8 input and output in TensorFlow Lite Micro, in a process of its own.

    Parameters
    ----------
    arena_bytes : size of the arena; a roomy one by default, which does not change what is recorded.
    inputs : real-valued images (N, H, W, C), quantised as the file asks; one image of zeros by default.

    Raises
    ------
    ConfigError : a package of ``hwscale[tflm]`` is missing, the file is damaged or keeps buffers outside of the
        flatbuffer, the arena is too small, or the time is over.
    UnsupportedOpError : TensorFlow Lite Micro refuses the graph; the message is its reason.
    """
    import numpy as np

    _require()
    read_graph(path)  # the interpreter does not check a file: it crashes, or computes on garbage
    images = io.BytesIO()
    if inputs is not None:
        np.save(images, np.asarray(inputs, np.float32))
    arena = ROOMY_ARENA if arena_bytes is None else arena_bytes
    # from C++ to the file descriptor 2: only another process can tell that from everybody else's output
    command = [sys.executable, "-m", __name__, str(path), str(arena)]
    try:
        done = subprocess.run(
            command, input=images.getvalue(), capture_output=True, timeout=timeout_s, env=_environment(), check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"TensorFlow Lite Micro did not finish {path} within {timeout_s:g} s.") from error
    log = done.stderr.decode(errors="replace")
    if done.returncode:
        raise _failure(path, arena, done.returncode, log)
    return _record(json.loads(done.stdout), log)


def measure_tflm(network: nn.Module, input_shape: tuple[int, int, int], *, seed: int = 0) -> TflmRecord:
    """Convert ``network``, run it, and compare its int8 outputs with torch in float32.

    ``input_shape`` (C, H, W) in pixels; ``seed`` as in `hwscale.measure.convert.convert`. The network need not be trained, but
    its activations must neither vanish nor explode, or int8 cannot hold them: one fresh from its constructor, whose batch
    normalisations have seen no image, agrees badly or is refused.
    Raises what `hwscale.measure.convert.convert` and `run` raise.
    """
    from hwscale.measure.convert import convert

    _require()
    with tempfile.TemporaryDirectory() as folder:
        path = convert(network, input_shape, Path(folder) / "network.tflite", seed=seed)
        return compare(network, input_shape, path, seed=seed)


def compare(network: nn.Module, input_shape: tuple[int, int, int], path: Path | str, *, seed: int = 0) -> TflmRecord:
    """Run the .tflite of ``network`` on the images that it was calibrated with, whose values it does not clip, and compare
    its outputs with torch's.

    Raises what `run` raises.
    """
    import copy

    import numpy as np
    import torch

    from hwscale.measure.convert import calibration_images

    inputs = calibration_images(input_shape, seed)
    record = run(path, inputs=inputs)
    with torch.no_grad():
        truth = copy.deepcopy(network).eval()(torch.from_numpy(inputs).permute(0, 3, 1, 2).contiguous())
    expected = truth.movedim(1, -1).numpy().astype(np.float64)
    found = record.dequantised.reshape(expected.shape)
    spread = expected.std() * found.std()
    covariance = ((expected - expected.mean()) * (found - found.mean())).mean()
    return replace(
        record,
        correlation=float(covariance / spread) if spread else 0.0,
        max_error=float(np.abs(found - expected).max()),
    )


def _require() -> None:
    try:
        import_module(RUNTIME)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"TensorFlow Lite Micro needs the package {error.name}: pip install 'hwscale[tflm]'."
        ) from error


def _environment() -> dict[str, str]:
    """The environment of the worker, which must find this very package."""
    home = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))}


def _failure(path: Path | str, arena: int, status: int, log: str) -> Exception:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    reason = "; ".join(lines).rstrip(".") or "it gave no reason"
    if status < 0:
        return ConfigError(f"TensorFlow Lite Micro crashed on {path} (signal {-status}): the file is damaged.")
    if status != REFUSED:
        return ConfigError(f"TensorFlow Lite Micro did not run {path}: {lines[-1] if lines else reason}.")
    if re.search(r"Requested: \d+, available -?\d+, missing", log):
        return ConfigError(f"{path} does not fit an arena of {arena} B: {reason}.")
    return UnsupportedOpError(f"TensorFlow Lite Micro refuses {path}: {reason}.")


def _record(answer: dict[str, Any], log: str) -> TflmRecord:
    import numpy as np

    totals = {name: int(size) for name, size in re.findall(r"Arena allocation (\w+) (\d+) bytes", log)}
    sections = {name: int(size) for name, size in re.findall(r"'([^']+)' used (\d+) bytes", log)}
    outputs = np.asarray(answer["outputs"], np.int8)
    output = Quantisation(*answer["output"])
    return TflmRecord(
        totals["total"],
        totals["head"],
        totals["tail"],
        sections,
        Quantisation(*answer["input"]),
        output,
        outputs,
        output.scale * (outputs.astype(np.float64) - output.zero_point),
    )


def _work(path: str, arena: int, images: bytes) -> int:
    """The worker: allocations to standard error in TensorFlow Lite Micro's words, outputs to standard output as JSON."""
    import numpy as np

    runtime = import_module(RUNTIME)
    try:
        interpreter = runtime.Interpreter.from_file(path, arena_size=arena)
    except RuntimeError:
        return REFUSED
    ends = [interpreter.get_input_details(0), interpreter.get_output_details(0)]
    (scale, zero), (out_scale, out_zero) = (
        (float(q["scales"][0]), int(q["zero_points"][0])) for q in (end["quantization_parameters"] for end in ends)
    )
    shape = tuple(int(side) for side in ends[0]["shape"])
    real = np.load(io.BytesIO(images)) if images else np.zeros(shape, np.float32)
    levels = np.clip(np.round(real / scale) + zero, -128, 127).astype(np.int8)
    outputs = []
    try:
        for image in levels:
            interpreter.set_input(image.reshape(shape), 0)
            interpreter.invoke()
            outputs.append(interpreter.get_output(0)[0].tolist())
    except RuntimeError:
        return REFUSED
    interpreter.print_allocations()
    json.dump({"input": (scale, zero), "output": (out_scale, out_zero), "outputs": outputs}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(_work(sys.argv[1], int(sys.argv[2]), sys.stdin.buffer.read()))
