"""What every path of a chain needs beyond the sum of its links: constants of TensorFlow Lite Micro that a network stores once.

A padding, the axes of reductions and the sixth of hard sigmoids are one tensor each, however many ops read it, so that no link is
charged with it (`hwscale.runtimes.runtime.Runtime.shares`). Where every way through some link has such an op, all paths pay for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import product
from typing import Any

from hwscale.chain_space import ChainGroup
from hwscale.formulas.graph import Graph, Op
from hwscale.formulas.stagewise import maps
from hwscale.problem import Problem
from hwscale.runtimes import tflm
from hwscale.runtimes.tflm_lowering import REDUCTIONS

Constants = frozenset[Any]
"""A padding by its zeros, "axes" and "sixth"."""


def limits_left(problem: Problem, group: ChainGroup) -> dict[str, int]:
    """What the limits leave to the sum of the links of a path."""
    persistent, flash = shared(group)
    taken = {"ram": group.model.base_persistent + persistent, "flash": group.model.base_flash + flash}
    left = {name: limit - taken.get(name, 0) for name, limit in problem.limits.items()}
    if group.plan is not None and group.plan.executes_more and "macs" in left:
        # the limit holds for what is executed, which is never less than what the objective counts
        left["executed"] = left["macs"]
        if problem.objective.metric != "macs":
            del left["macs"]
    return left


@lru_cache(maxsize=256)
def shared(group: ChainGroup) -> tuple[int, int]:
    """(persistent RAM, Flash) [B] beside what a network without ops needs, at least."""
    if not isinstance(group.model.runtime, tflm.Tflm):
        return 0, 0
    found: Constants = frozenset().union(*(_common(group, at) for at in range(len(group.layers))))
    return tflm.TENSOR_BYTES * len(found), sum(tflm.FILE_TENSOR_BYTES + constant_bytes(key) for key in found)


def constant_bytes(key: Any) -> int:
    """Of a constant itself, in the file."""
    return {"axes": tflm.AXIS_BYTES, "sixth": 1}.get(key, tflm.PADDING_BYTES)


def constants_of(ops: Iterable[Op]) -> Constants:
    """The constants that ops may share with others."""
    return frozenset(key for op in ops if (key := _constant(op)) is not None)


def lowered_ops(group: ChainGroup, at: int, combo: Mapping[str, Any], same: bool) -> list[Op]:
    """The ops of link ``at``, of any widths: all roots of a group are lowered alike."""
    model = group.model
    height, width = group.roots[0].height, group.roots[0].width
    steps = maps(model.links, height, width)
    entering, pixel = (height, width) if at == 0 else steps[at - 1], steps[at] == (1, 1)
    g = Graph()
    x = g.tensor(model.settings.in_channels if at == 0 else 8, *entering)
    held = None if model.held[at] is None else x
    model.family.append(g, model.settings, at, x, combo, 8 if same else 16, same=same, pixel=pixel, held=held)
    return model.runtime.lower(g, model.facts(at, combo, entering, pixel=pixel)).ops


def _common(group: ChainGroup, at: int) -> Constants:
    """The constants that every way through link ``at`` needs."""
    link, layer = group.model.links[at], group.layers[at]
    if (layer.picks[layer.heads >= 0] == len(layer.values) - 1).any():
        return frozenset()  # it may be absent
    combos = {tuple((name, values[name]) for name in link.structural) for values in layer.values[:-1]}
    found: Constants | None = None
    for combo, same in product(combos, (False, True)):
        mine = constants_of(lowered_ops(group, at, dict(combo), same))
        found = mine if found is None else found & mine
        if not found:
            break
    return found or frozenset()


def _constant(op: Op) -> Any:
    """The constant that an op shares with others; None if it has none."""
    if op.kind == "pad":
        return op.pads
    if op.kind in REDUCTIONS:
        return "axes"
    # one operand and no weights of its own
    sixth = op.kind == "mul" and len(op.inputs) == 1 and isinstance(op.weights, int) and not op.weights
    return "sixth" if sixth else None
