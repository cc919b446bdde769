"""``python -m benchmarks``: run all of it, print the tables, judge the bars. What is asked for by name alone: ``additivity``.

Exit code 0 however slow it was, unless ``--strict``: a shared machine is no judge.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks import baselines, cold, compare, fronts, joint, rivals, stagewise, throughput, warm
from benchmarks.budgets import COUNT, SEED
from benchmarks.report import Line, lines_table

SCHEMA = "hwscale.bench/1"
SECTIONS = ("cold", "warm", "stagewise", "joint", "throughput", "fronts", "compare", "baselines", "rivals")
APART = ("additivity",)
"""Sections that do not time hwscale; they run only if named."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the chosen sections; 1 if ``--strict`` and a bar was missed."""
    parser = _parser()
    options = parser.parse_args(argv)
    chosen = options.sections or SECTIONS
    if unknown := sorted(set(chosen) - {*SECTIONS, *APART}):
        parser.error(f"unknown section {unknown[0]!r}; allowed: {', '.join((*SECTIONS, *APART))}")
    machine = _machine()
    print("  ".join(f"{name} {value}" for name, value in machine.items()), flush=True)
    started = time.perf_counter()
    lines: list[Line] = []
    timed: dict[str, Callable[[], list[Line]]] = {
        "cold": lambda: cold.measure(options.runs),
        "warm": lambda: warm.measure(options.budgets, options.seed),
        "stagewise": lambda: stagewise.measure(options.budgets, options.seed),
        "joint": joint.measure,
        "throughput": throughput.measure,
        "compare": compare.measure,
        "fronts": fronts.measure,
        "additivity": _additivity,
    }
    for section, measure in timed.items():
        if section in chosen:
            found = measure()
            print(f"\n{found[0].section}\n{lines_table(found)}", flush=True)
            lines += found
    rows: list[baselines.Row] = []
    if "baselines" in chosen:
        rows = baselines.measure(options.objective, options.budgets, options.seed)
        title = f"{baselines.SECTION}: phinet, objective {options.objective}, {len(rows[0].seconds)} budgets"
        print(f"\n{title}\n{baselines.rows_table(rows)}", flush=True)
    beside: list[baselines.Row] = []
    if "rivals" in chosen:
        beside = rivals.measure()
        title = f"{rivals.SECTION}, {len(beside[0].seconds)} budgets"
        print(f"\n{title}\n{baselines.rows_table(beside)}", flush=True)
    missed = [line for line in lines if line.passed is False]
    judged = sum(line.passed is not None for line in lines)
    print(f"\n{judged - len(missed)} of {judged} bars met, in {time.perf_counter() - started:.0f} s")
    for line in missed:
        print(f"FAIL {line.section}: {line.name}")
    if options.json:
        document: dict[str, Any] = {
            "schema": SCHEMA,
            "machine": machine,
            "seed": options.seed,
            "lines": [line.to_dict() for line in lines],
            "baselines": {"objective": options.objective, "rows": [row.to_dict() for row in rows]},
            "rivals": [row.to_dict() for row in beside],
        }
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=2)
            file.write("\n")
    return 1 if options.strict and missed else 0


def _additivity() -> list[Line]:
    from benchmarks import additivity  # loads torch, which must not stand beside the other sections

    return additivity.measure()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Timings of hwscale against their bars.")
    parser.add_argument(
        "sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)} (default: all), {', '.join(APART)}"
    )
    parser.add_argument("--runs", type=int, default=cold.RUNS, help="rounds of the cold commands (default %(default)s)")
    parser.add_argument("--budgets", type=int, default=COUNT, help="random budgets (default %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="of budgets and baselines (default %(default)s)")
    parser.add_argument("--objective", default="macs", help="of the baselines (default %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="also write everything measured to FILE")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a bar is missed")
    return parser


def _machine() -> dict[str, str]:
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "cores": str(os.cpu_count()),
        "load": load,
    }


if __name__ == "__main__":
    sys.exit(main())
