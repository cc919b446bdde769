"""What `hwscale.trade_off` returns: every choice of a schedule, the best of them, and their `--json` form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from hwscale.formulas.graph import Graph
from hwscale.op_memory import OpMemory, op_memory
from hwscale.runtimes.runtime import Runtime
from hwscale.schedules.choices import Choice
from hwscale.schedules.evidence import ram_evidence
from hwscale.units import format_bytes

SCHEMA = "hwscale.schedule/1"


@dataclass(frozen=True)
class ScheduleChoices:
    """RAM against executed MACs over (schedule, n_patch, split_idx).

    ``points`` are all legal choices, ``layer`` is execution op by op; ``pareto`` are those of both that no other beats,
    by rising MACs. ``usable`` is the platform's RAM and Flash less what the runtime takes [B]. ``note`` says why a
    runtime or a network is not the one asked for, "" where both are.
    """

    network: str
    values: Mapping[str, Any]
    input_shape: tuple[int, int, int]
    runtime: Runtime
    schedule: str
    graph: Graph
    points: tuple[Choice, ...]
    pareto: tuple[Choice, ...]
    layer: Choice
    flash_bytes: int
    platform: str | None = None
    usable: Mapping[str, int] | None = None
    note: str = ""

    @cached_property
    def fits(self) -> tuple[Choice, ...]:
        """`layer` and the points whose RAM the platform has; none without a platform."""
        return tuple(choice for choice in (self.layer, *self.points) if self.fitting(choice))

    def fitting(self, choice: Choice) -> bool:
        """Does the platform have the RAM for it?"""
        return self.usable is not None and choice.ram_bytes <= self.usable["ram"]

    @property
    def layer_fits(self) -> bool:
        """Does the network need no patches on this platform?"""
        return self.fitting(self.layer)

    @property
    def flash_fits(self) -> bool | None:
        """Flash is the same under every schedule; None where nothing limits it."""
        return None if not self.usable or "flash" not in self.usable else self.flash_bytes <= self.usable["flash"]

    @cached_property
    def recommended(self) -> Choice | None:
        """What fits with the fewest executed MACs, of equals the one with the least RAM; `layer` if it fits; None if
        nothing does."""
        if self.layer_fits:
            return self.layer
        return min(self.fits, key=lambda c: (c.macs, c.ram_bytes, c.order), default=None)

    @cached_property
    def shown(self) -> Choice:
        """The choice to draw beside `layer`: the recommended one; the least RAM where nothing fits; else, where no
        platform decides, the Pareto-best with the least RAM x MACs."""
        if self.recommended is not None and self.recommended is not self.layer:
            return self.recommended
        if self.usable and not self.fits:
            return self.pareto[-1]
        return min(self.pareto, key=lambda c: (c.ram_bytes * c.macs, c.order))

    def profile(self, choice: Choice) -> tuple[OpMemory, ...]:
        """What each op needs under a choice."""
        return op_memory(self.graph, choice.schedule, self.runtime)

    def verdict(self) -> str:
        """What to choose and why, in one sentence."""
        ram = format_bytes(self.shown.ram_bytes)
        if not self.usable:
            return f"the least RAM x MACs: {self.shown.text()}: {ram}, MACs {100 * self.shown.overhead:+.1f} %"
        usable = f"{format_bytes(self.usable['ram'])} usable on {self.platform}"
        if self.layer_fits:
            return f"layer fits already: {format_bytes(self.layer.ram_bytes)} of {usable}, so no patches are needed"
        if self.recommended is None:
            short = format_bytes(self.shown.ram_bytes - self.usable["ram"])
            return f"nothing fits: {self.shown.text()} has the least RAM, {ram}, {short} more than the {usable}"
        extra = f"MACs {100 * self.shown.overhead:+.1f} %, the fewest that fit"
        return f"recommended: {self.shown.text()}: {ram} of {usable}, {extra}"

    def evidence(self, choice: Choice) -> str:
        """How well the RAM of a choice is known."""
        if choice.schedule.plain:
            return self.runtime.evidence["ram"]
        return ram_evidence(choice.schedule, self.runtime.name).partition("; the lower end")[0]

    def to_dict(self) -> dict[str, Any]:
        """What ``hwscale schedule --json`` prints: bytes and counts are integers, ``overhead`` is a share."""
        best, bars = self.recommended, (self.profile(self.layer), self.profile(self.shown))
        return {
            "schema": SCHEMA,
            "network": self.network,
            "values": dict(self.values),
            "input_shape": list(self.input_shape),
            "runtime": self.runtime.name,
            "note": self.note,
            "schedule": self.schedule,
            "platform": self.platform,
            "usable": None if self.usable is None else dict(self.usable),
            "flash_bytes": self.flash_bytes,
            "layer": self._record(self.layer),
            "points": [self._record(choice) for choice in self.points],
            "pareto": [self._record(choice) for choice in self.pareto],
            "recommended": None if best is None else self._record(best) | {"evidence": self.evidence(best)},
            "layer_fits": self.layer_fits if self.usable else None,
            "shown": self._record(self.shown),
            "ops": [
                {"name": one.name, "staged": two.staged, "before": _bytes(one), "after": _bytes(two)}
                for one, two in zip(*bars, strict=True)
            ],
        }

    def _record(self, choice: Choice) -> dict[str, Any]:
        numbers = asdict(choice.schedule)
        del numbers["name"]
        fits = self.fitting(choice) if self.usable else None
        return {
            "schedule": choice.schedule.name,
            **numbers,
            "behind": choice.behind,
            "ram_bytes": choice.ram_bytes,
            "macs": choice.macs,
            "overhead": choice.overhead,
            "fits": fits,
        }


def _bytes(need: OpMemory) -> dict[str, int]:
    return {name: getattr(need, name) for name in ("live_bytes", "kept_bytes", "reserved_bytes", "total_bytes")}
