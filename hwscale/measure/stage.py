"""The first ops of a folded network as a stage that can run patch by patch.

Ops that count: convolutions and adds. An activation, a batch normalisation that stays, a multiplication of maps and a
pool belong to the op before them, explicit zero padding to the convolution or pool that reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import fx, nn

from hwscale.errors import ConfigError, UnsupportedOpError
from hwscale.measure.op_shapes import Map, fold
from hwscale.measure.program import Step, read_program
from hwscale.measure.stage_ops import StageOp, counts, is_fused, is_pad, stage_op


@dataclass(frozen=True, slots=True)
class Stage:
    """The ops before the split, in order of execution; the last makes the split map. ``values`` has their pads too."""

    image: Step
    ops: tuple[StageOp, ...]
    values: frozenset[str]


def folded_program(network: nn.Module, input_shape: Map) -> tuple[fx.GraphModule, dict[str, Step]]:
    """The network as `fold` leaves it, and the step of each op in it by value, named as `measure` names them."""
    folded = fold(network, input_shape)
    steps = {step.value: step for step in read_program(network, input_shape)}
    program: dict[str, Step] = {}
    for node in folded.graph.nodes:
        if node.name in steps:
            target = folded.get_submodule(str(node.target)) if node.op == "call_module" else node.target
            operands = tuple(source.name for source in node.all_input_nodes if source.name in steps)
            readers = tuple(user.name for user in node.users if user.name in steps)
            program[node.name] = replace(steps[node.name], target=target, operands=operands, readers=readers)
    return folded, program


def find_stage(folded: fx.GraphModule, program: dict[str, Step], split_idx: int) -> Stage:
    """The first ``split_idx`` ops and what is fused with them.

    Raises
    ------
    ConfigError : the network has fewer ops.
    UnsupportedOpError : an op needs a whole map or is none that can run in patches, or a map made inside the stage, other
        than the split map, is read behind it.
    """
    images = [step for step in program.values() if step.spelling == "placeholder"]
    nodes = [node for node in folded.graph.nodes if node.op.startswith("call")]
    counted = [place for place, node in enumerate(nodes) if node.name in program and counts(program[node.name])]
    if not 1 <= split_idx <= len(counted):
        raise ConfigError(f"split_idx must be from 1 to the network's {len(counted)} ops, got {split_idx!r}.")
    if len(images) != 1:
        raise UnsupportedOpError(f"A stage reads one image, and this network takes {len(images)}.")

    def stage(size: int) -> Stage:
        end = counted[size - 1] + 1
        while end < len(nodes) and nodes[end].name in program and is_fused(program[nodes[end].name]):
            end += 1
        return Stage(images[0], _stage_ops(nodes[:end], program), frozenset(node.name for node in nodes[:end]))

    try:
        return stage(split_idx)
    except UnsupportedOpError as error:
        for size in range(split_idx - 1, 0, -1):
            try:
                stage(size)
            except UnsupportedOpError:
                continue
            raise UnsupportedOpError(f"{error}: split_idx={size} would do, or layer by layer.") from None
        raise UnsupportedOpError(f"{error}: run this network layer by layer.") from None


def _stage_ops(nodes: Sequence[fx.Node], program: dict[str, Step]) -> tuple[StageOp, ...]:
    inside = set(nodes)
    ops = []
    for node in nodes:
        step = program.get(node.name)
        strays = [user for user in node.users if user not in inside]
        if strays and node is not nodes[-1]:
            made, reader = step.path if step else node.name, program.get(strays[0].name)
            raise UnsupportedOpError(f"{reader.path if reader else strays[0].name} reads {made} across the split")
        if step is None:
            raise UnsupportedOpError(f"{node.name} asks for the shape of a map, and a patch has another")
        if not is_pad(step):
            ops.append(stage_op(node, step, program))
    return tuple(ops)
