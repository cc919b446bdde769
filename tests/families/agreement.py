"""What every family's test file asserts: its formula equals the torch trace of its network, or both refuse."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

import hwscale
from hwscale.configuration import configure
from hwscale.errors import ConfigError
from hwscale.measure.trace import measure
from hwscale.nets import build_network
from hwscale.verification import compare

torch.set_num_threads(1)
RANDOM = settings(
    max_examples=200,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
LARGE = settings(RANDOM, max_examples=120)
"""Fewer, where maps are large and torch takes its time."""
PADDINGS = st.sampled_from(["reference", "reference", "same"])
SIDES = st.integers(min_value=16, max_value=112)
"""Height or width of an input [px], odd ones included."""


def decimals(low: float, high: float, per_unit: int) -> st.SearchStrategy[float]:
    """Decimal lattice from ``low`` to ``high`` in steps of 1 / per_unit."""
    return st.integers(round(low * per_unit), round(high * per_unit)).map(lambda n: n / per_unit)


def check(net: str, values: dict[str, Any], shape: tuple[int, int, int], strict: bool, external: bool) -> None:
    """Totals, and every op with weights, equal; or the network cannot be built and the formula says so too."""
    classes = 7
    try:
        network = build_network(net, values, shape, classes)
    except ConfigError:
        with pytest.raises(ConfigError):
            hwscale.cost(net, values, input_shape=shape, classes=classes, runtime="tensors")
        return
    runtime = "tensors-strict" if strict else "tensors"
    predicted = configure(net, values, input_shape=shape, classes=classes).record(runtime, external)
    compare(predicted, measure(network, shape, strict=strict, external_input=external), "torch").require()
