"""The operator models of platforms/*.latency.toml: one per part and library of which enough networks are published.

A model that says less than the rates of single operators would, with an interval wider than `LITERATURE`, is not shipped.

`python -m benchmarks.latency_fit` writes the files anew; tests/test_latency_report.py says that they are what is there. Every
model is fitted on networks of convolutions: MLPerf's autoencoder, fully connected layers alone, has no part in any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from benchmarks.latency_published import RP2040, samples
from benchmarks.latency_record import Row
from hwscale.calibration import NETWORK_RUNGS, Calibration, calibrate
from hwscale.errors import ConfigError
from hwscale.latency_file import written
from hwscale.latency_model import LatencyModel
from hwscale.timing import LITERATURE
from hwscale.work import KERNELS

PLATFORMS = Path(__file__).parents[1] / "platforms"
RUNTIMES = {
    "tflm + cmsis-nn": ("tflm",),
    "tinyengine": ("tinyengine",),
    "tinyengine (AtomNet)": ("tinyengine",),
    "x-cube-ai 7.3": ("xcubeai-7.3",),
    "x-cube-ai (AtomNet)": ("xcubeai-7.3",),
    "x-cube-ai 8.1": ("xcubeai-8.1",),
    "x-cube-ai 10.0": ("xcubeai-10.0",),
    "x-cube-ai 10.2": ("xcubeai-10.0",),
    "st-edge-ai 3.0": ("st-edge-ai-3.0",),
}
"""Runtimes of hwscale that a library answers for; others are there by their name alone (``rates``)."""
DEFAULTS = {
    "stm32f746": "x-cube-ai (AtomNet)",
    "stm32h743": "x-cube-ai 7.3",
    "stm32h747": "x-cube-ai 7.3",
    "stm32h7a3": "x-cube-ai 7.3",
}
"""What the runtime `tensors` takes; elsewhere the model with the narrowest interval."""
NOTES = {
    "x-cube-ai (AtomNet)": "the paper states no version; on STM32H743 its latencies are within 5 % of X-CUBE-AI 7.3's",
    "x-cube-ai 10.2": "also stands for X-CUBE-AI 10.0, of which nothing is published on this part",
    "tflm reference": "the plain C kernels of TensorFlow Lite Micro",
}
LIKE = {
    "x-cube-ai 7.3": ("stm32h743", "x-cube-ai 7.3"),
    "x-cube-ai (AtomNet)": ("stm32h743", "x-cube-ai 7.3"),
    "tinyengine (AtomNet)": ("stm32h743", "tinyengine"),
    "st-edge-ai 4.0": ("stm32h747", "st-edge-ai 3.0"),
    "x-cube-ai 8.0": ("stm32h747", "x-cube-ai 8.1"),
    "x-cube-ai 8.1": ("stm32h747", "x-cube-ai 8.1"),
    "x-cube-ai 9.0": ("stm32h747", "x-cube-ai 10.0"),
    "x-cube-ai 10.2": ("stm32h747", "x-cube-ai 10.0"),
}
"""Whose model, x one factor, is the first rung for a library on other parts: itself, or the nearest version of it."""
LAYERS_NOTE = "single layers of one network, which has no conv2d: those take the rate of pointwise and fully connected"


@dataclass(frozen=True)
class Fitted:
    """One library on one part: its rows, and what was made of them."""

    platform: str
    library: str
    rows: tuple[Row, ...]
    calibration: Calibration

    @property
    def model(self) -> LatencyModel:
        """As the file holds it."""
        found, sources = self.calibration, dict.fromkeys(row.sample.source.partition(";")[0] for row in self.rows)
        layers = self.rows[0].group == RP2040
        return LatencyModel(
            self.library,
            RUNTIMES.get(self.library, ()),
            self.platform,
            self.rows[0].clock_hz,
            found.terms,
            len(found.samples),
            found.networks,
            found.left_out_error,
            found.interval,
            "; ".join(sources) if len(sources) < 4 else f"{next(iter(sources))} and {len(sources) - 1} more",
            "derived",
            LAYERS_NOTE if layers else NOTES.get(self.library, ""),
            {kind: share for kind, share in found.seen.items() if not layers},
        )


@lru_cache(maxsize=1)
def fits() -> tuple[Fitted, ...]:
    """Every part and library that has enough, in the order of the file names and then of the libraries."""
    grouped: dict[tuple[str, str], list[Row]] = {}
    for row in samples():
        if row.platform and used(row):
            grouped.setdefault((row.platform, row.library), []).append(row)
    found = []
    for (platform, library), rows in sorted(grouped.items()):
        try:
            calibration = calibrate([row.sample for row in rows], NETWORK_RUNGS, alike(platform, library))
        except ConfigError:
            continue
        if calibration.interval[1] > LITERATURE:
            continue
        found.append(Fitted(platform, library, tuple(rows), calibration))
    return tuple(found)


@lru_cache(maxsize=32)
def alike(platform: str, library: str) -> LatencyModel | None:
    """The model of the library, or one near it, on the part where most networks were measured."""
    where, name = LIKE.get(library, ("", ""))
    if (platform, library) == (where, name) or not name:
        return None
    rows = tuple(row for row in samples() if (row.platform, row.library) == (where, name) and used(row))
    return Fitted(where, name, rows, calibrate([row.sample for row in rows], NETWORK_RUNGS)).model


def used(row: Row) -> bool:
    """Whole networks that convolve, and the layers of RP2040 that multiply."""
    kinds = {op.kind for op in row.sample.ops if op.macs}
    if len(row.sample.ops) == 1:
        return row.group == RP2040 and bool(kinds & set(KERNELS))
    return kinds != {"fully_connected"}


def texts() -> dict[str, str]:
    """The files by name of the platform."""
    found: dict[str, list[LatencyModel]] = {}
    for fitted in fits():
        found.setdefault(fitted.platform, []).append(fitted.model)
    return {name: written(name, models[0].clock_hz, ordered(name, models)) for name, models in found.items()}


def ordered(platform: str, models: Sequence[LatencyModel]) -> list[LatencyModel]:
    """The default first."""
    narrowest = min(models, key=lambda model: model.interval[1]).name
    default = DEFAULTS.get(platform, narrowest)
    return sorted(models, key=lambda model: (model.name != default, model.name))


if __name__ == "__main__":
    for name, text in texts().items():
        (PLATFORMS / f"{name}.latency.toml").write_text(text, encoding="utf-8")
        print(name)
