"""What a .tflite file costs, operator by operator: MACs, stored bytes, RAM alive, and the arena that an interpreter plans.

One MAC is one multiply-accumulate; padding positions count in full, bias, activation, pooling and element-wise arithmetic count
nothing. RAM has no operator in place. An operator without a price is named, and the totals are then "at least".
"""

from __future__ import annotations

from dataclasses import dataclass

from hwscale.measure.arena import ALIGNMENT, Lifetime, arena_head, lifetimes, live_sums
from hwscale.measure.tflite_macs import Price, price_of
from hwscale.measure.tflite_model import FileModel, FileOperator


@dataclass(frozen=True, slots=True)
class OperatorCost:
    """One operator.

    ``name`` as `FileOperator.name`; ``kind`` as in `hwscale.ledger.OpRecord` where it has one, else the builtin's name in small
    letters. ``weights`` and ``biases`` in elements; ``constant_bytes`` is what the file stores for all constants it reads, also where
    another operator reads them too. ``live_bytes`` are activations alive while it runs, ``live16_bytes`` with each aligned to 16 B.
    """

    name: str
    kind: str
    macs: int
    weights: int
    biases: int
    constant_bytes: int
    live_bytes: int
    live16_bytes: int


@dataclass(frozen=True, slots=True)
class LiveTensor:
    """A tensor alive at the peak: its index and name in the file, its shape, its bytes."""

    index: int
    name: str
    shape: tuple[int, ...]
    size: int


@dataclass(frozen=True, slots=True)
class FileCost:
    """A whole file: totals and its operators in order of execution.

    ``constant_bytes`` counts shared data once. ``ram_bytes`` and ``live16_bytes`` are the largest of the operators';
    ``peak`` is the first operator that reaches ``ram_bytes``, ``peak_tensors`` what is alive there, largest first.
    ``head_bytes`` is the arena that TensorFlow Lite Micro plans for the activations, its own structures and scratch left out.
    ``unknown`` names the operators without a price, which count 0 MACs here.
    """

    title: str
    file_bytes: int
    constant_bytes: int
    macs: int
    ram_bytes: int
    live16_bytes: int
    head_bytes: int
    peak: OperatorCost
    peak_tensors: tuple[LiveTensor, ...]
    operators: tuple[OperatorCost, ...]
    unknown: tuple[str, ...]

    @property
    def is_at_least(self) -> bool:
        """Whether the MACs are a lower bound, because an operator has no price."""
        return bool(self.unknown)


def tflite_cost(model: FileModel) -> FileCost:
    """The cost of ``model``, for the shapes that the file stores.

    Raises
    ------
    ConfigError : a map size is left open, or shapes do not fit their operator, so that no count would mean anything.
    """
    planned = lifetimes(model)
    times = len(model.operators)
    live = live_sums(planned, times)
    live16 = live_sums(planned, times, ALIGNMENT)
    prices = [price_of(model, operator) for operator in model.operators]
    operators = tuple(
        _cost(model, operator, price, live[time], live16[time])
        for time, (operator, price) in enumerate(zip(model.operators, prices, strict=True), 1)
    )
    peak = max(range(times), key=lambda i: operators[i].live_bytes)
    return FileCost(
        title=model.title,
        file_bytes=model.file_bytes,
        constant_bytes=model.constant_bytes,
        macs=sum(operator.macs for operator in operators),
        ram_bytes=operators[peak].live_bytes,
        live16_bytes=max(operator.live16_bytes for operator in operators),
        head_bytes=arena_head(model, planned),
        peak=operators[peak],
        peak_tensors=_alive(model, planned, peak + 1),
        operators=operators,
        unknown=tuple(o.name for o, price in zip(model.operators, prices, strict=True) if not price.is_known),
    )


def _cost(model: FileModel, operator: FileOperator, price: Price, live_bytes: int, live16_bytes: int) -> OperatorCost:
    read = (model.tensors[index] for index in operator.inputs if index >= 0)
    return OperatorCost(
        name=operator.name,
        kind=price.kind,
        macs=price.macs,
        weights=price.weights,
        biases=price.biases,
        constant_bytes=sum({tensor.buffer: tensor.stored_bytes for tensor in read}.values()),
        live_bytes=live_bytes,
        live16_bytes=live16_bytes,
    )


def _alive(model: FileModel, planned: tuple[Lifetime, ...], time: int) -> tuple[LiveTensor, ...]:
    alive = sorted((life for life in planned if life.start <= time <= life.end), key=lambda life: -life.size)
    return tuple(
        LiveTensor(life.tensor, model.tensors[life.tensor].name, model.tensors[life.tensor].shape, life.size)
        for life in alive
    )
