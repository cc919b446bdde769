"""What a platform descriptor says, part by part; every number with its source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """Where numbers come from, how they are known (one of ``STATUSES``), and what to mind when using them."""

    text: str
    status: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class MemoryRegion:
    """One bank of RAM [bytes]; ``arena`` tells whether it may hold the tensor arena."""

    name: str
    size_bytes: int
    base_address: int | None
    arena: bool
    source: Source


@dataclass(frozen=True, slots=True)
class Flash:
    """Where code and weights live [bytes]; ``location`` is "internal" or "external"."""

    size_bytes: int
    location: str
    source: Source


@dataclass(frozen=True, slots=True)
class Power:
    """Power while a network runs [mW], and the condition under which it was measured."""

    power_mw: float
    condition: str
    default: bool
    source: Source


@dataclass(frozen=True, slots=True)
class RuntimeOverhead:
    """What a runtime takes beside tensors and weights [bytes], None where unknown; ``rates`` names its throughput."""

    name: str
    ram_overhead_bytes: int | None
    flash_overhead_bytes: int | None
    rates: str | None
    source: Source


@dataclass(frozen=True, slots=True)
class Rate:
    """Multiply-accumulates per second of one operator, int8, batch 1; None where the runtime cannot run it.

    ``mac_per_mj`` [MAC/mJ] and ``efficiency_pct`` [% of conv2d] are as the source prints them, None where it does not.
    """

    operator: str
    runtime: str
    mac_per_s: int | None
    mac_per_mj: int | None
    efficiency_pct: int | None
    source: Source


@dataclass(frozen=True, slots=True)
class VelaTarget:
    """What Arm's compiler Vela is told of the Ethos-U: names of an accelerator and of two sections of Arm's vela.ini."""

    accelerator: str
    system_config: str
    memory_mode: str
    source: Source
