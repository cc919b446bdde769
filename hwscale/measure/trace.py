"""Measure a torch network: its parameters, MACs, int8 Flash and peak activation RAM, op by op.

Counting rules, batch 1 and one byte per activation; MACs in ``handlers``:

* The image and the output of every convolution, fully connected layer, pool and explicit pad is a buffer. Batch
  normalisation, activations, reshapes, add and mul work in place on an operand that dies there and has the
  size of the result; where there is none, they allocate. Dropout is absent in evaluation.
* While an op runs its operands, its result and whatever a later op reads are alive. Ops run in the order of the
  program. Weights and scratch memory are not RAM here.
* Flash is 1 B per weight and 4 B per output channel (an int32 bias, whether or not torch has one) of every executed
  convolution and fully connected layer, shared weights once. A batch normalisation that directly and alone follows one
  folds into it; any other stays as a scale (1 B) and an offset (4 B) per channel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from torch import nn

from hwscale.ledger import NetworkRecord, OpRecord
from hwscale.measure.handlers import Output, Price, price_of
from hwscale.measure.live import LiveBuffers
from hwscale.measure.program import Step, read_program

WEIGHT_BYTES = 1
BIAS_BYTES = 4


def measure(
    module: nn.Module, input_shape: tuple[int, int, int], *, strict: bool = False, external_input: bool = False
) -> NetworkRecord:
    """Measure ``module`` in evaluation mode on one image; neither its weights nor its mode change.

    Parameters
    ----------
    module : a network (1, C, H, W) -> tensor whose control flow does not depend on values.
    input_shape : (C, H, W) in pixels.
    strict : count the output of ``ZeroPad2d`` and of adaptive pools that change nothing as buffers of their own, and
        list those ops. The default folds the pad into the convolutions that read it and drops such pools.
    external_input : the image lies outside the arena and is not counted.

    Returns
    -------
    Names are paths in the network ("blocks.1.expand", "blocks.2.add"). ``uncounted`` names, as "path: what", each
    executed op without a price; the totals hold only its buffers.

    Raises
    ------
    UnsupportedOpError : the network cannot be traced.
    ConfigError : the network does not run on this input shape.
    """
    program = read_program(module, input_shape)
    steps = {step.value: step for step in program}
    number = {step.value: place for place, step in enumerate(program)}
    buffers = LiveBuffers(
        {step.value: max((number[reader] for reader in step.readers), default=number[step.value]) for step in program}
    )
    ops: list[OpRecord] = []
    uncounted: list[str] = []
    flash: dict[int, int] = {}
    calls: Counter[str] = Counter()
    peak = 0
    for step in program:
        if step.spelling == "output":
            continue
        price = Price(Output.NEW) if step.spelling == "placeholder" else price_of(step)
        if price is None:
            uncounted.append(_unpriced(step))
            price = Price(Output.NEW)
        if step.spelling == "get_attr":
            continue
        operands = [operand for operand in step.operands if operand in buffers]
        elided = not strict and _does_nothing(step, price.output, steps)
        if elided or price.output is Output.OPERAND:
            buffers.share(step.value, operands[0])
        elif price.output is Output.IN_PLACE:
            buffers.overwrite(step.value, step.elements, operands, number[step.value])
        else:
            outside = external_input and step.spelling == "placeholder"
            buffers.allocate(step.value, 0 if outside else step.elements)
        live_bytes = buffers.live_bytes(number[step.value], [*operands, step.value])
        peak = max(peak, live_bytes)
        if price.weights and not _folds_into_convolution(step, steps):
            flash[_identity(step)] = WEIGHT_BYTES * price.weights + BIAS_BYTES * price.biases
        if price.kind is not None and not elided:
            calls[step.path] += 1
            name = step.path if calls[step.path] == 1 else f"{step.path}#{calls[step.path]}"
            ops.append(OpRecord(name, price.kind, price.macs, price.weights, live_bytes))

    return NetworkRecord(
        params=sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad),
        macs=sum(op.macs for op in ops),
        ram_bytes=peak,
        flash_bytes=sum(flash.values()),
        ops=tuple(ops),
        uncounted=tuple(uncounted),
    )


def _does_nothing(step: Step, output: Output, steps: Mapping[str, Step]) -> bool:
    """Whether deployment drops the op: an adaptive pool to its operand's shape, a pad that only convolutions read."""
    if output is Output.UNLESS_IDENTITY:
        return step.shape == steps[step.operands[0]].shape
    if output is Output.FOLDED_INTO_CONV:
        return all(isinstance(steps[reader].target, nn.Conv2d) for reader in step.readers)
    return False


def _folds_into_convolution(step: Step, steps: Mapping[str, Step]) -> bool:
    """Whether the op is a batch normalisation and the only reader of a convolution or fully connected layer."""
    if not isinstance(step.target, nn.BatchNorm1d | nn.BatchNorm2d):
        return False
    producer = steps[step.operands[0]]
    return isinstance(producer.target, nn.Conv2d | nn.Linear) and producer.readers == (step.value,)


def _unpriced(step: Step) -> str:
    return f"{step.path}: {type(step.target).__name__}" if step.spelling == "call_module" else step.path


def _identity(step: Step) -> int:
    """What is stored once in Flash: the weight tensor, or the layer if it has none (a BN without scale)."""
    weight = step.target.weight
    return id(step.target if weight is None else weight)
