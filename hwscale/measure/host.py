"""What a network and its ops take on this machine: torch's float32 kernels, batch 1, on one core.

* A network is timed as the flat list of ops that `fold` makes of it, so that both sides of the comparison pay Python and
  torch's dispatcher once per op. Its runs follow each other.
* An op is timed on its own, one call at a time, on a map written just before, as in a network. Ops take turns, in a new
  random order every round: an op that is repeated at once finds its weights, code and branches where no network leaves
  them, which flatters it by a fifth to a half. How far they are away still decides some 5 to 10 % of its time.
"""

from __future__ import annotations

import gc
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles

import torch
from torch import nn

from hwscale.ledger import OpShape
from hwscale.measure.op_shapes import Map, fold, op_alone, op_shapes

__all__ = [
    "Additivity",
    "Stopwatch",
    "Timed",
    "additivity",
    "measure",
    "one_core",
    "op_shapes",
    "time_network",
    "time_op",
    "time_ops",
]

CLOCK = time.thread_time if time.get_clock_info("thread_time").resolution < 1e-6 else time.perf_counter
"""Time of this thread, user and system: as on a core of its own, whoever else runs here."""
SAMPLES, SAMPLE_S = 15, 2e-3
ROUNDS, WARM_UP, WHOLES = 25, 2, 3
SEED = 1
KEPT_BYTES = 31 << 20
"""A block of this size, once freed, makes glibc keep smaller ones instead of handing them back to the system."""


@dataclass(frozen=True, slots=True)
class Timed:
    """What something takes [s]: the median of ``repeats`` samples, and their interquartile range over it."""

    median_s: float
    spread: float
    repeats: int


@dataclass(frozen=True, slots=True)
class Additivity:
    """A network [s] beside the sum of its ``ops`` executed operators, and how far apart its own two halves lay."""

    sum_s: float
    whole_s: float
    noise: float
    ops: int

    @property
    def difference(self) -> float:
        """(sum - whole) / whole."""
        return (self.sum_s - self.whole_s) / self.whole_s


@contextmanager
def one_core() -> Iterator[None]:
    """Inference on one thread, on the fastest core, without garbage collection; all as before afterwards."""
    threads, collects = torch.get_num_threads(), gc.isenabled()
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    try:
        torch.set_num_threads(1)
        gc.disable()
        if len(cores) > 1:
            os.sched_setaffinity(0, {max(cores, key=_speed)})
        torch.empty(KEPT_BYTES, dtype=torch.uint8)  # freed at once
        with torch.inference_mode(), torch.random.fork_rng(devices=()):
            yield
    finally:
        if cores:
            os.sched_setaffinity(0, cores)
        if collects:
            gc.enable()
        torch.set_num_threads(threads)


def _speed(core: int, seconds: float = 0.01) -> int:
    """How far a core, maybe shared or a slow one, counts in the given time."""
    os.sched_setaffinity(0, {core})
    count, until = 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        count += 1
    return count


class Stopwatch:
    """Samples of one call, each of ``loops`` calls in a row; ``before`` runs ahead of a sample, untimed."""

    def __init__(self, call: Callable[[], object], before: Callable[[], object] | None = None, loops: int = 1) -> None:
        self.call, self.before, self.loops = call, before, loops
        self.samples_s: list[float] = []

    def sample(self) -> None:
        """Take one sample."""
        call = self.call
        if self.before is not None:
            self.before()
        started = CLOCK()
        for _ in range(self.loops):
            call()
        self.samples_s.append((CLOCK() - started) / self.loops)

    def fill(self, sample_s: float) -> None:
        """Warm up, and choose ``loops`` so that a sample lasts at least ``sample_s``."""
        self.loops = 1
        self.sample()
        while True:
            self.sample()
            lasted_s = self.samples_s[-1] * self.loops
            if lasted_s >= sample_s:
                break
            self.loops = max(self.loops + 1, int(1.2 * self.loops * sample_s / lasted_s))
        self.samples_s.clear()

    def timed(self, offset_s: float = 0.0) -> Timed:
        """Its samples, less what taking one costs."""
        middle = max(median(self.samples_s) - offset_s, 1e-9)
        quarters = quantiles(self.samples_s, n=4, method="inclusive")
        return Timed(middle, (quarters[2] - quarters[0]) / middle, len(self.samples_s))


