"""The candidates of architecture and schedule together: the chains of a domain, op by op and under every plan of a stage.

Plans are declared, and their chains made when a search asks for them. The split is at the end of a link of the chain (a block with
its ADD), and n_patch any divisor above 1 of the split map's side, of a rectangle's sides in common.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from hwscale.chain_space import ChainGroup, ChainSpace, make_chain_space
from hwscale.domain import Domain
from hwscale.errors import ConfigError
from hwscale.execution import Execution, Scheduled
from hwscale.formulas import find_family
from hwscale.formulas.stagewise import maps, stagewise
from hwscale.scheduled_groups import legal_chains, scheduled_groups
from hwscale.scheduled_space import ScheduledSpace, make_scheduled_space
from hwscale.schedules import refuse_runtime
from hwscale.schedules.schedule import Schedule
from hwscale.stage_plan import StagePlan, divisors
from hwscale.work import Work


@dataclass(frozen=True, eq=False)
class JointSpace(Scheduled, ChainSpace):
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

    def plans(self, group: ChainGroup, at: int, *, work_limited: bool) -> Iterator[StagePlan]:
        """Every plan with the split behind link ``at`` that may hold a best answer.

        One plan has roots of several sizes: `numbers` says which n_patch are left out, None is the largest of each.
        """
        counts = {n for side in self._sides(group, at) for n in self._patches(side)}
        for name, n_patch in self.numbers(counts, work_limited=work_limited):
            yield self.plan(name, at, n_patch if work_limited else None)

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
) -> JointSpace | ScheduledSpace:
    """Lay out a ``domain`` with what of the schedule is open; ConfigError if nothing in it can be built."""
    for name in execution.names:
        if reason := refuse_runtime(Schedule(name), runtime):
            raise ConfigError(f"schedule {execution.name}: {reason}")
    space: JointSpace | ScheduledSpace
    if stagewise(find_family(domain.family)):
        base = make_chain_space(domain, runtime, external_input, works)
        groups = base.groups if "layer" in execution.names else ()
        space = JointSpace(domain, runtime, external_input, groups, base.refused, execution, base.groups)
    else:
        space = make_scheduled_space(domain, runtime, external_input, works, execution)
    if not space.size:
        ends = ""
        if isinstance(space, ScheduledSpace) and execution.split_idx not in space.alike[0].ends:
            ends = f"; blocks end behind {', '.join(map(str, space.alike[0].ends))} ops"
        raise ConfigError(
            f"schedule {execution.name}: no network of the domain can be cut so; {execution} is what may be{ends}"
        )
    return space
