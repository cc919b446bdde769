"""One network row of a file of measurements: a family's configuration or a .tflite file, as the ops that a runtime executes."""

from __future__ import annotations

from pathlib import Path

from hwscale.configuration import configure
from hwscale.errors import ConfigError, nearest
from hwscale.foreign.cost import MOST_OPS
from hwscale.foreign.runtimes import listed
from hwscale.formulas import FAMILIES
from hwscale.formulas.graph import HOLD, Graph
from hwscale.ledger import OpRecord
from hwscale.runtimes import find_runtime
from hwscale.work import KERNELS, op_elements

EXAMPLE = "phinet alpha=0.5 num_layers=7 resolution=96 classes=10"
ENDS = ("classes", "in_channels")
"""What `hwscale cost` takes beside hyperparameters, with input_shape."""


def read_network(text: str, folder: Path, runtime: str) -> tuple[str, tuple[OpRecord, ...]]:
    """The network's name, equal for equal networks, and its executed ops; ``folder`` is where relative paths start.

    ConfigError says in a part of a sentence what cannot be.
    """
    if text.endswith(".tflite"):
        return text, _file_ops(folder / text, runtime)
    family, *pairs = text.split()
    if family.lower() not in FAMILIES:
        raise ConfigError(f"{family!r} is no .tflite file and no family; {nearest(family, FAMILIES)}; as in {EXAMPLE}")
    values: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key or not value:
            raise ConfigError(f"{pair!r} is no KEY=VALUE; write the network as in {EXAMPLE}")
        if key in values:
            raise ConfigError(f"{key} is given twice; keep one")
        values[key] = value
    ends = {name: _whole(name, values.pop(name)) for name in ENDS if name in values}
    image = values.pop("input_shape", None)
    shape = None if image is None else tuple(_whole("input_shape", side) for side in image.lower().split("x"))
    chosen = configure(
        family.lower(),
        values,
        input_shape=shape,
        classes=ends.get("classes"),
        in_channels=ends.get("in_channels", 3),
    )
    knobs = {**chosen.hyperparameters, **chosen.options}
    name = " ".join([chosen.family, *(f"{key}={value}" for key, value in sorted(knobs.items()))])
    sides = "x".join(map(str, chosen.input_shape))
    return f"{name} input={sides} classes={chosen.classes}", chosen.record(runtime, False).ops


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        form = "CHANNELSxHEIGHTxWIDTH, as 3x96x128" if name == "input_shape" else "a whole number above zero"
        raise ConfigError(f"{name} is {text!r}, but it must be {form}; correct it")
    return int(text)


def _file_ops(path: Path, runtime: str) -> tuple[OpRecord, ...]:
    from hwscale.foreign.tflite import file_graph
    from hwscale.measure.tflite_file import read_tflite

    model = read_tflite(path)
    if len(model.operators) > MOST_OPS:
        raise ConfigError(f"{path.name} has {len(model.operators)} operators, but at most {MOST_OPS} are read")
    network = file_graph(model)
    if network.unknown:
        raise ConfigError(f"{path.name} has ops without a price: {listed(network.unknown)}; measure a network without")
    if network.not_int8:
        raise ConfigError(f"{path.name} is not int8: {network.not_int8}; convert it to int8")
    if not network.graph.ops:
        raise ConfigError(f"{path.name} runs no op; give a network")
    return executed(network.graph, runtime)


def executed(graph: Graph, runtime: str) -> tuple[OpRecord, ...]:
    """The ops that a runtime makes of a graph in Python ints, with their MACs and map elements; ConfigError if it refuses it."""
    rules = find_runtime(runtime)
    if reason := rules.refuse(graph):
        raise ConfigError(reason)
    lowered = rules.lower(graph, rules.facts(graph))
    found = []
    for op in lowered.ops:
        if op.kind == HOLD:
            continue
        kernel = op.kind.partition(" ")[0]  # "conv2d 10x4" is a conv2d
        kind = kernel if kernel in KERNELS else op.kind
        elements = int(op_elements(lowered, op.inputs, op.output))
        found.append(OpRecord(op.name, kind, int(op.macs), int(op.weights), 0, int(op.bias), elements=elements))
    return tuple(found)