def measure(call: Callable[[], object], *, samples: int = SAMPLES, sample_s: float = SAMPLE_S) -> Timed:
    """What a call takes when it is repeated: the median of ``samples`` (at least 2) of at least ``sample_s`` each, on one core."""
    with one_core():
        watch = Stopwatch(call)
        watch.fill(sample_s)
        for _ in range(samples):
            watch.sample()
    return watch.timed()


def time_network(network: nn.Module, input_shape: Map) -> Timed:
    """A network on one random image, BN folded: what `additivity` calls the whole."""
    folded, image = fold(network, input_shape), torch.randn(1, *input_shape)
    return measure(lambda: folded(image))


def time_op(shape: OpShape) -> Timed:
    """One op on its own, in turn with `COMPANY`; `time_ops` takes less for many."""
    return time_ops((shape,))[shape]


def time_ops(shapes: Iterable[OpShape], rounds: int = ROUNDS) -> dict[OpShape, Timed]:
    """Each distinct op on its own, in turn with the others and with `COMPANY`, so that it depends little on which others."""
    wanted = dict.fromkeys(shapes)
    timed = _in_turn({**wanted, **dict.fromkeys(COMPANY)}, None, rounds)
    return {shape: timed[shape] for shape in wanted}


def additivity(network: nn.Module, input_shape: Map, known: dict[OpShape, Timed], rounds: int = ROUNDS) -> Additivity:
    """A network against the sum of its operators, both sampled in every round.

    Times that are ``known`` go before those of this run, which adds the rest to it: an op counts as in the network that had
    it first.
    """
    shapes = op_shapes(network, input_shape)
    folded, image = fold(network, input_shape), torch.randn(1, *input_shape)
    whole = Stopwatch(lambda: folded(image))
    for shape, timed in _in_turn(dict.fromkeys(shapes), whole, rounds).items():
        known.setdefault(shape, timed)
    half = len(whole.samples_s) // 2
    whole_s = whole.timed().median_s
    drift_s = abs(median(whole.samples_s[:half]) - median(whole.samples_s[half:]))
    return Additivity(sum(known[shape].median_s for shape in shapes), whole_s, drift_s / whole_s, len(shapes))


def _in_turn(shapes: Iterable[OpShape], whole: Stopwatch | None, rounds: int) -> dict[OpShape, Timed]:
    """One sample of each shape a round, and `WHOLES` of a whole after two more runs of it that bring its own weights near."""
    order = random.Random(SEED)
    with one_core():
        nothing = Stopwatch(lambda: None)  # reading the clock takes as long as around an op
        ops = {shape: op_alone(shape) for shape in shapes}
        watches = {shape: Stopwatch(op.call, op.write_maps) for shape, op in ops.items()}
        turns = [nothing, *watches.values()]
        for round_ in range(-WARM_UP, rounds):
            due = order.sample(turns, len(turns))
            if whole is not None:
                whole.call()
                whole.call()
                due = [whole] * WHOLES + due
            for watch in due:
                watch.sample()
                if round_ < 0:
                    watch.samples_s.clear()
    return {shape: watch.timed(median(nothing.samples_s)) for shape, watch in watches.items()}


def _company() -> Iterator[OpShape]:
    """The ops of a small network: enough of each kind to keep its code as near as networks do, and to take the maps away."""
    for side, channels in ((32, 4), (16, 8), (8, 16), (4, 32)):
        wide, half = 6 * channels, side // 2
        narrow_map, wide_map, vector = (channels, side, side), (wide, side, side), (wide, 1, 1)
        yield OpShape("conv2d", *narrow_map, *narrow_map, 3)
        yield OpShape("max_pool", *narrow_map, channels, half, half, 2, 2)
        yield OpShape("pointwise", *narrow_map, *wide_map)
        yield OpShape("relu6", *wide_map, *wide_map)
        yield OpShape("depthwise", *wide_map, *wide_map, 3)
        yield OpShape("hard_swish", *wide_map, *wide_map)
        yield OpShape("depthwise", *wide_map, wide, half, half, 3, 2)
        yield OpShape("average_pool", wide, half, half, *vector)
        yield OpShape("pointwise", *vector, channels, 1, 1)
        yield OpShape("pointwise", channels, 1, 1, *vector)
        yield OpShape("sigmoid", *vector, *vector)
        yield OpShape("mul", *vector, wide, half, half)
        yield OpShape("pointwise", *wide_map, *narrow_map)
        yield OpShape("add", *narrow_map, *narrow_map)
        yield OpShape("fully_connected", *vector, 10, 1, 1)


COMPANY = tuple(_company())
