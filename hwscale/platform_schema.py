"""What a descriptor may hold, written out from the key table: a JSON Schema for editors, a template for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwscale.platform_keys import SCHEMA, TABLES, TEXT, TOP, Document, Key


def platform_schema() -> Document:
    """JSON Schema (draft 2020-12) of a descriptor, for editors; platforms/platform.schema.json is a copy of it."""
    properties = _properties(TOP)
    for name, table in TABLES.items():
        one = {"type": "object", "properties": _properties(table.keys), **_closed(table.keys)}
        whole: Document = {"type": "array", "items": one, "minItems": int(table.required)} if table.repeated else one
        properties[name] = {"description": table.meaning, **whole}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{SCHEMA}: a microcontroller as hwscale reads it",
        "type": "object",
        "properties": properties,
        **_closed({**TOP, **TABLES}),
    }


def _properties(keys: Mapping[str, Key]) -> Document:
    return {name: {"description": f"{key.meaning} ({key.kind.wants})", **key.kind.rule} for name, key in keys.items()}


def _closed(entries: Mapping[str, Any]) -> Document:
    return {"required": [name for name, entry in entries.items() if entry.required], "additionalProperties": False}


def template(name: str, beside_schema: bool) -> str:
    """A commented descriptor to fill in; ``beside_schema`` points editors at platform.schema.json in its folder."""
    lines = ["#:schema ./platform.schema.json"] if beside_schema else []
    lines += ["# Fill in every 0 and every empty text, uncomment what else is known; platforms/README.md explains it."]
    lines += _template_keys(TOP, {"name": f'"{name}"'}, False)
    for header, table in TABLES.items():
        later = header not in ("clock", "flash", "ram")  # those say what fits; the rest is rarely at hand at first
        more = "; repeat it for each" if table.repeated else ""
        lines += ["", f"{'# ' * later}{table.header(header)}  # {table.meaning}{more}"]
        lines += _template_keys(table.keys, {}, later)
    return "\n".join(lines) + "\n"


def _template_keys(keys: Mapping[str, Key], given: Mapping[str, str], later: bool) -> list[str]:
    lines = []
    for name, key in keys.items():
        mark, remark = ("", "") if key.required else ("# ", "optional: ")
        wants = "" if key.kind is TEXT else f"; {key.kind.wants}"
        entry = f"{'# ' if later else mark}{name} = {given.get(name, key.kind.blank)}"
        lines.append(f"{entry:36}  # {remark}{key.meaning}{wants}")
    return lines
