"""The size of a .tflite file without what no board reads: names, signatures, metadata."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hwscale.errors import ConfigError
from hwscale.measure.tflite_model import FileModel

TENSOR_BYTES, OPERATOR_BYTES, QUANTISED_BYTES, FIXED_BYTES = 83, 4, 16, 408
"""Tables and vectors per tensor, per operator, per tensor with a quantisation, and per file: a fit on 118 converted files."""
SCALE_BYTES = 12
"""A scale of 4 B and a zero point of 8 B."""
ERROR_BYTES = 300
"""The fit is nowhere further off."""


@dataclass(frozen=True, slots=True)
class Stripped:
    """Bytes of the stripped file, and how they are known."""

    size_bytes: int
    evidence: str


def stripped_size(path: str | Path, model: FileModel) -> Stripped:
    """Of the file at ``path``, which holds ``model``: stripped for real where the packages of ``hwscale[tflm]`` are installed,
    estimated within 300 B where they are not."""
    from hwscale.measure.tflm_file import stripped

    try:
        return Stripped(len(stripped(Path(path).read_bytes())), "exact")
    except (ConfigError, OSError):
        return Stripped(estimated_size(model), f"estimated within {ERROR_BYTES} B: hwscale[tflm] strips it for real")


def estimated_size(model: FileModel) -> int:
    """Bytes of the stripped file from its constants, scales and the number of its tables."""
    quantised = [tensor.quantisation for tensor in model.tensors if tensor.quantisation is not None]
    tables = (
        TENSOR_BYTES * len(model.tensors) + OPERATOR_BYTES * len(model.operators) + QUANTISED_BYTES * len(quantised)
    )
    scales = SCALE_BYTES * sum(len(quantisation.scales) for quantisation in quantised)
    return FIXED_BYTES + tables + scales + model.constant_bytes
