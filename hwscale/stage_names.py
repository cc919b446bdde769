"""Names of stages and blocks: "width" stands for width0 to width5, "kernel2" for kernel2_1 to kernel2_4, one value or one each."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from hwscale.errors import ConfigError


def stems(names: Sequence[str]) -> list[str]:
    """``names`` with all stages and blocks of a kind as one: width, kernel, and kernel2 for the blocks of stage 2."""
    return list(dict.fromkeys(re.sub(r"\d+(_\d+)?$", "", name) or name for name in names))


def spread(
    names: Sequence[str], fix: Mapping[str, Any], domain: Mapping[str, Any], known: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """``fix`` and ``domain`` with every group written out; where several say something of a name, the most specific one does.

    ``known`` holds the values of what neither says, where there are: a preset's or the defaults.
    """
    found: tuple[dict[str, Any], dict[str, Any]] = (
        {name: value for name, value in fix.items() if name in names},
        {name: value for name, value in domain.items() if name in names},
    )
    groups = [(stem, value, 0) for stem, value in fix.items() if stem not in names]
    groups += [(stem, value, 1) for stem, value in domain.items() if stem not in names]
    members = {stem: [n for n in names if re.fullmatch(rf"{re.escape(stem)}_?\d+(_\d+)?", n)] for stem, *_ in groups}
    # depths first, since they say how many blocks a list has to have; then kernel2 before kernel
    for stem, value, side in sorted(
        groups, key=lambda group: (not group[0].startswith("depth"), len(members[group[0]]))
    ):
        if not members[stem]:
            found[side][stem] = value  # no such name: the caller says so
            continue
        each = (
            dict.fromkeys(members[stem], value)
            if side
            else _one_each(stem, value, members[stem], {**known, **found[0]})
        )
        for name, one in each.items():
            if name not in found[0] and name not in found[1]:
                found[side][name] = one
    return found


def _one_each(stem: str, value: Any, several: list[str], fix: Mapping[str, Any]) -> dict[str, Any]:
    """A value for each name: one for all, or a list with one each, as many as the stage has blocks where its depth is fixed."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or (isinstance(value, str) and len(parts) == 1):
        return dict.fromkeys(several, value)
    block = re.fullmatch(r"[a-z]+(\d+)", stem)
    depth = fix.get(f"depth{block[1]}") if block else None
    needed = int(depth) if depth is not None and str(depth).isdigit() else len(several)
    if len(parts) != needed:
        hint = (
            f"; fix depth{block[1]} if there are fewer blocks" if block and depth is None and len(several) > 1 else ""
        )
        raise ConfigError(
            f"{stem} got {len(parts)} values; give one, or one each of {several[0]} to {several[needed - 1 if needed <= len(several) else -1]} "
            f"({needed}){hint}"
        )
    return dict(zip(several, parts, strict=False))


def gathered(values: Mapping[str, Any], whole: Collection[str]) -> list[tuple[str, str]]:
    """Values for people, stages and blocks under one name as `spread` takes them: width=16,32,48.

    ``whole`` names everything that the network has: a group is written as one only if ``values`` holds all of it.
    """
    keys = {name: _key(name, whole) for name in whole}
    groups: dict[str, list[str]] = {}
    for name, value in values.items():
        key = keys.get(name, name)
        if any(member not in values for member, other in keys.items() if other == key):
            key = name
        text = "+".join(map(str, value)) or "none" if isinstance(value, tuple | list) else str(value)
        groups.setdefault(key, []).append(text)
    return [(name, ",".join(texts)) for name, texts in groups.items()]


def _key(name: str, whole: Collection[str]) -> str:
    """The group of a name: kernel2 of kernel2_1, width of width3; its own where one name would stand for blocks too."""
    if block := re.fullmatch(r"([a-z]+\d+)_\d+", name):
        return block[1]
    stage = re.fullmatch(r"([a-z]+)\d+", name)
    if stage is None or any(re.fullmatch(rf"{stage[1]}\d+_\d+", other) for other in whole):
        return name
    return stage[1]
