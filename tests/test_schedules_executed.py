"""What the formulas say of a schedule is what the torch executor, which shares no code with them, really computes and holds."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from random_networks import randomise

import hwscale
from hwscale.configuration import Configuration, configure
from hwscale.errors import HwscaleError
from hwscale.formulas.graph import Graph
from hwscale.measure.schedule_executor import execute
from hwscale.schedules import LAYER, make_schedule, refuse
from hwscale.schedules.macs import executed_macs, stage_macs
from hwscale.schedules.windows import steps

STREAMS = ("patch", "patch+", "stream1d", "stream2d")
NETWORKS: tuple[tuple[str, dict[str, Any], tuple[int, int, int] | None], ...] = (
    ("mcunet", {"preset": "mcunet-in0"}, None),
    ("mcunet", {"preset": "mcunet-vww1"}, (3, 48, 64)),
    ("mcunet", {"kernel": 5, "expand": 3, "depth": 2, "width": 0.5}, (3, 52, 52)),
    ("mobilenet_v1", {"alpha": 0.1}, (3, 56, 40)),
    ("mobilenet_v2", {"alpha": 0.1}, (1, 48, 48)),
    ("mobilenet_v2", {"alpha": 0.2, "padding": "same"}, (3, 72, 56)),
    ("phinet", {"alpha": 0.2, "num_layers": 5, "squeeze_excite": False}, (3, 48, 80)),
    ("phinet", {"alpha": 0.3, "num_layers": 4, "squeeze_excite": False, "pool": True}, (3, 64, 64)),
    ("atomnet", {"width0": 16, "width1": 16, "width2": 32, "width3": 48, "width4": 48, "width5": 64}, (3, 64, 64)),
    ("xinet", {"alpha": 0.2, "num_layers": 5, "skip": False, "attention": False}, (3, 64, 96)),
)


def graph_of(found: Configuration) -> Graph:
    """Its ops, as no runtime has lowered them."""
    return found.model("tensors", False).graph(found.knobs, *found.input_shape[1:])[0]


def legal(net: str, values: dict[str, Any], shape: tuple[int, int, int] | None, seed: int, count: int) -> Any:
    """The network's graph, and random legal (n_patch, split_idx)."""
    found = configure(net, values, input_shape=shape, classes=4)
    graph = graph_of(found)
    pairs = [
        (n, split)
        for n in (2, 3, 4, 5, 6, 7, 8, 10, 12)
        for split in range(1, len(steps(graph)) + 1)
        if refuse(graph, make_schedule("patch", n, split)) is None and not _before_pool(graph, split)
    ]
    rng = random.Random(seed)
    return found, graph, rng.sample(pairs, min(count, len(pairs)))


def _before_pool(graph: Graph, split: int) -> bool:
    """Would the split part an op from the pool behind it, which the executor takes for one?"""
    return any(step.op.kind == "max_pool" for step in steps(graph)[split : split + 1])


def executed_split(graph: Graph, split: int) -> int:
    """The same split as the executor counts it: without pools."""
    return sum(step.op.kind != "max_pool" for step in steps(graph)[:split])


@pytest.mark.parametrize("number", range(len(NETWORKS)))
def test_executed_macs_are_those_of_the_formulas_and_the_output_is_that_of_layers(number: int) -> None:
    net, values, shape = NETWORKS[number]
    found, graph, pairs = legal(net, values, shape, number, 4)
    assert pairs, "there must be something to cut"
    torch.manual_seed(number)
    network = randomise(found_network(found), found.input_shape, number)
    x = torch.randn(1, *found.input_shape)
    plain = execute(network, x, "layer")
    assert plain.macs == executed_macs(graph, LAYER)
    for n_patch, split_idx in pairs:
        for name in STREAMS:
            schedule = make_schedule(name, n_patch, split_idx)
            done = execute(network, x, name, n_patch=n_patch, split_idx=executed_split(graph, split_idx))
            assert (done.output - plain.output).abs().max() <= 1e-5
            assert done.macs == executed_macs(graph, schedule), (name, n_patch, split_idx)
            assert done.stage_macs == stage_macs(graph, schedule), (name, n_patch, split_idx)
            assert done.stage_macs + done.stage_added == stage_macs(graph, schedule, additions=True)


def found_network(found: Any) -> torch.nn.Module:
    return hwscale.build(found.family, found.values, input_shape=found.input_shape, classes=4)


def test_what_the_formulas_refuse_the_executor_does_not_run() -> None:
    found = configure("mobilenet_v2", {"alpha": 0.1}, input_shape=(3, 48, 48), classes=4)
    graph, network = graph_of(found), found_network(found).eval()
    cut = [
        split
        for split in range(1, 30)
        if "behind the split reads" in (refuse(graph, make_schedule("patch", 2, split)) or "")
    ]
    assert cut, "splits that cut a residual"
    cases = [(found, network, 2, split) for split in cut[:3]]
    squeezing = configure("phinet", {"alpha": 0.2, "num_layers": 5}, input_shape=(3, 48, 48), classes=4)
    cases.append((squeezing, found_network(squeezing).eval(), 2, 8))
    odd = configure("mobilenet_v1", {"alpha": 0.1}, input_shape=(3, 48, 48), classes=4)
    cases.append((odd, found_network(odd).eval(), 5, 3))
    for net, module, n_patch, split_idx in cases:
        assert refuse(graph_of(net), make_schedule("patch", n_patch, split_idx)) is not None
        with pytest.raises(HwscaleError):
            execute(module, torch.randn(1, 3, 48, 48), "patch", n_patch=n_patch, split_idx=split_idx)
