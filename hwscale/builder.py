"""From a configuration to a torch module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hwscale.configuration import configure

if TYPE_CHECKING:
    from torch import nn


def build(
    net: str,
    values: Mapping[str, Any] | None = None,
    *,
    input_shape: Sequence[int] | None = None,
    classes: int = 10,
    in_channels: int = 3,
) -> nn.Module:
    """The torch module of one configuration, with fresh weights, in training mode.

    ``values`` are hyperparameters and options, defaults fill the rest; ``input_shape`` (C, H, W) replaces ``resolution``.
    Raises ConfigError for unknown names, and for a network that the reference cannot build.
    """
    from hwscale.nets import build_network

    chosen = configure(net, values, input_shape=input_shape, classes=classes, in_channels=in_channels)
    configuration = {name: value for name, value in chosen.values.items() if name != "resolution"}
    return build_network(chosen.family, configuration, chosen.input_shape, classes)
