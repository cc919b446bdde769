"""RAM against MACs of one network, over every way to execute its first ops on patches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwscale.budget import usable_bytes
from hwscale.configuration import configure
from hwscale.errors import ConfigError
from hwscale.formulas.graph import Graph
from hwscale.op_memory import ram_bytes
from hwscale.platform import Platform, load_platform
from hwscale.result import described
from hwscale.runtimes import find_runtime
from hwscale.runtimes.runtime import Runtime
from hwscale.schedule_choices import ScheduleChoices
from hwscale.schedules import LAYER, Schedule, executed_macs, refuse_runtime
from hwscale.schedules.choices import ANY, Choice, cuts, named, pareto, uncut
from hwscale.schedules.windows import steps

PREFERRED, PLAIN = "tinyengine", "tensors"
"""The runtime that runs patches, and the one that stands in for networks that it refuses."""


def trade_off(
    net: str,
    values: Mapping[str, Any] | None = None,
    *,
    runtime: str = PREFERRED,
    platform: str | Path | Platform | None = None,
    input_shape: Sequence[int] | None = None,
    classes: int | None = None,
    in_channels: int = 3,
    schedule: str = ANY,
) -> ScheduleChoices:
    """Every legal (schedule, n_patch, split_idx) of one configuration, its RAM and executed MACs, and the best.

    >>> hwscale.trade_off("mcunet", {"preset": "mcunet-in3"}, platform="stm32f412").recommended

    ``schedule`` is one of patch, patch+, stream1d, stream2d, or "any" of them. Where runtime tinyengine refuses the
    network, runtime tensors takes its place, and ``note`` says so.

    Raises
    ------
    ConfigError : the configuration cannot be used, the runtime has no patches, or no op can be cut.
    PlatformError : the platform cannot be used.
    """
    names, wanted = named(schedule), _runtime(runtime)
    chosen = configure(net, values, input_shape=input_shape, classes=classes, in_channels=in_channels)
    model = chosen.model(PLAIN, False)
    graph, _ = model.graph(chosen.knobs, *chosen.input_shape[1:])
    shape = chosen.input_shape
    about = {"network": chosen.family, "values": described(chosen), "input_shape": shape}
    return _choices(graph, wanted, names, platform, {**about, "schedule": schedule})


def trade_off_tflite(
    path: str | Path,
    *,
    runtime: str = PREFERRED,
    platform: str | Path | Platform | None = None,
    schedule: str = ANY,
) -> ScheduleChoices:
    """The same of the int8 network in a .tflite file, as it was before a converter lowered it.

    Raises
    ------
    ConfigError : as `trade_off`; the file cannot be read, or does not say what patches need.
    PlatformError : the platform cannot be used.
    """
    from hwscale.foreign.cost import MOST_OPS, image_shape
    from hwscale.foreign.patches import patch_graph
    from hwscale.foreign.tflite import file_graph
    from hwscale.measure.tflite_file import read_tflite

    names, wanted = named(schedule), _runtime(runtime)
    model = read_tflite(path)
    if len(model.operators) > MOST_OPS:
        raise ConfigError(f"{model.title} has {len(model.operators)} operators, but at most {MOST_OPS} are priced")
    try:
        graph, note = patch_graph(file_graph(model), wanted)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    if not graph.ops:
        raise ConfigError(f"{path} runs no op, so there is nothing to cut; pass a network")
    image = graph.tensors[0]
    shape = image_shape((image.channels, image.height, image.width))
    about = {"network": str(path), "values": {}, "input_shape": shape, "schedule": schedule}
    return _choices(graph, wanted, names, platform, about, note)


def _runtime(name: str) -> Runtime:
    found = find_runtime(name)
    if reason := refuse_runtime(Schedule("patch", 2, 1), found.name):
        raise ConfigError(reason)
    return found


def _choices(
    graph: Graph,
    runtime: Runtime,
    names: Sequence[str],
    platform: str | Path | Platform | None,
    about: Mapping[str, Any],
    note: str = "",
) -> ScheduleChoices:
    where = None if platform is None else load_platform(platform)
    if reason := runtime.refuse(graph):
        note = f"runtime {runtime.name} cannot run this network ({reason}), so its numbers are those of runtime {PLAIN}"
        runtime = find_runtime(PLAIN)
    layer, points = priced(graph, runtime, names)
    if not points:
        raise ConfigError(f"{about['network']}: no patches can be cut: {uncut(graph)}")
    lowered = runtime.lower(graph, runtime.facts(graph))
    usable = {name: size for name in ("ram", "flash") if (size := usable_bytes(where, runtime, name)) is not None}
    return ScheduleChoices(
        **about,
        runtime=runtime,
        graph=graph,
        points=points,
        pareto=pareto([layer, *points]),
        layer=layer,
        flash_bytes=int(runtime.flash_bytes(lowered)),
        platform=where.name if where else None,
        usable=usable if where else None,
        note=note,
    )


def priced(graph: Graph, runtime: Runtime, names: Sequence[str]) -> tuple[Choice, tuple[Choice, ...]]:
    """Execution op by op, and every legal choice, of a graph in Python ints that the runtime can run."""
    every = steps(graph)
    least = int(executed_macs(graph, LAYER))
    layer = Choice(LAYER, "", ram_bytes(graph, LAYER, runtime), least, 0.0)
    found = []
    for n_patch, split_idx in cuts(graph):
        ram: dict[str, int] = {}
        for name in names:
            plan = Schedule(name, n_patch, split_idx)
            rule = name if plan.streams else "patch"  # patch and patch+ differ in MACs only
            if rule not in ram:
                ram[rule] = ram_bytes(graph, plan, runtime)
            macs = int(executed_macs(graph, plan))
            overhead = macs / least - 1 if least else 0.0
            found.append(Choice(plan, every[split_idx - 1].op.name, ram[rule], macs, overhead))
    return layer, tuple(found)
