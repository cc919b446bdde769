"""``python -m benchmarks.tflm_sweep``: what TensorFlow Lite Micro allocates for networks of every family.

Each row of benchmarks/data/tflm_measured.csv (``reference``) and tflm_variants.csv (``variants``) is one network: converted to
int8, run in TensorFlow Lite Micro, compared with torch. Rows that are there are not measured again, so a stopped sweep goes on
where it was. Needs hwscale[convert].

All sizes in bytes. ``tail_sections`` and ``op_counts`` (in order of first execution) are JSON; ``w8`` int8 weights, ``b32``
int32 constants, ``sum_cout`` output channels of convolutions and fully connected layers; ``correlation``, ``image_correlation``
(of the outputs less their mean over the images) and ``max_error`` of the int8 outputs against torch in float32; ``status`` "ok",
or why there is no measurement. Weights are random, batch normalisations have seen random images: no allocation depends on
either, and settled in two ways all files had the same size when stripped.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.tflm_networks import Network, reference_networks, variant_networks
from hwscale.errors import HwscaleError
from hwscale.measure.tflite_model import FileModel

DATA = Path(__file__).parent / "data"
SETS: dict[str, tuple[str, Callable[[], list[Network]]]] = {
    "reference": ("tflm_measured.csv", reference_networks),
    "variants": ("tflm_variants.csv", variant_networks),
}
KEY = ("family", "values", "input_shape", "classes")
COLUMNS = (
    *KEY,
    *("total_bytes", "head_bytes", "tail_bytes", "tail_sections"),
    *("n_ops", "n_tensors", "op_counts", "w8", "b32", "sum_cout", "exported_bytes", "stripped_bytes"),
    *("correlation", "image_correlation", "max_error", "status"),
)
SHOWN = ("total_bytes", "correlation", "image_correlation", "status")
WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def row(network: Network, folder: Path) -> dict[str, Any]:
    """Build, convert, run and compare one network; its .tflite is left in ``folder``."""
    import torch

    import hwscale
    from hwscale.measure.tflite_file import read_tflite
    from hwscale.measure.tflm_file import stripped
    from hwscale.measure.tflm_measure import measure_network

    family, values, input_shape, classes = network
    cells = key(network)
    path = folder / "network.tflite"
    try:
        torch.manual_seed(0)
        module = hwscale.build(family, values, input_shape=input_shape, classes=classes)
        measured = measure_network(module, input_shape, path=path)
    except HwscaleError as error:
        cells["status"] = str(error).replace(str(path), "the network")
    else:
        cells |= {
            "total_bytes": measured.total_bytes,
            "head_bytes": measured.head_bytes,
            "tail_bytes": measured.tail_bytes,
            "tail_sections": json.dumps(measured.sections),
            "correlation": f"{measured.correlation:.6f}",
            "image_correlation": f"{measured.image_correlation:.6f}",
            "max_error": f"{measured.max_error:.6f}",
            "status": "ok",
        }
    if path.exists():
        contents = path.read_bytes()
        cells |= counts(read_tflite(path))
        cells |= {"exported_bytes": len(contents), "stripped_bytes": len(stripped(contents))}
    return cells


def counts(model: FileModel) -> dict[str, Any]:
    """What the file holds; a buffer that several tensors share counts once."""
    constants = {tensor.buffer: tensor for tensor in model.tensors if tensor.is_constant}.values()
    weighted = [op for op in model.operators if op.builtin in WEIGHTED]
    return {
        "n_ops": len(model.operators),
        "n_tensors": len(model.tensors),
        "op_counts": json.dumps(Counter(op.builtin for op in model.operators)),
        "w8": sum(tensor.stored_bytes for tensor in constants if tensor.dtype == "INT8"),
        "b32": sum(tensor.stored_bytes for tensor in constants if tensor.dtype == "INT32"),
        "sum_cout": sum(model.tensors[op.outputs[0]].shape[-1] for op in weighted),
    }


def key(network: Network) -> dict[str, Any]:
    """The cells that name a network."""
    family, values, input_shape, classes = network
    cells = (family, json.dumps(values, sort_keys=True), "x".join(map(str, input_shape)), str(classes))
    return dict(zip(KEY, cells, strict=True))


def sweep(networks: list[Network], data: Path, keep: Path | None) -> bool:
    """Measure what ``data`` lacks and append it; False if a package is missing."""
    data.parent.mkdir(exist_ok=True)
    if not data.exists():
        data.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
    with data.open(encoding="utf-8", newline="") as file:
        present = {tuple(cells[name] for name in KEY) for cells in csv.DictReader(file)}
    for number, network in enumerate(networks):
        if tuple(key(network).values()) in present:
            continue
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            cells = row(network, Path(folder))
            made = Path(folder) / "network.tflite"
            if keep and made.exists():
                (keep / f"{data.stem}_{number:03d}.tflite").write_bytes(made.read_bytes())
        if "pip install" in cells["status"]:
            print(cells["status"], file=sys.stderr)
            return False
        with data.open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n").writerow(cells)
        shown = {name: value for name, value in cells.items() if name in (*KEY, *SHOWN)}
        print(f"{time.perf_counter() - started:5.1f} s", *shown.values(), flush=True)
    return True


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is missing; 1 if a network could not be measured at all for want of a package."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tflm_sweep", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--only", choices=SETS, help="measure this set of networks; all by default")
    parser.add_argument("--keep", type=Path, help="folder that keeps the .tflite files, by set and row")
    options = parser.parse_args(argv)
    for name in [options.only] if options.only else SETS:
        file, networks = SETS[name]
        if not sweep(networks(), DATA / file, options.keep):
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
