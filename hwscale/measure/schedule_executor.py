"""Run a torch network by a schedule of inference, and count what that executes and holds: a reference, not fast.

A *stage*, the first ops of the network, runs patch by patch; the rest runs layer by layer on the split map that the stage
leaves. Schedules by name, written from J. Lin et al., "MCUNetV2: Memory-Efficient Patch-based Inference for Tiny Deep
Learning", NeurIPS 2021, and H.-S. Zheng et al., "StreamNet: Memory-Efficient Streaming Tiny Deep Learning Inference on the
Microcontroller", NeurIPS 2023, restated:

* ``layer``: no stage.
* ``patch``: every patch of the split map is computed from its own patch of the image, all patches with the full halo.
* ``patch+``: the first and the last patch per axis stop at the ends of every map.
* ``stream1d``: patches slide along the columns and keep what the next one reads; rows are as in ``patch+``.
* ``stream2d``: nothing is computed twice: columns are kept for the next patch, rows for the next row of patches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import gcd

import torch
from torch import nn

from hwscale.errors import ConfigError, nearest
from hwscale.measure.handlers import price_of
from hwscale.measure.layer_executor import LayerRun, does_nothing
from hwscale.measure.patch_executor import run_stage
from hwscale.measure.program import Step
from hwscale.measure.spans import Rule
from hwscale.measure.stage import find_stage, folded_program

RULES: dict[str, tuple[Rule, Rule]] = {
    "patch": (Rule.FULL, Rule.FULL),
    "patch+": (Rule.CLIPPED, Rule.CLIPPED),
    "stream1d": (Rule.CLIPPED, Rule.STREAMED),
    "stream2d": (Rule.STREAMED, Rule.STREAMED),
}
"""What the patches of a schedule compute of rows and of columns."""
SCHEDULES = ("layer", *RULES)


@dataclass(frozen=True, slots=True)
class ExecutedOp:
    """What ran of one op, all patches together: multiply-accumulates and, for an add, elements ``added``."""

    name: str
    kind: str
    macs: int
    added: int
    in_stage: bool


@dataclass(frozen=True, slots=True)
class Executed:
    """One inference by a schedule.

    ``ops`` are in order of execution, named as `measure` names them. ``stage_bytes`` is the most that is held at once while
    the stage runs, ``row_bytes`` and ``column_bytes`` of it for the buffers between patches; ``held_bytes`` the most over
    the whole inference. One byte per element; `hwscale.measure.patch_executor` says what is held in a stage,
    `hwscale.measure.trace` what behind it. The image lies outside where there is a stage, else it is held.
    """

    output: torch.Tensor
    ops: tuple[ExecutedOp, ...]
    held_bytes: int
    stage_bytes: int
    row_bytes: int
    column_bytes: int

    @property
    def macs(self) -> int:
        return sum(op.macs for op in self.ops)

    @property
    def added(self) -> int:
        """Elements of all sums of maps, which are no MACs."""
        return sum(op.added for op in self.ops)

    @property
    def macs_by_op(self) -> dict[str, int]:
        """MACs of the ops that have any, by name."""
        return {op.name: op.macs for op in self.ops if op.macs}

    @property
    def stage_macs(self) -> int:
        return sum(op.macs for op in self.ops if op.in_stage)

    @property
    def stage_added(self) -> int:
        return sum(op.added for op in self.ops if op.in_stage)


def execute(
    network: nn.Module, x: torch.Tensor, schedule: str = "patch", *, n_patch: int = 1, split_idx: int = 0
) -> Executed:
    """Run ``network``, BN folded and in evaluation mode, on one image ``x`` (1, C, H, W).

    Parameters
    ----------
    schedule : a name of ``SCHEDULES``; "layer" takes no notice of what follows.
    n_patch : patches per side of the split map; divides its height and its width.
    split_idx : convolutions and adds that run in the stage; what is fused with them comes along, and the rest runs layer by
        layer. 0: no stage.

    Raises
    ------
    ConfigError : a schedule, patch number or split that cannot be used; a network that does not run on ``x``.
    UnsupportedOpError : the network cannot be traced; the stage has an op that needs a whole map (a gate's global pool) or
        none that runs in patches; or a map made inside the stage, other than the split map, is read behind it.
    """
    if schedule not in SCHEDULES:
        raise ConfigError(f"No schedule {schedule!r}: {nearest(schedule, SCHEDULES)}.")
    if x.dim() != 4 or x.shape[0] != 1:
        raise ConfigError(f"A schedule runs one image of shape (1, C, H, W), got {tuple(x.shape)}.")
    _, channels, height, width = x.shape
    folded, program = folded_program(network, (channels, height, width))
    stage_run, inside, ready = None, frozenset[str](), None
    with torch.no_grad():
        if schedule != "layer" and split_idx != 0:
            stage = find_stage(folded, program, split_idx)
            _check_patches(stage.ops[-1].step, n_patch)
            stage_run, inside = run_stage(stage, x, n_patch, RULES[schedule]), stage.values
            split = stage.ops[-1].step.value
            # what the stage has made is ready; of that, only the split map is read again
            ready = {node: stage_run.split_map for node in folded.graph.nodes if node.name in inside}
            rest = LayerRun(folded, program, split)
        else:
            rest = LayerRun(folded, program)
        output = rest.run(x, initial_env=ready)
    macs, added, held_bytes = rest.macs, rest.added, rest.peak_bytes
    if stage_run is not None:
        macs, added = macs + stage_run.macs, added + stage_run.added
        held_bytes = max(held_bytes, stage_run.peak_bytes)
    return Executed(
        output,
        _ops(program, macs, added, inside),
        held_bytes,
        stage_bytes=stage_run.peak_bytes if stage_run else 0,
        row_bytes=stage_run.row_bytes if stage_run else 0,
        column_bytes=stage_run.column_bytes if stage_run else 0,
    )


def _check_patches(split: Step, n_patch: int) -> None:
    assert split.shape is not None
    _, _, height, width = split.shape
    if n_patch < 1 or height % n_patch or width % n_patch:
        raise ConfigError(
            f"n_patch={n_patch!r} does not divide the {height}x{width} map that {split.path} leaves at the split: "
            f"use a divisor of {gcd(height, width)}."
        )


def _ops(
    program: Mapping[str, Step], macs: Mapping[str, int], added: Mapping[str, int], inside: Collection[str]
) -> tuple[ExecutedOp, ...]:
    """One entry per op with a kind, as in a record of `measure`."""
    calls: Counter[str] = Counter()
    ops = []
    for value, step in program.items():
        price = price_of(step)
        if price is None or price.kind is None or does_nothing(step, program):
            continue
        calls[step.path] += 1
        name = step.path if calls[step.path] == 1 else f"{step.path}#{calls[step.path]}"
        ops.append(ExecutedOp(name, price.kind, macs.get(value, 0), added.get(value, 0), value in inside))
    return tuple(ops)
