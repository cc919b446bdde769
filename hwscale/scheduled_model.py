"""Cost of a million configurations of global multipliers whose first ops run on patches: one schedule, one input size."""

from __future__ import annotations

from typing import Any

from hwscale.cost_model import CostModel
from hwscale.cost_terms import sums
from hwscale.formulas.graph import Graph, total
from hwscale.formulas.tape import Tape
from hwscale.runtimes.runtime import Facts
from hwscale.schedules import Schedule, executed, scheduled
from hwscale.stage_work import units
from hwscale.work import works_of


class ScheduledModel(CostModel):
    """``plain`` under a schedule. The geometry of patches is in Python ints, so that every input size has a kernel of its own; MACs and
    params are the network's, beside them the MACs executed.

    ``relaxed``: RAM of the schedule, but MACs and latency as op by op, which no schedule undercuts."""

    def __init__(self, plain: CostModel, schedule: Schedule, *, relaxed: bool = False) -> None:
        works = plain.works if relaxed else tuple(units((), plain.works, schedule.name))
        super().__init__(plain.family, plain.settings, plain.runtime, plain.external_input, works)
        self.schedule = schedule
        self._plain = plain
        self._relaxed = relaxed

    def lowered(self, graph: Graph, facts: Facts | None = None) -> Graph:
        """What the runtime executes of a graph that is scheduled already."""
        return self.runtime.lower(graph, ())

    def _cut(self, graph: Graph) -> Graph:
        return scheduled(graph, self.schedule)

    def _outputs(self, tape: Tape, graph: Graph, lowered: Graph) -> list[Any]:
        if self._relaxed:
            done = works_of(self._plain.runtime.lower(graph, ()), self.works)
            ran, _ = sums(graph)
        else:
            ops = executed(graph, self.schedule)
            done = units(ops, self._plain.works, self.schedule.name)
            ran = total([op.macs for op in ops])
        return [self._ram(lowered, tape), self.runtime.flash_bytes(lowered), *sums(graph), *done.values(), ran]

    def _any_size(self, height: Any, width: Any) -> bool:
        return False
