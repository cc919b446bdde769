"""The process that runs TensorFlow Lite Micro: ``python -m hwscale.measure.tflm_worker FILE ARENA_BYTES INPUTS``.

Allocations go to standard error in the runtime's own words (from C++, so that only another process can tell them from
everybody else's output), results to standard output as JSON. A file that makes the runtime crash ends this process only.
"""

from __future__ import annotations

import io
import json
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

RUNTIME = "tflite_micro.python.tflite_micro.runtime"
REFUSED = 3
"""Exit status when TensorFlow Lite Micro refuses the graph."""


def work(path: str, arena: int, inputs: int, images: bytes) -> int:
    """Run the file on each of ``images`` (.npy, real values, for a file of one input), or once on zeros if that is empty."""
    import numpy as np

    try:
        interpreter = import_module(RUNTIME).Interpreter.from_file(path, arena_size=arena)
        if images:
            end, result = interpreter.get_input_details(0), interpreter.get_output_details(0)
            outputs = []
            for image in stored(np.load(io.BytesIO(images)), end):
                interpreter.set_input(image.reshape(end["shape"]), 0)
                interpreter.invoke()
                outputs.append(interpreter.get_output(0)[0].tolist())
            json.dump({"outputs": outputs, "scale": scale(result)}, sys.stdout)
        else:
            for index in range(inputs):
                end = interpreter.get_input_details(index)
                interpreter.set_input(np.zeros(end["shape"], end["dtype"]), index)
            interpreter.invoke()
            json.dump({}, sys.stdout)
    except RuntimeError:
        return REFUSED
    interpreter.print_allocations()
    return 0


def stored(real: npt.NDArray[np.float32], end: dict[str, Any]) -> npt.NDArray[Any]:
    """Real values as the input holds them."""
    import numpy as np

    steps = scale(end)
    if steps is None:
        return real.astype(end["dtype"])
    limits = np.iinfo(end["dtype"])
    levels: npt.NDArray[Any] = np.clip(np.round(real / steps[0]) + steps[1], limits.min, limits.max)
    return levels.astype(end["dtype"])


def scale(end: dict[str, Any]) -> tuple[float, int] | None:
    """(step, zero point) of an input or output, None if it holds real values."""
    quantisation = end["quantization_parameters"]
    if not len(quantisation["scales"]) or end["dtype"]().dtype.kind == "f":
        return None
    return float(quantisation["scales"][0]), int(quantisation["zero_points"][0])


if __name__ == "__main__":
    sys.exit(work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.stdin.buffer.read()))
