"""One published latency as a measured sample, and one that nothing can be learnt from."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from hwscale.calibration import Sample
from hwscale.formulas.graph import HOLD, Graph
from hwscale.ledger import OpRecord
from hwscale.platform import load_platform
from hwscale.runtimes import find_runtime

DATA = Path(__file__).parents[1] / "tests" / "data"


@dataclass(frozen=True)
class Row:
    """One published latency.

    ``platform`` is hwscale's name, "" where it has none; ``library`` the kernels and their version; ``runtime`` the
    runtime of hwscale whose lowering gave the ops; ``group`` the data set; ``bar`` the accuracy claim that the row
    counts for, "" for none.
    """

    platform: str
    library: str
    runtime: str
    clock_hz: int
    group: str
    sample: Sample
    bar: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A published row that is no sample, and why."""

    group: str
    row: str
    reason: str
    source: str


@dataclass(frozen=True)
class Published:
    """What became of the rows of one data set; every one is in one of the two."""

    rows: list[Row]
    left: list[LeftOut]


def lines(name: str) -> list[tuple[int, dict[str, str]]]:
    """The rows of a file of tests/data, each with its line."""
    with (DATA / name).open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        return [(reader.line_num, row) for row in reader]


def clock_hz(platform: str) -> int:
    """The clock of a platform where the source states none."""
    return load_platform(platform).clock_hz


def executed(graph: Graph, runtime: str) -> tuple[OpRecord, ...]:
    """The ops that a runtime makes of a graph, with their MACs and map elements."""
    rules = find_runtime(runtime)
    lowered = rules.lower(graph, rules.facts(graph))
    sizes = [int(tensor.size) for tensor in lowered.tensors]
    return tuple(
        OpRecord(
            op.name,
            op.kind,
            int(op.macs),
            int(op.weights),
            live_bytes=0,
            biases=int(op.bias),
            elements=sum(sizes[tensor] for tensor in (*op.inputs, op.output)),
        )
        for op in lowered.ops
        if op.kind != HOLD
    )


def half_digit_s(printed: str, unit_s: float) -> float:
    """Half of the last digit of a latency as printed in a unit [s]."""
    return 0.5 * unit_s * 10.0 ** -len(printed.partition(".")[2])


def single(kind: str, macs: int, elements: int, weights: int = 0) -> OpRecord:
    """An op that was timed alone; ``elements`` of its input and output maps."""
    return OpRecord(kind, kind, macs, weights, live_bytes=0, elements=elements)
