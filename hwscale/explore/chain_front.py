"""Fronts of stage-wise families: by labels, or by a look at every path that no known one dominates by its beginning.

Labels: partial paths of one state compare, as costs add up or are maxima. That holds where a larger metric is always better, and where the sum
of the links is what the runtime needs. Else every path is extended, unless what its beginning costs with the cheapest end is dominated.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from hwscale.candidate import Path
from hwscale.chain_space import ChainGroup
from hwscale.errors import ConfigError
from hwscale.explore.chain_ends import completions
from hwscale.explore.chain_labels import Labels, extended, needed
from hwscale.explore.packing import packed_alike
from hwscale.explore.pool import Pool
from hwscale.explore.rows import Flags, Ints, Rows
from hwscale.objectives import Objective
from hwscale.problem import LONGEST_FS, Problem
from hwscale.solve.extras import extras, joint
from hwscale.solve.shared import shared
from hwscale.solve.windows import buffers, has_windows

MOST_PATHS = 200_000_000
"""Paths that are looked at one by one: minutes, if nothing is dominated."""
HELD, MOST_LABELS = 1_000_000, 2_000_000
"""Labels of a layer that are collected before they are compared, and that may be left then: what they take fits 1 GiB."""
PLANNED = 1 << 14
"""Paths that are planned in one go."""
SAMPLE = 1 << 14
SEED = 1


class Chains:
    """The candidates of a stage-wise space."""

    def __init__(self, problem: Problem, over: Sequence[str]) -> None:
        self.problem, self.over = problem, tuple(over)
        self.evaluations = 0

    def rising(self, goal: Objective) -> bool:
        """Does the score rise with the metric on all candidates?"""
        for group in self.problem.chains.groups:
            most = sum((getattr(layer, goal.metric)).max(axis=(-2, -1)) for layer in group.layers)
            if (np.asarray(most) > goal.turning_points(np.array(group.resolutions))).any():
                return False
        return True

    def by_labels(self, goal: Objective) -> Rows:
        """All that is best for some budget by the sums of its links, where `rising`."""
        parts = []
        for at, group in enumerate(self.problem.chains.groups):
            for root in range(len(group.roots)):
                labels = Labels.start(len(group.model.regions))
                for _ in group.layers:
                    labels = self._step(group, root, labels, goal.metric)
                parts.append(self.rows(at, root, labels))
        return Rows.joined(parts)

    def _step(self, group: ChainGroup, root: int, labels: Labels, metric: str) -> Labels:
        """All that is needed of one link more."""
        found: list[Labels] = []
        held = settled = 0
        for part in extended(self.problem, group, root, labels):
            self.evaluations += len(part)
            found.append(part)
            held += len(part)
            if held > settled + HELD:
                found = [needed(Labels.joined(found), metric, self.over)]
                held = settled = len(found[0])
                if held > MOST_LABELS:
                    raise ConfigError(
                        f"more than {MOST_LABELS:,} beginnings of networks at {group.resolutions[root]:g} px compare with none; narrow the "
                        "domain, leave latency out of over, or use runtime tensors"
                    )
        return needed(Labels.joined(found), metric, self.over)

    def every(self, pool: Pool) -> None:
        """Put all paths into the pool that none in it dominates by their beginning."""
        for at, group in enumerate(self.problem.chains.groups):
            for root in range(len(group.roots)):
                self._follow(pool, at, group, root, Labels.start(len(group.model.regions)))

    def _follow(self, pool: Pool, at: int, group: ChainGroup, root: int, labels: Labels) -> None:
        last = labels.ways.shape[1] + 1 == len(group.layers)
        for part in extended(self.problem, group, root, labels):
            self.evaluations += len(part)
            if last:
                pool.take(self.rows(at, root, part))
                continue
            part = part[np.flatnonzero(self._open(pool, group, root, part))]
            if len(part):
                self._follow(pool, at, group, root, part)

    def _open(self, pool: Pool, group: ChainGroup, root: int, labels: Labels) -> Flags:
        """Which partial paths may become something of a front."""
        rest = completions(self.problem, group, root)[labels.ways.shape[1]]
        state = labels.state
        regions = np.maximum(labels.regions, rest["regions"][state])
        persistent, flash = shared(group)
        costs = {
            "ram": regions.sum(axis=1) + labels.persistent + rest["persistent"][state],
            "flash": labels.flash + rest["flash"][state] + group.model.base_flash + flash,
            "latency": np.minimum(labels.latency + rest["latency"][state], LONGEST_FS),
        }
        costs["ram"] += group.model.base_persistent + persistent
        resolution = np.array([group.resolutions[root]])
        bounds = []
        for goal in pool.goals:
            value = getattr(labels, goal.metric)
            least, most = value + rest[f"least {goal.metric}"][state], value + rest[f"most {goal.metric}"][state]
            # the score rises up to the turning point and falls after it
            peak = np.clip(np.asarray(goal.turning_points(resolution), np.float64), least, most)
            bounds.append(goal.scores(peak, resolution))
        return pool.sieve.passes(np.stack([costs[name] for name in self.over]), bounds)

    def rows(self, at: int, root: int, labels: Labels) -> Rows:
        """Whole paths of one root as candidates."""
        group = self.problem.chains.groups[at]
        ram = labels.regions.sum(axis=1) + labels.persistent + group.model.base_persistent
        flash = labels.flash + group.model.base_flash
        persistent, constants = shared(group)
        ways = np.full((len(labels), self._links), -1, np.int64)
        ways[:, : labels.ways.shape[1]] = labels.ways
        n = len(labels)
        return Rows(
            ram + persistent,
            flash + constants,
            ram,
            flash,
            labels.macs,
            labels.params,
            labels.latency,
            np.full(n, group.resolutions[root]),
            np.full(n, not self.problem.space.runtime_plans),
            np.full(n, at),
            np.full(n, root),
            ways,
        )

    @cached_property
    def _links(self) -> int:
        return max(len(group.layers) for group in self.problem.chains.groups)

    def sample(self) -> Rows:
        """Some paths at random."""
        rng = np.random.default_rng(SEED)
        groups = self.problem.chains.groups
        parts = []
        each = 1 + SAMPLE // sum(len(group.roots) for group in groups)
        for at, group in enumerate(groups):
            for root in range(len(group.roots)):
                labels = Labels.start(len(group.model.regions))
                for _ in group.layers:
                    labels = Labels.joined(list(extended(self.problem, group, root, labels)))
                    if len(labels) > each:
                        labels = labels[rng.choice(len(labels), each, replace=False)]
                parts.append(self.rows(at, root, labels))
        return Rows.joined(parts)

    def time(self, rows: Rows, some: Ints) -> None:
        """Latencies are known from the start."""

    def tighten(self, rows: Rows) -> None:
        """To the byte all but the gaps that a planner leaves."""
        bare = np.flatnonzero(~rows.planned)
        for at in np.unique(rows.group[bare]).tolist():
            if extras(self.problem.chains.groups[at]) is not None:
                some = bare[rows.group[bare] == at]
                persistent, flash, links = self._kept(at, rows[some])
                rows.ram[some] = rows.least_ram[some] + persistent - links
                rows.flash[some] = flash

    def _kept(self, at: int, rows: Rows) -> tuple[Ints, Ints, Ints]:
        """What persists and the Flash [B] of a runtime with `extras`; and what persists by the sum of the links."""
        group = self.problem.chains.groups[at]
        precise = extras(group)
        assert precise is not None
        state = np.zeros(len(rows), np.int64)
        persistent, traits = state, state
        for layer, mine, way in zip(group.layers, precise.traits, rows.place.T, strict=False):
            persistent = persistent + layer.persistent[state, way]
            traits = joint(traits, mine[state, way])
            state = layer.heads[state, way]
        ram, constants = shared(group)
        base = group.model.base_persistent
        kept = persistent + precise.ram(traits, persistent) + base + ram
        return kept, rows.least_flash + precise.flash_bytes(traits) + constants, persistent + base

    def plan(self, rows: Rows) -> tuple[Ints, Ints]:
        """RAM and Flash [B] as the runtime packs them."""
        ram, flash = rows.ram.copy(), rows.flash.copy()
        for at, root in np.unique(np.stack([rows.group, rows.root]), axis=1).T.tolist():
            some = np.flatnonzero((rows.group == at) & (rows.root == root))
            for start in range(0, len(some), PLANNED):
                part = some[start : start + PLANNED]
                ram[part], flash[part] = self._planned(at, root, rows[part])
        return ram, flash

    def _planned(self, at: int, root: int, rows: Rows) -> tuple[Ints, Ints]:
        group = self.problem.chains.groups[at]
        if not has_windows(group) or extras(group) is None:
            each = [self.candidate(rows, row).planned() for row in range(len(rows))]
            return np.array([plan["ram"] for plan in each]), np.array([plan["flash"] for plan in each])
        found = buffers(group, root, 0, np.zeros(len(rows), np.int64), rows.place[:, : len(group.layers)])
        kept, flash, _ = self._kept(at, rows)
        return packed_alike(found.sizes, found.first, found.last, found.order) + kept, flash

    def candidate(self, rows: Rows, row: int) -> Path:
        """A row as a candidate."""
        group = self.problem.chains.groups[int(rows.group[row])]
        return Path(
            int(rows.least_ram[row]),
            int(rows.least_flash[row]),
            int(rows.macs[row]),
            int(rows.params[row]),
            int(rows.latency[row]),
            group,
            int(rows.root[row]),
            tuple(int(way) for way in rows.place[row, : len(group.layers)]),
        )

    def ties(self, rows: Rows) -> list[Ints]:
        """What decides between equals, first things first, as `Path.tie_order` has it."""
        resolution = np.unique(rows.resolution, return_inverse=True)[1]
        return [resolution, self._linked[rows.group], *rows.place.T, *self._options(rows)]

    @cached_property
    def _linked(self) -> Ints:
        """Per group the rank of the value that linked widths share."""
        found = []
        for group in self.problem.chains.groups:
            names = group.model.family.linked(group.model.settings)[:1]
            found.append(tuple(group.axes[name][0] for name in names))
        rank = {value: at for at, value in enumerate(sorted(set(found)))}
        return np.array([rank[value] for value in found], np.int64)

    def _options(self, rows: Rows) -> list[Ints]:
        """Per option the rank of its value, as text."""
        groups = self.problem.chains.groups
        found = []
        for option in groups[0].model.family.options:
            texts = [[repr(root.branch[option.name]) for root in group.roots] for group in groups]
            rank = {text: at for at, text in enumerate(sorted({text for row in texts for text in row}))}
            column = np.zeros(len(rows), np.int64)
            for at, row in enumerate(texts):
                some = rows.group == at
                column[some] = np.array([rank[text] for text in row], np.int64)[rows.root[some]]
            found.append(column)
        return found
