"""Which tensors of a .tflite file move through RAM, and in which types the network computes."""

from __future__ import annotations

from hwscale.measure.tflite_model import FileModel, FileOperator, FileTensor

CONVERSIONS = ("DEQUANTIZE", "QUANTIZE")
NUMBERS = ("BFLOAT16", "FLOAT16", "FLOAT32", "FLOAT64", "INT16", "INT4", "INT8", "UINT8")
"""Types that a network computes in; others hold shapes and indices."""


def moves(tensor: FileTensor) -> bool:
    """Is it an activation with bytes?"""
    return not tensor.is_constant and not tensor.is_variable and tensor.activation_bytes > 0


def other_type(model: FileModel, operator: FileOperator) -> str:
    """What an operator computes in, as "CONV_2D#0 computes FLOAT32"; "" for int8, for a conversion, or for no numbers at all."""
    if operator.builtin in CONVERSIONS:
        return ""
    touched = [model.tensors[index] for index in (*operator.inputs, *operator.outputs) if index >= 0]
    others = {tensor.dtype for tensor in touched if moves(tensor)} & set(NUMBERS) - {"INT8"}
    return f"{operator.name} computes {min(others)}" if others else ""
