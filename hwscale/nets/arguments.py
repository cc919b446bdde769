"""Checks of constructor arguments, so that a wrong one is a sentence and not a traceback from inside torch."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from numbers import Integral, Real

from hwscale.errors import ConfigError


def check_finite(**arguments: object) -> None:
    """Raise ConfigError unless every argument is a finite real number."""
    for name, value in arguments.items():
        if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value):
            raise ConfigError(f"{name} must be a finite number, got {value!r}.")


def check_positive(**arguments: float) -> None:
    """Raise ConfigError unless every argument is a finite real number above 0."""
    check_finite(**arguments)
    for name, value in arguments.items():
        if value <= 0:
            raise ConfigError(f"{name} must be above 0, got {value!r}.")


def check_whole_numbers(**arguments: object) -> None:
    """Raise ConfigError unless every argument is an integer of at least 0."""
    for name, value in arguments.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 0:
            raise ConfigError(f"{name} must be an integer of at least 0, got {value!r}.")


def check_positive_integers(**arguments: object) -> None:
    """Raise ConfigError unless every argument is an integer of at least 1."""
    for name, value in arguments.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ConfigError(f"{name} must be an integer of at least 1, got {value!r}.")


def check_odd(**arguments: int) -> None:
    """Raise ConfigError unless every argument is an odd integer of at least 1."""
    check_positive_integers(**arguments)
    for name, value in arguments.items():
        if value % 2 == 0:
            raise ConfigError(f"{name} must be odd, got {value!r}.")


def check_choice(allowed: Iterable[str], **arguments: object) -> None:
    """Raise ConfigError unless every argument is one of the allowed words."""
    words = list(allowed)
    for name, value in arguments.items():
        if value not in words:
            raise ConfigError(f"{name} must be one of {', '.join(words)}, got {value!r}.")


def check_input_shape(input_shape: object) -> None:
    """Raise ConfigError unless ``input_shape`` is (C, H, W), three integers of at least 1."""
    if not isinstance(input_shape, tuple | list) or len(input_shape) != 3:
        raise ConfigError(f"input_shape must be (channels, height, width), got {input_shape!r}.")
    channels, height, width = input_shape
    check_positive_integers(channels=channels, height=height, width=width)
