"""Pages with a line ``<!-- generated: NAME -->`` get there what the code itself says; `TEXTS` is the registry."""

from __future__ import annotations

import re
from collections.abc import Callable

import command_pages
import evidence_table
import public_names
import schema_keys
from sphinx.application import Sphinx

TEXTS: dict[str, Callable[[], str]] = {
    "commands": command_pages.markdown,
    "evidence": evidence_table.markdown,
    "latency evidence": evidence_table.latency_markdown,
    "functions": public_names.functions,
    "results": public_names.results,
    "errors": public_names.errors,
    "schemas": schema_keys.markdown,
}
MARK = re.compile(r"^<!-- generated: (.+) -->$", re.MULTILINE)


def _fill(app: Sphinx, page: str, source: list[str]) -> None:
    source[0] = MARK.sub(lambda found: TEXTS[found[1]](), source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
