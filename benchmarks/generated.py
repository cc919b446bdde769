"""The command line of a script that writes generated files, or compares them with what it would write."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def write_or_check(
    module: str, about: str | None, expected: Callable[[], Mapping[Path, str]], argv: Sequence[str] | None
) -> int:
    """Write the files that ``expected`` names where they hold something else; with ``--check`` only say so, and 1."""
    program = f"python -m {module}"
    parser = argparse.ArgumentParser(prog=program, description=(about or "").split("\n\n")[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args(argv).check
    files = expected()
    stale = [file for file, text in files.items() if not file.is_file() or file.read_text(encoding="utf-8") != text]
    if check and stale:
        print(f"{', '.join(file.name for file in stale)}: not what {program} writes; run it", file=sys.stderr)
        return 1
    for file in stale:
        file.write_text(files[file], encoding="utf-8")
    print(f"docs/{next(iter(files)).name}: {f'{len(stale)} files written' if stale else 'up to date'}")
    return 0
