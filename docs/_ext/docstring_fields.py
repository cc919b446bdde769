"""The docstrings' sections as fields of Sphinx.

A section is a title, a rule, and entries ``names : words`` whose words go on in indented lines. `napoleon` would take the words for
a type, so the entries are rewritten here.
"""

from __future__ import annotations

import re
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
FIELDS = {"Parameters": "param", "Attributes": "ivar", "Raises": "raises", "Returns": "returns"}
STAR = re.compile(r"\*(?=[^`]*(?:`[^`]*`[^`]*)*$)")
"""A star outside backticks: never the start of emphasis here."""
ENTRY = re.compile(r"(?P<names>\*{0,2}\w+(?:(?:, | \.\.\. )\*{0,2}\w+)*) : (?P<words>.+)")


def fields(lines: list[str]) -> list[str]:
    """The lines of a docstring, its sections turned into fields."""
    found: list[str] = []
    at, field = 0, ""
    while at < len(lines):
        line = lines[at]
        if line in FIELDS and at + 1 < len(lines) and set(lines[at + 1]) == {"-"}:
            field, at = FIELDS[line], at + 2
            found.append("")
            continue
        entry = ENTRY.fullmatch(line) if field else None
        if field and line and entry is None:
            if lines[at - 1]:
                raise ValueError(f"{line!r} stands in a section but is no entry 'name : words'")
            field = ""  # a paragraph of its own
        if entry is not None:
            words = [entry["words"]]
            while at + 1 < len(lines) and lines[at + 1].startswith(" "):
                at += 1
                words.append(lines[at].strip())
            found += [f":{field} {name}: {' '.join(words)}" for name in _names(field, entry["names"])]
        else:
            found.append(line)
        at += 1
    return found


def _names(field: str, names: str) -> list[str]:
    """One entry of errors stays one, or the same sentence would stand there twice."""
    if field == "raises":
        return [names]
    return [name.replace(" ... ", "…") for name in names.split(", ")]  # a blank would part a type from a name


def attributes(thing: object) -> list[str]:
    """Fields of a dataclass: their names and types."""
    if not (isinstance(thing, type) and is_dataclass(thing)):
        return []
    return ["", *(f":ivar {each.name}: ``{each.type}``" for each in dataclass_fields(thing)), ""]


def _unsigned(
    app: Sphinx, what: str, name: str, thing: object, options: Any, signature: str | None, returned: str | None
) -> tuple[str, None] | None:
    """No signature for what functions return: nobody calls it."""
    return ("", None) if what == "class" else None


def _rewrite(app: Sphinx, what: str, name: str, thing: object, options: Any, lines: list[str]) -> None:
    try:
        found = fields(lines)
    except ValueError as error:
        LOGGER.warning("%s: %s", name, error)
        return
    lines[:] = [STAR.sub(r"\\*", line) for line in found] + attributes(thing)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _rewrite)
    app.connect("autodoc-process-signature", _unsigned)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
