"""MCUNet: formula == torch trace on random configurations; the ten published networks as presets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from families.agreement import PADDINGS, RANDOM, SIDES, check
from hypothesis import given
from hypothesis import strategies as st

import hwscale
from hwscale.configuration import configure
from hwscale.formulas.mcunet import MCUNET

ZOO = Path(__file__).parents[1] / "data" / "mcunet_zoo"
BLOCKS = [(s, b) for s in range(2, 7) for b in range(1, 5)] + [(7, 1)]
PUBLISHED = {
    # MACs [M] and parameters [M] as printed in the README of mit-han-lab/mcunet@9c164f8
    "mbv2-w0.35": (23.5, 0.75),
    "proxyless-w0.3": (38.3, 0.75),
    "mcunet-in0": (6.4, 0.75),
    "mcunet-in1": (12.8, 0.64),
    "mcunet-in2": (67.3, 0.73),
    "mcunet-in3": (81.8, 0.74),
    "mcunet-in4": (125.9, 1.73),
    "mcunet-vww0": (6.0, 0.37),
    "mcunet-vww1": (11.6, 0.43),
    "mcunet-vww2": (55.8, 0.64),
}
VALUES = st.fixed_dictionaries(
    {
        "width0": st.sampled_from([0.3, 0.5, 0.75, 1.0]),
        "width1": st.sampled_from([0.5, 0.75, 1.0, 2.0]),
        **{f"depth{s}": st.integers(1, 4) for s in range(2, 7)},
        **{f"kernel{s}_{b}": st.sampled_from([3, 5, 7]) for s, b in BLOCKS},
        **{f"expand{s}_{b}": st.sampled_from([1, 3, 4, 6]) for s, b in BLOCKS},
        **{f"width{s}_{b}": st.sampled_from([0.35, 0.5, 0.75, 1.0]) for s, b in BLOCKS},
        "base_widths": st.sampled_from([(32, 16, 24, 40, 80, 96, 192, 320), (16, 8, 16, 24, 40, 48, 96, 160)]),
        "mix_channels": st.sampled_from([0, 0, 64]),
        "padding": PADDINGS,
        "include_top": st.booleans(),
    }
)


@RANDOM
@given(
    values=VALUES, channels=st.integers(1, 4), height=SIDES, width=SIDES, square=st.booleans(),
    strict=st.booleans(), external=st.booleans(),
)  # fmt: skip
def test_formula_equals_the_torch_trace(
    values: dict[str, Any], channels: int, height: int, width: int, square: bool, strict: bool, external: bool
) -> None:
    check("mcunet", values, (channels, height, height if square else width), strict, external)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_preset_has_the_published_macs_and_params(name: str) -> None:
    report = hwscale.cost("mcunet", {"preset": name})
    macs, params = PUBLISHED[name]
    assert round(report.macs / 1e6, 1) == macs
    assert round(report.params / 1e6, 2) == params


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_preset_is_the_published_network_op_by_op(name: str) -> None:
    published = json.loads((ZOO / f"{name}.json").read_text(encoding="utf-8"))
    chosen = configure("mcunet", {"preset": name})
    assert chosen.input_shape == (published["input_channels"], published["resolution"], published["resolution"])
    assert chosen.classes == published["num_classes"]
    graph, _ = chosen.model("tensors", False).graph(chosen.knobs, *chosen.input_shape[1:])
    kinds = {"conv": ("conv2d", "pointwise"), "dwconv": ("depthwise",), "add": ("add",)} | {
        "gap": ("average_pool",),
        "fc": ("fully_connected",),
    }
    assert len(graph.ops) == len(published["layers"])
    for op, layer in zip(graph.ops, published["layers"], strict=True):
        entering, leaving = graph.tensors[op.inputs[0]], graph.tensors[op.output]
        assert op.kind in kinds[layer["op"]]
        assert (entering.channels, entering.height) == (layer["cin"], layer["h_in"])
        assert (leaving.channels, leaving.height) == (layer["cout"], layer["h_out"])
        if layer["op"] in ("conv", "dwconv"):
            assert op.kernel == layer["k"]


def test_every_published_network_is_a_preset() -> None:
    assert set(PUBLISHED) == set(MCUNET.presets) == {path.stem for path in ZOO.glob("*.json")}


def test_what_is_given_beside_a_preset_replaces_its_value() -> None:
    report = hwscale.cost("mcunet", {"preset": "mcunet-in3", "resolution": 128, "kernel2_1": 3}, classes=10)
    assert report.configuration.input_shape == (3, 128, 128)
    assert report.configuration.classes == 10
    assert report.macs < hwscale.cost("mcunet", {"preset": "mcunet-in3"}).macs
    assert report.to_dict()["hyperparameters"] == {"preset": "mcunet-in3", "resolution": 128, "kernel2_1": 3}
