"""What an inference runtime does to memory; `RUNTIMES` is the registry."""

from __future__ import annotations

from hwscale.errors import ConfigError, nearest
from hwscale.runtimes.runtime import Runtime
from hwscale.runtimes.tensors import Tensors

RUNTIMES: dict[str, Runtime] = {
    "tensors": Tensors("tensors", strict=False),
    "tensors-strict": Tensors("tensors-strict", strict=True),
}


def find_runtime(name: str) -> Runtime:
    """The runtime called ``name``; ConfigError offers the nearest name."""
    if str(name) not in RUNTIMES:
        raise ConfigError(f"unknown runtime {name!r}; {nearest(str(name), RUNTIMES)}")
    return RUNTIMES[name]
