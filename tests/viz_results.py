"""Results that the tests of plots and reports draw, each solved once per process."""

from __future__ import annotations

from functools import cache
from typing import Any

import hwscale
from hwscale.result import Fit

QUESTIONS: dict[str, dict[str, Any]] = {
    "xinet": {"net": "xinet", "platform": "stm32h743", "verify": "none"},
    "margin": {
        "net": "mobilenet_v2",
        "platform": "stm32f746",
        "runtime": "tinyengine",
        "margin": "10%",
        "reserve_ram": "20KiB",
        "reserve_flash": "64KiB",
        "verify": "none",
    },
    "bounded": {"net": "mobilenet_v2", "platform": "stm32f746", "runtime": "xcubeai-7.3", "verify": "none"},
    "no platform": {
        "net": "xinet",
        "limits": {"ram": "200 KiB", "flash": "1 MiB"},
        "fix": {"resolution": 96},
        "runtime": "tensors",
        "verify": "none",
    },
    "patches": {
        "net": "mcunet",
        "platform": "stm32f412",
        "runtime": "tinyengine",
        "schedule": "patch",
        "fix": {"preset": "mcunet-vww1"},
        "verify": "none",
    },
}


@cache
def answer(name: str) -> Fit:
    """The fit of a question."""
    return hwscale.fit(**QUESTIONS[name])
