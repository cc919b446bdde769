"""The options of a .tflite operator: padding, strides, dilation, window, fused activation and the like."""

from __future__ import annotations

from dataclasses import dataclass

from hwscale.measure.flatbuffer import Table
from hwscale.measure.tflite_schema import ACTIVATIONS, OPTIONS, PADDINGS

_TYPE_FIELD, _TABLE_FIELD = 3, 4


@dataclass(frozen=True, slots=True)
class Options:
    """What an operator's options say; pairs are (height, width).

    ``padding`` is SAME, VALID, or "" for operators without a window; ``kernel`` is that of a pool (a convolution's is the shape of
    its filter). Fields that an operator does not have keep these values.
    """

    padding: str = ""
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    kernel: tuple[int, int] = (1, 1)
    activation: str = "NONE"
    depth_multiplier: int = 1
    keep_dims: bool = False


PLAIN = Options()


def read_options(operator: Table, builtin: str) -> Options:
    """The options of ``operator``; `PLAIN` for an operator whose options no cost depends on.

    Raises
    ------
    ConfigError : an operator with a window lacks its options, or has a padding, stride or activation that does not exist.
    """
    if builtin not in OPTIONS:
        return PLAIN
    code, fields = OPTIONS[builtin]
    found = operator.number(_TYPE_FIELD, "<B")
    table = operator.table(_TABLE_FIELD) if found == code else None
    if table is None:
        if found or fields.padding is not None:
            raise operator.refusal(f"{builtin} needs options of type {code}, but has type {found}")
        return PLAIN
    return Options(
        padding=_choice(table, fields.padding, PADDINGS, "padding"),
        stride=_pair(table, fields.stride, "stride", default=0),
        dilation=_pair(table, fields.dilation, "dilation", default=1),
        kernel=_pair(table, fields.kernel, "window", default=0),
        activation=_choice(table, fields.activation, ACTIVATIONS, "activation") or "NONE",
        depth_multiplier=1 if fields.depth_multiplier is None else table.number(fields.depth_multiplier),
        keep_dims=fields.keep_dims is not None and table.number(fields.keep_dims, "<B") != 0,
    )


def _choice(table: Table, field: int | None, names: tuple[str, ...], what: str) -> str:
    if field is None:
        return ""
    code = table.number(field, "<b")
    if not 0 <= code < len(names):
        raise table.refusal(f"{what} {code} does not exist, allowed: 0 to {len(names) - 1} ({', '.join(names)})")
    return names[code]


def _pair(table: Table, fields: tuple[int, int] | None, what: str, default: int) -> tuple[int, int]:
    if fields is None:
        return 1, 1
    height, width = (table.number(field, "<i", default) for field in fields)
    if height < 1 or width < 1:
        raise table.refusal(f"{what} {height} x {width} must be 1 x 1 or more")
    return height, width
