"""Runtime `tflm`: what it predicts from hyperparameters against 126 networks that TensorFlow Lite Micro measured, its readings, its
lowering, and searches under it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy

import hwscale
from hwscale.cli import arguments
from hwscale.closed_form import formula
from hwscale.configuration import Configuration, configure
from hwscale.cost_model import CostModel
from hwscale.domain import make_domain
from hwscale.errors import ConfigError
from hwscale.formulas.graph import Graph, aligned
from hwscale.lowering_tax import taxes
from hwscale.objectives import find_objective
from hwscale.problem import Problem
from hwscale.runtimes import DEFAULT, RUNTIMES
from hwscale.runtimes.tflm import Tflm, head_bytes
from hwscale.solve import solve
from hwscale.space import lattice_space, make_space

DATA = Path(__file__).parents[1] / "benchmarks" / "data"
FILES = ("tflm_measured.csv", "tflm_variants.csv")
ROWS = [row for name in FILES for row in csv.DictReader((DATA / name).read_text(encoding="utf-8").splitlines())]
RAN = [row for row in ROWS if row["status"] == "ok"]
TFLM = Tflm()


def network(row: dict[str, str]) -> Configuration:
    values: dict[str, Any] = json.loads(row["values"])
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    if "h_swish" in values:
        values["activation"] = "hswish" if values.pop("h_swish") else "relu6"
    shape = tuple(int(side) for side in row["input_shape"].split("x"))
    return configure(row["family"], values, input_shape=shape, classes=int(row["classes"]))


def lowered(chosen: Configuration) -> Graph:
    graph, _ = chosen.model("tensors", False).graph(chosen.knobs, *chosen.input_shape[1:])
    return TFLM.lower(graph, TFLM.facts(graph))


def test_every_family_is_among_the_measured_networks() -> None:
    assert len(RAN) >= 60
    assert {row["family"] for row in RAN} == set(hwscale.families())


@pytest.mark.parametrize("row", RAN, ids=lambda row: f"{row['family']}-{row['input_shape']}")
def test_arena_and_file_are_as_measured(row: dict[str, str]) -> None:
    record = network(row).record("tflm", False)
    parts = dict(record.ram_parts)
    assert abs(parts["head"] - int(row["head_bytes"])) <= 16
    assert abs(record.ram_bytes - int(row["total_bytes"])) <= 0.005 * int(row["total_bytes"])
    assert abs(record.flash_bytes - int(row["stripped_bytes"])) <= 0.005 * int(row["stripped_bytes"])


def test_the_arena_is_equal_to_the_byte_on_all_of_them() -> None:
    off = [row for row in RAN if network(row).record("tflm", False).ram_bytes != int(row["total_bytes"])]
    assert off == []


def test_ops_and_constants_are_those_of_the_converted_file() -> None:
    for row in RAN:
        graph = lowered(network(row))
        assert len(graph.ops) == int(row["n_ops"]), row
        assert graph.biases() == int(row["sum_cout"]), row


def test_sizes_whose_pools_do_not_divide_are_refused_here_as_there() -> None:
    refused = [row for row in ROWS if row["status"] != "ok"]
    assert refused
    for row in refused:
        with pytest.raises(ConfigError, match="does not divide it: TensorFlow Lite Micro refuses"):
            network(row).record("tflm", False)


def test_xinets_domain_lacks_the_sizes_that_tflm_refuses_and_says_why() -> None:
    space = lattice_space(make_domain("xinet", {"num_layers": 7}), "tflm")
    sizes = {root.height for group in space.groups for root in group.roots}
    # seven stages halve a side six times; the skip has r // 4 pixels and is pooled to r // 8 .. r // 64
    divides = {r for r in range(64, 257, 16) if all((r // 4) % (r // 2**n) == 0 for n in range(3, 7))}
    assert sizes == divides != set(range(64, 257, 16))
    assert any("112x112" in reason and "does not divide" in reason for reason in space.refused)
    fit = hwscale.fit("xinet", limits={"ram": "256 KiB"}, verify="none")
    assert any("does not divide" in reason for reason in fit.excluded)


def test_a_search_never_counts_more_than_is_planned_and_hardly_less() -> None:
    for row in RAN:
        graph = lowered(network(row))
        persistent, flash = TFLM.shares(graph)
        base = TFLM.base()
        parts = dict(TFLM.plan(graph, False))
        assert 0 <= parts["tail"] - persistent - base[0] <= 256
        assert 0 <= TFLM.flash_bytes(graph) - flash - base[1] <= 1024
        sizes = [tensor.size for tensor in graph.tensors]
        live = max(size for _, size in TFLM.memory(graph).regions[0].terms(sizes))
        assert live <= head_bytes(graph)


def test_an_image_outside_the_arena_is_not_in_the_head() -> None:
    chosen = configure("mobilenet_v1", {"alpha": 0.25}, input_shape=(3, 96, 96))
    inside, outside = chosen.record("tflm", False), chosen.record("tflm", True)
    first = next(iter(outside.ops))
    # the stem's PAD: 97 x 97 x 3 B beside the image, 96 x 96 x 3 B
    assert first.kind == "pad"
    assert first.live_bytes == aligned(3 * 98 * 98)
    assert outside.ram_bytes <= inside.ram_bytes


@pytest.mark.parametrize(
    ("values", "pads"),
    [
        ({}, {"conv1.pad": (3, 3, 3, 3)}),
        ({"padding": "same"}, {}),
    ],
)
def test_only_zeros_that_differ_from_same_become_a_pad(values: dict[str, Any], pads: dict[str, Any]) -> None:
    graph = lowered(configure("xinet", values, input_shape=(3, 64, 64)))
    assert {op.name: op.pads for op in graph.ops if op.kind == "pad"} == pads


def test_odd_maps_need_no_pad_where_the_reference_pads_evenly() -> None:
    graph = lowered(configure("mobilenet_v1", {"alpha": 0.25}, input_shape=(3, 65, 65)))
    assert [op for op in graph.ops if op.kind == "pad"] == []  # 65, 33, 17, 9, 5, 3: odd at every stride


def test_an_activation_without_a_kernel_of_its_own_is_two_ops() -> None:
    graph = lowered(configure("xinet", {}, input_shape=(3, 64, 64)))
    first = graph.ops[1:4]
    assert [op.kind for op in first] == ["conv2d", "logistic", "mul"]
    assert first[2].inputs == (first[0].output, first[1].output)


def test_an_op_without_measured_memory_is_an_error_and_no_zero() -> None:
    graph = Graph()
    x = graph.tensor(4, 8, 8)
    graph.conv("odd", x, 4, kernel=3, padding=1, activation="gelu")
    with pytest.raises(ConfigError, match="knows no lowering of the activation 'gelu'"):
        TFLM.lower(graph, TFLM.facts(graph))


@pytest.mark.parametrize("family", ["phinet", "xinet", "mobilenet_v1", "mobilenet_v2"])
@pytest.mark.parametrize("runtime", sorted(set(RUNTIMES) - {"tinyengine"}))
def test_ints_and_arrays_agree_in_every_runtime(family: str, runtime: str) -> None:
    rng = np.random.default_rng(7)
    space = lattice_space(make_domain(family), runtime)
    for group in space.groups[:4]:
        root = rng.integers(0, len(group.roots), 24)
        alpha = rng.integers(0, group.counts[root])
        box = tuple(rng.integers(0, size, 24) for size in group.box_shape)
        costs = group.costs(root, alpha, box)
        for n in range(len(root)):
            where = group.roots[root[n]]
            knobs = {h.name: where.branch[h.name] for h in group.model.family.hyperparameters if h.name in where.branch}
            knobs |= {name: float(axis[at[n]]) for (name, axis), at in zip(group.boxes.items(), box, strict=True)}
            terms = group.model.one(knobs | {"alpha": float(where.alphas[alpha[n]])}, where.height, where.width)
            expected = (terms.ram_bytes, terms.flash_bytes, terms.macs, terms.params)
            found = (costs.ram_bytes[n], costs.flash_bytes[n], costs.macs[n], costs.params[n])
            assert tuple(int(value) for value in found) == tuple(int(value) for value in expected)


@pytest.mark.parametrize(("family", "side"), [("phinet", 96), ("xinet", 128), ("mobilenet_v2", 160)])
def test_the_closed_form_is_what_ints_give(family: str, side: int) -> None:
    form = formula(family, runtime="tflm")
    alpha = 2.7 if family != "mobilenet_v2" else 1.4
    chosen = configure(family, {"alpha": alpha, "resolution": side})
    model = chosen.model("tflm", False)
    assert isinstance(model, CostModel)
    widths = model.family.widths(model.settings, chosen.knobs)
    values = {symbol: int(widths[str(symbol)]) for symbol in form.definitions if str(symbol) in widths}
    values |= {sympy.Symbol("R", integer=True, positive=True): side}
    terms = model.one(chosen.knobs, side, side)
    ram = max(int(size.subs(values)) for _, size in form.ram_terms) + int(form.persistent.subs(values))
    assert (ram, int(form.flash.subs(values))) == (terms.ram_bytes, terms.flash_bytes)


@pytest.mark.parametrize("side", [33, 65, 97, 129])
def test_where_the_planner_leaves_gaps_the_answer_is_still_the_best_that_can_be_planned(side: int) -> None:
    space = make_space(make_domain("mobilenet_v1", {"resolution": side}, {"alpha": (0.1, 0.6)}), "tflm")
    rng = np.random.default_rng(side)
    gaps = 0
    for _ in range(12):
        limits = {"ram": int(2 ** rng.uniform(14.5, 18)), "flash": 1 << 20}
        problem = Problem(space, find_objective("macs"), limits)
        best: tuple[int, int] | None = None
        for group in space.groups:
            for at, alpha in enumerate(group.roots[0].alphas):
                record = configure("mobilenet_v1", {"alpha": float(alpha)}, input_shape=(3, side, side)).record(
                    "tflm", False
                )
                live = group.costs(np.zeros(1, np.int64), np.array([at]), ()).ram_bytes[0]
                fits = record.ram_bytes <= limits["ram"] and record.flash_bytes <= limits["flash"]
                gaps += bool(live <= limits["ram"] < record.ram_bytes)
                if fits:
                    best = max(best or (0, 0), (record.macs, record.ram_bytes))
        for solver in ("table", "quadtree", "exhaustive"):
            found = solve(problem, solver)
            assert (None if found is None else found.best.macs) == (None if best is None else best[0])
            if found is not None:
                assert found.best.planned()["ram"] <= limits["ram"]
    assert gaps


def test_either_change_alone_saves_little_and_both_save_a_third() -> None:
    # measured: 261,200 B as published, 251,312 with SAME, 258,800 with ReLU6, 165,968 with both (docs/tflm.md's route)
    chosen = configure("phinet", {"alpha": 0.5, "num_layers": 6, "t_zero": 4}, input_shape=(3, 96, 96))
    found = {tuple(sorted(tax.values.items())): tax.ram_bytes for tax in taxes(chosen, "tflm", False)}
    assert found == {
        (("activation", "relu6"), ("padding", "same")): 165_968 - 261_200,
        (("padding", "same"),): 251_312 - 261_200,
        (("activation", "relu6"),): 258_800 - 261_200,
    }


def test_the_solver_may_choose_padding_and_activation() -> None:
    limits = {"ram": "256 KiB", "flash": "1 MiB"}
    words = {"padding": ["reference", "same"], "activation": ["hswish", "relu6"]}
    free = hwscale.fit(
        "phinet", limits=limits, domain=words, fix={"resolution": 96, "beta": 1, "t_zero": 4}, verify="torch"
    )
    assert {"padding": "same", "activation": "relu6"}.items() <= free.hyperparameters.items()
    each = [
        hwscale.fit(
            "phinet",
            limits=limits,
            fix={"resolution": 96, "beta": 1, "t_zero": 4, "padding": p, "activation": a},
            verify="none",
        )
        for p in words["padding"]
        for a in words["activation"]
    ]
    assert free.certificate.objective == max(fit.certificate.objective for fit in each)
    assert free.verification.ok


def test_defaults_name_the_same_runtime_and_the_reference_network() -> None:
    assert arguments.DEFAULT_RUNTIME == DEFAULT == "tflm"
    for family in hwscale.families():
        options = configure(family).options
        assert options["padding"] == "reference"
    assert configure("phinet").options["activation"] == "hswish"
    assert configure("xinet").options["activation"] == "silu"
