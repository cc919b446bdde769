"""``hwscale cost`` of a .tflite file or of package.module:factory: the report, its JSON, and one sentence for every mistake."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tflite_builder import built, residual_net

import hwscale
from hwscale.platform import load_platform
from hwscale.runtimes import RUNTIMES

PLATFORM = "stm32h743"
ROW = {"name", "ram_bytes", "flash_bytes", "evidence", "at_least", "reason", "fits"}
TOP = {
    "schema",
    "source",
    "input_shape",
    "platform",
    "regions",
    "ops",
    "totals",
    "peak",
    "runtimes",
    "unknown_ops",
}
FACTORIES = """
import torch
from torch import nn

print("importing talks")

def small():
    print("building talks")
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16 * 16, 4))

class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose2d(3, 4, 2, 2)
    def forward(self, x):
        return self.up(x)

class Branches(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x

ready = nn.Conv2d(3, 4, 1)
number = 7
def wants(width): return nn.Conv2d(3, width, 1)
def fails(): raise ValueError("no\\nweights here")
def quits(): raise SystemExit(3)
def three(): return 3
"""


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "model.tflite"
    path.write_bytes(built())
    return str(path)


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of factories in the current directory, new for every test; its name."""
    (tmp_path / "mynets.py").write_text(FACTORIES)
    (tmp_path / "broken.py").write_text("import nothing_of_that_name\n")
    (tmp_path / "unwritten.py").write_text("def half(:\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(tmp_path)])
    monkeypatch.delitem(sys.modules, "mynets", raising=False)
    return "mynets"


# ---- the report ------------------------------------------------------------------------------------------------------


def test_the_json_of_a_file_holds_ops_peak_and_a_row_per_runtime(cli: Any, model: str) -> None:
    answer = cli("cost", model, "--platform", PLATFORM, "--json")
    assert (answer.code, answer.err) == (0, "")
    record = json.loads(answer.out)
    assert set(record) == TOP
    assert record["schema"] == "hwscale.model-cost/1"
    assert (record["source"], record["platform"], record["input_shape"]) == (model, PLATFORM, [3, 8, 8])
    assert len(record["ops"]) == len(residual_net().operators)
    assert sum(op["macs"] for op in record["ops"]) == record["totals"]["macs"]
    assert max(op["live_bytes"] for op in record["ops"]) == record["totals"]["ram_bytes"]
    assert sum(tensor["size_bytes"] for tensor in record["peak"]["live"]) == record["totals"]["ram_bytes"]
    assert record["peak"]["op"] in {op["name"] for op in record["ops"]}
    assert [row["name"] for row in record["runtimes"]] == list(RUNTIMES)
    regions = {bank.name for bank in load_platform(PLATFORM).ram} | {"flash"}
    for row in record["runtimes"]:
        assert set(row) - {"ram_low_bytes"} == ROW
        assert set(row["fits"]) == set(record["regions"]) == regions
    assert record == hwscale.cost_tflite(model, platform=PLATFORM).to_dict()


def test_without_a_platform_there_is_nothing_to_fit(cli: Any, model: str) -> None:
    record = json.loads(cli("cost", model, "--json").out)
    assert (record["platform"], record["regions"]) == (None, {})
    assert all(row["fits"] == {} for row in record["runtimes"])


def test_the_table_of_a_file_shows_every_op_the_peak_and_every_runtime(cli: Any, model: str) -> None:
    answer = cli("cost", model, "--platform", PLATFORM)
    assert answer.code == 0
    report = hwscale.cost_tflite(model)
    for name in (*(op.name for op in report.ops), *RUNTIMES, "axi_sram", "no arena"):
        assert name in answer.out
    assert f"RAM peaks at {report.peak_op}: {report.totals['ram_bytes']} B" in answer.out


def test_a_factory_is_called_traced_and_priced(cli: Any, nets: str) -> None:
    answer = cli("cost", f"{nets}:small", "--input", "3x32x32", "--platform", PLATFORM, "--json")
    assert answer.code == 0
    assert answer.err.split("\n") == ["importing talks", "building talks", ""]  # not on stdout, which is the result
    record = json.loads(answer.out)
    assert set(record) == TOP
    assert (record["source"], record["input_shape"]) == (f"{nets}:small", [3, 32, 32])
    assert record["totals"]["macs"] == 8 * 16 * 16 * 27 + 8 * 16 * 16 * 4
    assert record["totals"]["params"] == 27 * 8 + 8 + 8 * 16 * 16 * 4 + 4
    table = cli("cost", f"{nets}:small", "--input", "3x32x32")
    assert table.code == 0
    assert "2 ops" in table.out


def test_a_class_or_a_module_that_stands_ready_will_do(cli: Any, nets: str) -> None:
    odd = cli("cost", f"{nets}:Odd", "--input", "3x8x8")
    assert odd.code == 0
    assert "at least 0 MACs" in odd.out
    assert "without a price: up: ConvTranspose2d" in odd.out
    assert cli("cost", f"{nets}:ready", "--input", "3x8x8").code == 0


def test_a_file_is_priced_without_torch(python: Callable[..., Any], model: str) -> None:
    done = python("-c", f"import sys, hwscale; hwscale.cost_tflite({model!r}); print('torch' in sys.modules)")
    assert done.out.split() == ["False"], done.err


def test_a_family_is_priced_as_with_net(cli: Any) -> None:
    named, plain = cli("cost", "--net", "phinet", "--json"), cli("cost", "phinet", "--json")
    assert named.code == plain.code == 0
    assert json.loads(named.out) == json.loads(plain.out)


# ---- mistakes --------------------------------------------------------------------------------------------------------


def test_a_file_that_is_missing_empty_or_another_is_refused(refused: Any, tmp_path: Path) -> None:
    assert "is no file" in refused("cost", tmp_path / "nowhere.tflite")
    assert "is no file" in refused("cost", tmp_path)
    for name, data, sentence in (
        ("empty.tflite", b"", "the file has 0 B"),
        ("cut.tflite", built()[:200], "cut.tflite"),
        ("text.bin", b"#!/bin/sh\n" * 9, "must be b'TFL3'"),
    ):
        (tmp_path / name).write_bytes(data)
        assert sentence in refused("cost", tmp_path / name)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ("mynets:small", ["the size of its input is missing", "--input", "3x96x96"]),
        ("mynets:small --input 3x32", ["3x32", "CHANNELSxHEIGHTxWIDTH"]),
        ("mynets:small --input 3x0x8", ["positive integers"]),
        ("mynets:small --input 3x99999x99999", ["at most 16777216"]),
        ("mynets.py:small --input 3x8x8", ["without .py", "package.module:factory"]),
        (":small --input 3x8x8", ["no import path", "package.module:factory"]),
        ("mynets: --input 3x8x8", ["no import path", "package.module:factory"]),
        ("nowhere.at_all:small --input 3x8x8", ["no module nowhere", "package.module:factory"]),
        ("broken:small --input 3x8x8", ["importing broken raises ModuleNotFoundError", "nothing_of_that_name"]),
        ("unwritten:small --input 3x8x8", ["importing unwritten raises SyntaxError"]),
    ],
)
def test_a_factory_that_cannot_be_found_is_refused(refused: Any, nets: str, arguments: str, parts: list[str]) -> None:
    sentence = refused("cost", *arguments.split())
    for part in parts:
        assert part in sentence


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ("mynets:smal --input 3x8x8", ["has no smal", "did you mean 'small'"]),
        ("mynets:number --input 3x8x8", ["is of type int", "must be a function"]),
        ("mynets:wants --input 3x8x8", ["without arguments raises TypeError", "width"]),
        ("mynets:fails --input 3x8x8", ["raises ValueError: no weights here", "on its own"]),
        ("mynets:quits --input 3x8x8", ["raises SystemExit: 3"]),
        ("mynets:three --input 3x8x8", ["three() returns int", "torch.nn.Module"]),
        ("mynets:Branches --input 3x8x8", ["cannot be traced", "control flow"]),
        ("mynets:small --input 1x32x32", ["does not run on an input of 1 x 32 x 32, at 0"]),
    ],
)
def test_a_factory_that_fails_is_refused(cli: Any, nets: str, arguments: str, parts: list[str]) -> None:
    answer = cli("cost", *arguments.split())
    assert (answer.code, answer.out) == (2, "")
    *talk, sentence = answer.err.strip().splitlines()
    assert set(talk) <= {"importing talks", "building talks"}
    assert sentence.startswith("error: ")
    for part in parts:
        assert part in sentence


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ("", ["nothing to price", "--net", ".tflite", "package.module:factory"]),
        ("phinett", ["no family, no file", "did you mean 'phinet'"]),
        ("phinet --net xinet", ["both given"]),
        ("MODEL --input 3x8x8", ["holds the shape of its input"]),
        ("MODEL --fix alpha=1", ["--fix is for families"]),
        ("MODEL --runtime tflm", ["--runtime is for families"]),
        ("MODEL --classes 3", ["--classes is for families"]),
        ("MODEL --macc", ["--macc is for families"]),
        ("MODEL --platform stm32h74", ["did you mean 'stm32h74"]),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    refused: Any, model: str, arguments: str, parts: list[str]
) -> None:
    sentence = refused("cost", *(model if word == "MODEL" else word for word in arguments.split()))
    for part in parts:
        assert part in sentence
