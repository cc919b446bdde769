"""Run what is left of a folded network layer by layer, and count what that executes and holds, by the rules of `trace`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import fx, nn

from hwscale.measure.accumulation import exact_sums
from hwscale.measure.handlers import Output, Price, price_of
from hwscale.measure.live import LiveBuffers
from hwscale.measure.program import Step


class LayerRun(fx.Interpreter):
    """Runs the ops of ``folded`` in order, from the image, or from the ``split`` map of a stage on.

    ``macs`` and ``added`` (elements of sums) by value; ``peak_bytes`` is the most that is held at once. The image is held
    unless there is a split map, which then is.
    """

    def __init__(self, folded: fx.GraphModule, program: Mapping[str, Step], split: str | None = None) -> None:
        super().__init__(folded)
        self.macs: Counter[str] = Counter()
        self.added: Counter[str] = Counter()
        self.peak_bytes = 0
        self._program = program
        self._number = {value: place for place, value in enumerate(program)}
        self._last_use = {
            value: max((self._number[reader] for reader in step.readers), default=self._number[value])
            for value, step in program.items()
        }
        self._split = split
        self._buffers = LiveBuffers(self._last_use)
        if split is not None:
            self._buffers.allocate(split, program[split].elements)

    def run_node(self, n: fx.Node) -> Any:
        """Run one op and count it."""
        result = super().run_node(n)
        step = self._program.get(n.name)
        if step is not None and n.op not in ("output", "get_attr") and isinstance(result, torch.Tensor):
            self._count(replace(step, shape=tuple(result.shape), elements=result.numel()))
        return result

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a module; sums of products as in a stage."""
        summed = exact_sums(self.fetch_attr(target), args[0]) if len(args) == 1 and not kwargs else None
        return super().call_module(target, args, kwargs) if summed is None else summed

    def _count(self, step: Step) -> None:
        price = Price(Output.NEW) if step.spelling == "placeholder" else price_of(step) or Price(Output.NEW)
        self.macs[step.value] += price.macs
        self.added[step.value] += step.elements if price.kind == "add" else 0
        operands = [operand for operand in step.operands if operand in self._buffers]
        if price.output is Output.OPERAND or does_nothing(step, self._program):
            self._buffers.share(step.value, operands[0])
        elif price.output is Output.IN_PLACE:
            self._buffers.overwrite(step.value, step.elements, operands, self._number[step.value])
        else:
            outside = step.spelling == "placeholder" and self._split is not None
            self._buffers.allocate(step.value, 0 if outside else step.elements)
        here = self._buffers.live_bytes(self._number[step.value], [*operands, step.value])
        self.peak_bytes = max(self.peak_bytes, here)


def does_nothing(step: Step, program: Mapping[str, Step]) -> bool:
    """Whether deployment drops the op: an adaptive pool to its operand's shape, a pad that only convolutions read."""
    price = price_of(step)
    if price is not None and price.output is Output.UNLESS_IDENTITY:
        return step.shape == program[step.operands[0]].shape
    if price is not None and price.output is Output.FOLDED_INTO_CONV:
        return all(isinstance(program[reader].target, nn.Conv2d) for reader in step.readers)
    return False
