"""What of a schedule is decided: named and pinned by the user, or open, and what it does to latency."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hwscale.domain import Domain
from hwscale.errors import ConfigError, nearest
from hwscale.schedules import SCHEDULES, make_schedule
from hwscale.stage_work import StageRates, scaled
from hwscale.work import Work

ANY = "any"
DOMAIN = "splits at the end of a block, n_patch any divisor above 1 of the split map's side"


@dataclass(frozen=True, slots=True)
class Execution:
    """What of a schedule is decided: its ``name``, or any; ``n_patch`` and ``split_idx`` where they are pinned. ``rates`` say what each
    does to latency; none where that is unknown."""

    name: str
    n_patch: int | None = None
    split_idx: int | None = None
    rates: tuple[StageRates, ...] = field(default=(), repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The schedules in question. `patch` under any is left out: `patch+` has the same patches, so the same RAM, and computes a
        part of what `patch` does."""
        return tuple(name for name in SCHEDULES if name != "patch") if self.name == ANY else (self.name,)

    def __str__(self) -> str:
        pinned = [f"n_patch = {self.n_patch}"] * (self.n_patch is not None)
        pinned += [f"split_idx = {self.split_idx}"] * (self.split_idx is not None)
        names = ", ".join(self.names)
        return f"schedule{'s' * (self.name == ANY)} {names}: {DOMAIN}{''.join(f', {pin}' for pin in pinned)}"


def make_execution(
    name: str,
    fix: Mapping[str, Any],
    limited: Iterable[str],
    aims: Iterable[str],
    rates: tuple[StageRates, ...] = (),
) -> tuple[Execution, dict[str, Any]]:
    """What of the schedule is decided, and ``fix`` without its numbers; ConfigError on a schedule that is unknown or not to be had.

    ``limited`` and ``aims`` name what is limited and targeted: where nobody knows the latency of schedules of patches, as there are no
    ``rates``, `any` leaves them out under a limit on it.
    """
    if name not in (*SCHEDULES, ANY):
        raise ConfigError(f"unknown schedule {name!r}; {nearest(str(name), (*SCHEDULES, ANY))}")
    numbers = {key: fix[key] for key in ("n_patch", "split_idx") if key in fix}
    kept = {key: value for key, value in fix.items() if key not in numbers}
    if name in ("layer", ANY) and numbers:
        raise ConfigError(f"schedule {name} has no {min(numbers)} to fix; choose a schedule of patches, such as patch+")
    if name == "layer":
        return Execution(name), kept
    if targets := list(aims):
        raise ConfigError(f"target {targets[0]} is met by schedule layer only; give limits, or drop the schedule")
    if timed := [key for key in limited if key in ("latency", "energy") and not rates]:
        if name == ANY:
            return Execution("layer"), kept
        raise ConfigError(
            f"a limit on {timed[0]} needs schedule layer here: latency of schedule {name} is measured of TinyEngine's kernels only; "
            "take runtime tinyengine on a platform that has its rates, or drop one of the two"
        )
    # the schedule's own reader checks the numbers; one that is left open needs some value there
    checked = make_schedule(name if name != ANY else "patch", **{"n_patch": 2, "split_idx": 1, **numbers})
    return Execution(name, **{key: getattr(checked, key) for key in numbers}, rates=rates), kept


def restriction(asked: str, execution: Execution) -> str:
    """What of the schedules that were ``asked`` for the answer is among; "" for layer."""
    if asked == "layer":
        return ""
    if execution.name == "layer":
        return "schedule layer: others are left out, as latency or energy is limited and theirs is unknown here"
    return str(execution)


class Scheduled:
    """A space whose candidates are pairs of a network and a schedule."""

    domain: Domain
    runtime: str
    external_input: bool
    execution: Execution

    @property
    def digest(self) -> str:
        """Short hash of the declared domain, schedules and runtime."""
        declared = (self.domain, self.runtime, self.external_input, self.execution, DOMAIN)
        return hashlib.sha256(repr(declared).encode()).hexdigest()[:12]

    def fs_per_unit(self, fs_per_unit: Mapping[Work, int], schedule: str) -> Mapping[Work, int]:
        """What a unit of each work takes under a schedule [fs]; nothing where that is unknown."""
        if schedule == "layer":
            return fs_per_unit
        return next((scaled(fs_per_unit, known) for known in self.execution.rates if known.schedule == schedule), {})

    def numbers(self, counts: Iterable[int], *, work_limited: bool) -> Iterator[tuple[str, int]]:
        """Of n_patch that a split map allows, with each schedule: those that may hold a best answer.

        Where nothing limits executed MACs or latency, more patches are never worse: of a map at stride product S, a patch has
        (g - 1) S + h rows, which falls with g = side / n_patch, and so do columns that a stream keeps; all rules of a runtime are
        nondecreasing in sizes, and the split map is the same. So the largest n_patch will do. Nor are streams better than `patch+`
        then, which has the same patches and keeps no lines.
        """
        names = [name for name in self.execution.names if name != "layer"]
        if not work_limited and self.execution.name == ANY:
            names = ["patch+"]
        allowed = sorted(n for n in set(counts) if self.execution.n_patch in (None, n))
        for name in names:
            yield from ((name, n_patch) for n_patch in (allowed if work_limited else allowed[-1:]))
