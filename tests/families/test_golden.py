"""Formulas against 114 reference networks: tests/data/golden.csv, torch runs of micromind-toolkit/micromind@b4b45c0."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

import hwscale
from hwscale.errors import ConfigError

with (Path(__file__).parents[1] / "data" / "golden.csv").open(newline="") as file:
    ROWS = list(csv.DictReader(file))


def arguments(row: dict[str, str]) -> dict[str, Any]:
    values = json.loads(row["hparams"])
    if values.pop("compatibility", False):
        values |= {"h_swish": False, "squeeze_excite": False}
    if "h_swish" in values:
        values["activation"] = "hswish" if values.pop("h_swish") else "relu6"
    if row["net"] == "PhiNet":
        values["num_layers"] = round(values["num_layers"])  # the reference rounds; 7.6 builds 8 layers
    return {
        "net": row["net"].lower(),
        "classes": values.pop("num_classes"),
        "input_shape": tuple(int(side) for side in row["input_shape"].split("x")),
        "values": values,
    }


@pytest.mark.parametrize("row", [r for r in ROWS if not r["error"]], ids=lambda r: r["id"])
def test_prediction_equals_the_reference_network(row: dict[str, str]) -> None:
    optimised = hwscale.cost(**arguments(row), runtime="tensors")
    strict = hwscale.cost(**arguments(row), runtime="tensors-strict")
    predicted = (optimised.cost.params, optimised.cost.macs, optimised.cost.ram_bytes, strict.cost.ram_bytes)
    assert predicted == tuple(int(row[key]) for key in ("params", "macs", "peak_opt", "peak_strict"))


@pytest.mark.parametrize("row", [r for r in ROWS if r["error"]], ids=lambda r: r["id"])
def test_what_the_reference_cannot_build_is_refused_with_a_reason(row: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"cannot be built: .{20,}"):
        hwscale.cost(**arguments(row))


def test_golden_data_holds_96_networks_and_18_refusals() -> None:
    assert (sum(not r["error"] for r in ROWS), sum(bool(r["error"]) for r in ROWS)) == (96, 18)
