"""What the candidates of a space are called: their hyperparameters, as `hwscale.result.described` has them, for many at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwscale.chain_space import ChainSpace
from hwscale.configuration import configure
from hwscale.explore.choices import ABSENT, Choices, Codes, Span, gathered
from hwscale.explore.rows import Ints, Rows
from hwscale.formulas import find_family
from hwscale.space import Space

Column = tuple[list[Any], Codes]


def named(space: Space | ChainSpace, rows: Rows) -> Choices:
    """Hyperparameters, then the options that differ from their defaults; of a preset its name, resolution and what differs."""
    domain = space.domain
    family = find_family(domain.family)
    found = _of_paths(space, rows) if isinstance(space, ChainSpace) else _of_points(space, rows)
    if domain.input_size is not None and domain.input_size[0] == domain.input_size[1]:
        found["resolution"] = [domain.input_size[0]], np.zeros(len(rows), np.int32)
    names = [h.name for h in family.hyperparameters] + [option.name for option in family.options]
    defaults = {option.name: option.default for option in family.options}
    columns = [(name, *found[name]) for name in names if name in found]
    if domain.preset is not None:
        start = configure(domain.family, {"preset": domain.preset}).values
        # what differs from the preset is named, and an option only if it differs from its own default as well
        columns = [_less(column, start) for column in columns if column[0] != "resolution"]
        resolution = [("resolution", *found["resolution"])] if "resolution" in found else []
        columns = [("preset", [domain.preset], np.zeros(len(rows), np.int32)), *_placed(columns, resolution, names)]
    return gathered(columns, defaults)


def _less(column: tuple[str, list[Any], Codes], start: dict[str, Any] | Any) -> tuple[str, list[Any], Codes]:
    name, values, codes = column
    same = [n for n, value in enumerate(values) if name in start and value == start[name]]
    return name, values, np.where(np.isin(codes, same), ABSENT, codes).astype(np.int32)


def _placed(
    columns: list[tuple[str, list[Any], Codes]], more: list[tuple[str, list[Any], Codes]], names: list[str]
) -> list[tuple[str, list[Any], Codes]]:
    return sorted([*columns, *more], key=lambda column: names.index(column[0]))


def _of_points(space: Space, rows: Rows) -> dict[str, Column]:
    """Of a lattice: what a root pins, alpha and the boxes."""
    found: dict[str, Column] = {}
    groups = space.groups
    for name in groups[0].roots[0].branch:
        index: dict[Any, int] = {}
        by_root = [
            np.array([index.setdefault((type(v), v), len(index)) for v in (root.branch[name] for root in group.roots)])
            for group in groups
        ]
        found[name] = [value for _, value in index], _by_group(rows, lambda at, some, t=by_root: t[at][rows.root[some]])
    for axis, (name, lattice) in enumerate(groups[0].boxes.items(), start=1):
        found[name] = [float(value) for value in lattice], rows.place[:, axis].astype(np.int32)
    low, end = np.empty(len(rows)), np.empty(len(rows))
    for at in rows.groups:
        group, some = groups[int(at)], np.flatnonzero(rows.group == at)
        place = group.starts[rows.root[some]] + rows.place[some, 0]
        low[some] = group.alphas[place]
        end[some] = np.concatenate([root.ends for root in group.roots])[place]
    pairs, codes = np.unique(np.stack([low, end]), axis=1, return_inverse=True)
    spans = [a if a == b else Span(a, b) for a, b in pairs.T.tolist()]
    found["alpha"] = spans, codes.reshape(-1).astype(np.int32)
    return found


def _by_group(rows: Rows, codes: Any) -> Codes:
    found = np.empty(len(rows), np.int32)
    for at in rows.groups:
        some = np.flatnonzero(rows.group == at)
        found[some] = codes(int(at), some)
    return found


def _of_paths(space: ChainSpace, rows: Rows) -> dict[str, Column]:
    """Of paths: what a root pins, and what the ways choose."""
    index: dict[str, dict[Any, int]] = {}
    found: dict[str, Codes] = {}

    def put(name: str, value: Any, some: Ints) -> None:
        codes = index.setdefault(name, {})
        column = found.setdefault(name, np.full(len(rows), ABSENT, np.int32))
        column[some] = codes.setdefault((type(value), value), len(codes))

    for at in rows.groups:
        group, mine = space.groups[int(at)], np.flatnonzero(rows.group == at)
        for root in np.unique(rows.root[mine]):
            for name, value in group.roots[int(root)].branch.items():
                put(name, value, mine[rows.root[mine] == root])
        state = np.zeros(len(mine), np.int64)
        for layer, way in zip(group.layers, rows.place[mine].T, strict=False):
            picks = layer.picks[state, way]
            for pick in np.unique(picks):
                for name, value in layer.values[int(pick)].items():
                    put(name, value, mine[picks == pick])
            state = layer.heads[state, way]
    return {name: ([value for _, value in index[name]], codes) for name, codes in found.items()}
