"""The candidates of architecture and schedule together: the chains of a domain, op by op and under every plan of a stage.

Plans are declared, and their chains made when a search asks for them. The split is at the end of a link of the chain (a block with
its ADD), and n_patch any divisor above 1 of the split map's side, of a rectangle's sides in common.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from hwscale.chain_space import ChainGroup, ChainSpace, make_chain_space
from hwscale.domain import Domain
from hwscale.errors import ConfigError, nearest
from hwscale.formulas import find_family
from hwscale.formulas.stagewise import maps, stagewise
from hwscale.scheduled_groups import legal_chains, scheduled_groups
from hwscale.schedules import SCHEDULES, make_schedule, refuse_runtime
from hwscale.schedules.schedule import Schedule
from hwscale.stage_plan import StagePlan, divisors
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


@dataclass(frozen=True, eq=False)
class JointSpace(ChainSpace):
    """``groups`` run op by op; those of `scheduled` run a stage on patches. ``chains``: what both are made of."""

    execution: Execution = field(default=Execution("layer"))
    chains: tuple[ChainGroup, ...] = ()

    @cached_property
    def size(self) -> int:
        """Pairs of a network and a schedule."""
        found = sum(group.size for group in self.groups)
        kinds = len([name for name in self.execution.names if name != "layer"])
        for group in self.chains if kinds else ():
            for root in range(len(group.roots)):
                for at, count in enumerate(legal_chains(group, self.execution.split_idx, root)):
                    found += kinds * count * len(self._patches(self._sides(group, at)[root]))
        return found

    @property
    def digest(self) -> str:
        declared = (self.domain, self.runtime, self.external_input, self.execution, DOMAIN)
        return hashlib.sha256(repr(declared).encode()).hexdigest()[:12]

    @cached_property
    def kinds(self) -> frozenset[str]:
        found: set[str] = set()
        for group in self.chains:
            found |= group.model.kinds(group.axes)
        return frozenset(found)

    def plan(self, name: str, at: int, n_patch: int | None = None) -> StagePlan:
        """A plan with what is pinned."""
        pinned = self.execution.n_patch
        return StagePlan(name, at, n_patch if pinned is None else pinned, self.execution.split_idx)

    def splits(self) -> Iterator[tuple[ChainGroup, StagePlan]]:
        """Per split the plan that needs the least RAM of all, see `plans`, with the chain that it is of."""
        for group in self.chains:
            for at in range(len(group.layers)):
                if any(self._patches(side) for side in self._sides(group, at)):
                    yield group, self.plan("patch+", at)

    def fs_per_unit(self, fs_per_unit: Mapping[Work, int], schedule: str) -> Mapping[Work, int]:
        """What a unit of each work takes under a schedule [fs]; nothing where that is unknown."""
        if schedule == "layer":
            return fs_per_unit
        return next((scaled(fs_per_unit, known) for known in self.execution.rates if known.schedule == schedule), {})

    def plans(self, group: ChainGroup, at: int, *, work_limited: bool) -> Iterator[StagePlan]:
        """Every plan with the split behind link ``at`` that may hold a best answer.

        Where nothing limits executed MACs or latency, more patches are never worse: of a map at stride product S, a patch has
        (g - 1) S + h rows, which falls with g = side / n_patch, and so do columns that a stream keeps; all rules of a runtime are
        nondecreasing in sizes, and the split map is the same. So the largest n_patch will do. Nor are streams better than `patch+`
        then, which has the same patches and keeps no lines.
        """
        names = [name for name in self.execution.names if name != "layer"]
        if not work_limited and self.execution.name == ANY:
            names = ["patch+"]
        counts: set[int | None] = {n for side in self._sides(group, at) for n in self._patches(side)}
        if counts and not work_limited:
            counts = {None}
        for name in names:
            for n_patch in sorted(counts, key=lambda n: n or 0):
                yield self.plan(name, at, n_patch)

    def scheduled(self, group: ChainGroup, plan: StagePlan, *, relaxed: bool = False) -> list[ChainGroup]:
        """The chains of a group under a plan, exact, or relaxed to bound them."""
        return _scheduled(group, plan, relaxed)

    def over(self, groups: tuple[ChainGroup, ...]) -> ChainSpace:
        """Some chains alone."""
        return ChainSpace(self.domain, self.runtime, self.external_input, groups, ())

    def _sides(self, group: ChainGroup, at: int) -> list[tuple[int, int]]:
        return [maps(group.model.links, root.height, root.width)[at] for root in group.roots]

    def _patches(self, side: tuple[int, int]) -> list[int]:
        pinned = self.execution.n_patch
        return [n for n in divisors(side) if pinned in (None, n)]


@lru_cache(maxsize=128)
def _scheduled(group: ChainGroup, plan: StagePlan, relaxed: bool) -> list[ChainGroup]:
    return scheduled_groups(group, plan, relaxed=relaxed)


@lru_cache(maxsize=16)
def make_joint_space(
    domain: Domain, runtime: str, external_input: bool, works: tuple[Work, ...], execution: Execution
) -> JointSpace:
    """Lay out a stage-wise ``domain`` with what of the schedule is open; ConfigError if nothing in it can be built."""
    if not stagewise(find_family(domain.family)):
        raise ConfigError(
            f"schedule {execution.name} is chosen together with stage-wise families, and {domain.family} is none; use schedule layer"
        )
    for name in execution.names:
        if reason := refuse_runtime(Schedule(name), runtime):
            raise ConfigError(f"schedule {execution.name}: {reason}")
    base = make_chain_space(domain, runtime, external_input, works)
    groups = base.groups if "layer" in execution.names else ()
    space = JointSpace(domain, runtime, external_input, groups, base.refused, execution, base.groups)
    if not space.size:
        raise ConfigError(
            f"schedule {execution.name}: no network of the domain can be cut so; {execution} is what may be"
        )
    return space
