"""Latency of patches and streams against StreamNet's tables: the factors are what the data give, and hold for what they have not seen."""

from __future__ import annotations

import pytest

import hwscale
from benchmarks import schedule_latency
from hwscale.schedule_timing import FACTORS, NETWORKS
from hwscale.timing import LatencyEvidence

STAGE = {"n_patch": 22, "split_idx": 21}


@pytest.mark.parametrize("schedule", FACTORS)
def test_the_factors_are_those_of_the_published_stages(schedule: str) -> None:
    assert schedule_latency.factor(schedule) == FACTORS[schedule]
    assert len(schedule_latency.left_out(schedule)) == NETWORKS == 10


def test_networks_left_out_are_met_within_2_percent_on_patches_and_13_on_streams() -> None:
    errors = {name: schedule_latency.factor(name).left_out_error for name in FACTORS}
    assert errors["patch"] <= 0.02
    assert errors["patch+"] <= 0.02
    assert errors["stream1d"] <= 0.05
    assert errors["stream2d"] <= 0.13


def test_whole_networks_on_other_patches_are_met_within_3_percent() -> None:
    assert schedule_latency.network_error("patch") <= 0.03
    assert schedule_latency.network_error("stream2d") <= 0.1
    assert sum(row.inside for row in schedule_latency.networks()) >= 0.85 * len(schedule_latency.networks()) == 17


def test_latency_is_that_of_the_rest_and_of_the_stage_times_its_factor() -> None:
    ask = {"runtime": "tinyengine", "platform": "stm32h743"}
    layer = hwscale.cost("mcunet", {"preset": "mcunet-in3"}, **ask)
    stream = hwscale.cost("mcunet", {"preset": "mcunet-in3"}, schedule="stream2d", **STAGE, **ask)
    assert stream.cost.macs == layer.cost.macs
    assert layer.cost.latency_s is not None
    assert layer.cost.latency_s < stream.cost.latency_s < FACTORS["stream2d"].factor * layer.cost.latency_s
    evidence = stream.evidence["latency"]
    assert isinstance(evidence, LatencyEvidence)
    assert "its stage x 1.95" in evidence.borrowed
    assert stream.cost.latency_interval_s is not None
    assert (
        stream.cost.latency_interval_s[1] / stream.cost.latency_s
        > layer.cost.latency_interval_s[1] / layer.cost.latency_s
    )
