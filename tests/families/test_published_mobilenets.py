"""Published MobileNets, all through `hwscale.cost` of runtime tensors: MACs, parameters and Flash as printed by others.

tests/data/mcunetv2_table_s1_mobilenets.csv   MACs and parameters of the MCUNetV2 supplementary material, Table S1
tests/data/st_modelzoo_mobilenets.csv         Flash of weights that ST's tools report for int8 networks of its model zoo
tests/data/mobilenet_accuracy.csv             width x resolution grids of tensorflow/models (slim) and of MutualNet: their
                                              printed MACs, and ``exact_*``, ``ram_B``, ``flash_B`` counted by a script
                                              that shares no code with hwscale
Each row names its source.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest

import hwscale

DATA = Path(__file__).parents[1] / "data"
CLASSES = {"flowers": 5, "imagenet": 1000}


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(newline="") as file:
        return list(csv.DictReader(file))


def priced(net: str, values: dict[str, Any], **given: Any) -> Any:
    return hwscale.cost(net, values, runtime="tensors", **given)


TABLE_S1 = rows("mcunetv2_table_s1_mobilenets.csv")
MODEL_ZOO = rows("st_modelzoo_mobilenets.csv")
GRIDS = rows("mobilenet_accuracy.csv")


@pytest.mark.parametrize("row", TABLE_S1, ids=lambda row: row["model"])
def test_macs_and_params_equal_the_printed_digits_of_mcunetv2_table_s1(row: dict[str, str]) -> None:
    values = {"alpha": row["alpha"], "resolution": row["resolution"]}
    cost = priced(row["net"], values, classes=1000).cost
    # 30.875 M is printed as 30 M: that one cell is truncated, not rounded
    whole = cost.macs // 10**6 if row["model"] == "MobileNetV2 0.35x (r=160)" else round(cost.macs / 1e6)
    assert whole == int(row["macs_M"])
    assert round(cost.params / 1e6, 1) == float(row["params_M"])


def zoo_name(row: dict[str, str]) -> tuple[str, float] | None:
    """(family, alpha) of "MobileNet v2 0.35 fft"; None for FdMobileNet, another architecture with earlier strides."""
    match = re.fullmatch(r"MobileNet v([12]) ([\d.]+)(?: fft| tfs)?", row["model"])
    return (f"mobilenet_v{match[1]}", float(match[2])) if match else None


ZOO = [row for row in MODEL_ZOO if zoo_name(row)]


@pytest.mark.parametrize("row", ZOO, ids=lambda row: f"{row['model']}-{row['dataset']}-{row['tool']}")
def test_flash_equals_the_weights_of_sts_model_zoo_to_ten_bytes(row: dict[str, str]) -> None:
    family, alpha = zoo_name(row) or ("", 0.0)
    height, width = (int(side) for side in row["resolution"].split("x")[:2])
    cost = priced(family, {"alpha": alpha}, input_shape=(3, height, width), classes=CLASSES[row["dataset"]]).cost
    assert round(cost.flash_bytes / 1024, 2) == float(row["weights_flash_kib"])


def test_every_mobilenet_row_of_sts_model_zoo_is_checked_but_fdmobilenet() -> None:
    # rows whose RAM columns do not add up are flagged in the data; their Flash does, so they are checked too
    left_out = {row["model"] for row in MODEL_ZOO if row not in ZOO}
    assert left_out == {"FdMobileNet 0.25", "FdMobileNet 0.25 tfs", "ST FdMobileNet v1", "ST FdMobileNet v1 tfs"}
    assert (len(ZOO), len(MODEL_ZOO) - len(ZOO)) == (43, 42)
    assert {row["format"] for row in ZOO} == {"int8"}


MUTUAL_TRUNCATED = {
    f"mutual_MobileNetV1_{name}"
    for name in ("0.95_224", "0.9_224", "0.95_192", "0.9_192", "0.85_192", "0.8_192", "0.85_160", "0.8_160", "0.7_160",
                 "0.65_160", "0.6_160", "0.45_160", "0.35_160")
}  # fmt: skip
"""The independent count truncated widths here; the published networks round them to multiples of 8: see the MACs below."""


@pytest.mark.parametrize("row", GRIDS, ids=lambda row: row["name"])
def test_costs_equal_an_independent_count_of_published_grids(row: dict[str, str]) -> None:
    values = {
        "alpha": row["alpha"],
        "resolution": row["resolution"],
        "divisor": 1 if row["name"] in MUTUAL_TRUNCATED else 8,
    }
    fit = priced(row["net"], values, classes=1000)
    weights = sum(op.weights for op in fit.ops)
    biases = (fit.cost.flash_bytes - weights) // 4
    # that count folds BN first: one parameter per channel, where `params` has two in training; its Flash has 8 B of them
    assert round(fit.cost.macs / 1e6, 3) == float(row["exact_macs_M"])
    assert round((weights + biases) / 1e6, 4) == float(row["exact_params_M"])
    assert fit.cost.ram_bytes == int(row["ram_B"])
    assert weights + 8 * biases == int(row["flash_B"])


PRINTED_OTHERWISE = {
    # the readme's MACs of alpha = 0.75 are 2.6 % low at every resolution; arXiv 1704.04861, Table 5, prints 325 M
    **{f"mbv1_0.75_{r}{recipe}": 0.974 for r in (128, 160, 192, 224) for recipe in ("", "_q8")},
    # 34 M lies off its own column: (192/224)^2 x 41 M = 30 M
    **{f"mbv1_0.25_192{recipe}": 1.125 for recipe in ("", "_q8")},
}


@pytest.mark.parametrize("row", GRIDS, ids=lambda row: row["name"])
def test_macs_equal_the_printed_whole_millions(row: dict[str, str]) -> None:
    values = {"alpha": row["alpha"], "resolution": row["resolution"]}
    millions = priced(row["net"], values, classes=1000).cost.macs / 1e6
    printed = float(row["macs_M"])
    if row["name"] in PRINTED_OTHERWISE:
        assert printed / millions == pytest.approx(PRINTED_OTHERWISE[row["name"]], abs=0.002)
    else:
        assert int(millions) <= printed <= int(millions) + 1  # some are rounded, some truncated


def test_the_published_data_hold_94_rows_of_macs_and_params() -> None:
    assert (len(TABLE_S1), len(GRIDS)) == (4, 90)
