"""Calibrate a platform on measured latencies, and write the operator model beside its descriptor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hwscale.calibrated_files import copied, target_of, write_all
from hwscale.calibration import FEWEST, Calibration, Sample
from hwscale.calibration import calibrate as fit_samples
from hwscale.errors import ConfigError, nearest
from hwscale.latency_file import latency_models, latency_path, written
from hwscale.latency_model import LatencyModel
from hwscale.measurements import read_measurements
from hwscale.platform import Platform, load_platform
from hwscale.runtimes import DEFAULT as DEFAULT_RUNTIME
from hwscale.runtimes import find_runtime

NEEDED = (("conv2d", "depthwise"), ("pointwise",), ("fully_connected",))
"""One kind of op of each, without which no family has a latency."""


@dataclass(frozen=True)
class Calibrated:
    """The operator ``model`` that ``calibration`` found, and the ``files`` that were written, the latency file last.

    ``platform`` is the one that it belongs to; ``default`` the name of the model that its file puts first.
    """

    platform: str
    runtime: str
    model: LatencyModel
    default: str
    calibration: Calibration
    files: tuple[Path, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON, schema "hwscale.calibrate/1"; latencies in s."""
        model = self.model
        terms = [
            {"work": t.work.quantity, "operators": list(t.work.operators), "seconds_per_unit": t.seconds}
            for t in model.terms
        ]
        rows = [
            {
                "line": one.sample.row,
                "name": one.sample.name,
                "measured_s": one.sample.latency_s,
                "predicted_without_s": one.predicted_s,
                "error": one.error,
                "covered": one.covered,
            }
            for one in self.calibration.left_out
        ]
        return {
            "schema": "hwscale.calibrate/1",
            "platform": self.platform,
            "library": model.name,
            "runtime": self.runtime,
            "clock_hz": model.clock_hz,
            "n": model.n,
            "networks": model.networks,
            "left_out_error": model.left_out_error,
            "interval": list(model.interval),
            "terms": terms,
            "rows": rows,
            "source": model.source,
            "default": self.default,
            "files": [str(path) for path in self.files],
        }


def calibrate(
    platform: str | Path | Platform,
    measurements: str | Path,
    *,
    library: str,
    runtime: str = DEFAULT_RUNTIME,
    like: str | None = None,
    output: str | Path | None = None,
) -> Calibrated:
    """Fit an operator model to measured latencies and write it beside the platform's descriptor.

    >>> hwscale.calibrate("my.toml", "ops.csv", library="my kernels 1.0")

    Parameters
    ----------
    platform : the TOML of a board, or with ``output`` a built-in name.
    measurements : CSV, see `hwscale.measurements`.
    library : name of the kernels that were measured, with their version; a model of that name is replaced.
    runtime : the runtime of hwscale that the model answers for, and that lowers measured networks.
    like : "PLATFORM: LIBRARY", a model of the same kernels on another part: one factor on all of it is tried first, which three
        networks determine.
    output : a new descriptor to write, a copy of ``platform``, with the model beside it.

    Raises
    ------
    ConfigError : a setting or the file cannot be used, with all its faults, or too little was measured, with what to measure.
    PlatformError : the platform, or the latency file beside it, cannot be used.

    Nothing is written unless all of it is.
    """
    where = load_platform(platform)
    find_runtime(runtime)
    named(library)
    target = target_of(where, output)
    samples = read_measurements(measurements, runtime, where.clock_hz)
    sibling = None if like is None else _sibling(like)
    if sibling is None:
        check_enough(samples)
    found = fit_samples(samples, like=sibling)
    text = None if target is None else copied(where, target)
    home = where if target is None else replace(where, name=target.stem, origin=target)
    return store(home, text, found, library, runtime, Path(measurements).name)


def _sibling(like: str) -> LatencyModel:
    """The model that "PLATFORM: LIBRARY" names."""
    platform, colon, library = (part.strip() for part in like.partition(":"))
    if not colon or not platform or not library:
        raise ConfigError(f"like is {like!r}, but it must be PLATFORM: LIBRARY, such as 'stm32h743: x-cube-ai 7.3'")
    models = {model.name: model for model in latency_models(load_platform(platform))}
    if library not in models:
        remedy = nearest(library, models) if models else "that platform has no operator model"
        raise ConfigError(f"like: {platform} has no model {library!r}; {remedy}")
    return models[library]


def named(library: str) -> None:
    """ConfigError unless ``library`` can name a model."""
    if not library.strip() or not library.isprintable():
        raise ConfigError(
            f"library is {library!r}, but it must name the measured kernels, as in 'cmsis-nn 5.0'; name them"
        )


def check_enough(samples: Sequence[Sample]) -> None:
    """ConfigError with the ops still to measure, unless every kind has `FEWEST` shapes and one kind of each of `NEEDED` is there."""
    if any(len(sample.ops) != 1 for sample in samples):
        return
    shapes: dict[str, set[str]] = {}
    for sample in samples:
        shapes.setdefault(sample.ops[0].kind, set()).add(sample.network)
    wanted = [f"{FEWEST - len(of_kind)} more of {kind}" for kind, of_kind in shapes.items() if len(of_kind) < FEWEST]
    wanted += [f"{FEWEST} of {' or '.join(kinds)}" for kinds in NEEDED if not shapes.keys() & set(kinds)]
    if wanted:
        raise ConfigError(
            f"{samples[0].source}: too few different shapes of op: measure {', '.join(wanted)}; `hwscale calibrate --plan --net NET` "
            "lists shapes"
        )


def store(
    platform: Platform, descriptor: str | None, found: Calibration, library: str, runtime: str, source: str
) -> Calibrated:
    """Write the model of a calibration beside ``platform``, and its ``descriptor`` if that is new; the whole outcome."""
    model = _model(platform, found, library, runtime, source)
    others = latency_models(platform) if descriptor is None else ()
    clocks = {other.clock_hz for other in others} - {platform.clock_hz}
    if clocks:
        raise ConfigError(
            f"{latency_path(platform)} was measured at {min(clocks) / 1e6:g} MHz, but {platform.name} runs at "
            f"{platform.clock_hz / 1e6:g} MHz; move that file away, or correct the clock"
        )
    models = [model if other.name == library else other for other in others]
    models += [] if model in models else [model]
    texts = {} if descriptor is None else {platform.origin: descriptor}
    files = write_all({**texts, latency_path(platform): written(platform.name, platform.clock_hz, models)})
    return Calibrated(platform.name, runtime, model, models[0].name, found, files)


def _model(platform: Platform, found: Calibration, library: str, runtime: str, source: str) -> LatencyModel:
    low, high = found.interval
    slow = next((term for term in found.terms if term.seconds >= 1), None)
    if slow is not None or low < 1e-3:
        reason = f"{slow.work} would take {slow.seconds:.3g} s each" if slow else f"errors reach a factor of {high:.3g}"
        raise ConfigError(
            f"{source}: no operator model fits these latencies: {reason}; see that they are of one library"
        )
    return LatencyModel(
        library,
        (runtime,),
        platform.name,
        platform.clock_hz,
        found.terms,
        len(found.samples),
        found.networks,
        found.left_out_error,
        found.interval,
        source,
        "primary",
        seen=found.seen,
    )
