"""Numbers of the TensorFlow Lite schema, version 3c: operators, data types, and where the options of an operator stand.

Source: tensorflow/tensorflow, ``tensorflow/compiler/mlir/lite/schema/schema.fbs`` (field order, enum values). Only what a
cost needs is listed; new operators and types come at the end of their list.
"""

from __future__ import annotations

from dataclasses import dataclass

IDENTIFIER = b"TFL3"

_BUILTIN_NAMES = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC
LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH
SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN
GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM
STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM
CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN
TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN
FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV
REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE
MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG
QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND
SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO
RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL
CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE
RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX
UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT
"""
BUILTINS = tuple(_BUILTIN_NAMES.split())
"""Names of builtin operators by code, as far as a runtime on a device has them."""

DTYPES: dict[int, tuple[str, int]] = {
    0: ("FLOAT32", 32),
    1: ("FLOAT16", 16),
    2: ("INT32", 32),
    3: ("UINT8", 8),
    4: ("INT64", 64),
    5: ("STRING", 0),
    6: ("BOOL", 8),
    7: ("INT16", 16),
    8: ("COMPLEX64", 64),
    9: ("INT8", 8),
    10: ("FLOAT64", 64),
    11: ("COMPLEX128", 128),
    12: ("UINT64", 64),
    13: ("RESOURCE", 0),
    14: ("VARIANT", 0),
    15: ("UINT32", 32),
    16: ("UINT16", 16),
    17: ("INT4", 4),
    18: ("BFLOAT16", 16),
    19: ("INT2", 2),
    20: ("UINT4", 4),
}
"""Name and bits per stored element by code; 0 bits where an element has no fixed size."""

PADDINGS = ("SAME", "VALID")
ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")


@dataclass(frozen=True, slots=True)
class OptionFields:
    """Places of the fields in one options table; None where the table has no such field. Pairs are (height, width)."""

    padding: int | None = None
    stride: tuple[int, int] | None = None
    dilation: tuple[int, int] | None = None
    kernel: tuple[int, int] | None = None
    activation: int | None = None
    depth_multiplier: int | None = None
    keep_dims: int | None = None


OPTIONS: dict[str, tuple[int, OptionFields]] = {
    "CONV_2D": (1, OptionFields(padding=0, stride=(2, 1), activation=3, dilation=(5, 4))),
    "DEPTHWISE_CONV_2D": (
        2,
        OptionFields(padding=0, stride=(2, 1), depth_multiplier=3, activation=4, dilation=(6, 5)),
    ),
    "AVERAGE_POOL_2D": (5, OptionFields(padding=0, stride=(2, 1), kernel=(4, 3), activation=5)),
    "MAX_POOL_2D": (5, OptionFields(padding=0, stride=(2, 1), kernel=(4, 3), activation=5)),
    "FULLY_CONNECTED": (8, OptionFields(activation=0, keep_dims=2)),
    "CONCATENATION": (10, OptionFields(activation=1)),
    "ADD": (11, OptionFields(activation=0)),
    "MUL": (21, OptionFields(activation=0)),
    "MEAN": (27, OptionFields(keep_dims=0)),
    "SUM": (27, OptionFields(keep_dims=0)),
    "SUB": (28, OptionFields(activation=0)),
    "DIV": (29, OptionFields(activation=0)),
    "TRANSPOSE_CONV": (49, OptionFields(padding=0, stride=(2, 1), activation=3)),
}
"""Per operator the code of its options table in the union, and the fields read from it."""
