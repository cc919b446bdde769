"""What runtime `tflm` predicts of every network that was converted and run by TensorFlow Lite Micro.

benchmarks/data/tflm_measured.csv is the sweep that the rules were derived from, benchmarks/data/tflm_variants.csv came
after them: other paddings and activations. Columns: docs/tflm.md.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from benchmarks.fidelity_record import LeftOut, Record
from hwscale.configuration import configure
from hwscale.errors import ConfigError

DATA = Path(__file__).parent / "data"
FILES = {"tflm_measured.csv": True, "tflm_variants.csv": False}
"""Each file, and whether the rules were derived from it."""
FILE_ERROR = 0.0035
"""What the runtime states of the stripped file; arena numbers are exact."""


def compared() -> tuple[list[Record], list[LeftOut]]:
    """Head, tail, arena and stripped file of every network that both sides take, and the networks that one of them
    refuses."""
    records: list[Record] = []
    left: list[LeftOut] = []
    for name, fitted in FILES.items():
        if not (DATA / name).is_file():
            continue
        with (DATA / name).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                found = _row(row, f"benchmarks/data/{name}", fitted)
                if isinstance(found, LeftOut):
                    left.append(found)
                else:
                    records += found
    return records, left


def _row(row: dict[str, str], source: str, fitted: bool) -> list[Record] | LeftOut:
    values = {name: _tuples(value) for name, value in json.loads(row["values"]).items()}
    shape = tuple(int(side) for side in row["input_shape"].split("x"))
    network = f"{row['family']} {row['input_shape']} classes={row['classes']} {_said(values)}".strip()
    measured = row["status"] == "ok"
    try:
        found = configure(row["family"], values, input_shape=shape, classes=int(row["classes"]))
        model = found.model("tflm", False)
        graph, _ = model.graph(found.knobs, *shape[1:])
        refusal = model.runtime.refuse(graph)
    except ConfigError as error:
        return LeftOut("tflm", network, f"hwscale cannot price it: {error}", source)
    if refusal or not measured:
        both = "refused by TensorFlow Lite Micro and by the runtime model" if refusal and not measured else ""
        return LeftOut(
            "tflm", network, both or (f"only the model refuses it: {refusal}" if refusal else row["status"]), source
        )
    lowered = model.lowered(graph)
    parts = dict(model.runtime.plan(lowered, False))
    predicted = {**parts, "arena": sum(parts.values()), "stripped file": int(model.runtime.flash_bytes(lowered))}
    truth = {
        "head": int(row["head_bytes"]),
        "tail": int(row["tail_bytes"]),
        "arena": int(row["total_bytes"]),
        "stripped file": int(row["stripped_bytes"]),
    }
    return [
        Record(
            "tflm", quantity, row["family"], network, predicted[quantity], predicted[quantity], number, source,
            allowed=FILE_ERROR * number if quantity == "stripped file" else 0.0, fitted=fitted,
        )
        for quantity, number in truth.items()
    ]  # fmt: skip


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _said(values: dict[str, Any]) -> str:
    return " ".join(f"{name}={','.join(map(str, v)) if isinstance(v, tuple) else v}" for name, v in values.items())
