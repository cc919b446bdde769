"""HTML of a page's parts; every text that comes from outside passes through `text`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def text(words: object) -> str:
    """Any text as HTML shows it literally, in an element or a quoted attribute; what cannot be printed becomes "?"."""
    return escape("".join(c if c.isprintable() else "?" for c in str(words)))


def script_json(value: Any) -> str:
    """JSON that may stand in a <script>: nothing in it ends the element."""
    dumped = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return "".join(_UNSAFE.get(c, c) for c in dumped)


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell shows, as HTML, and what it is sorted by; numbers are set flush right."""

    html: str
    key: float | str
    number: bool = False


def words(value: object) -> Cell:
    """A cell of text."""
    return Cell(text(value), str(value))


def amount(value: float, shown: str | None = None) -> Cell:
    """A cell of a number, shown as it is or as ``shown``."""
    return Cell(text(f"{value:,}" if shown is None else shown), float(value), number=True)


def badge(known: str) -> str:
    """How a number is known, as a label."""
    return f'<span class="badge {text(known)}">{text(known)}</span>'


EMPTY = Cell("", "")
SHORT = 34
"""Characters that a cell holds on one line."""


def table(name: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, tall: bool = False) -> str:
    """A table that scrolls in itself where it is too wide, or with ``tall`` too long; columns of numbers flush right, headers sort; empty columns are
    left out."""
    body = [list(row) for row in rows]
    kept = [at for at in range(len(columns)) if not body or any(row[at].html for row in body)]
    columns, body = [columns[at] for at in kept], [[row[at] for at in kept] for row in body]
    numbers = [any(row[at].number for row in body) for at in range(len(columns))]
    head = "".join(_header(column, len(body) > 1, number) for column, number in zip(columns, numbers, strict=True))
    lines = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>\n" for row in body)
    return (
        f'<div class="scroll{" tall" if tall else ""}" role="region" aria-label="{text(name)}" tabindex="0"><table>'
        f"<caption>{text(name)}</caption><thead><tr>{head}</tr></thead>\n<tbody>{lines}</tbody></table></div>\n"
    )


def _header(column: str, sortable: bool, number: bool) -> str:
    side = ' class="number"' if number else ""
    if not sortable or not column:
        return f'<th scope="col"{side}>{text(column)}</th>'
    return f'<th scope="col" aria-sort="none"{side}><button type="button" class="sort">{text(column)}</button></th>'


def _cell(cell: Cell) -> str:
    kind = "number" if cell.number else "long" if len(str(cell.key)) > SHORT else "short"
    return f'<td class="{kind}" data-key="{text(cell.key)}">{cell.html}</td>'


def section(name: str, title: str, *parts: str) -> str:
    """A block of the page with its heading."""
    return f'<section id="{text(name)}"><h2>{text(title)}</h2>\n{"".join(parts)}</section>\n'


def paragraph(words: str) -> str:
    """A sentence."""
    return f"<p>{text(words)}</p>\n"


def listed(items: Sequence[str]) -> str:
    """Sentences as a list; nothing for none."""
    return "<ul>" + "".join(f"<li>{text(item)}</li>" for item in items) + "</ul>\n" if items else ""


def folded(summary: str, items: Sequence[str]) -> str:
    """Sentences behind a line to open; nothing for none."""
    return f"<details><summary>{text(summary)}</summary>{listed(items)}</details>\n" if items else ""


def code(line: str) -> str:
    """A command that can be copied."""
    return (
        f'<div class="copy"><pre tabindex="0"><code>{text(line)}</code></pre>'
        '<button type="button" class="copier">copy</button></div>\n'
    )


def plot(name: str, title: str, spec: Mapping[str, Any], *, clickable: bool = False) -> str:
    """A place for a plot and what is drawn there; ``clickable`` points show themselves in the page's panel."""
    caption = str(spec.get("caption", ""))
    height = int(spec["layout"]["height"])
    opens = ' data-clickable="yes"' if clickable else ""
    return (
        f'<figure><h3>{text(title)}</h3><div class="plot" id="{text(name)}" role="img" aria-label="{text(title)}" '
        f'style="height:{height}px"{opens}></div>'
        f'<script type="application/json" data-plot="{text(name)}">{script_json(dict(spec))}</script>'
        f"{f'<figcaption>{text(caption)}</figcaption>' if caption else ''}</figure>\n"
    )


def data(name: str, value: Any) -> str:
    """Data for the page's script."""
    return f'<script type="application/json" id="{text(name)}">{script_json(value)}</script>\n'
