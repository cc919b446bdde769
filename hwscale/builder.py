"""From a configuration to a torch module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hwscale.configuration import configure
from hwscale.formulas import find_family

if TYPE_CHECKING:
    from torch import nn


def build(
    net: str,
    values: Mapping[str, Any] | None = None,
    *,
    input_shape: Sequence[int] | None = None,
    classes: int | None = None,
    in_channels: int = 3,
) -> nn.Module:
    """The torch module of one configuration, with fresh weights, in training mode.

    ``values`` are hyperparameters and options, defaults fill the rest; ``input_shape`` (C, H, W) replaces ``resolution``;
    10 classes, or a preset's own, unless given.
    Raises ConfigError for unknown names, and for a network that the reference cannot build.
    """
    from hwscale.nets import build_network

    chosen = configure(net, values, input_shape=input_shape, classes=classes, in_channels=in_channels)
    left_out = {"resolution", *(option.name for option in find_family(chosen.family).options if not option.built)}
    configuration = {name: value for name, value in chosen.values.items() if name not in left_out}
    return build_network(chosen.family, configuration, chosen.input_shape, chosen.classes)
