"""Read a torch network as a straight-line program: every op in order, with the shape of its result.

The network is traced with torch.fx and run once on a blank image, where its weights are (a network built on the meta
device costs no arithmetic).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import fx, nn

from hwscale.errors import ConfigError, UnsupportedOpError

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One executed op.

    ``value`` names its result uniquely; ``spelling`` is torch.fx's (placeholder, call_module, call_function,
    call_method, get_attr, output); ``target`` is the module, function, or name of the method or tensor behind it; ``path``
    says where it sits in the network. ``operands`` and ``readers`` are values of other steps. ``shape`` is that of a
    tensor result, batch first, and None if the result is a collection of tensors; ``elements`` counts them all.
    """

    value: str
    spelling: str
    target: Any
    path: str
    operands: tuple[str, ...]
    readers: tuple[str, ...]
    shape: Shape | None
    elements: int


def read_program(module: nn.Module, input_shape: tuple[int, int, int]) -> list[Step]:
    """The steps of ``module`` in evaluation mode on one image (C, H, W); what returns no tensor is left out.

    Raises
    ------
    UnsupportedOpError : the network cannot be traced.
    ConfigError : the network does not run on this input shape.
    """
    title = type(module).__name__
    root = _structural_copy(module).eval()
    tracer = fx.Tracer()
    if tracer.is_leaf_module(root, ""):
        root = nn.Sequential(root)
    try:
        graph = tracer.trace(root)
    except Exception as error:
        raise UnsupportedOpError(
            f"{title} cannot be traced ({_first_line(error)}): its control flow must not depend on the values or shapes "
            "of tensors."
        ) from error
    shapes = _Shapes(root, graph=graph)
    try:
        with torch.no_grad():
            shapes.run(_blank_image(root, input_shape))
    except Exception as error:
        channels, height, width = input_shape
        raise ConfigError(
            f"{title} does not run on an input of {channels} x {height} x {width}, at {shapes.current}: "
            f"{_first_line(error)}."
        ) from error

    return [_step(node, root, shapes.of) for node in graph.nodes if node.op == "output" or shapes.of[node.name]]


class _Shapes(fx.Interpreter):
    """Runs a graph and keeps, for each node, the shapes of the tensors in its result (none for sizes and numbers)."""

    def __init__(self, root: nn.Module, graph: fx.Graph) -> None:
        super().__init__(root, graph=graph)
        self.of: dict[str, list[Shape]] = {}
        self.current = "the input"

    def run_node(self, n: fx.Node) -> Any:
        self.current = _path(n)
        result = super().run_node(n)
        self.of[n.name] = [tuple(tensor.shape) for tensor in _tensors(result)]
        return result


def _tensors(result: Any) -> Iterator[torch.Tensor]:
    if isinstance(result, torch.Tensor):
        yield result
    elif isinstance(result, tuple | list):
        for part in result:
            yield from _tensors(part)
    elif isinstance(result, dict):
        yield from _tensors(list(result.values()))


def _step(node: fx.Node, root: nn.Module, shapes: dict[str, list[Shape]]) -> Step:
    results = shapes[node.name]
    return Step(
        value=node.name,
        spelling=node.op,
        target=root.get_submodule(str(node.target)) if node.op == "call_module" else node.target,
        path=_path(node),
        operands=tuple(source.name for source in node.all_input_nodes if shapes[source.name]),
        readers=tuple(user.name for user in node.users if user.op == "output" or shapes[user.name]),
        shape=results[0] if len(results) == 1 else None,
        elements=sum(prod(shape) for shape in results),
    )


def _path(node: fx.Node) -> str:
    """Where the op sits: a module's own path, or the path of the module that calls the function, and its name."""
    if node.op in ("call_module", "get_attr"):
        return str(node.target)
    scopes = [path for path, _ in node.meta.get("nn_module_stack", {}).values()]
    return ".".join(part for part in (*scopes[-1:], _plain_name(node)) if part)


def _plain_name(node: fx.Node) -> str:
    """The name of a function without the number that torch.fx appends to tell its calls apart."""
    return re.sub(r"_\d+$", "", node.name)


def _structural_copy(module: nn.Module) -> nn.Module:
    """A copy that shares only the parameters, so that modes, buffers and traced constants stay the caller's."""
    return copy.deepcopy(module, {id(parameter): parameter for parameter in module.parameters()})


def _blank_image(module: nn.Module, input_shape: tuple[int, int, int]) -> torch.Tensor:
    parameter = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0))
    return torch.zeros((1, *input_shape), dtype=parameter.dtype, device=parameter.device)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
