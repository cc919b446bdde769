"""One operator row of a file of measurements: its cells as an `OpShape` that can be, and the work of that.

Cells that follow from others may be empty: kinds that keep channels or maps keep them, a map is ceil(side / stride) otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping

from hwscale.errors import ConfigError, nearest
from hwscale.ledger import OpShape

WINDOWS = ("conv2d", "depthwise")
POOLS = ("average_pool", "max_pool")
REDUCTIONS = ("mean", "sum")
ELEMENTWISE = ("add", "sub", "mul")
MAPPED = ("batch_norm", "hard_sigmoid", "hard_swish", "logistic", "relu", "relu6", "sigmoid", "silu")
"""Kinds that turn a map into one of its shape."""
OPERATORS = (*WINDOWS, "pointwise", "fully_connected", "pad", *POOLS, *REDUCTIONS, *ELEMENTWISE, *MAPPED)
FREE_CHANNELS = ("conv2d", "pointwise", "fully_connected")
"""Kinds whose output has channels of its own."""
COLUMNS = (
    "in_channels",
    "in_height",
    "in_width",
    "out_channels",
    "out_height",
    "out_width",
    "kernel",
    "stride",
)
LARGEST = 1 << 24
WIDEST = 4
"""A window of more than this many map sides lies on zeros in the main."""


def read_shape(cells: Mapping[str, str]) -> OpShape:
    """The shape in the cells of a row, by column; ConfigError says in a part of a sentence what cannot be."""
    kind = cells.get("operator", "")
    if kind not in OPERATORS:
        raise ConfigError(f"no operator is called {kind!r}; {nearest(kind, OPERATORS)}")
    given = {column: _count(column, cells.get(column, "")) for column in COLUMNS}
    vector = kind == "fully_connected"
    needed = ["in_channels", *([] if vector else ["in_height", "in_width"])]
    needed += ["out_channels"] if kind in FREE_CHANNELS else []
    needed += ["kernel"] if kind in WINDOWS else []
    needed += ["out_height", "out_width"] if kind == "pad" else []
    if kind in POOLS and not (given["out_height"] and given["out_width"]):
        needed += ["kernel"]
    if missing := [column for column in needed if given[column] is None]:
        raise ConfigError(f"{kind} needs {', '.join(missing)}, which follow from nothing; fill them in")
    kernel = given["kernel"] or 1
    stride = given["stride"] or (kernel if kind in POOLS else 1)
    channels, height, width = given["in_channels"] or 1, given["in_height"] or 1, given["in_width"] or 1
    shape = OpShape(
        kind,
        channels,
        height,
        width,
        given["out_channels"] or channels,
        given["out_height"] or _side(kind, height, stride),
        given["out_width"] or _side(kind, width, stride),
        kernel,
        stride,
    )
    for rule in (_kernel, _channels, _maps):
        rule(shape)
    return shape


def described(shape: OpShape) -> str:
    """ "depthwise 16x24x24 -> 16x12x12, kernel 3, stride 2"."""
    maps = f"{shape.in_channels}x{shape.in_height}x{shape.in_width}"
    maps += f" -> {shape.out_channels}x{shape.out_height}x{shape.out_width}"
    kernel = f", kernel {shape.kernel}" if shape.kernel > 1 else ""
    stride = f", stride {shape.stride}" if shape.stride > 1 else ""
    return f"{shape.kind} {maps}{kernel}{stride}"


def _count(column: str, text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 0 < int(text) <= LARGEST):
        raise ConfigError(f"{column} is {text[:40]!r}, but it must be a whole number from 1 to {LARGEST}; correct it")
    return int(text)


def _side(kind: str, side: int, stride: int) -> int:
    return 1 if kind in REDUCTIONS else -(-side // stride)


def _kernel(shape: OpShape) -> None:
    if shape.kind == "conv2d" and shape.kernel == 1:
        raise ConfigError("conv2d has kernel 1, which is a pointwise; write pointwise")
    if shape.kind not in (*WINDOWS, *POOLS) and shape.kernel != 1:
        other = "; write conv2d" if shape.kind == "pointwise" else ""
        raise ConfigError(f"{shape.kind} has kernel {shape.kernel}, but it has no window{other or '; write 1'}")
    if shape.kind not in (*WINDOWS, *POOLS, "pointwise") and shape.stride != 1:
        raise ConfigError(f"{shape.kind} has stride {shape.stride}, but it has no window; write 1")
    least = min(shape.in_height, shape.in_width)
    if shape.kernel > WIDEST * least + 1:
        raise ConfigError(
            f"kernel {shape.kernel} is larger than a map of {shape.in_height}x{shape.in_width} with its padding; correct one of them"
        )


def _channels(shape: OpShape) -> None:
    if shape.kind not in FREE_CHANNELS and shape.out_channels != shape.in_channels and shape.kind not in ELEMENTWISE:
        raise ConfigError(
            f"{shape.kind} keeps its channels, but has {shape.in_channels} in and {shape.out_channels} out; correct one of them"
        )
    maps = (shape.in_height, shape.in_width, shape.out_height, shape.out_width)
    if shape.kind == "fully_connected" and maps != (1, 1, 1, 1):
        features = shape.in_channels * shape.in_height * shape.in_width
        raise ConfigError(
            f"fully_connected reads and writes vectors, but has maps of {shape.in_height}x{shape.in_width} and "
            f"{shape.out_height}x{shape.out_width}; write in_channels {features} and maps of 1x1"
        )


def _maps(shape: OpShape) -> None:
    if shape.kind in ELEMENTWISE:
        whole = shape_in(shape) == shape_out(shape)
        broadcast = shape_in(shape)[1:] == (1, 1) and shape.in_channels in (1, shape.out_channels)
        if not (whole or broadcast):
            raise ConfigError(
                f"{described(shape)} cannot be: what it reads is as large as what it writes, or one value per channel; correct the maps"
            )
        return
    sides = ((shape.in_height, shape.out_height, "out_height"), (shape.in_width, shape.out_width, "out_width"))
    for side, out, column in sides:
        low, high = _range(shape, side)
        if not low <= out <= high:
            allowed = f"{low}" if low == high else f"{low} to {high}"
            raise ConfigError(f"{described(shape)} cannot be: {column} is {out}, allowed {allowed}; correct the maps")


def shape_in(shape: OpShape) -> tuple[int, int, int]:
    """Channels, height and width of what it reads."""
    return shape.in_channels, shape.in_height, shape.in_width


def shape_out(shape: OpShape) -> tuple[int, int, int]:
    """Channels, height and width of what it writes."""
    return shape.out_channels, shape.out_height, shape.out_width


def _range(shape: OpShape, side: int) -> tuple[int, int]:
    """The least and the largest side that an output may have; a window pads by less than its kernel on either side."""
    if shape.kind == "pad":
        return side, LARGEST
    if shape.kind in REDUCTIONS or (shape.kind in POOLS and shape.kernel == 1):
        return 1, side
    if shape.kind in (*WINDOWS, *POOLS, "pointwise"):
        return max(0, side - shape.kernel) // shape.stride + 1, -(-(side + shape.kernel - 1) // shape.stride)
    return side, side
