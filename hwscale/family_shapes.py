"""The shapes of op that networks of a family consist of, as a runtime executes them.

A domain is sampled: its corners, and configurations drawn evenly from its axes. A classifier of one size would tie the
MACs of fully_connected to its elements, so that classes vary too.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from hwscale.configuration import Configuration
from hwscale.domain import Domain, Interval
from hwscale.errors import ConfigError
from hwscale.formulas import find_family
from hwscale.formulas.graph import HOLD, Graph, Op
from hwscale.formulas.stagewise import stagewise
from hwscale.ledger import OpShape
from hwscale.space import make_settings

SAMPLES = 400
CORNER_AXES = 6
"""Axes up to which every combination of their ends is a corner; with more, all first and all last values are."""
CLASSES = (2, 10, 100, 1000)
BINARY = ("add", "sub", "mul")


def family_shapes(domain: Domain, runtime: str, *, samples: int = SAMPLES, seed: int = 0) -> tuple[OpShape, ...]:
    """The different shapes, in order, of the ops that ``runtime`` executes of networks in a domain.

    Left out are ops that `OpShape` cannot describe: an add, sub or mul with a constant. Raises ConfigError if nothing
    in the domain can be built.
    """
    found: set[OpShape] = set()
    reason = ""
    built = 0
    for configuration in _configurations(domain, samples, seed):
        try:
            lowered = _lowered(configuration, runtime)
        except ConfigError as error:
            reason = reason or str(error)
            continue
        built += 1
        found.update(shape for op in lowered.ops if (shape := op_shape(lowered, op)) is not None)
    if not built:
        raise ConfigError(f"nothing in this domain can be built by {domain.family}; for example {reason}")
    return tuple(sorted(found))


def op_shape(lowered: Graph, op: Op) -> OpShape | None:
    """The shape of an op of a lowered graph in Python ints; None where it has none."""
    if op.kind == HOLD or (op.kind in BINARY and len(op.inputs) != 2):
        return None
    x, y = min((lowered.tensors[t] for t in op.inputs), key=lambda t: t.size), lowered.tensors[op.output]
    read = (x.size, 1, 1) if op.kind == "fully_connected" else (x.channels, x.height, x.width)
    stride = op.kernel if op.kind == "max_pool" else op.stride
    c_in, h_in, w_in, c_out, h_out, w_out = (int(side) for side in (*read, y.channels, y.height, y.width))
    return OpShape(op.kind, c_in, h_in, w_in, c_out, h_out, w_out, op.kernel, stride)


def op_label(shape: OpShape) -> str:
    """A name for the file of an op, different for different shapes: "pointwise_64x24x24_to_128"."""
    sides = (shape.in_height, shape.in_width), (shape.out_height, shape.out_width)
    read, made = ("x".join(map(str, side)) for side in sides)
    source = f"{shape.in_channels}" if shape.kind == "fully_connected" else f"{shape.in_channels}x{read}"
    target = f"{shape.out_channels}" if read == made else f"{shape.out_channels}x{made}"
    window = f"_k{shape.kernel}" if shape.kernel > 1 else ""
    window += f"_s{shape.stride}" if shape.stride > 1 else ""
    return f"{shape.kind}_{source}_to_{target}{window}"


def _lowered(configuration: Configuration, runtime: str) -> Graph:
    model = configuration.model(runtime, False)
    graph, _ = model.graph(configuration.knobs, *configuration.input_shape[1:])
    model.check(graph)
    return model.lowered(graph)


def _configurations(domain: Domain, samples: int, seed: int) -> Iterator[Configuration]:
    """Corners, with the domain's classes, then random ones."""
    axes = dict(domain.axes)
    ends = {name: _ends(axis) for name, axis in axes.items()}
    open_axes = [name for name, values in ends.items() if len(values) > 1]
    if len(open_axes) <= CORNER_AXES:
        corners = [dict(zip(ends, values, strict=True)) for values in product(*ends.values())]
    else:
        sides = ends.get("resolution", (None,))
        rest = [{name: values[at] for name, values in ends.items()} for at in (0, -1)]
        corners = [values | ({"resolution": side} if side else {}) for values in rest for side in sides]
    for values in corners:
        yield _configuration(domain, values, domain.classes)
    source = np.random.default_rng(seed)
    classes = tuple(dict.fromkeys((domain.classes, *CLASSES)))
    for _ in range(samples):
        values = {name: _drawn(axis, source) for name, axis in axes.items()}
        yield _configuration(domain, values, classes[int(source.integers(len(classes)))])


def _ends(axis: Interval | tuple[Any, ...]) -> tuple[Any, ...]:
    ends = (axis.low, axis.high) if isinstance(axis, Interval) else (axis[0], axis[-1])
    return tuple(dict.fromkeys(ends))


def _drawn(axis: Interval | tuple[Any, ...], source: np.random.Generator) -> Any:
    if isinstance(axis, Interval):
        return float(source.uniform(axis.low, axis.high))
    return axis[int(source.integers(len(axis)))]


def _configuration(domain: Domain, values: dict[str, Any], classes: int) -> Configuration:
    """``values`` with one for all linked hyperparameters."""
    family = find_family(domain.family)
    if stagewise(family) and (linked := family.linked(make_settings(family, values, domain.in_channels, classes))):
        values = values | dict.fromkeys(linked, values[linked[0]])
    size = domain.input_size or (values["resolution"], values["resolution"])
    return Configuration(domain.family, values, (domain.in_channels, *size), classes)
