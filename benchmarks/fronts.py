"""Exact fronts of whole domains: how many points, how long, how much memory. ``python -m benchmarks.fronts --write`` puts the table into docs/pareto.md.

Every front is made in a process of its own, which lays out the space and compiles the formulas too; the memory is that process's peak.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.report import Line

SECTION = "exact fronts, laid out and computed from nothing"
PLATFORM = "stm32h743"
MEMORY_BAR_MIB = 1024.0
DOCUMENT = Path(__file__).parent.parent / "docs" / "pareto.md"
BEGIN, END = "<!-- fronts: begin -->", "<!-- fronts: end -->"
BUDGETS = 200
CHILD = """
import json, pathlib, random, resource, sys, time
import hwscale
asked = json.loads(sys.argv[1])
front = hwscale.pareto(asked.pop("net"), asked.pop("platform"), **asked)
source, spent = random.Random(1), []
for _ in range(int(sys.argv[2])):
    limits = {name: int(front.columns[name][source.randrange(len(front))]) for name in ("ram", "flash")}
    begun = time.perf_counter()
    front.best(limits)
    spent.append(time.perf_counter() - begun)
status = pathlib.Path("/proc/self/status")  # rusage also has what the parent held when it forked
peaks = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")] if status.exists() else []
kib = int(peaks[0]) if peaks else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"points": len(front), "candidates": front.candidates, "seconds": front.seconds, "method": front.method,
    "cpu": time.process_time(), "mib": kib / 1024, "best": sorted(spent)[len(spent) // 2],
    "front": front.evidence["front"], "thinned": len(front.thinned("ram", "macs"))}))
"""


@dataclass(frozen=True)
class Case:
    """A front to make, and the most that it may take [s]; ``long``: minutes, only with --long."""

    net: str
    runtime: str
    objective: str
    bar: float | None = None
    over: tuple[str, ...] = ("ram", "flash")
    fix: dict[str, Any] = field(default_factory=dict)
    long: bool = False

    @property
    def name(self) -> str:
        """For people."""
        pinned = "".join(f" at {value} px" for name, value in self.fix.items() if name == "resolution")
        return (
            f"{self.net}{pinned}, {self.runtime}, {self.objective}{', with latency' if 'latency' in self.over else ''}"
        )


R96 = {"resolution": 96}
LATENCY = ("ram", "flash", "latency")
CASES = (
    Case("atomnet", "tensors", "macs", 2.0),
    Case("xinet", "tensors", "macs", 1.0),
    Case("phinet", "tensors", "macs", 5.0, fix=R96),
    Case("mobilenet_v1", "tflm", "balanced"),
    Case("mobilenet_v2", "tflm", "balanced"),
    Case("xinet", "tflm", "balanced"),
    Case("xinet", "tflm", "balanced", over=LATENCY),
    Case("atomnet", "tensors", "balanced"),
    Case("atomnet", "tflm", "balanced"),
    Case("phinet", "tflm", "balanced", fix=R96),
    Case("atomnet", "tensors", "macs", over=LATENCY, long=True),
    Case("phinet", "tensors", "macs", over=LATENCY, fix=R96, long=True),
    Case("phinet", "tensors", "balanced", long=True),
    Case("mcunet", "tensors", "macs", fix=R96, long=True),
)


def made(case: Case) -> dict[str, Any]:
    """Make one front in a process of its own."""
    asked = {"net": case.net, "platform": PLATFORM, "runtime": case.runtime, "objective": case.objective}
    asked |= {"over": case.over, "fix": case.fix}
    command = [sys.executable, "-c", CHILD, json.dumps(asked), str(BUDGETS)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(*, long: bool = False) -> list[Line]:
    """The bars on time and memory, and what informs about them."""
    lines = []
    for case, found in results(long=long):
        note = f"{found['points']:,} points of {float(found['candidates']):.3g}, {found['method']}, {found['cpu']:.1f} s CPU"
        lines.append(Line(SECTION, case.name, found["seconds"], "s", case.bar, note=note))
        bar = None if case.bar is None else MEMORY_BAR_MIB
        lines.append(Line(SECTION, f"{case.name}: peak memory", found["mib"], "MiB", bar))
        if case.bar is not None:
            lines.append(Line(SECTION, f"{case.name}: one budget from the front", found["best"], "s", 0.001))
    return lines


def results(*, long: bool) -> list[tuple[Case, dict[str, Any]]]:
    """Every case with what was found, as it is found."""
    found = []
    for case in CASES:
        if long or not case.long:
            one = made(case)
            print(f"  {case.name}: {one['points']:,} points, {one['seconds']:.2f} s", file=sys.stderr, flush=True)
            found.append((case, one))
    return found


def written(rows: Sequence[tuple[Case, dict[str, Any]]]) -> str:
    """The table of docs/pareto.md."""
    lines = [
        "| front | candidates | points | drawn at 0.5 % | time [s] | peak memory [MiB] | one budget [ms] | method |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for case, one in rows:
        many = f"{one['candidates']:,}" if one["candidates"] < 10**10 else f"{float(one['candidates']):.2g}"
        lines.append(
            f"| {case.name} | {many} | {one['points']:,} | {one['thinned']:,} | {one['seconds']:.1f} | {one['mib']:.0f} | "
            f"{1e3 * one['best']:.2f} | {one['method']}, {one['front'].split(':')[0]} |"
        )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the lines, or write the table."""
    from benchmarks.report import lines_table

    parser = argparse.ArgumentParser(prog="python -m benchmarks.fronts", description=__doc__)
    parser.add_argument("--long", action="store_true", help="also the fronts that take minutes")
    parser.add_argument("--write", action="store_true", help=f"write the table into {DOCUMENT.name}")
    options = parser.parse_args(argv)
    if not options.write:
        print(lines_table(measure(long=options.long)))
        return 0
    table = written(results(long=options.long))
    text = DOCUMENT.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    DOCUMENT.write_text(f"{head}{BEGIN}\n{table}\n{END}{tail}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
