"""``python -m benchmarks.additivity``: does a network take as long as its operators do, each timed on its own?

A latency model that adds up operators can only be as good as that sum; this is Table 1 of the AtomNet paper, on this machine.
Exit code 1 if the bar is missed; a machine that is too noisy is told so instead. ``--write`` keeps it in docs/latency_host.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import fidelity_tables
from benchmarks.report import Line, table
from hwscale.builder import build
from hwscale.ledger import OpShape
from hwscale.measure.host import Additivity, Timed, additivity

DOCUMENT = Path(__file__).parents[1] / "docs" / "latency_host.md"
SECTION = "operators against the whole network, this machine"
BAR = 0.10
"""Largest median of |sum - whole| / whole."""
NOISE = 0.05
"""Largest noise of a machine that can be judged."""
PASSES = 3
HEADS = ("network", "ops", "sum of operators [ms]", "whole network [ms]", "difference [%]", "noise [%]")
NETWORKS: tuple[tuple[str, dict[str, Any]], ...] = (
    *(("phinet", {"alpha": a, "resolution": r}) for a, r in ((0.15, 96), (0.25, 96), (0.25, 160), (0.5, 128), (0.75, 160))),
    ("phinet", {"alpha": 0.35, "resolution": 128, "num_layers": 5, "t_zero": 4}),
    ("phinet", {"alpha": 0.5, "resolution": 96, "activation": "relu6", "squeeze_excite": False}),
    ("phinet", {"alpha": 0.4, "resolution": 128, "padding": "same"}),
    *(("xinet", {"alpha": a, "resolution": r}) for a, r in ((0.25, 128), (0.3, 96), (0.4, 160), (0.5, 128), (0.75, 160))),
    ("xinet", {"alpha": 0.4, "resolution": 128, "attention": False}),
    ("xinet", {"alpha": 0.5, "resolution": 96, "skip": False}),
    ("xinet", {"alpha": 0.4, "resolution": 128, "gamma": 2, "activation": "relu6"}),
    *(("mobilenet_v2", {"alpha": a, "resolution": r}) for a, r in ((0.1, 96), (0.25, 96), (0.35, 128), (0.35, 160))),
    *(("mobilenet_v2", {"alpha": a, "resolution": r}) for a, r in ((0.5, 96), (0.5, 160), (0.75, 128), (1.0, 160))),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One network, measured once per pass."""

    network: str
    passes: tuple[Additivity, ...]

    @property
    def ops(self) -> int:
        """Operators that are executed."""
        return self.passes[0].ops

    @property
    def sum_s(self) -> float:
        """Sum of operators [s]."""
        return median(one.sum_s for one in self.passes)

    @property
    def whole_s(self) -> float:
        """Whole network [s]."""
        return median(one.whole_s for one in self.passes)

    @property
    def difference(self) -> float:
        """(sum - whole) / whole, both of one pass."""
        return median(one.difference for one in self.passes)

    @property
    def noise(self) -> float:
        """How far the network's medians lie apart within a pass, or its differences between passes, whichever is more."""
        between = median(abs(one.difference - self.difference) for one in self.passes)
        return max(between, median(one.noise for one in self.passes))


@dataclass(frozen=True, slots=True)
class Result:
    """All networks of one run."""

    rows: tuple[Row, ...]

    @property
    def error(self) -> float:
        """Median of |sum - whole| / whole."""
        return median(abs(row.difference) for row in self.rows)

    @property
    def noise(self) -> float:
        """That of the median network."""
        return median(row.noise for row in self.rows)

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None on a machine that is too noisy to say."""
        return None if self.noise > NOISE else self.error <= BAR

    @property
    def verdict(self) -> str:
        """What the run says, in one sentence."""
        found = f"median |difference| {self.error:.1%} over {len(self.rows)} networks, noise {self.noise:.1%}"
        if self.met is None:
            return f"machine too noisy: {found} where {NOISE:.0%} is allowed; not judged"
        return f"{'met' if self.met else 'missed'}: {found}, bar {BAR:.0%}"


def run(passes: int = PASSES) -> Result:
    """Measure every network once per pass; the networks of a pass share the times of their operators."""
    found: list[list[Additivity]] = [[] for _ in NETWORKS]
    for _ in range(passes):
        known: dict[OpShape, Timed] = {}
        for place, (family, values) in enumerate(NETWORKS):
            shape = (3, values["resolution"], values["resolution"])
            found[place].append(additivity(build(family, values), shape, known))
    names = [" ".join([family, *(f"{k}={v}" for k, v in values.items())]) for family, values in NETWORKS]
    return Result(tuple(Row(name, tuple(each)) for name, each in zip(names, found, strict=True)))


def _cells(result: Result) -> list[tuple[str, ...]]:
    return [
        (
            row.network,
            f"{row.ops}",
            f"{1e3 * row.sum_s:.3f}",
            f"{1e3 * row.whole_s:.3f}",
            f"{100 * row.difference:+.1f}",
            f"{100 * row.noise:.1f}",
        )
        for row in result.rows
    ]


def rows_table(result: Result) -> str:
    """The rows as AtomNet's Table 1 has them."""
    return table([(*cells, "") for cells in _cells(result)], (*HEADS, ""))


def document(result: Result, machine: str) -> str:
    """docs/latency_host.md; of a machine that is too noisy it has no figures, so that such runs leave the same text."""
    text = f"""# Operators against the whole network

Written by `make fidelity` on the machine that ran it; no test compares it, as timings differ from run to run. Each
network runs in torch, float32, batch 1, on one core: as a whole, and operator by operator, each timed on its own and
added up. *Difference* is (sum - whole) / whole; *noise* is how far repeated measurements lie apart. The bar is a median
|difference| of {BAR:.0%}, on a machine whose median noise is at most {NOISE:.0%}.

"""
    if result.met is None:
        return f"{text}Too noisy: median noise above {NOISE:.0%}, so nothing is judged and no figures are kept.\n"
    verdict = result.verdict[0].upper() + result.verdict[1:]
    return f"{text}Machine: {machine}. {verdict}.\n\n{fidelity_tables.table(HEADS, _cells(result))}\n"


def measure() -> list[Line]:
    """Print the table; its median difference as a line, with a bar if the machine was calm enough."""
    return [printed(run())]


def printed(result: Result) -> Line:
    """The same for a run."""
    print(f"\n{SECTION}\n{rows_table(result)}\n{result.verdict}", flush=True)
    bar = None if result.met is None else 100 * BAR
    name = f"median |sum of operators - whole|, {len(result.rows)} networks"
    return Line(SECTION, name, 100 * result.error, "%", bar, note="" if result.met is not None else "machine too noisy")


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table and the verdict; 1 if a calm machine missed the bar."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.additivity", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--write", action="store_true", help="also write docs/latency_host.md")
    write = parser.parse_args(argv).write
    result = run()
    line = printed(result)
    if write:
        import torch

        versions = f"Python {platform.python_version()}, torch {torch.__version__}"
        machine = f"{platform.machine()}, {os.cpu_count()} cores, {versions}"
        DOCUMENT.write_text(document(result, machine), encoding="utf-8")
    return 1 if line.passed is False else 0


if __name__ == "__main__":
    sys.exit(main())
