"""One configuration of a family: checked, completed with defaults, priced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hwscale.cost_model import network_model
from hwscale.cost_terms import NetworkModel
from hwscale.domain import Domain, Interval, make_domain
from hwscale.errors import ConfigError
from hwscale.formulas import find_family
from hwscale.formulas.graph import HOLD, Graph
from hwscale.formulas.stagewise import stagewise
from hwscale.ledger import NetworkRecord
from hwscale.schedules import LAYER, Schedule, refuse, refuse_runtime, scheduled
from hwscale.space import make_settings


@dataclass(frozen=True, slots=True)
class LiveTensor:
    """A tensor alive at the peak: made by ``op`` ("input" for the image, the name of what a schedule keeps), shape (channels, height, width), bytes in int8."""

    op: str
    shape: tuple[int, int, int]
    size_bytes: int


@dataclass(frozen=True)
class Configuration:
    """``values`` holds every hyperparameter and option by name; ``input_shape`` (C, H, W) [px]; ``preset`` is the published
    network they started from."""

    family: str
    values: Mapping[str, Any]
    input_shape: tuple[int, int, int]
    classes: int
    preset: str | None = None

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The family's hyperparameters, in declared order; no resolution where the input is a rectangle, nothing of blocks
        that the network does not have."""
        member = find_family(self.family)
        idle: set[str] = set()
        if stagewise(member):
            settings = make_settings(member, self.values, self.input_shape[0], self.classes)
            idle = {n for link in member.links(settings) if link.absent(self.values) for n in link.choices}
        return {
            h.name: self.values[h.name] for h in member.hyperparameters if h.name in self.values and h.name not in idle
        }

    @property
    def options(self) -> dict[str, Any]:
        """The family's options."""
        return {o.name: self.values[o.name] for o in find_family(self.family).options}

    def model(self, runtime: str, external_input: bool) -> NetworkModel:
        """Its cost model."""
        family = find_family(self.family)
        settings = make_settings(family, self.values, self.input_shape[0], self.classes)
        return network_model(self.family, settings, runtime, external_input)

    @property
    def knobs(self) -> dict[str, Any]:
        """The hyperparameters that enter the graph beside the settings."""
        return {h.name: self.values[h.name] for h in find_family(self.family).hyperparameters if h.knob}

    def record(self, runtime: str, external_input: bool, schedule: Schedule = LAYER) -> NetworkRecord:
        """Predicted totals and ops; ConfigError if the reference network cannot be built, or not executed so."""
        model = self.model(runtime, external_input)
        if schedule.name == "layer":
            return model.record(self.knobs, *self.input_shape[1:])
        graph = self.graph(runtime, external_input, schedule)
        found = model.record_of(scheduled(graph, schedule))
        found = replace(found, ops=tuple(op for op in found.ops if op.kind != HOLD))
        if not schedule.streams:
            return found
        least = model.record_of(scheduled(graph, schedule, least=True))
        return replace(found, least_ram_bytes=least.ram_bytes)

    def graph(self, runtime: str, external_input: bool, schedule: Schedule) -> Graph:
        """Its graph, op by op; ConfigError if the runtime cannot run it, or the schedule cannot cut it."""
        model = self.model(runtime, external_input)
        graph, _ = model.graph(self.knobs, *self.input_shape[1:])
        model.check(graph)
        if reason := refuse_runtime(schedule, runtime) or refuse(graph, schedule):
            raise ConfigError(f"schedule {schedule.name}: {reason}")
        return graph

    def peak(
        self, runtime: str, external_input: bool, schedule: Schedule = LAYER
    ) -> tuple[str, tuple[LiveTensor, ...]]:
        """The op at which RAM peaks and what is alive there, largest first."""
        model = self.model(runtime, external_input)
        graph, _ = model.graph(self.knobs, *self.input_shape[1:])
        lowered = model.lowered(scheduled(graph, schedule))
        sizes = [tensor.size for tensor in lowered.tensors]
        region = model.memory(lowered).regions[0]
        (name, live), _ = max(zip(region.steps, region.terms(sizes), strict=True), key=lambda step: step[1][1])
        tensors = [_live_tensor(lowered, index) for index in live]
        return name, tuple(sorted(tensors, key=lambda tensor: -tensor.size_bytes))


def _live_tensor(graph: Graph, index: int) -> LiveTensor:
    tensor = graph.tensors[index]
    kept = (op.name for op in graph.ops if op.kind == HOLD and index in op.inputs)
    maker = next((op.name for op in graph.ops if op.output == index), "input" if index == 0 else next(kept, "input"))
    maker = next((f"{op.name} scratch" for op in graph.ops if index in op.scratch), maker)
    return LiveTensor(maker, (tensor.channels, tensor.height, tensor.width), tensor.size)


def configure(
    family: str,
    values: Mapping[str, Any] | None = None,
    *,
    input_shape: Sequence[int] | None = None,
    classes: int | None = None,
    in_channels: int = 3,
) -> Configuration:
    """A configuration from ``values`` and the family's defaults.

    ``input_shape`` (C, H, W) replaces ``resolution``; both may be given if they agree. Raises ConfigError for unknown names,
    wrong types, or a network that the reference cannot build.
    """
    if values is not None and not isinstance(values, Mapping):
        raise ConfigError(f"{family}: got {values!r}, but hyperparameters come as a dict such as {{'alpha': 0.5}}")
    return pinned(
        make_domain(family, values, classes=classes, in_channels=in_channels, input_shape=input_shape, defaults=True)
    )


def pinned(domain: Domain, chosen: Mapping[str, Any] | None = None) -> Configuration:
    """The configuration of a domain whose every axis is ``chosen`` or has one value; blocks that the network does not have
    need none."""
    stages = {h.name for h in find_family(domain.family).hyperparameters if h.axis == "stage"}
    values: dict[str, Any] = {}
    for name, axis in domain.axes:
        if chosen and name in chosen:
            values[name] = chosen[name]
        elif isinstance(axis, Interval) or (len(axis) != 1 and (name not in stages or not chosen)):
            raise ConfigError(f"{name} needs one value here, got {axis}")
        else:
            values[name] = axis[0]
    if domain.input_size is None:
        shape = (domain.in_channels, values["resolution"], values["resolution"])
    else:
        shape = (domain.in_channels, *domain.input_size)
        if shape[1] == shape[2]:
            values["resolution"] = shape[1]
    return Configuration(domain.family, values, shape, domain.classes, domain.preset)
