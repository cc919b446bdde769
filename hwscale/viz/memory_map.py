"""What every region of the memory holds: the network's parts, what the runtime and the application keep, what is free, what no arena may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwscale.budget import usable_bytes
from hwscale.result import CostReport, Fit
from hwscale.runtimes import find_runtime
from hwscale.units import format_bytes
from hwscale.viz.op_rows import op_table

if TYPE_CHECKING:
    from hwscale.platform import Platform

BIAS_BYTES = 4
_PERSISTENT = ("tail", "persistent")
_ACTIVATIONS = ("head", "activations", "activations, upper end", "tensors", "arena")


@dataclass(frozen=True, slots=True)
class Segment:
    """``size_bytes`` of a region, and what for; ``role`` is a key of `hwscale.viz.palette.MEMORY`."""

    words: str
    role: str
    size_bytes: int

    @property
    def label(self) -> str:
        """With its size."""
        return f"{self.words}: {format_bytes(self.size_bytes)}"


@dataclass(frozen=True)
class MappedRegion:
    """A region, or several that form one span: its segments from the lowest address up add up to ``size_bytes``, unless they exceed
    it. ``borders`` are where one bank of a span ends and the next begins [B from its start]."""

    name: str
    size_bytes: int
    segments: tuple[Segment, ...]
    borders: tuple[int, ...] = ()

    @property
    def used_bytes(self) -> int:
        """The segments' sum."""
        return sum(segment.size_bytes for segment in self.segments)


@dataclass(frozen=True)
class MemoryMap:
    """Regions of RAM and of Flash, and what is not in them, in sentences."""

    ram: tuple[MappedRegion, ...]
    flash: tuple[MappedRegion, ...]
    notes: tuple[str, ...]


def memory_map(result: Fit | CostReport, platform: Platform) -> MemoryMap:
    """The memory of ``platform``, which the result is for."""
    notes: list[str] = []
    names = platform.arena_regions
    banks = [region for region in platform.ram if region.name in names]
    banks.sort(key=lambda region: names.index(region.name))
    ends = [sum(bank.size_bytes for bank in banks[: at + 1]) for at in range(len(banks) - 1)]
    parts = [Segment(_part_words(name), _part_role(name), size) for name, size in result.ram_parts if size]
    arena = _filled(result, platform, "ram", platform.arena_bytes, parts, notes)
    regions = [MappedRegion(" + ".join(names), platform.arena_bytes, arena, tuple(ends))]
    for region in platform.ram:
        if region.name not in names:
            words = "not contiguous with the arena" if region.arena else "not for an arena"
            regions.append(
                MappedRegion(region.name, region.size_bytes, (Segment(words, "unusable", region.size_bytes),))
            )
    flash: tuple[MappedRegion, ...] = ()
    if platform.flash is not None:
        held = _filled(result, platform, "flash", platform.flash.size_bytes, _stored(result), notes)
        flash = (MappedRegion(f"{platform.flash.location} Flash", platform.flash.size_bytes, held),)
    else:
        notes.append(f"{platform.name}: nothing limits its Flash, so none is drawn")
    return MemoryMap(tuple(regions), flash, tuple(notes))


def _part_words(name: str) -> str:
    return {"head": "head (activations)", "tail": "tail (persistent)"}.get(name, name)


def _part_role(name: str) -> str:
    if name in _ACTIVATIONS:
        return "activations"
    return "persistent" if name in _PERSISTENT else "buffers"


def _stored(result: Fit | CostReport) -> list[Segment]:
    """Weights and biases, and what the file or the code generator adds."""
    ops = [row.op for row in op_table(result).rows]
    weights = sum(op.weights + BIAS_BYTES * op.biases for op in ops)
    total = result.cost.flash_bytes
    if not 0 < weights <= total:
        return [Segment("network", "weights", total)]
    rest = Segment("file or code beside the weights", "file", total - weights)
    return [Segment("weights and biases", "weights", weights), *([rest] if rest.size_bytes else [])]


def _filled(
    result: Fit | CostReport, platform: Platform, name: str, capacity: int, parts: list[Segment], notes: list[str]
) -> tuple[Segment, ...]:
    """The network's parts, what is free, what is kept for others."""
    label = {"ram": "RAM", "flash": "Flash"}[name]
    usable = usable_bytes(platform, find_runtime(result.runtime), name)
    usable = capacity if usable is None else usable
    reserve = result.reserve.get(name, 0) if isinstance(result, Fit) else 0
    limit = int(result.limits.get(name, usable)) if isinstance(result, Fit) else usable
    used = sum(part.size_bytes for part in parts)
    own = "runtime's own RAM" if name == "ram" else "runtime's code"
    kept = [Segment(own, "runtime", capacity - usable), Segment("application reserve", "reserve", reserve)]
    held = max(0, usable - reserve - max(limit, used))
    free = capacity - used - held - sum(segment.size_bytes for segment in kept)
    if usable == capacity:
        notes.append(
            f"{label}: what the rule of {result.runtime} does not count has to fit in what is free; {platform.name} names no size for it"
        )
    if free < 0:
        notes.append(f"{label}: {format_bytes(-free)} more than there is")
    held_words = "kept free by margin or limit"
    segments = [*parts, Segment("free", "free", max(0, free)), Segment(held_words, "held", held), *reversed(kept)]
    return tuple(segment for segment in segments if segment.size_bytes)
