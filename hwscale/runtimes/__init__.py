"""What an inference runtime does to memory; `RUNTIMES` is the registry."""

from __future__ import annotations

from hwscale.errors import ConfigError, nearest
from hwscale.runtimes.executorch import ExecuTorch
from hwscale.runtimes.runtime import Runtime
from hwscale.runtimes.tensors import Tensors
from hwscale.runtimes.tflm import Tflm
from hwscale.runtimes.tinyengine import TinyEngine
from hwscale.runtimes.xcubeai import XCubeAI

DEFAULT = "tflm"
RUNTIMES: dict[str, Runtime] = {
    "tflm": Tflm(),
    "tinyengine": TinyEngine(),
    "xcubeai-7.3": XCubeAI("xcubeai-7.3"),
    "xcubeai-8.1": XCubeAI("xcubeai-8.1"),
    "xcubeai-10.0": XCubeAI("xcubeai-10.0"),
    "st-edge-ai-3.0": XCubeAI("st-edge-ai-3.0"),
    "executorch": ExecuTorch(),
    "tensors": Tensors("tensors", strict=False),
    "tensors-strict": Tensors("tensors-strict", strict=True),
}


def find_runtime(name: str) -> Runtime:
    """The runtime called ``name``; ConfigError offers the nearest name."""
    if str(name) not in RUNTIMES:
        raise ConfigError(f"unknown runtime {name!r}; {nearest(str(name), RUNTIMES)}")
    return RUNTIMES[name]
