"""Families on platforms side by side: the best of each, or the platforms that meet a need and why the others do not."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwscale.api import INPUT_BUFFERS
from hwscale.backends import Progress
from hwscale.budget import LATENCY_LIMITS, parse_limits
from hwscale.errors import ConfigError, nearest
from hwscale.explore.compared_row import ComparedRow, Verdict
from hwscale.explore.entry import Question
from hwscale.explore.needs import Needs, parse_needs
from hwscale.explore.parallel_rows import worked_out
from hwscale.explore.platform_list import ALL, ORDER, Named, find_places
from hwscale.formulas import find_family
from hwscale.objectives import Objective, find_objective
from hwscale.runtimes import DEFAULT as DEFAULT_RUNTIME
from hwscale.runtimes import find_runtime
from hwscale.units import format_count, parse_share

COMPARE_SCHEMA = "hwscale.compare/1"
COSTS = ("ram", "flash", "macs", "latency", "energy")


@dataclass(frozen=True)
class Comparison:
    """``rows``: families in the order asked for, the smallest platform first; ``options`` are those of `hwscale.fit` for all."""

    rows: tuple[ComparedRow, ...]
    needs: Needs
    options: Mapping[str, Any]
    seconds: float

    @property
    def good(self) -> tuple[ComparedRow, ...]:
        """The rows that fit and meet every need."""
        return tuple(row for row in self.rows if row.good)

    @property
    def families(self) -> tuple[str, ...]:
        """In the order asked for."""
        return tuple(dict.fromkeys(row.family for row in self.rows))

    def to_dict(self) -> dict[str, Any]:
        """What ``hwscale compare --json`` prints."""
        options = {name: value for name, value in self.options.items() if value not in (None, {}, ())}
        return {
            "schema": COMPARE_SCHEMA,
            "order": ORDER,
            "needs": self.needs.to_dict(),
            "options": {name: str(v) if isinstance(v, Objective) else v for name, v in options.items()},
            "rows": [row.to_dict() for row in self.rows],
            "seconds": self.seconds,
        }

    def to_csv(self) -> str:
        """One line a row: bytes, counts, s and J; shares of the limits; the configuration as JSON."""
        stream = io.StringIO()
        table = csv.writer(stream, lineterminator="\n")
        used = [f"{name}_used" for name in COSTS]
        units = ("ram_bytes", "flash_bytes", "macs", "params", "latency_s", "energy_j")
        table.writerow(
            ["family", "platform", "verdict", "status", *units, *used, "binding", "reason", "note", "hyperparameters"]
        )
        for row in self.rows:
            costs = ["" if row.cost is None or (v := getattr(row.cost, unit)) is None else v for unit in units]
            shares = [f"{row.utilisation[name]:.6f}" if name in row.utilisation else "" for name in COSTS]
            chosen = "" if row.hyperparameters is None else json.dumps(dict(row.hyperparameters))
            known = (row.family, row.platform, row.verdict.value, row.status)
            table.writerow([*known, *costs, *shares, " ".join(row.binding), row.reason, row.note, chosen])
        return stream.getvalue()


def compare(
    nets: str | Sequence[str],
    platforms: Named | Sequence[Named] = ALL,
    *,
    needs: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
    fix: Mapping[str, Any] | None = None,
    domain: Mapping[str, Any] | None = None,
    classes: int | None = None,
    in_channels: int = 3,
    input_shape: Sequence[int] | None = None,
    objective: str | Objective = "balanced",
    runtime: str = DEFAULT_RUNTIME,
    schedule: str = "layer",
    solver: str = "auto",
    verify: str = "none",
    input_buffer: str = "counted",
    reserve_ram: float | str = 0,
    reserve_flash: float | str = 0,
    margin: float | str = 0.0,
    latency_limit: str = "expected",
    rates: str | None = None,
    jobs: int | None = 1,
    progress: Progress | None = None,
) -> Comparison:
    """The best of every family on every platform, or with ``needs`` which platforms meet them.

    >>> hwscale.compare(["phinet", "xinet"], "stm32*").rows
    >>> hwscale.compare("xinet", needs={"macs": "40M", "latency": "100 ms"}).good[0].platform

    Parameters
    ----------
    nets : names of families.
    platforms : "all", names, globs ("stm32*") or paths of TOML files, separated by commas or in a list; `Platform` objects.
    needs : "macs" and "params" at least so many; "latency", "energy", "ram", "flash" at most so much, besides what the platform has.
    limits ... rates : as in `hwscale.fit`, the same for all.
    jobs : processes; 1 works in this one, None takes as many as there are cores. With more, a script calls this under
        ``if __name__ == "__main__"``, for each process imports it.
    progress : called with a line as each row arrives.

    Raises
    ------
    ConfigError, PlatformError : what is asked for cannot be used anywhere, or a glob or name matches no platform. What cannot be used on
        one platform only is the reason of its row.
    """
    families = tuple(dict.fromkeys(find_family(net).name for net in ([nets] if isinstance(nets, str) else nets)))
    if not families:
        raise ConfigError("no network family is named; give one or more, see `hwscale nets list`")
    if jobs is not None and (not isinstance(jobs, int) or isinstance(jobs, bool) or jobs < 1):
        raise ConfigError(f"jobs: got {jobs!r}, but it must be a whole number of at least 1, or None for all cores")
    for what, given, allowed in (
        ("input_buffer", input_buffer, INPUT_BUFFERS),
        ("latency_limit", latency_limit, LATENCY_LIMITS),
    ):
        if given not in allowed:
            raise ConfigError(f"unknown {what} {given!r}; {nearest(str(given), allowed)}")
    wanted = parse_needs(needs, limits)
    parse_limits(limits), parse_share(margin), find_objective(objective)
    options = {
        "limits": limits,
        "fix": fix,
        "domain": domain,
        "classes": classes,
        "in_channels": in_channels,
        "input_shape": input_shape,
        "objective": objective,
        "runtime": runtime,
        "schedule": schedule,
        "solver": solver,
        "verify": verify,
        "input_buffer": input_buffer,
        "reserve_ram": reserve_ram,
        "reserve_flash": reserve_flash,
        "margin": margin,
        "latency_limit": latency_limit,
        "rates": rates,
    }
    places = find_places(platforms, find_runtime(runtime))
    started, count, total = time.perf_counter(), 0, len(families) * len(places)

    def done(row: ComparedRow) -> None:
        nonlocal count
        count += 1
        if progress is not None:
            progress(f"{count}/{total} {row.family} on {row.platform}: {_line(row)}")

    rows = worked_out(families, places, Question(wanted, options), jobs, done)
    if all(row.usage for row in rows) and len({row.reason for row in rows}) <= len(families):
        raise ConfigError(rows[0].reason)  # the same everywhere: what was asked for is at fault
    return Comparison(tuple(rows), wanted, options, time.perf_counter() - started)


def _line(row: ComparedRow) -> str:
    if row.cost is None or row.verdict in (Verdict.FAILS, Verdict.UNDECIDED):
        return row.reason
    return f"{row.verdict.value}, {format_count(row.cost.macs)} MACs"
