"""``python -m benchmarks.fidelity_runtimes``: every prediction of a runtime beside its measured or published number.

Writes the tables of docs/fidelity.md between its two marks, docs/fidelity_rows.csv (every row) and docs/fidelity.svg
(the plot). ``--check`` says whether they are what this would write.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from benchmarks import fidelity_published, fidelity_tables, fidelity_tflm
from benchmarks.fidelity_plot import svg
from benchmarks.fidelity_record import LeftOut, Record, as_csv
from benchmarks.generated import write_or_check

DOCS = Path(__file__).parents[1] / "docs"
DOCUMENT, ROWS, PLOT = DOCS / "fidelity.md", DOCS / "fidelity_rows.csv", DOCS / "fidelity.svg"
BEGIN, END = "<!-- begin: python -m benchmarks.fidelity_runtimes -->", "<!-- end -->"


@cache
def compared() -> tuple[tuple[Record, ...], tuple[LeftOut, ...]]:
    """All records and all rows that were left out, in the order of the document."""
    sources = (
        fidelity_tflm.compared,
        fidelity_published.tinyengine,
        fidelity_published.st,
        fidelity_published.executorch,
        fidelity_published.mcunetv2,
    )
    found = [source() for source in sources]
    return tuple(r for records, _ in found for r in records), tuple(entry for _, left in found for entry in left)


def tables() -> str:
    """What stands between the marks."""
    records, left = compared()
    sections = {
        "All runtimes": fidelity_tables.statistics(records),
        "TensorFlow Lite Micro, by family": fidelity_tables.by_family(records),
        "TinyEngine, STM32H743 [KiB]": fidelity_tables.tinyengine(records),
        "X-CUBE-AI and ST Edge AI: activation RAM as an interval": fidelity_tables.intervals(records),
        "MCUNetV2, Table S1": fidelity_tables.mcunetv2(records),
        "Misses": fidelity_tables.misses(records),
        "Rows without a comparison": fidelity_tables.left_out(left),
    }
    return "\n\n".join(f"### {title}\n\n{text}" for title, text in sections.items())


def expected() -> dict[Path, str]:
    """What each file must hold; the prose of the document is its own."""
    records, _ = compared()
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return {
        DOCUMENT: f"{before}{BEGIN}\n{tables()}\n{END}{after}",
        ROWS: as_csv(records),
        PLOT: svg(records),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Write the files; with ``--check`` 1 if one of them holds something else."""
    return write_or_check("benchmarks.fidelity_runtimes", __doc__, expected, argv)


if __name__ == "__main__":
    sys.exit(main())
