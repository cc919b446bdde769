"""``python -m benchmarks.latency_report``: predicted beside published latency for every row of the data.

Writes the tables of docs/latency.md, each between its two marks, docs/latency_rows.csv (every row) and docs/latency.svg
(the plot). ``--check`` says whether they are what this would write.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import latency_tables
from benchmarks.generated import write_or_check
from benchmarks.latency_plot import svg
from benchmarks.latency_predicted import as_csv, predictions

DOCS = Path(__file__).parents[1] / "docs"
DOCUMENT, ROWS, PLOT = DOCS / "latency.md", DOCS / "latency_rows.csv", DOCS / "latency.svg"
TABLES = {
    "rows": latency_tables.in_short,
    "bars": latency_tables.bars,
    "constants": latency_tables.constants_table,
    "transfer": latency_tables.moved_table,
    "unseen": latency_tables.unseen_table,
    "autoencoder": latency_tables.dense_table,
    "held out": latency_tables.held_out,
    "power": latency_tables.power_table,
    "all groups": latency_tables.groups_table,
    "models": latency_tables.models_table,
    "left out": latency_tables.left_table,
}
"""What stands between the marks of each name."""
_BLOCK = re.compile(r"<!-- begin: ([a-z ]+) -->\n.*?<!-- end -->", re.DOTALL)


def filled(text: str) -> str:
    """The document with every table anew; its prose is its own. A table without marks is an error."""
    if sorted(_BLOCK.findall(text)) != sorted(TABLES):
        raise ValueError(f"docs/latency.md has the tables {_BLOCK.findall(text)}, but must have {list(TABLES)}")
    return _BLOCK.sub(lambda block: f"<!-- begin: {block[1]} -->\n{TABLES[block[1]]()}\n<!-- end -->", text)


def expected() -> dict[Path, str]:
    """What each file must hold."""
    return {
        DOCUMENT: filled(DOCUMENT.read_text(encoding="utf-8")),
        ROWS: as_csv(),
        PLOT: svg(predictions()),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Write the files; with ``--check`` 1 if one of them holds something else."""
    return write_or_check("benchmarks.latency_report", __doc__, expected, argv)


if __name__ == "__main__":
    sys.exit(main())
