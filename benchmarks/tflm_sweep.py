"""``python -m benchmarks.tflm_sweep``: what TensorFlow Lite Micro allocates for networks of every family.

Each row of benchmarks/data/tflm_measured.csv is one network: converted to int8, run in TensorFlow Lite Micro, compared
with torch. Rows that are there are not measured again, so a stopped sweep goes on where it was. Needs hwscale[convert].

All sizes in bytes. ``tail_sections`` and ``op_counts`` (in order of first execution) are JSON; ``w8`` int8 weights, ``b32``
int32 constants, ``sum_cout`` output channels of convolutions and fully connected layers; ``correlation`` and ``max_error`` of
the int8 outputs against torch in float32; ``status`` "ok", or why there is no measurement. Weights are random, batch
normalisations have seen random images: no allocation depends on either, the stripped file by some 100 B.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwscale.errors import HwscaleError

if TYPE_CHECKING:
    from torch import nn

Network = tuple[str, dict[str, Any], tuple[int, int, int], int]

DATA = Path(__file__).parent / "data" / "tflm_measured.csv"
KEY = ("family", "values", "input_shape", "classes")
COLUMNS = (
    *KEY,
    *("total_bytes", "head_bytes", "tail_bytes", "tail_sections"),
    *("n_ops", "n_tensors", "op_counts", "w8", "b32", "sum_cout", "exported_bytes", "stripped_bytes"),
    *("correlation", "max_error", "status"),
)
SETTLING_IMAGES = 32
GAIN = 0.3
LEAST_VARIANCE = 0.05


def _square(side: int, channels: int = 3) -> tuple[int, int, int]:
    return (channels, side, side)


def _phinet() -> Iterator[Network]:
    small = {"num_layers": 6, "t_zero": 4, "alpha": 0.25}
    plain = {**small, "h_swish": False, "squeeze_excite": False}
    for side in (64, 48, 70, 65, 33):
        yield "phinet", small, _square(side), 10
    yield "phinet", {"alpha": 0.2}, _square(96), 2
    yield "phinet", {"num_layers": 9, "t_zero": 5, "beta": 0.75, "alpha": 0.3}, _square(80), 23
    yield "phinet", plain, _square(64), 10
    yield "phinet", plain, _square(66), 100
    yield "phinet", {**small, "h_swish": False}, _square(64), 10
    yield "phinet", {**small, "squeeze_excite": False}, _square(64), 10
    yield "phinet", {**small, "pool": True}, _square(64), 10
    yield "phinet", {**plain, "pool": True}, _square(50), 10
    yield "phinet", {**small, "conv2d_input": True}, _square(32), 10
    yield "phinet", {**plain, "conv2d_input": True}, _square(32), 10
    yield "phinet", {**small, "conv5_percent": 0.5}, _square(64), 10
    yield "phinet", {**small, "residuals": False}, _square(64), 10
    yield "phinet", {**small, "first_conv_stride": 1}, _square(40), 10
    yield "phinet", {**small, "divisor": 8}, _square(64), 10
    yield "phinet", {**small, "include_top": False}, _square(64), 10
    yield "phinet", small, _square(64, 1), 10
    yield "phinet", small, (3, 64, 96), 10
    yield "phinet", {"num_layers": 7, "alpha": 0.2, "downsampling_layers": [4, 6]}, _square(64), 1000


def _xinet() -> Iterator[Network]:
    for alpha, side, classes in ((0.3, 64, 10), (0.5, 80, 2), (0.4, 96, 100), (0.25, 128, 10), (0.5, 64, 1000)):
        yield "xinet", {"alpha": alpha}, _square(side), classes
    small = {"alpha": 0.4}
    yield "xinet", small, _square(72), 10  # TensorFlow Lite Micro has no such adaptive pool
    yield "xinet", small, _square(48), 10
    yield "xinet", small, _square(112), 10
    yield "xinet", {**small, "skip": False}, _square(64), 10
    yield "xinet", {**small, "skip": False}, _square(72), 10
    yield "xinet", {**small, "attention": False}, _square(64), 10
    yield "xinet", {**small, "attention": False, "skip": False}, _square(63), 10
    yield "xinet", {**small, "gamma": 2, "num_layers": 6}, _square(80), 10
    yield "xinet", {**small, "num_layers": 6}, _square(96), 10
    yield "xinet", {**small, "num_layers": 3}, _square(32), 10
    yield "xinet", {**small, "num_layers": 7}, _square(64), 10
    yield "xinet", {**small, "num_layers": 5}, _square(32), 10
    yield "xinet", {**small, "beta": 1.25}, _square(64), 10
    yield "xinet", small, _square(64, 1), 10
    yield "xinet", {"alpha": 0.75}, _square(64), 10


def _mobilenets() -> Iterator[Network]:
    for alpha, side, classes in ((0.25, 96, 2), (0.25, 65, 10), (0.125, 48, 10), (0.25, 33, 1000), (0.5, 64, 10)):
        yield "mobilenet_v1", {"alpha": alpha}, _square(side), classes
    yield "mobilenet_v1", {"alpha": 0.1, "divisor": 1}, _square(50), 3
    yield "mobilenet_v1", {"alpha": 0.25}, _square(96, 1), 2
    yield "mobilenet_v1", {"alpha": 0.25}, _square(32), 10
    for alpha, side, classes in ((0.35, 96, 2), (0.25, 65, 10), (0.1, 48, 10), (0.35, 33, 1000)):
        yield "mobilenet_v2", {"alpha": alpha}, _square(side), classes
    yield "mobilenet_v2", {"alpha": 0.2, "scale_head": True}, _square(72), 10
    yield "mobilenet_v2", {"alpha": 0.2, "scale_head": True, "divisor": 1}, _square(64, 1), 10
    yield "mobilenet_v2", {"alpha": 0.2, "scale_head": True, "include_top": False}, _square(64), 10


def _atomnet() -> Iterator[Network]:
    widths = {f"width{s}": width for s, width in enumerate((16, 16, 24, 32, 40, 48))}
    small = {**widths, "depth4": 2, "depth5": 1, "expand4": 3, "expand5": 3}
    for side, classes in ((64, 10), (96, 2), (70, 10), (33, 1000)):
        yield "atomnet", small, _square(side), classes
    for activation in ("relu6", "hard_swish"):
        yield "atomnet", {**small, "activation": activation}, _square(64), 10
    yield "atomnet", {**small, "activation": "hard_swish", "se_stages": []}, _square(64), 10
    yield "atomnet", {**small, "se_stages": []}, _square(64), 10
    yield "atomnet", {**small, "se_stages": [1, 2, 3, 4, 5]}, _square(64), 10
    yield "atomnet", {**small, "se_placement": "expanded"}, _square(64), 10
    yield "atomnet", {**small, "residual": "all", "width2": 16}, _square(64), 10
    yield "atomnet", {**small, "residual": "none"}, _square(64), 10
    for kernel, side in ((5, 64), (5, 65), (7, 64), (1, 64)):
        yield "atomnet", {**small, "kernel": kernel}, _square(side), 10
    yield "atomnet", {**small, "block3": "mbconv", "block4": "mbconv", "block5": "mbconv"}, _square(64), 10
    yield "atomnet", {**small, "expand4": 1, "expansion_base": "out"}, _square(64), 10
    yield "atomnet", small, _square(64, 1), 10
    yield "atomnet", small, (3, 48, 80), 10


def _mcunet() -> Iterator[Network]:
    for preset, side, classes in (("mcunet-vww0", 64, 2), ("mcunet-in0", 48, 1000), ("mcunet-vww1", 80, 2)):
        yield "mcunet", {"preset": preset}, _square(side), classes
    narrow = {"base_widths": [16, 8, 16, 24, 32, 40, 48, 64]}
    yield "mcunet", narrow, _square(64), 10
    yield "mcunet", {**narrow, "kernel2_1": 5, "kernel3_1": 7, "kernel4_1": 5}, _square(64), 10
    yield "mcunet", {**narrow, "kernel2_1": 5, "kernel3_1": 7, "kernel4_1": 5}, _square(65), 10
    yield "mcunet", {**narrow, "mix_channels": 96, "depth2": 1, "depth6": 1}, _square(96), 100
    yield "mcunet", {**narrow, "expand2_1": 1, "kernel5_1": 1}, _square(72), 10
    yield "mcunet", narrow, _square(64, 1), 10
    yield "mcunet", {"preset": "mbv2-w0.35"}, _square(96), 1000
    yield "mcunet", {"preset": "proxyless-w0.3"}, _square(80), 1000
    yield "mcunet", {"preset": "mcunet-in1"}, _square(96), 1000
    yield "mcunet", {"preset": "mcunet-vww2"}, _square(144), 2


def networks() -> list[Network]:
    """(family, values, input shape (C, H, W) [px], classes) of each row, families in turn so that a part covers all."""
    queues = [list(source()) for source in (_phinet, _xinet, _mobilenets, _atomnet, _mcunet)]
    longest = max(map(len, queues))
    return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]


def settled(network: nn.Module, input_shape: tuple[int, int, int]) -> nn.Module:
    """``network`` in evaluation mode, its batch normalisations used to images from N(0, 1), with random offsets.

    Left as constructed, activations shrink with every layer, until int32 cannot hold the last bias in steps of their size.
    Normalised alone, the outputs would be the noise of the image and of every rounding on its way; with offsets above the
    noise they tell whether the file holds this network. A channel that an activation leaves almost constant must not be
    blown up to unit variance either.
    """
    import torch

    source = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
            module.eps = LEAST_VARIANCE
            torch.nn.init.constant_(module.weight, GAIN)
            torch.nn.init.normal_(module.bias, generator=source)
    with torch.no_grad():
        network.train()(torch.randn(SETTLING_IMAGES, *input_shape, generator=source))
    return network.eval()


def row(network: Network, folder: Path) -> dict[str, Any]:
    """Build, convert, run and compare one network; its .tflite is left in ``folder``."""
    import torch

    import hwscale
    from hwscale.measure.convert import convert
    from hwscale.measure.tflm import census, compare

    family, values, input_shape, classes = network
    cells = key(network)
    try:
        torch.manual_seed(0)
        module = settled(hwscale.build(family, values, input_shape=input_shape, classes=classes), input_shape)
        path = convert(module, input_shape, folder / "network.tflite")
        counted = census(path)
        cells |= {
            "n_ops": counted.n_ops,
            "n_tensors": counted.n_tensors,
            "op_counts": json.dumps(counted.op_counts),
            "w8": counted.weight_bytes,
            "b32": counted.int32_bytes,
            "sum_cout": counted.sum_c_out,
            "exported_bytes": counted.exported_bytes,
            "stripped_bytes": counted.stripped_bytes,
        }
        record = compare(module, input_shape, path)
    except HwscaleError as error:
        return cells | {"status": str(error).replace(str(folder / "network.tflite"), "the network")}
    return cells | {
        "total_bytes": record.total_bytes,
        "head_bytes": record.head_bytes,
        "tail_bytes": record.tail_bytes,
        "tail_sections": json.dumps(record.sections),
        "correlation": f"{record.correlation:.6f}",
        "max_error": f"{record.max_error:.6f}",
        "status": "ok",
    }


def key(network: Network) -> dict[str, Any]:
    """The cells that name a network."""
    family, values, input_shape, classes = network
    cells = (family, json.dumps(values, sort_keys=True), "x".join(map(str, input_shape)), str(classes))
    return dict(zip(KEY, cells, strict=True))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is missing; 1 if a network could not be measured at all for want of a package."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tflm_sweep", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--keep", type=Path, help="folder that keeps the .tflite files, by row number")
    options = parser.parse_args(argv)
    DATA.parent.mkdir(exist_ok=True)
    if not DATA.exists():
        DATA.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
    with DATA.open(encoding="utf-8", newline="") as file:
        present = {tuple(cells[name] for name in KEY) for cells in csv.DictReader(file)}
    for number, network in enumerate(networks()):
        if tuple(key(network).values()) in present:
            continue
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            cells = row(network, Path(folder))
            made = Path(folder) / "network.tflite"
            if options.keep and made.exists():
                (options.keep / f"{number:03d}.tflite").write_bytes(made.read_bytes())
        if "pip install" in cells["status"]:
            print(cells["status"], file=sys.stderr)
            return 1
        with DATA.open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n").writerow(cells)
        shown = {name: value for name, value in cells.items() if name in (*KEY, "total_bytes", "correlation", "status")}
        print(f"{time.perf_counter() - started:5.1f} s", *shown.values(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
