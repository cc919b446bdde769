"""Formula == torch trace on random configurations of every family, rectangles and odd sizes included."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import hwscale
from hwscale.configuration import configure
from hwscale.errors import ConfigError
from hwscale.measure.trace import measure
from hwscale.nets import BUILDERS, build_network
from hwscale.verification import compare

torch.set_num_threads(1)
RANDOM = settings(
    max_examples=240,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
sides = st.integers(min_value=16, max_value=112)


def decimals(low: float, high: float, per_unit: int) -> st.SearchStrategy[float]:
    return st.integers(round(low * per_unit), round(high * per_unit)).map(lambda n: n / per_unit)


PHINET = st.fixed_dictionaries(
    {
        "alpha": decimals(0.02, 1.2, 100),
        "beta": decimals(0.25, 2.0, 20),
        "t_zero": decimals(2, 7, 4),
        "num_layers": st.integers(3, 9),
        "first_conv_stride": st.integers(1, 3),
        "downsampling_layers": st.sampled_from([(5, 7), (4,), (5, 7, 9), (), (3, 5)]),
        "conv5_percent": st.sampled_from([0.0, 0.0, 0.3, 1.0]),
        "residuals": st.booleans(),
        "conv2d_input": st.sampled_from([False, False, False, True]),
        "pool": st.sampled_from([False, False, False, True]),
        "h_swish": st.booleans(),
        "squeeze_excite": st.booleans(),
        "divisor": st.sampled_from([1, 1, 2, 8]),
        "include_top": st.booleans(),
    }
)
XINET = st.fixed_dictionaries(
    {
        "alpha": decimals(0.1, 1.2, 100),
        "beta": st.one_of(st.just(1.0), decimals(0.5, 2.0, 20)),
        "gamma": st.one_of(st.integers(1, 8), st.just(3.9)),
        "num_layers": st.integers(2, 6),
        "base_filters": st.sampled_from([16, 16, 16, 4]),
        "attention": st.booleans(),
        "skip": st.booleans(),
        "include_top": st.booleans(),
    }
)
FAMILY_VALUES = {"phinet": PHINET, "xinet": XINET}


def test_every_family_is_drawn_from() -> None:
    assert set(FAMILY_VALUES) == set(hwscale.families()) == set(BUILDERS)


def check(
    net: str, values: dict[str, Any], shape: tuple[int, int, int], classes: int, strict: bool, external: bool
) -> None:
    try:
        network = build_network(net, values, shape, classes)
    except ConfigError:
        with pytest.raises(ConfigError):
            hwscale.cost(net, values, input_shape=shape, classes=classes)
        return
    runtime = "tensors-strict" if strict else "tensors"
    predicted = configure(net, values, input_shape=shape, classes=classes).record(runtime, external)
    compare(predicted, measure(network, shape, strict=strict, external_input=external), "torch").require()


@RANDOM
@given(
    values=PHINET, channels=st.integers(1, 4), height=sides, width=sides, square=st.booleans(), strict=st.booleans(),
    external=st.booleans(),
)  # fmt: skip
def test_phinet_formula_equals_its_torch_trace(
    values: dict[str, Any], channels: int, height: int, width: int, square: bool, strict: bool, external: bool
) -> None:
    assume(not (values["pool"] and height * width > 64 * 64))  # pooling networks trace slowly at full stem resolution
    check("phinet", values, (channels, height, height if square else width), 7, strict, external)


@RANDOM
@given(
    values=XINET, channels=st.integers(1, 4), height=sides, width=sides, square=st.booleans(), even=st.booleans(),
    strict=st.booleans(), external=st.booleans(),
)  # fmt: skip
def test_xinet_formula_equals_its_torch_trace(
    values: dict[str, Any],
    channels: int,
    height: int,
    width: int,
    square: bool,
    even: bool,
    strict: bool,
    external: bool,
) -> None:
    if even:
        height, width = height // 16 * 16, width // 16 * 16
    check("xinet", values, (channels, height, height if square else width), 5, strict, external)
