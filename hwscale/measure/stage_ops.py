"""One op of a stage: the windows through which it reads its operands, and how to run it on a part of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from hwscale.errors import UnsupportedOpError
from hwscale.measure.accumulation import convolved
from hwscale.measure.handlers import price_of
from hwscale.measure.op_shapes import UNPRICED
from hwscale.measure.program import Step
from hwscale.measure.spans import SAME_POSITION, Window

Call = Callable[[Mapping[str, torch.Tensor]], torch.Tensor]
"""Runs an op on its operands by value, already padded."""

COUNTED = ("conv2d", "pointwise", "depthwise", "grouped", "add")
BINARY = ("add", "sub", "mul", "div")
UNARY = {*UNPRICED, nn.LeakyReLU, nn.ELU, nn.GELU, nn.Hardtanh}
WINDOWS = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
PADS = (nn.ZeroPad2d, functional.pad)


@dataclass(frozen=True, slots=True)
class Operand:
    """A map that an op reads through a window per axis; ``fill`` stands for what lies outside the map."""

    value: str
    rows: Window = SAME_POSITION
    columns: Window = SAME_POSITION
    fill: float = 0.0


@dataclass(frozen=True, slots=True)
class StageOp:
    """One op of a stage, its operands, and how to run it; ``in_place`` if it may overwrite an operand that dies there."""

    step: Step
    operands: tuple[Operand, ...]
    call: Call
    in_place: bool


def counts(step: Step) -> bool:
    """Whether the op is one of those that a split index counts: a convolution, or an add of two maps."""
    price = price_of(step)
    return price is not None and price.kind in COUNTED and (price.kind != "add" or len(step.operands) > 1)


def is_fused(step: Step) -> bool:
    """Whether the op runs with the one before it."""
    return not counts(step) and (_is_local(step) or _spelling(step) in WINDOWS)


def is_pad(step: Step) -> bool:
    return _spelling(step) in PADS


def stage_op(node: fx.Node, step: Step, program: Mapping[str, Step]) -> StageOp:
    """The op behind ``node``; UnsupportedOpError, without a full stop, if it needs more of a map than a window."""
    shapes = [program[operand].shape for operand in step.operands]
    maps = all(shape is not None and len(shape) == 4 for shape in (step.shape, *shapes))
    if maps and _spelling(step) in WINDOWS:
        return _window_op(node, step, program)
    computed = not any(is_pad(program[o]) or program[o].spelling == "get_attr" for o in step.operands)
    if maps and _is_local(step) and computed and all(shape == step.shape for shape in shapes):
        return StageOp(step, tuple(Operand(value) for value in step.operands), _local_call(node, step), True)
    name = getattr(_spelling(step), "__name__", _spelling(step))
    raise UnsupportedOpError(f"{step.path} ({name} of {' and '.join(map(str, shapes))}) does not run in patches")


def _spelling(step: Step) -> Any:
    return type(step.target) if step.spelling == "call_module" else step.target


def _is_local(step: Step) -> bool:
    """Whether an output position depends on the same position of every operand alone."""
    price = price_of(step)
    return _spelling(step) in UNARY or (price is not None and price.kind in BINARY)


def _window_op(node: fx.Node, step: Step, program: Mapping[str, Step]) -> StageOp:
    module, source = step.target, node.args[0]
    (kh, kw), (sh, sw), (dh, dw) = (
        _pair(v) for v in (module.kernel_size, module.stride, getattr(module, "dilation", 1))
    )
    kh, kw = dh * (kh - 1) + 1, dw * (kw - 1) + 1
    named = {"valid": (0, 0), "same": ((kh - 1) // 2, (kw - 1) // 2)}
    top, left = own = named[module.padding] if isinstance(module.padding, str) else _pair(module.padding)
    explicit = False
    while isinstance(source, fx.Node) and is_pad(program[source.name]):
        pad_left, pad_top = _zeros_before(source, program[source.name])
        explicit, top, left, source = True, top + pad_top, left + pad_left, source.args[0]
    assert isinstance(source, fx.Node)
    if getattr(module, "padding_mode", "zeros") != "zeros" or getattr(module, "ceil_mode", False):
        raise UnsupportedOpError(f"{step.path} pads its map with something other than zeros")
    pools, own_padding = not isinstance(module, nn.Conv2d), own != (0, 0)
    if pools and own_padding and (explicit or isinstance(module, nn.AvgPool2d)):
        raise UnsupportedOpError(f"{step.path} pools over padding of two kinds, or averages over padding")
    fill = float("-inf") if pools and own_padding else 0.0
    operand = Operand(source.name, Window(kh, sh, top), Window(kw, sw, left), fill)
    return StageOp(step, (operand,), _pool_call(module) if pools else _conv_call(module), False)


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _zeros_before(node: fx.Node, step: Step) -> tuple[int, int]:
    """Columns and rows of zeros that an explicit pad puts in front of a map."""
    if isinstance(step.target, nn.ZeroPad2d):
        return step.target.padding[0], step.target.padding[2]
    given = dict(zip(("input", "pad", "mode", "value"), node.args, strict=False)) | node.kwargs
    pad: Any = given["pad"]
    if given.get("mode", "constant") != "constant" or given.get("value") not in (None, 0) or len(pad) not in (2, 4):
        raise UnsupportedOpError(f"{step.path} pads with something other than zeros around a map")
    return pad[0], pad[2] if len(pad) == 4 else 0


def _conv_call(module: nn.Conv2d) -> Call:
    def run(operands: Mapping[str, torch.Tensor]) -> torch.Tensor:
        (patch,) = operands.values()
        return convolved(module, patch, 0)

    return run


def _pool_call(module: Any) -> Call:
    def run(operands: Mapping[str, torch.Tensor]) -> torch.Tensor:
        (patch,) = operands.values()
        if isinstance(module, nn.MaxPool2d):
            return functional.max_pool2d(patch, module.kernel_size, module.stride, 0, module.dilation)
        size, override = module.kernel_size, module.divisor_override
        return functional.avg_pool2d(patch, size, module.stride, divisor_override=override)

    return run


def _local_call(node: fx.Node, step: Step) -> Call:
    def run(operands: Mapping[str, torch.Tensor]) -> torch.Tensor:
        args, kwargs = fx.map_arg((node.args, node.kwargs), lambda source: operands[source.name])
        if step.spelling == "call_method":
            result = getattr(args[0], step.target)(*args[1:], **kwargs)
        else:
            result = step.target(*args, **kwargs)
        assert isinstance(result, torch.Tensor)
        return result

    return run
