"""The networks of ST's model zoo whose memory tests/data/st_modelzoo_memory.csv holds, as graphs.

MobileNetV1 and V2 are families of hwscale. FdMobileNet ("FD-MobileNet: Improved MobileNet with a Fast Downsampling
Strategy", arXiv 1802.03750, Table 1) and the ResNet-8 of MLPerf Tiny are written out here: their weights Flash says
that they are the published ones.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from hwscale.configuration import configure
from hwscale.formulas.graph import Graph
from hwscale.runtimes import find_runtime

DATA = Path(__file__).parents[1] / "tests" / "data" / "st_modelzoo_memory.csv"
CLASSES = {"flowers": 5, "imagenet": 1000, "cifar": 10, "cifar10": 10}
RUNTIMES = {"7.3.0": "xcubeai-7.3", "8.1.0": "xcubeai-8.1", "10.0.0": "xcubeai-10.0", "3.0.0": "st-edge-ai-3.0"}
"""Name of the runtime by the version of the tool that ST prints."""
SHARED = (("7.3.0", "8.1.0"), ("10.0.0",), ("3.0.0",))
"""Versions that share an interval."""
SMALL_KIB = 64
_FD_BLOCKS = (
    (64, 2), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 1)
)  # fmt: skip
"""(base width of the pointwise, stride of the depthwise)."""


def rows() -> list[dict[str, str]]:
    """Every row, sizes in KiB as printed; ``flags`` says what is doubtful about one."""
    with DATA.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def title(row: Mapping[str, str]) -> str:
    """The network without the tool, e.g. "MobileNet v1 0.25 96x96x1"; retrained copies have the same title."""
    return f"{re.sub(' (fft|tfs)$', '', row['model'])} {row['resolution']}"


def graph(row: Mapping[str, str]) -> Graph:
    """The network of a row, in Python ints."""
    height, width, channels = (int(side) for side in row["resolution"].split("x"))
    classes = CLASSES[row["dataset"]]
    if row["model"].startswith("FdMobileNet"):
        return _fd_mobilenet(channels, height, width, classes, 0.25)
    if row["model"].startswith("ResNet v1 8"):
        return _resnet_8(channels, height, width, classes)
    match = re.match(r"MobileNet v(\d) ([\d.]+)", row["model"])
    assert match is not None
    shape = (channels, height, width)
    found = configure(f"mobilenet_v{match[1]}", {"alpha": float(match[2])}, input_shape=shape, classes=classes)
    return found.model("tensors", False).graph(found.knobs, height, width)[0]


def _fd_mobilenet(channels: int, height: int, width: int, classes: int, alpha: float) -> Graph:
    g = Graph()
    x = g.conv("stem", g.tensor(channels, height, width), int(32 * alpha), kernel=3, stride=2, padding=1)
    for i, (base, stride) in enumerate(_FD_BLOCKS, start=1):
        x = g.depthwise(f"b{i}.dw", x, kernel=3, stride=stride, padding=1)
        x = g.conv(f"b{i}.pw", x, int(base * alpha))
    g.linear("top.fc", g.average_pool("top.pool", x, 1, 1), classes)
    return g


def _resnet_8(channels: int, height: int, width: int, classes: int) -> Graph:
    g = Graph()
    x = g.conv("stem", g.tensor(channels, height, width), 16, kernel=3, padding=1)
    for i, (filters, stride) in enumerate(((16, 1), (32, 2), (64, 2)), start=1):
        y = g.conv(f"b{i}.conv1", x, filters, kernel=3, stride=stride, padding=1)
        y = g.conv(f"b{i}.conv2", y, filters, kernel=3, padding=1)
        x = g.add(f"b{i}.add", y, x if stride == 1 else g.conv(f"b{i}.skip", x, filters, stride=stride))
    g.linear("top.fc", g.average_pool("top.pool", x, 1, 1), classes)
    return g


def used_for_fit(row: Mapping[str, str]) -> bool:
    """Had the row a part in the intervals of activation RAM: FdMobileNet and rows that contradict others had none."""
    return not row["flags"] and not row["model"].startswith("FdMobileNet")


def fitted(group: Sequence[Mapping[str, str]]) -> tuple[int, int]:
    """(scratch [8 KiB], factor [1/20]) of `hwscale.runtimes.xcubeai` by the procedure stated there, small networks
    first."""
    live = [live_kib(row) for row in group]
    published = [float(row["activation_ram_kib"]) for row in group]
    scratch, factor = 0, 20
    while any(ram > plain + 8 * scratch for ram, plain in zip(published, live, strict=True) if plain <= SMALL_KIB):
        scratch += 1
    while any(ram > plain * factor / 20 + 8 * scratch for ram, plain in zip(published, live, strict=True)):
        factor += 1
    return scratch, factor


def live_kib(row: Mapping[str, str]) -> float:
    """Largest sum of live tensors, none in place [KiB]."""
    plain = find_runtime("executorch")
    return sum(size for _, size in plain.plan(plain.lower(graph(row), ()), False)) / 1024


def left_out(group: Sequence[Mapping[str, str]]) -> list[tuple[Mapping[str, str], float]]:
    """Every row, and by how much of it an interval fitted without its network falls short: 0 where it holds it.

    A network's rows of all versions in the group are left out together.
    """
    found = []
    for row in group:
        scratch, factor = fitted([other for other in group if title(other) != title(row)])
        short = float(row["activation_ram_kib"]) - (live_kib(row) * factor / 20 + 8 * scratch)
        found.append((row, max(short, 0.0) / float(row["activation_ram_kib"])))
    return found
