"""``python -m benchmarks.latency_report``: predicted beside published latency for every row of the data.

Writes the tables of docs/latency.md, each between its two marks, docs/latency_rows.csv (every row) and docs/latency.svg
(the plot). ``--check`` says whether they are what this would write.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import latency_tables
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
    about = (__doc__ or "").split("\n\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency_report", description=about)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args(argv).check
    stale = []
    for file, text in expected().items():
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            stale.append(file.name)
            if not check:
                file.write_text(text, encoding="utf-8")
    if check and stale:
        print(f"{', '.join(stale)}: not what python -m benchmarks.latency_report writes; run it", file=sys.stderr)
        return 1
    print(f"docs/latency.md: {f'{len(stale)} files written' if stale else 'up to date'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
