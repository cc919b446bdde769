"""Draws the pictures of the concepts anew: ``python docs/pictures``; ``--check`` only compares."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import certificate
import evidence
import latency
import lowering
import patches
import peak
import staircase

PICTURES: dict[str, Callable[[], str]] = {
    "staircase": staircase.picture,
    "peak": peak.picture,
    "certificate": certificate.picture,
    "lowering": lowering.picture,
    "latency": latency.picture,
    "patches": patches.picture,
    "evidence": evidence.picture,
}


def _main(check: bool) -> int:
    stale = []
    for name, picture in PICTURES.items():
        file, drawn = HERE.parent / "concepts" / f"{name}.svg", picture()
        if not file.is_file() or file.read_text(encoding="utf-8") != drawn:
            stale.append(file.name)
            if not check:
                file.write_text(drawn, encoding="utf-8")
    if check and stale:
        print(f"{', '.join(stale)}: not what is drawn now; write them anew: python docs/pictures")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(_main("--check" in sys.argv[1:]))
