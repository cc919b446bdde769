"""Ordinary torch networks, one per family: what ``build`` hands out and what verification measures.

They are written from the published structure alone and share no arithmetic with the prediction. Importing this
package imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

from hwscale.errors import ConfigError, nearest

if TYPE_CHECKING:
    from torch import nn

BUILDERS: dict[str, str] = {
    "atomnet": "hwscale.nets.atomnet:AtomNet",
    "mcunet": "hwscale.nets.mcunet:MCUNet",
    "mobilenet_v1": "hwscale.nets.mobilenet_v1:MobileNetV1",
    "mobilenet_v2": "hwscale.nets.mobilenet_v2:MobileNetV2",
    "phinet": "hwscale.nets.phinet:PhiNet",
    "xinet": "hwscale.nets.xinet:XiNet",
}


def build_network(
    family: str, configuration: Mapping[str, Any], input_shape: tuple[int, int, int], classes: int
) -> nn.Module:
    """Instantiate one configuration of a family, with random weights, in training mode.

    Parameters
    ----------
    family : a key of ``BUILDERS``.
    configuration : hyperparameters and options by the names of the network's constructor, without ``input_shape`` and
        ``num_classes``; those left out take the constructor's default. ``resolution`` may be given if it agrees with
        ``input_shape``.
    input_shape : (C, H, W) in pixels.
    classes : width of the classifier.

    Raises
    ------
    ConfigError : unknown family or name, ``resolution`` that contradicts ``input_shape``, or a network that cannot run.
    """
    if family not in BUILDERS:
        raise ConfigError(f"No network family {family!r}: {nearest(family, BUILDERS)}.")
    module_name, _, class_name = BUILDERS[family].partition(":")
    network: type[nn.Module] = getattr(import_module(module_name), class_name)

    options = dict(configuration)
    resolution = options.pop("resolution", None)
    if resolution is not None and tuple(input_shape[1:]) != (resolution, resolution):
        height, width = input_shape[1:]
        raise ConfigError(
            f"resolution={resolution} contradicts the input shape of {height}x{width} pixels: give only one of the two."
        )
    given_apart = {"input_shape", "num_classes"}
    parameters = signature(network).parameters.values()
    legal = {p.name for p in parameters if p.kind is not Parameter.VAR_KEYWORD} - given_apart
    # a constructor that takes any keyword knows its own names
    checks_names = any(p.kind is Parameter.VAR_KEYWORD for p in parameters)
    for name in options:
        if name in given_apart or (name not in legal and not checks_names):
            raise ConfigError(f"{family} has no hyperparameter or option {name!r}: {nearest(name, legal)}.")
    return network(input_shape=input_shape, num_classes=classes, **options)
