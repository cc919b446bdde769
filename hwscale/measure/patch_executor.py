"""Run a stage patch by patch: every patch computes, reads and keeps the spans of its plan, and no more is ever held.

What is held, one byte per element: the split map; for each map that later patches read, a row buffer (what the next row of
patches reads of this one, over the whole width) and a column buffer (what the next patch reads of this one); and while a
patch runs, its part of every map from the op that makes it to the last that reads it. The image lies outside, but the part
of it that a patch reads is copied in. A convolution pads as it goes, and an add or activation overwrites an operand that
dies there and has the size of the result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch

from hwscale.measure.handlers import price_of
from hwscale.measure.live import LiveBuffers
from hwscale.measure.program import Shape, Step
from hwscale.measure.spans import AxisOp, Extent, Rule, Span, plan_axis
from hwscale.measure.stage import Stage
from hwscale.measure.stage_ops import StageOp

Plan = list[dict[str, Extent]]


@dataclass
class StageRun:
    """What running a stage leaves: the split map (1, C, H, W), and what was executed and held for it.

    ``macs`` and ``added`` (elements of sums) by value; ``row_bytes`` and ``column_bytes`` are the buffers between patches,
    ``peak_bytes`` is all that is held at once.
    """

    split_map: torch.Tensor
    macs: Counter[str] = field(default_factory=Counter)
    added: Counter[str] = field(default_factory=Counter)
    row_bytes: int = 0
    column_bytes: int = 0
    peak_bytes: int = 0


@dataclass
class _Part:
    """A part of a map (1, C, h, w): the positions ``rows`` x ``columns``, some of which may lie outside the map."""

    tensor: torch.Tensor
    rows: Span
    columns: Span


class _Kept(NamedTuple):
    """The buffers of one map between patches."""

    rows: torch.Tensor
    columns: torch.Tensor


def run_stage(stage: Stage, image: torch.Tensor, n_patch: int, rules: tuple[Rule, Rule]) -> StageRun:
    """Run ``stage`` on ``image`` (1, C, H, W) in ``n_patch`` x ``n_patch`` patches, by a rule for rows and one for columns.

    ``n_patch`` divides both sides of the split map.
    """
    shapes = {op.step.value: _shape(op.step) for op in stage.ops}
    shapes[stage.image.value] = tuple(image.shape)
    rows, columns = (_plan(stage, shapes, axis, n_patch, rule) for axis, rule in enumerate(rules))
    kept = {value: _buffers(image, shapes[value], rows, columns, value) for value in shapes}
    run = StageRun(image.new_full(_shape(stage.ops[-1].step), float("nan")))
    run.row_bytes = sum(buffers.rows.numel() for buffers in kept.values())
    run.column_bytes = sum(buffers.columns.numel() for buffers in kept.values())
    for row in rows:
        for column in columns:
            _Patch(stage, shapes, run, kept, row, column).run(image)
    return run


def _shape(step: Step) -> Shape:
    assert step.shape is not None
    return step.shape


def _plan(stage: Stage, shapes: Mapping[str, Shape], axis: int, n_patch: int, rule: Rule) -> Plan:
    image = stage.image.value
    ops = [AxisOp(image, shapes[image][2 + axis])]
    for op in stage.ops:
        reads = tuple((operand.value, (operand.rows, operand.columns)[axis]) for operand in op.operands)
        ops.append(AxisOp(op.step.value, shapes[op.step.value][2 + axis], reads))
    return plan_axis(ops, n_patch, rule, external=image)


def _buffers(image: torch.Tensor, shape: Shape, rows: Plan, columns: Plan, value: str) -> _Kept:
    """As large as the neediest patch makes them."""
    lines = max(extents[value].kept.length for extents in rows)
    height = max(extents[value].held.length for extents in rows)
    width = max(extents[value].kept.length for extents in columns)
    return _Kept(image.new_zeros(1, shape[1], lines, shape[3]), image.new_zeros(1, shape[1], height, width))


@dataclass(frozen=True)
class _Patch:
    """One patch of a stage: its extents along both axes, and what it shares with the others."""

    stage: Stage
    shapes: Mapping[str, Shape]
    result: StageRun
    kept: Mapping[str, _Kept]
    rows: Mapping[str, Extent]
    columns: Mapping[str, Extent]

    def run(self, image: torch.Tensor) -> None:
        source, result = self.stage.image.value, self.result
        number = {value: place for place, value in enumerate((source, *(op.step.value for op in self.stage.ops)))}
        last_use = dict(number)
        for op in self.stage.ops:
            last_use |= {operand.value: number[op.step.value] for operand in op.operands}
        live = LiveBuffers(last_use)
        between_patches = result.split_map.numel() + result.row_bytes + result.column_bytes

        rows, columns = self.rows[source].made, self.columns[source].made
        whole = _Part(image, Span(0, image.shape[2]), Span(0, image.shape[3]))
        parts = {source: _Part(_read(whole, image.shape, rows, columns, fill=0.0), rows, columns)}
        live.allocate(source, parts[source].tensor.numel())
        for op in self.stage.ops:
            value, operands = op.step.value, [operand.value for operand in op.operands]
            made = self._compute(op, parts)
            if op is self.stage.ops[-1]:
                live.allocate(value, 0)  # the split map is its buffer
                result.split_map[..., made.rows.within(0), made.columns.within(0)] = made.tensor
            else:
                parts[value] = self._join(value, made)
                size = parts[value].tensor.numel()
                if op.in_place:
                    live.overwrite(value, size, operands, number[value])
                else:
                    live.allocate(value, size)
            here = between_patches + live.live_bytes(number[value], [value, *operands])
            result.peak_bytes = max(result.peak_bytes, here)
            for dead in [other for other in parts if last_use[other] <= number[value]]:
                del parts[dead]

    def _compute(self, op: StageOp, parts: Mapping[str, _Part]) -> _Part:
        """Run an op where this patch makes its map, and count what ran."""
        value = op.step.value
        rows, columns = self.rows[value].made, self.columns[value].made
        if not rows.length or not columns.length:
            some = next(iter(parts.values())).tensor
            return _Part(some.new_zeros(1, self.shapes[value][1], rows.length, columns.length), rows, columns)
        read = {
            operand.value: _read(
                parts[operand.value],
                self.shapes[operand.value],
                operand.rows.reads(rows),
                operand.columns.reads(columns),
                operand.fill,
            )
            for operand in op.operands
        }
        made = _Part(op.call(read), rows, columns)
        shape = tuple(made.tensor.shape)
        assert shape == (1, self.shapes[value][1], rows.length, columns.length), (op.step.path, shape, rows, columns)
        price = price_of(replace(op.step, shape=shape))
        if price is not None:
            self.result.macs[value] += price.macs
            self.result.added[value] += made.tensor.numel() if price.kind == "add" else 0
        return made

    def _join(self, value: str, made: _Part) -> _Part:
        """What the patch has at hand of a map: what it made, and what earlier patches kept; keeps for later ones."""
        rows, columns, (line_buffer, column_buffer) = self.rows[value], self.columns[value], self.kept[value]
        lines, old = rows.made.before(rows.held.start), columns.made.before(columns.held.start)
        if not rows.held.length or not columns.held.length:
            return _Part(made.tensor, rows.made, columns.made)
        tensor = made.tensor.new_full((1, self.shapes[value][1], rows.held.length, columns.held.length), float("nan"))
        row_origin, column_origin = rows.held.start, columns.held.start
        new = columns.made.within(column_origin)
        tensor[..., rows.made.within(row_origin), new] = made.tensor
        if lines.length:
            tensor[..., : lines.length, new] = line_buffer[..., : lines.length, columns.made.within(0)]
        if old.length:
            tensor[..., : old.length] = column_buffer[..., : rows.held.length, : old.length]
        # the new columns of the row buffer have been read: what the next row of patches needs takes their place
        if rows.kept.length:
            line_buffer[..., : rows.kept.length, columns.made.within(0)] = tensor[
                ..., rows.kept.within(row_origin), new
            ]
        if columns.kept.length:
            keeps = tensor[..., columns.kept.within(column_origin)]
            column_buffer[..., : rows.held.length, : columns.kept.length] = keeps
        return _Part(tensor, rows.held, columns.held)


def _read(part: _Part, shape: Shape, rows: Span, columns: Span, fill: float) -> torch.Tensor:
    """The positions ``rows`` x ``columns`` of a map of ``shape``: ``fill`` outside the map, else what ``part`` holds."""
    patch = part.tensor.new_full((1, shape[1], rows.length, columns.length), fill)
    inner_rows, inner_columns = rows.clipped(shape[2]), columns.clipped(shape[3])
    if inner_rows.length and inner_columns.length:
        for inner, held in ((inner_rows, part.rows), (inner_columns, part.columns)):
            assert inner.clipped_to(held) == inner, f"{inner} is read, {held} is held"
        there = inner_rows.within(rows.start), inner_columns.within(columns.start)
        patch[(..., *there)] = part.tensor[
            ..., inner_rows.within(part.rows.start), inner_columns.within(part.columns.start)
        ]
    return patch
