"""The records of a .tflite file: its tensors, its operators in order of execution, and what is constant; no reading here."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from hwscale.measure.tflite_options import Options


@dataclass(frozen=True, slots=True)
class Quantisation:
    """real = scale * (stored - zero point), one pair per tensor or, along ``dimension``, one per slice."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    dimension: int


@dataclass(frozen=True, slots=True)
class FileTensor:
    """A tensor of the file.

    ``shape`` as stored, (N, H, W, C) for maps; ``signature`` the same with -1 where the size may change at run time, () if the
    file has none. ``stored_bytes`` are the bytes of its constant data, 0 for activations; ``buffer`` says which tensors share them.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    dtype: str
    bits: int
    buffer: int
    stored_bytes: int
    is_variable: bool
    quantisation: Quantisation | None

    @property
    def is_constant(self) -> bool:
        """Whether its values stand in the file."""
        return self.stored_bytes > 0

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def activation_bytes(self) -> int:
        """Bytes in RAM: elements narrower than a byte take a whole one there."""
        return self.elements * max(self.bits, 8) // 8


@dataclass(frozen=True, slots=True)
class FileOperator:
    """An operator; tensors by index, -1 for an input left out. ``builtin`` is its name in the schema, or that of a custom one."""

    index: int
    builtin: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Options

    @property
    def name(self) -> str:
        """Unique in the file: ``CONV_2D#0``, numbered in order of execution."""
        return f"{self.builtin}#{self.index}"


@dataclass(frozen=True, slots=True)
class FileModel:
    """The network of one .tflite file. ``offline_offsets`` is the memory plan that the file itself carries, per tensor, or None."""

    title: str
    file_bytes: int
    tensors: tuple[FileTensor, ...]
    operators: tuple[FileOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    offline_offsets: tuple[int, ...] | None

    @property
    def constant_bytes(self) -> int:
        """Bytes of all constants in the file: weights, biases, shapes; data that tensors share counts once."""
        return sum({tensor.buffer: tensor.stored_bytes for tensor in self.tensors}.values())
