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
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwscale.errors import ConfigError, UnsupportedOpError
from hwscale.measure import tflm_worker
from hwscale.measure.tflite_model import FileModel
from hwscale.measure.tflm_file import read_runnable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

ROOMY_BYTES = 64 << 20
"""More than a microcontroller's network takes beside its activations; what is not touched costs nothing."""
MAX_ARENA_BYTES = 1 << 30
ALIGNMENT = 16


@dataclass(frozen=True, slots=True, eq=False)
class TflmRun:
    """One run of TensorFlow Lite Micro; all sizes in bytes.

    ``total_bytes`` = ``head_bytes`` (tensors and scratch, at the planner's offsets) + ``tail_bytes`` (everything that
    persists); ``sections`` are the parts of the tail that the runtime records, by its own names, alignment included:
    their sum is less than the tail. ``outputs`` as the file stores them and ``real_outputs`` as the real values that they
    stand for: (images, ...); both None if it ran on zeros.
    """

    total_bytes: int
    head_bytes: int
    tail_bytes: int
    sections: Mapping[str, int]
    outputs: npt.NDArray[Any] | None = None
    real_outputs: npt.NDArray[np.float64] | None = None


def run(
    path: Path | str,
    *,
    inputs: npt.NDArray[np.float32] | None = None,
    arena_bytes: int | None = None,
    timeout_s: float = 120,
) -> TflmRun:
    """Run a .tflite in TensorFlow Lite Micro, in a process of its own.

    Parameters
    ----------
    inputs : real-valued images (N, H, W, C), quantised as the file asks, for a file of one input; once on zeros by default.
    arena_bytes : size of the arena; a roomy one by default, which does not change what is recorded. The tail grows down from
        its end: unless that is aligned to 16 B, the record moves by some bytes.

    Raises
    ------
    ConfigError : a package of ``hwscale[tflm]`` is missing, the file is damaged, keeps buffers outside of the flatbuffer or
        takes other inputs, the arena is too small, or the time is over.
    UnsupportedOpError : TensorFlow Lite Micro refuses the graph; the message is its reason.
    """
    import numpy as np

    require()
    model = read_runnable(path)
    images = io.BytesIO()
    if inputs is not None:
        _check_inputs(path, model, inputs.shape[1:])
        np.save(images, np.asarray(inputs, np.float32))
    arena = _roomy(model) if arena_bytes is None else arena_bytes
    command = [sys.executable, "-m", tflm_worker.__name__, str(path), str(arena), str(len(model.inputs))]
    try:
        done = subprocess.run(
            command, input=images.getvalue(), capture_output=True, timeout=timeout_s, env=_environment(), check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"TensorFlow Lite Micro did not finish {path} within {timeout_s:g} s.") from error
    log = done.stderr.decode(errors="replace")
    if done.returncode:
        raise _failure(path, arena, done.returncode, log)
    return _read(json.loads(done.stdout), log)


def require() -> None:
    """ConfigError, with what to install, unless TensorFlow Lite Micro is there."""
    try:
        import_module(tflm_worker.RUNTIME)
    except ImportError as error:
        raise ConfigError(
            f"TensorFlow Lite Micro needs the package {error.name}: pip install 'hwscale[tflm]'."
        ) from error


def _roomy(model: FileModel) -> int:
    needed = ROOMY_BYTES + sum(tensor.activation_bytes for tensor in model.tensors if not tensor.is_constant)
    return min(-(-needed // ALIGNMENT) * ALIGNMENT, MAX_ARENA_BYTES)


def _check_inputs(path: Path | str, model: FileModel, image: tuple[int, ...]) -> None:
    shapes = [model.tensors[index].shape for index in model.inputs]
    if shapes != [(1, *image)]:
        takes = ", ".join("x".join(map(str, shape)) for shape in shapes)
        raise ConfigError(
            f"{path} takes {takes}, but one image of {'x'.join(map(str, image))} (height, width, channels) is given: "
            "pass the file of this network and input shape."
        )


def _environment() -> dict[str, str]:
    """The environment of the worker, which must find this very package."""
    home = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))}


def _failure(path: Path | str, arena: int, status: int, log: str) -> Exception:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    reason = "; ".join(lines).rstrip(".") or "it gave no reason"
    if status < 0:
        return ConfigError(f"TensorFlow Lite Micro crashed on {path} (signal {-status}): the file is damaged.")
    if status != tflm_worker.REFUSED:
        return ConfigError(f"TensorFlow Lite Micro did not run {path}: {lines[-1] if lines else reason}.")
    if re.search(r"Requested: \d+, available -?\d+, missing", log):
        return ConfigError(f"{path} does not fit an arena of {arena} B: {reason}.")
    return UnsupportedOpError(f"TensorFlow Lite Micro refuses {path}: {reason}.")


def _read(answer: dict[str, Any], log: str) -> TflmRun:
    import numpy as np

    totals = {name: int(size) for name, size in re.findall(r"Arena allocation (\w+) (\d+) bytes", log)}
    sections = {name: int(size) for name, size in re.findall(r"'([^']+)' used (\d+) bytes", log)}
    sizes = (totals["total"], totals["head"], totals["tail"], sections)
    if "outputs" not in answer:
        return TflmRun(*sizes)
    outputs = np.asarray(answer["outputs"])
    step, zero = answer["scale"] or (1.0, 0)
    return TflmRun(*sizes, outputs, step * (outputs.astype(np.float64) - zero))
