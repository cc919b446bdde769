"""The links of a chain as parts of a stage that runs on patches: their windows, which can be cut, and what patches of them cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from hwscale.chain_model import ChainModel
from hwscale.formulas.graph import HOLD, Graph, Op, Tensor, total
from hwscale.formulas.stagewise import maps
from hwscale.runtimes.runtime import Memory
from hwscale.schedules import SCHEDULES, Schedule, refuse
from hwscale.schedules.geometry import Extent, Stage
from hwscale.schedules.halo import Span, Split, composed, lead_through, spans_of
from hwscale.schedules.line_buffers import line_buffers
from hwscale.schedules.macs import staged_ops
from hwscale.schedules.windows import Step, Window, steps
from hwscale.stage_plan import StagePlan
from hwscale.stage_work import counted
from hwscale.work import Work

Ints = npt.NDArray[np.int64]
Combo = tuple[tuple[str, Any], ...]
"""Structural hyperparameters of a link with their values."""
Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Patches:
    """What the patches of one graph cost: ``regions`` [B] (regions, roots, halos, cells), ``persistent`` [B] (halos, cells), of the
    only root where a stream keeps lines, ``executed`` MACs of all patches (roots, halos, cells), and the ``works`` of their latency as
    of ops that are executed one by one."""

    regions: Ints
    persistent: Ints
    executed: Ints
    works: Mapping[Work, Ints]


class StageLinks:
    """The links up to the split of a plan, at one or several input sizes (height, width)."""

    def __init__(self, model: ChainModel, plan: StagePlan, sizes: Sequence[Size]) -> None:
        self.model = model
        self.plan = plan
        self.sizes = list(sizes)
        shrinking = [maps(model.links, *size) for size in sizes]
        self.entering = [list(sizes), *([steps[at] for steps in shrinking] for at in range(plan.at))]
        self.leaving = [[steps[at] for steps in shrinking] for at in range(plan.at + 1)]
        self.patches = [plan.patches(side) for side in self.leaving[plan.at]]
        self._windows: dict[tuple[int, Combo], Window] = {}

    def steps(self, at: int, combo: Combo, same: bool, root: int) -> tuple[Step, ...]:
        """The ops of link ``at`` that count for split_idx, with some channels."""
        return _cut(self.model, at, combo, same, self.entering[at][root])[0]

    def legal(self, at: int, combo: Combo, same: bool, root: int) -> bool:
        """Can patches be cut through these ops?"""
        return _cut(self.model, at, combo, same, self.entering[at][root])[1]

    def ops(self, at: int, combo: Combo, same: bool) -> int:
        """How many of them count for split_idx."""
        return len(self.steps(at, combo, same, 0))

    def window(self, at: int, combo: Combo) -> Window:
        """All ops of a link as one window, the same over rows and columns."""
        if (at, combo) not in self._windows:
            inside = self.steps(at, combo, False, 0)
            self._windows[at, combo] = composed(inside, 0)
        return self._windows[at, combo]

    def lead(self, combos: Sequence[Combo], at: int, leaving: Ints) -> Ints:
        """`hwscale.schedules.halo.lead_through` link ``at``, over (axis, root); the same whatever it chooses."""
        found = []
        for combo in combos:
            through = np.empty_like(leaving)
            for root in range(len(self.sizes)):
                inside = self.steps(at, combo, False, root)
                for axis in (0, 1):
                    through[axis, root] = lead_through(int(leaving[axis, root]), composed(inside, axis))
            found.append(through)
        if any((other != found[0]).any() for other in found):
            raise ValueError(
                f"{self.model.family.name}: zeros of {self.model.links[at].name} differ beyond its kernels"
            )
        return found[0]

    @cached_property
    def _strides(self) -> list[int]:
        """Per link the stride product from the map that leaves it to the split map."""
        found = [1]
        for link in reversed(self.model.links[1 : self.plan.at + 1]):
            found.insert(0, found[0] * link.stride)
        return found

    def price(self, at: int, combo: Combo, same: bool, channels: tuple[Ints, Ints], halos: Ints, lead: Ints) -> Patches:
        """What patches of link ``at`` cost, for ``channels`` (in, out) by cell and the halos of the map that leaves; ``lead`` as in
        `lead`, of that map."""
        c_in, c_out = channels
        rows = len(self.sizes) * len(halos)

        def spread(values: Sequence[int] | Ints) -> Ints:
            """One row per root and halo, of a number per root."""
            return np.repeat(np.asarray(values, np.int64), len(halos))[:, None]

        g = Graph()
        x = g.tensor(
            self.model.settings.in_channels if at == 0 else c_in,
            *(spread([size[axis] for size in self.entering[at]]) for axis in (0, 1)),
        )
        self.model.family.append(g, self.model.settings, at, x, dict(combo), c_out, same=same, pixel=False, held=None)
        counted = [self.steps(at, combo, same, root) for root in range(len(self.sizes))]
        ops = {op.name: op for op in g.ops}
        inside = tuple(Step(replace(ops[step.op.name], inputs=step.op.inputs), step.windows) for step in counted[0])
        output = inside[-1].op.output
        halo, n_patch = np.tile(halos, len(self.sizes))[:, None], spread(self.patches)
        axes: list[dict[int, Extent]] = []
        for axis in (0, 1):
            before = {
                step.op.name: spread([mine[n].along(axis).before for mine in counted]) for n, step in enumerate(inside)
            }
            whole = {t.index: np.broadcast_to(t.width if axis else t.height, (rows, 1)) for t in g.tensors}
            split = Split(spread([side[axis] for side in self.leaving[self.plan.at]]), n_patch)
            out = split.span(halo, self._strides[at], spread(lead[axis]), whole[output])
            spans: Mapping[int, Span] = spans_of(inside, axis, out, before, whole)
            axes.append({t: span.extent(whole[t], n_patch) for t, span in spans.items()})
        stage = Stage(inside, (), {t: (axes[0][t], axes[1][t]) for t in axes[0]}, output)
        return self._priced(at, g, stage, n_patch, (len(self.sizes), len(halos), len(c_in)))

    def _priced(self, at: int, g: Graph, stage: Stage, n_patch: Ints, shape: tuple[int, int, int]) -> Patches:
        discipline = SCHEDULES[self.plan.name]
        done = staged_ops(g, stage, discipline, n_patch**2)
        made = Graph(list(g.tensors))
        for index, (rows, columns) in stage.extents.items():
            x = g.tensors[index]
            area: Any = rows.patch * columns.patch
            made.tensors[index] = Tensor(index, x.channels, rows.patch, columns.patch, area, x.channels * area)
        made.ops += [replace(step.op, macs=ran.macs) for step, ran in zip(stage.steps, done, strict=True)]
        memory = self.model.runtime.memory(lowered := self.model.runtime.lower(made, ()))
        if self.model.external_input and at == 0:
            memory = Memory(tuple(region.without(0) for region in memory.regions), memory.persistent)
        regions = [_largest(region.peaks(lowered.tensors)) for region in memory.regions]
        persistent = np.zeros(shape[1:], np.int64)
        for buffer in line_buffers(g, Schedule(self.plan.name, 2, 1), stage):
            persistent = persistent + self.kept(buffer.channels, 1, buffer.pixels)[0]
        executed: Any = total([op.macs for op in done])
        flat = (shape[0] * shape[1], shape[2])
        works = {work: np.broadcast_to(counted(done, work), flat).reshape(shape) for work in self.model.works}
        return Patches(
            np.stack([np.broadcast_to(region, flat).reshape(shape) for region in regions]),
            persistent,
            np.broadcast_to(executed, flat).reshape(shape),
            works,
        )

    def kept(self, channels: Any, height: Any, width: Any) -> list[Ints]:
        """What each region needs for a map that is kept beside the ops [B]."""
        g = Graph()
        x = g.tensor(channels, height, width)
        g.ops.append(Op("kept", HOLD, (x.index,), g.tensor(0, 1, 1).index))
        lowered = self.model.runtime.lower(g, ())
        return [_largest(region.peaks(lowered.tensors)) for region in self.model.runtime.memory(lowered).regions]


@lru_cache(maxsize=65536)
def _cut(model: ChainModel, at: int, combo: Combo, same: bool, entering: Size) -> tuple[tuple[Step, ...], bool]:
    """The ops of a link with some channels, and whether patches can be cut through them."""
    g = Graph()
    x = g.tensor(model.settings.in_channels if at == 0 else 8, *entering)
    # a map of one pixel cannot be cut, so there is none in a stage
    model.family.append(g, model.settings, at, x, dict(combo), 8 if same else 16, same=same, pixel=False, held=None)
    found = steps(g)
    held = bool(model.links[at].held_until) or model.held[at] is not None
    return found, not held and refuse(g, Schedule("patch", 1, len(found))) is None


def _largest(sizes: Sequence[Any]) -> Ints:
    found, *others = sizes
    for other in others:
        found = np.maximum(found, other)
    return np.asarray(found, np.int64)
