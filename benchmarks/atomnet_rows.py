"""``python -m benchmarks.atomnet_rows``: the networks that AtomNet's paper publishes, beside the proven best under the same budgets.

Budgets and figures: Table 3 of "AtomNet: Designing Tiny Models from Operators Under Extreme MCU Constraints" (AAAI 2025); rates:
its guideline G3, 256k MACs/ms pointwise and 91k depthwise. The architectures of its rows were never published.

``--check`` says whether docs/atomnet.md holds the tables that this prints.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hwscale.api import cost
from hwscale.domain import make_domain
from hwscale.latency_model import FEMTO
from hwscale.objectives import find_objective
from hwscale.problem import Problem
from hwscale.result import CostReport
from hwscale.solve import solve
from hwscale.space import make_space
from hwscale.work import per_mac

DOCUMENT = Path(__file__).parents[1] / "docs" / "atomnet.md"
PUBLISHED = DOCUMENT.with_name("atomnet_rows.csv")
BEGIN, END = "<!-- begin: python -m benchmarks.atomnet_rows -->", "<!-- end -->"
KIB = 1024
PER_MS = {"conv2d": 256_000, "pointwise": 256_000, "fully_connected": 256_000, "depthwise": 91_000}
"""MACs per ms by operator kind: G3 has no rate of its own for dense convolutions, which run as matrix products too."""
FS_PER_MAC = {kind: round(FEMTO / (1000 * rate)) for kind, rate in PER_MS.items()}
WORKS_FS = per_mac(FS_PER_MAC)


@dataclass(frozen=True, slots=True)
class Row:
    """A published network: its budget (RAM, Flash [KiB], latency on the STM32H743 [ms]) and what the paper prints of it."""

    name: str
    ram_kib: int
    flash_kib: int
    latency_ms: int
    macs_m: int
    sram_kb: int
    flash_kb: int


def published() -> tuple[Row, ...]:
    """Table 3 of the paper, from docs/atomnet_rows.csv."""
    with PUBLISHED.open(encoding="utf-8", newline="") as stream:
        return tuple(
            Row(name=row.pop("network"), **{k: int(v) for k, v in row.items()}) for row in csv.DictReader(stream)
        )


ROWS = published()


def budgets(row: Row) -> dict[str, int]:
    """Limits of a row: RAM and Flash [B], latency [fs]."""
    latency = row.latency_ms * FEMTO // 1000
    return {"ram": row.ram_kib * KIB, "flash": row.flash_kib * KIB, "latency": latency}


def answers(row: Row) -> Iterator[list[str]]:
    """Table rows: what was published, then the proven best with and without the latency limit."""
    budget = f"{row.ram_kib} / {row.flash_kib} KiB, {row.latency_ms} ms"
    yield [row.name, budget, str(row.macs_m), f"{row.sram_kb} KB", f"{row.flash_kb} KB", "?", str(row.latency_ms)]
    space = make_space(make_domain("atomnet", classes=1000), "tensors", works=tuple(WORKS_FS))
    asked = [("`macs`", "macs", budgets(row)), ("`balanced`", "balanced", budgets(row))]
    memory = (row.ram_kib, row.flash_kib)
    if row is next(other for other in ROWS if (other.ram_kib, other.flash_kib) == memory):
        unlimited = {name: limit for name, limit in budgets(row).items() if name != "latency"}
        asked += [(f"`{name}`, no latency limit", name, unlimited) for name in ("macs", "balanced")]
    for name, objective, limits in asked:
        found = solve(Problem(space, find_objective(objective), limits, WORKS_FS))
        assert found is not None
        best = found.best
        yield [
            f"- {name}",
            "",
            f"{best.macs / 1e6:.1f}",
            f"{best.ram_bytes / KIB:.0f} KiB",
            f"{best.flash_bytes / KIB:.0f} KiB",
            f"{best.resolution:.0f}",
            f"{best.latency_fs / FEMTO * 1000:.0f}",
        ]


def rows_table() -> str:
    """Published networks beside the solver's."""
    titles = ["network", "budget: RAM / Flash, latency", "M MACs", "RAM", "Flash", "px", "ms"]
    return _table(titles, [line for row in ROWS for line in answers(row)])


def stage(report: CostReport, block: str) -> list[int]:
    """MACs, depthwise MACs, RAM peak [B] and Flash [B] of the ops of one block, the classifier's Flash in it."""
    ops = [op for op in report.ops if op.name.startswith(block + ".")]
    depthwise = sum(op.macs for op in ops if op.kind == "depthwise")
    flash = sum(op.flash_bytes for op in report.ops if op.name.startswith((block + ".", "top.")))
    return [sum(op.macs for op in ops), depthwise, max(op.live_bytes for op in ops), flash]


def block_report(kind: str, width: int, *, attention: bool) -> CostReport:
    """AtomNet whose stage 5 is two blocks of one kind, ``width`` channels; the second one is that of `blocks_table`."""
    values = {"resolution": 160, "depth5": 2, "block5": kind, "width5": width, "expand5": 1 if kind == "sep" else 6}
    return cost("atomnet", {**values, "se_stages": (5,) if attention else ()}, classes=1000, runtime="tensors")


def matched_width(kind: str, macs: int, *, attention: bool) -> int:
    """The smallest width at which a block of this kind has at least so many MACs."""
    low, high = 1, 1024
    while low < high:
        middle = (low + high) // 2
        enough = stage(block_report(kind, middle, attention=attention), "s5.b2")[0] >= macs
        low, high = (low, middle) if enough else (middle + 1, high)
    return low


def blocks_table() -> str:
    """The three blocks: at equal MACs, and per MAC at equal width."""
    lines = []
    for kind in ("convnext", "mbconv", "sep"):
        reference = stage(block_report("convnext", 96, attention=False), "s5.b2")[0]
        plain, attended = (
            stage(block_report(kind, matched_width(kind, reference, attention=se), attention=se), "s5.b2")
            for se in (False, True)
        )
        same = stage(block_report(kind, 96, attention=False), "s5.b2")
        fs = same[1] * FS_PER_MAC["depthwise"] + (same[0] - same[1]) * FS_PER_MAC["pointwise"]
        equal = plain[1] * FS_PER_MAC["depthwise"] + (plain[0] - plain[1]) * FS_PER_MAC["pointwise"]
        lines.append(
            [
                kind,
                str(matched_width(kind, reference, attention=False)),
                f"{plain[2]:,}",
                f"{attended[3]:,}",
                f"{equal / plain[0] / 1000:.0f}",
                f"{fs / same[0] / 1000:.0f}",
            ]
        )
    titles = ["block", "width at equal MACs", "RAM [B]", "Flash with SE and classifier [B]", "ps per MAC, equal MACs"]
    return _table([*titles, "ps per MAC, equal width (96)"], lines)


def _table(titles: list[str], lines: list[list[str]]) -> str:
    rule = ["---", *["--:"] * (len(titles) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (titles, rule, *lines))


def report() -> str:
    """Both tables, as the document holds them."""
    return f"{rows_table()}\n\n{blocks_table()}"


def documented() -> str:
    """The tables in docs/atomnet.md."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return text.partition(BEGIN)[2].partition(END)[0].strip()


def main() -> int:
    """Print the tables; with ``--check`` 1 if the document holds others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with docs/atomnet.md instead of printing")
    if not parser.parse_args().check:
        print(report())
        return 0
    same = documented() == report()
    print(f"{DOCUMENT.name}: {'up to date' if same else 'differs from python -m benchmarks.atomnet_rows'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
