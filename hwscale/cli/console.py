"""Where tables for people are printed: as wide as the terminal, within bounds; a pipe gets the widest."""

from __future__ import annotations

import sys

from rich.console import Console

NARROW, WIDE = 80, 160
"""Columns: the narrowest that tables are laid out for, and what a pipe gets."""


def open_console(widest: int | None = None) -> Console:
    """Console on stdout; ``widest`` [columns] caps the terminal's width and is what a pipe gets instead of `WIDE`."""
    if sys.stdout.isatty():
        terminal = Console().width
        width = max(NARROW, terminal if widest is None else min(widest, terminal))
    else:
        width = WIDE if widest is None else widest
    # sentences wrap where the terminal does, and nothing is cut to fit: digits and sources stay whole
    return Console(highlight=False, soft_wrap=True, width=width)
