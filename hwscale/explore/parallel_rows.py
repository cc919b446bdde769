"""The rows of a comparison over the cores, grouped so that what platforms share is laid out once a process."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from hwscale.errors import ConfigError, PlatformError
from hwscale.explore.compared_row import ComparedRow
from hwscale.explore.entry import Question, entry
from hwscale.explore.platform_list import Place
from hwscale.runtimes import find_runtime
from hwscale.timing import make_timing

Unit = tuple[str, tuple[Place, ...]]
"""A family and platforms whose latency is counted in the same works: their search spaces are one."""


def worked_out(
    families: Sequence[str],
    places: Sequence[Place],
    question: Question,
    jobs: int | None,
    done: Callable[[ComparedRow], None],
) -> list[ComparedRow]:
    """Every row, families in the given order and then places; ``done`` is told of each as it arrives.

    ``jobs`` processes, as many as there are cores if None; 1 works in this process. ConfigError if a process could not start.
    """
    units = _units(families, places, question)
    jobs = min(jobs or os.cpu_count() or 1, len(families) * len(places))
    while len(units) < jobs and max(len(unit[1]) for unit in units) > 1:
        family, largest = units.pop(max(range(len(units)), key=lambda at: len(units[at][1])))
        middle = len(largest) // 2
        units += [(family, largest[:middle]), (family, largest[middle:])]
    units.sort(key=lambda unit: -len(unit[1]))
    rows: list[ComparedRow] = []
    if jobs == 1:
        for family, some in units:
            for place in some:
                rows.append(entry(family, place, question))
                done(rows[-1])
    else:
        _spread(units, question, jobs, rows, done)
    order = {(family, place.name): at for at, (family, place) in enumerate((f, p) for f in families for p in places)}
    return sorted(rows, key=lambda row: order[row.family, row.platform])


def _spread(
    units: Sequence[Unit],
    question: Question,
    jobs: int,
    rows: list[ComparedRow],
    done: Callable[[ComparedRow], None],
) -> None:
    before = set(multiprocessing.active_children())
    # spawned and not forked: a fork of a process with threads may hang
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=_quiet)
    try:
        for future in as_completed([pool.submit(_unit, *unit, question) for unit in units]):
            for row in future.result():
                rows.append(row)
                done(row)
    except BaseException as error:
        # on an interrupt nothing is waited for
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()
        if isinstance(error, BrokenProcessPool):
            raise ConfigError(
                "compare could not keep its processes running; give jobs=1, or call it from a script under "
                "if __name__ == '__main__'"
            ) from None
        raise
    pool.shutdown()


def _quiet() -> None:
    """An interrupt ends a worker without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _unit(family: str, places: Sequence[Place], question: Question) -> list[ComparedRow]:
    return [entry(family, place, question).packed() for place in places]


def _units(families: Sequence[str], places: Sequence[Place], question: Question) -> list[Unit]:
    alike: dict[tuple[str, ...], list[Place]] = defaultdict(list)
    for place in places:
        alike[_works(place, question)].append(place)
    return [(family, tuple(some)) for family in families for some in alike.values()]


def _works(place: Place, question: Question) -> tuple[str, ...]:
    """What latency is counted in there."""
    options = question.options
    try:
        timing = make_timing(place.platform, find_runtime(options["runtime"]), options["rates"])
    except PlatformError:
        return ()  # the row will say so
    return tuple(str(work) for work in timing.fs_per_unit)
