"""What measures an answer: a torch trace, TensorFlow Lite Micro itself, or Arm's compiler Vela; `BACKENDS` is the registry.

Each is held against the runtime that predicts what it can see. A trace sees tensors, so it is compared with `tensors`; the arena
and the file of TensorFlow Lite Micro with `tflm`; Vela only estimates, and its numbers stand beside the prediction.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hwscale.configuration import Configuration
from hwscale.errors import ConfigError
from hwscale.platform import Platform, platforms
from hwscale.runtimes import find_runtime
from hwscale.schedules import LAYER, Schedule
from hwscale.schedules.windows import steps
from hwscale.verification import Row, Verification, compare

if TYPE_CHECKING:
    from torch import nn

    from hwscale.measure.vela_summary import VelaRecord

Progress = Callable[[str], None]
BACKENDS = ("torch", "tflm", "vela", "none")
_CONVERTER = (("litert_torch", "litert-torch"), ("ai_edge_quantizer", "ai-edge-quantizer"))
NEEDED = {
    "tflm": (("tflite_micro", "tflite-micro"), *_CONVERTER),
    "vela": (*_CONVERTER, ("ethosu", "ethos-u-vela")),
}
"""Modules of the optional packages, and their names."""
HEAD_TOLERANCE_BYTES = 16
OUTPUT_TOLERANCE = 1e-4
"""Of float32 outputs, relative: a schedule sums in another order."""
_BY_OP = ("macs", "ram_bytes")
"""What execution by a schedule has other numbers of."""
TOLERANCE_PERMILLE = 5
"""Of the arena and of the file: within 0.5 % they are as predicted; head and tail have been equal wherever they were measured."""


def measured(
    backend: str,
    network: nn.Module,
    chosen: Configuration,
    runtime: str,
    external: bool,
    platform: Platform | None,
    progress: Progress | None = None,
    schedule: Schedule = LAYER,
) -> Verification:
    """The network measured by ``backend`` (not "none"), against its prediction.

    ``runtime`` is the one that the answer was found for, ``external``: its image lies outside the arena. Lines about slow steps go
    to ``progress``. Raises VerificationError where the two differ, ConfigError where a package is missing or the platform is of the
    wrong kind.
    """
    check_backend(backend, platform)
    traced = _traced(network, chosen, runtime, external)
    if not schedule.plain:
        if progress:
            progress(f"running it once by schedule {schedule.name} on {schedule.n_patch} x {schedule.n_patch} patches")
        traced = _executed(network, chosen, runtime, external, schedule, traced).require()
    if backend == "tflm":
        return _in_tflm(network, chosen, traced, progress).require()
    if backend == "vela":
        assert platform is not None
        return _by_vela(network, chosen, platform, traced, progress)
    return traced


def check_backend(backend: str, platform: Platform | None) -> None:
    """ConfigError if ``backend`` cannot measure here: to be asked before the search, which is in vain otherwise."""
    for module, package in NEEDED.get(backend, ()):
        if find_spec(module) is None:
            extras = "convert" if backend == "tflm" else f"convert,{backend}"
            raise ConfigError(
                f"--verify {backend} needs the package {package}: pip install 'hwscale[{extras}]', see the README"
            )
    if backend == "vela" and (platform is None or platform.vela is None):
        targets = ", ".join(name for name in platforms() if name.startswith("ethos-u"))
        here = "no platform was named" if platform is None else f"{platform.name} has none"
        raise ConfigError(f"--verify vela estimates an Ethos-U, but {here}; use --platform with one of: {targets}")


def _traced(network: nn.Module, chosen: Configuration, runtime: str, external: bool) -> Verification:
    from hwscale.measure.trace import measure

    strict = find_runtime(runtime).strict_measure
    counted = "tensors-strict" if strict else "tensors"
    trace = measure(network, chosen.input_shape, strict=strict, external_input=external)
    return compare(chosen.record(counted, external), trace, "torch", counted).require()


def _executed(
    network: nn.Module, chosen: Configuration, runtime: str, external: bool, schedule: Schedule, traced: Verification
) -> Verification:
    """``traced`` op by op, with what one inference by the schedule executes and whether it says the same."""
    import torch

    from hwscale.measure.schedule_executor import execute

    x = torch.randn(1, *chosen.input_shape, generator=torch.Generator().manual_seed(0))
    plain = execute(network, x, "layer").output
    # the executor takes a pool for a part of the op before it
    graph = chosen.graph(runtime, external, schedule)
    split_idx = sum(step.op.kind != "max_pool" for step in steps(graph)[: schedule.split_idx])
    done = execute(network, x, schedule.name, n_patch=schedule.n_patch, split_idx=split_idx)
    predicted = chosen.record(runtime, external, schedule)
    rows = [replace(row, quantity=f"layer_{row.quantity}") if row.quantity in _BY_OP else row for row in traced.rows]
    rows.append(Row("macs", predicted.macs, done.macs))
    error, scale = float((done.output - plain).abs().max()), max(1.0, float(plain.abs().max()))
    wrong = (
        ""
        if error <= OUTPUT_TOLERANCE * scale
        else f"outputs of schedule {schedule.name} and layer differ by {error:.2g}"
    )
    ok = bool(traced.ok) and all(row.ok for row in rows) and not wrong
    figures = {**traced.figures, "output_error": error}
    return replace(traced, ok=ok, rows=tuple(rows), figures=figures, disagreement=wrong)


def _in_tflm(
    network: nn.Module, chosen: Configuration, traced: Verification, progress: Progress | None
) -> Verification:
    from hwscale.measure.tflm_measure import measure_network

    # the converted network has its image in the arena, wherever the board keeps it
    predicted = chosen.record("tflm", False)
    parts = dict(predicted.ram_parts)
    found = measure_network(network, chosen.input_shape, progress=progress)
    rows = (
        *(row for row in traced.rows if row.quantity in ("params", "macs")),
        _row("ram_bytes", predicted.ram_bytes, found.total_bytes),
        Row("head_bytes", parts["head"], found.head_bytes, tolerance=HEAD_TOLERANCE_BYTES),
        _row("tail_bytes", parts["tail"], found.tail_bytes),
        _row("flash_bytes", predicted.flash_bytes, found.stripped_bytes),
    )
    figures = {
        "correlation": found.correlation or 0.0,
        "image_correlation": found.image_correlation or 0.0,
        "max_error": found.max_error or 0.0,
        "exported_bytes": float(found.exported_bytes),
    }
    notes = [f"{name} {version}" for name, version in found.versions.items()]
    if found.settled:
        notes.append("batch-norm statistics settled on random images before conversion")
    return replace(
        traced,
        backend="tflm",
        runtime="tflm",
        ok=all(row.ok for row in rows) and not found.disagreement,
        rows=rows,
        figures=figures,
        notes=tuple(notes),
        disagreement=found.disagreement,
    )


def _row(quantity: str, predicted: int, found: int) -> Row:
    return Row(quantity, predicted, found, tolerance=predicted * TOLERANCE_PERMILLE // 1000)


def _by_vela(
    network: nn.Module, chosen: Configuration, platform: Platform, traced: Verification, progress: Progress | None
) -> Verification:
    from hwscale.measure.convert import convert
    from hwscale.measure.tflm_settle import is_fresh, settled
    from hwscale.measure.vela import estimate

    target = platform.vela
    assert target is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.tflite"
        if progress:
            progress("converting to an int8 .tflite: 10 to 60 s")
        ready = settled(network, chosen.input_shape) if is_fresh(network) else network
        convert(ready, chosen.input_shape, path)
        if progress:
            progress("compiling it with Vela")
        found = estimate(
            path,
            accelerator=target.accelerator,
            system_config=target.system_config,
            memory_mode=target.memory_mode,
            sram_target_bytes=platform.arena_bytes,
        )
    return replace(traced, backend="vela", figures=_figures(found), notes=tuple(_vela_notes(found)))


def _figures(found: VelaRecord) -> dict[str, float]:
    return {
        "vela_ram_bytes": found.ram_bytes,
        "vela_compiled_bytes": found.compiled_bytes,
        "vela_cycles": found.cycles,
        "vela_macs": found.macs,
        "vela_clock_hz": found.clock_hz,
        "vela_inference_s": found.inference_s,
        "vela_npu_operators": found.npu_operators,
        "vela_cpu_operators": found.cpu_operators,
    }


def _vela_notes(found: VelaRecord) -> Sequence[str]:
    target = f"{found.accelerator}, {found.system_config}, {found.memory_mode}"
    notes = [
        f"estimated by Vela {found.version} for {target}: its SRAM and cycles are its own model, not a Cortex-M's arena"
    ]
    if found.is_at_least:
        notes.append(f"at least: {', '.join(found.cpu_kinds)} stay on the CPU")
    return notes
