"""Patches and streams: what is refused and why, and what `hwscale.cost` and the command line say of them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from typer.testing import CliRunner

import hwscale
from hwscale.cli import app
from hwscale.configuration import configure
from hwscale.errors import ConfigError
from hwscale.formulas.graph import HOLD, Graph
from hwscale.runtimes import RUNTIMES
from hwscale.schedules import LAYER, SCHEDULES, Schedule, refuse
from hwscale.schedules.windows import Window, steps

PATCHED = [name for name in SCHEDULES if name != "layer"]
MI3 = {"preset": "mcunet-in3"}


def network(family: str, values: dict[str, Any], shape: tuple[int, int, int] | None = None) -> Graph:
    found = configure(family, values, input_shape=shape, classes=10)
    return found.model("tensors", False).graph(found.knobs, *found.input_shape[1:])[0]


def two_convolutions(*widths: Any, height: int = 8, width: int = 8) -> Graph:
    """1 -> a -> b by 3x3 convolutions, then 1x1 to 1."""
    a, b = widths
    g = Graph()
    x = g.conv("one", g.tensor(1, height, width), a, kernel=3, padding=1)
    x = g.conv("two", x, b, kernel=3, padding=1)
    g.conv("rest", x, 1)
    return g


def gated() -> Graph:
    return network("phinet", {}, (3, 96, 96))


REFUSED: dict[str, tuple[Any, int, int, str]] = {
    "grain": (lambda: network("mcunet", MI3), 4, 21, "n_patch=4 does not divide the side of the map behind s3.b1.project, 22"),
    "rectangle": (lambda: two_convolutions(2, 3, height=8, width=10), 4, 2, "8 x 10"),
    "beyond": (lambda: two_convolutions(2, 3), 2, 4, "the network has 3 ops"),
    "none": (lambda: two_convolutions(2, 3), 2, 0, "must be 1 to 3"),
    "residual": (lambda: network("mcunet", MI3), 22, 13, "s2.b3.add behind the split reads the output of s2.b2.add"),
    "gate": (gated, 2, 9, r"b1.se.pool \(a global or adaptive pool\)"),
    "pool": (lambda: network("mcunet", MI3), 1, 66, r"top.pool \(a global or adaptive pool\)"),
    "skip": (lambda: network("xinet", {"attention": False}, (3, 96, 96)), 2, 13, "l3.skip_pool behind the split reads"),
    "skip inside": (lambda: network("xinet", {"attention": False}, (3, 96, 96)), 2, 18, r"l3.skip_pool \(a global"),
    "odd": (lambda: odd_pool(), 2, 2, "pool does not read all of its input of 9 x 9"),
    "image": (lambda: image_twice(), 2, 1, "add behind the split reads the image"),
}  # fmt: skip


def odd_pool() -> Graph:
    g = Graph()
    g.max_pool("pool", g.conv("conv", g.tensor(1, 9, 9), 2, kernel=3, padding=1))
    return g


def image_twice() -> Graph:
    g = Graph()
    x = g.tensor(2, 8, 8)
    g.add("add", g.conv("conv", x, 2, kernel=3, padding=1), x)
    return g


@pytest.mark.parametrize(("made", "n_patch", "split_idx", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_no_patch_can_be_cut_through_is_refused_with_the_reason(
    made: Any, n_patch: int, split_idx: int, reason: str
) -> None:
    for name in PATCHED:
        assert re.search(reason, refuse(made(), Schedule(name, n_patch, split_idx)) or "")


def test_a_block_may_be_split_behind_its_expansion_where_nothing_goes_around_it() -> None:
    g = network("mcunet", {"preset": "mcunet-in1"})
    assert refuse(g, Schedule("patch", 12, 11)) is None
    assert g.ops[10].name == "s3.b1.expand"


def test_xinet_without_its_skip_can_be_cut() -> None:
    g = network("xinet", {"attention": False, "skip": False}, (3, 96, 64))
    assert refuse(g, Schedule("patch", 4, 4)) is None


def test_phinets_explicit_padding_belongs_to_the_convolution_behind_it() -> None:
    for side, zeros in ((96, 0), (95, 1)):
        g = network("phinet", {"squeeze_excite": False, "conv2d_input": False}, (3, side, side))
        first = steps(g)[0]
        assert first.op.name == "stem.dw"
        assert first.along(0) == Window(3, 2, zeros)
        assert refuse(g, Schedule("patch", 4, 2)) is None


# from outside


def test_cost_reports_the_schedule_and_what_is_computed_again() -> None:
    plain = hwscale.cost("mcunet", MI3, runtime="tinyengine")
    found = hwscale.cost("mcunet", MI3, runtime="tinyengine", schedule="patch", n_patch=22, split_idx=21)
    assert found.schedule == Schedule("patch", 22, 21)
    assert found.layer_macs == plain.cost.macs
    assert found.recomputation == found.cost.macs / plain.cost.macs > 21
    assert (found.cost.flash_bytes, found.cost.params) == (plain.cost.flash_bytes, plain.cost.params)
    assert found.cost.ram_bytes < plain.cost.ram_bytes
    assert sum(op.macs for op in found.ops) == found.cost.macs
    assert all(op.kind != HOLD for op in found.ops)
    assert "stage output" in {tensor.op for tensor in found.live}
    document = found.to_dict()
    assert (document["schedule"], document["n_patch"], document["split_idx"]) == ("patch", 22, 21)
    assert document["recomputation"] == found.recomputation


def test_layer_is_the_default_and_leaves_the_report_as_it_was() -> None:
    plain, named = (hwscale.cost("mcunet", MI3, **more) for more in ({}, {"schedule": "layer"}))
    assert plain.to_dict() == named.to_dict()
    assert (plain.schedule, plain.recomputation) == (LAYER, 1.0)


def test_the_memory_of_a_stream_is_an_estimate_with_a_lower_end() -> None:
    for name in ("stream1d", "stream2d"):
        found = hwscale.cost("mcunet", MI3, runtime="tinyengine", schedule=name, n_patch=22, split_idx=21)
        assert found.least_ram_bytes is not None
        assert found.least_ram_bytes <= found.cost.ram_bytes
        assert str(found.evidence["ram"]).startswith("estimated")
    assert "unverified" in str(hwscale.cost(
        "mcunet", MI3, runtime="tensors", schedule="stream1d", n_patch=22, split_idx=21).evidence["ram"])  # fmt: skip


def test_no_latency_is_claimed_of_a_schedule_where_none_was_measured() -> None:
    values = {**MI3, "n_patch": 22, "split_idx": 21}
    for runtime, platform in (("tensors", "stm32h743"), ("tinyengine", "gap8")):
        found = hwscale.cost("mcunet", values, runtime=runtime, schedule="stream2d", platform=platform)
        assert found.cost.latency_s is None
        assert "TinyEngine" in str(found.evidence["latency"])
        assert found.usable


@pytest.mark.parametrize("runtime", [name for name in RUNTIMES if name not in ("tensors", "tinyengine")])
def test_other_runtimes_refuse_patches(runtime: str) -> None:
    with pytest.raises(ConfigError, match=f"runtime {runtime} executes op by op only"):
        hwscale.cost("mcunet", MI3, runtime=runtime, schedule="patch", n_patch=22, split_idx=21)


@pytest.mark.parametrize(
    ("values", "more", "reason"),
    [
        ({}, {"schedule": "patches"}, "did you mean 'patch'"),
        ({}, {"schedule": "patch", "n_patch": 22}, "needs split_idx"),
        ({}, {"n_patch": 22}, "schedule layer has no n_patch"),
        ({"n_patch": 22}, {"schedule": "patch", "n_patch": 22, "split_idx": 21}, "n_patch is given twice"),
        ({"n_patch": "2.5", "split_idx": 21}, {"schedule": "patch"}, "n_patch=2.5: write a whole number"),
        ({"n_patch": 22, "split_idx": 21}, {"schedule": "patch", "rates": "any"}, "drop rates or the schedule"),
        ({"n_patch": 22, "split_idx": 13}, {"schedule": "patch"}, "schedule patch: s2.b3.add behind the split reads"),
    ],
)
def test_what_cannot_be_meant_is_refused(values: dict[str, Any], more: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        hwscale.cost("mcunet", {**MI3, **values}, runtime="tinyengine", **more)


def test_the_command_line_takes_the_numbers_with_fix() -> None:
    line = "cost --net mcunet --fix preset=proxyless-w0.3 --runtime tinyengine --schedule patch --fix n_patch=22 --fix split_idx=13"
    document = json.loads(CliRunner().invoke(app, [*line.split(), "--json"], catch_exceptions=False).stdout)
    found = hwscale.cost(
        "mcunet", {"preset": "proxyless-w0.3"}, runtime="tinyengine", schedule="patch", n_patch=22, split_idx=13
    )
    assert document == json.loads(json.dumps(found.to_dict()))
    shown = CliRunner().invoke(app, line.split(), catch_exceptions=False).stdout
    assert "schedule patch: 13 ops on 22 x 22 patches" in shown
