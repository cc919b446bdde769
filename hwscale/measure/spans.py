"""Which positions of each map a patch makes, reads and keeps, along one axis; knows windows and sides, nothing of torch.

Positions are counted on the map itself: its zero padding has negative positions, or those from its side on. The spans of a
patch follow from the windows of the ops, from the split map backwards: what is needed of a map is what its readers read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple


class Span(NamedTuple):
    """Positions from ``start`` to before ``stop``."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start

    def clipped(self, side: int) -> Span:
        """The part on a map of ``side`` positions."""
        return self.clipped_to(Span(0, side))

    def clipped_to(self, other: Span) -> Span:
        """The part within ``other``, empty at one of its ends if there is none."""
        return Span(*(min(max(position, other.start), other.stop) for position in self))

    def before(self, start: int) -> Span:
        """The positions from ``start`` to before this span, none if it starts there or earlier."""
        return Span(min(start, self.start), self.start)

    def within(self, origin: int) -> slice:
        """These positions in a tensor that begins at position ``origin``."""
        return slice(self.start - origin, self.stop - origin)


NOTHING = Span(0, 0)


def hull(spans: Iterable[Span]) -> Span:
    """The shortest span over all that are not empty."""
    filled = [span for span in spans if span.length > 0]
    return Span(min(s.start for s in filled), max(s.stop for s in filled)) if filled else NOTHING


class Window(NamedTuple):
    """What one output position reads: ``kernel`` positions, moved by ``stride``, the first ``before`` ahead of the map."""

    kernel: int = 1
    stride: int = 1
    before: int = 0

    def reads(self, made: Span) -> Span:
        """The input positions, padding included, behind the output positions ``made``."""
        if made.length <= 0:
            return NOTHING
        return Span(made.start * self.stride - self.before, (made.stop - 1) * self.stride - self.before + self.kernel)


SAME_POSITION = Window()


@dataclass(frozen=True, slots=True)
class AxisOp:
    """One op along one axis: its output map ``value`` has ``side`` positions; ``reads`` are its operands, with windows."""

    value: str
    side: int
    reads: tuple[tuple[str, Window], ...] = ()


class Rule(Enum):
    """What a patch computes of a map."""

    FULL = auto()
    """What it needs, as long for every patch: the first and last compute beyond the map too."""
    CLIPPED = auto()
    """The same, but the first and the last patch stop where the map ends. Inner patches do not, even if they stick out."""
    STREAMED = auto()
    """What no patch before has computed; what later patches need of it is kept."""


class Extent(NamedTuple):
    """What one patch does with one map: computes ``made``, has ``held`` at hand to read, leaves ``kept`` to the next."""

    made: Span = NOTHING
    held: Span = NOTHING
    kept: Span = NOTHING


def plan_axis(ops: Sequence[AxisOp], n_patch: int, rule: Rule, external: str | None = None) -> list[dict[str, Extent]]:
    """The extents of every map, by value, for each of ``n_patch`` patches of the last op's map.

    ``ops`` are in order of execution, the image first (it reads nothing). ``external`` can be read again at any time:
    nothing of it is kept.
    """
    grain = ops[-1].side // n_patch
    covered = {op.value: 0 for op in ops}
    needed: list[dict[str, Span]] = []
    made: list[dict[str, Span]] = []
    for p in range(n_patch):
        reads: dict[str, list[Span]] = {op.value: [] for op in ops}
        reads[ops[-1].value].append(Span(p * grain, (p + 1) * grain))
        makes: dict[str, Span] = {}
        for op in reversed(ops):
            need = hull(reads[op.value])
            on_map = need.clipped(op.side)
            if rule is Rule.STREAMED and op.value != external:
                start = covered[op.value]
                # the last patch finishes the map, with positions that no window reads
                stop = op.side if p == n_patch - 1 else max(start, on_map.stop)
                makes[op.value], covered[op.value] = Span(start, stop), stop
            else:
                clips = rule is Rule.STREAMED or (rule is Rule.CLIPPED and p in (0, n_patch - 1))
                makes[op.value] = on_map if clips else need
            for source, window in op.reads:
                reads[source].append(window.reads(makes[op.value]))
        needed.append({op.value: hull(reads[op.value]).clipped(op.side) for op in ops})
        made.append(makes)
    keeps = {op.value for op in ops if rule is Rule.STREAMED and op.value != external}
    plan: list[dict[str, Extent]] = []
    for p in range(n_patch):
        extents = {}
        for value, makes_here in made[p].items():
            kept = before = NOTHING
            if value in keeps:
                kept = _kept(value, makes_here.stop, needed[p + 1 :])
                before = plan[-1][value].kept if plan else NOTHING
                if not makes_here.length and not needed[p][value].length:
                    before = NOTHING
            extents[value] = Extent(makes_here, hull((before, makes_here)), kept)
        plan.append(extents)
    return plan


def _kept(value: str, covered: int, later: Sequence[dict[str, Span]]) -> Span:
    """What patches to come read of the positions before ``covered``."""
    starts = [needs[value].start for needs in later if needs[value].length]
    return Span(covered, covered).before(min(starts, default=covered))
