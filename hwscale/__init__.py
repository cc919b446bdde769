"""hwscale: the best configuration of a tiny neural network for a given microcontroller, in one shot and with a proof.

>>> import hwscale
>>> fit = hwscale.fit("xinet", "stm32h743")
>>> fit.hyperparameters, fit.certificate.status
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwscale.api import cost as cost
    from hwscale.api import families as families
    from hwscale.api import fit as fit
    from hwscale.api import verify as verify
    from hwscale.builder import build as build
    from hwscale.calibrated import calibrate as calibrate
    from hwscale.closed_form import formula as formula
    from hwscale.errors import ConfigError as ConfigError
    from hwscale.errors import HwscaleError as HwscaleError
    from hwscale.errors import InfeasibleError as InfeasibleError
    from hwscale.errors import PlatformError as PlatformError
    from hwscale.errors import UnsupportedOpError as UnsupportedOpError
    from hwscale.errors import VerificationError as VerificationError
    from hwscale.explore.compare import compare as compare
    from hwscale.explore.exact_front import pareto as pareto
    from hwscale.explore.front_file import load_front as load_front
    from hwscale.foreign.cost import cost_module as cost_module
    from hwscale.foreign.cost import cost_tflite as cost_tflite
    from hwscale.host_platform import calibrate_host as calibrate_host
    from hwscale.platform import Platform as Platform
    from hwscale.platform import load_platform as load_platform
    from hwscale.platform import platforms as platforms
    from hwscale.result import Fit as Fit
    from hwscale.schedule_trade_off import trade_off as trade_off
    from hwscale.schedule_trade_off import trade_off_tflite as trade_off_tflite

__version__ = "0.1.0"

_HOMES = {
    "hwscale.api": ("cost", "families", "fit", "verify"),
    "hwscale.builder": ("build",),
    "hwscale.calibrated": ("calibrate",),
    "hwscale.closed_form": ("formula",),
    "hwscale.errors": (
        "ConfigError",
        "HwscaleError",
        "InfeasibleError",
        "PlatformError",
        "UnsupportedOpError",
        "VerificationError",
    ),
    "hwscale.explore.compare": ("compare",),
    "hwscale.explore.exact_front": ("pareto",),
    "hwscale.explore.front_file": ("load_front",),
    "hwscale.foreign.cost": ("cost_module", "cost_tflite"),
    "hwscale.host_platform": ("calibrate_host",),
    "hwscale.platform": ("Platform", "load_platform", "platforms"),
    "hwscale.result": ("Fit",),
    "hwscale.schedule_trade_off": ("trade_off", "trade_off_tflite"),
}
_PUBLIC = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    # imported on first use: `hwscale --help` and shell completion must not wait for numpy
    if name not in _PUBLIC:
        raise AttributeError(f"module 'hwscale' has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*_PUBLIC, "__version__"])
