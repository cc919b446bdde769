"""``python -m benchmarks.schedules``: MACs and RAM of patches and streams beside the published tables.

Writes the tables of docs/schedules.md between its two marks. Data: tests/data/streamnet_table1.csv and streamnet_table2.csv, the
tables of StreamNet's supplement. ``--check`` says whether the document is what this would write.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import mean

import hwscale
from benchmarks import schedule_latency
from benchmarks.fidelity_tables import table
from benchmarks.generated import write_or_check
from hwscale.configuration import configure
from hwscale.formulas.graph import Graph
from hwscale.result import CostReport
from hwscale.runtimes import find_runtime
from hwscale.schedules import Schedule, stage_macs
from hwscale.schedules.geometry import make_stage
from hwscale.schedules.memory import scheduled

KIB, MILLION = 1024, 1e6
ROOT = Path(__file__).parents[1]
DATA, DOCUMENT = ROOT / "tests" / "data", ROOT / "docs" / "schedules.md"
BEGIN, END = "<!-- begin: python -m benchmarks.schedules -->", "<!-- end -->"
MOBILENET = {"alpha": 1.0, "resolution": 224}
PATCHES = {"n_patch": 4, "split_idx": 13}
NAMES = ("patch", "patch+", "stream1d", "stream2d")


@dataclass(frozen=True, slots=True)
class Cell:
    """One printed number and ours, in its unit (millions of MACs or KiB); ``digits`` are the decimals that are printed; ``least``
    is our lower end where there is one."""

    quantity: str
    model: str
    schedule: Schedule
    printed: float
    ours: float
    digits: int
    least: float | None = None

    @property
    def equal(self) -> bool:
        return abs(self.ours - self.printed) <= 0.5 * 10**-self.digits + 1e-9

    @property
    def error(self) -> float:
        return self.ours / self.printed - 1


@cache
def graph(preset: str) -> Graph:
    """A published network of the MCUNet zoo."""
    found = configure("mcunet", {"preset": preset})
    return found.model("tensors", False).graph(found.knobs, *found.input_shape[1:])[0]


@cache
def table2() -> tuple[Cell, ...]:
    """MACs of the patch stage, ADDs counted: 10 networks, 4 schedules."""
    found = []
    for row in _rows("streamnet_table2.csv"):
        plan = _plan(row)
        ours = stage_macs(graph(row["preset"]), plan, additions=True) / MILLION
        found.append(Cell("stage MACs", row["model"], plan, float(row["stage_macs_M"]), ours, 2))
    return tuple(found)


@cache
def table1() -> tuple[Cell, ...]:
    """MACs of whole networks, ADDs counted, and memory: 10 networks, `patch` and `stream2d` each on its own patches."""
    found = []
    for row in _rows("streamnet_table1.csv"):
        plan, report = _plan(row), _cost(row)
        macs = (report.cost.macs + report.additions) / MILLION
        found.append(Cell("MACs", row["model"], plan, float(row["macs_M"]), macs, 0))
        least = None if report.least_ram_bytes is None else report.least_ram_bytes / KIB
        ram = report.cost.ram_bytes / KIB
        found.append(Cell("memory", row["model"], plan, float(row["memory_kb"]), ram, 0, least))
    return tuple(found)


def memory(name: str) -> list[Cell]:
    """The memory cells of one schedule."""
    return [cell for cell in table1() if cell.quantity == "memory" and cell.schedule.name == name]


def mobilenet() -> list[tuple[str, str, float]]:
    """MobileNetV2 1.0 at 224 px: what, as published or derived from it, ours."""
    found = configure("mobilenet_v2", MOBILENET, classes=1000)
    net = found.model("tensors", False).graph(found.knobs, *found.input_shape[1:])[0]
    layer, patch, bypass = (Schedule(name, **PATCHES) for name in ("layer", "patch", "patch+"))
    before, after = _terms(net, Schedule("layer")), _terms(net, patch)
    staged = [after[step.op.name] for step in make_stage(net, patch).steps]
    stage = stage_macs(net, patch) / stage_macs(net, layer)
    reports = {name: hwscale.cost("mobilenet_v2", MOBILENET, classes=1000, runtime="tinyengine", schedule=name, **PATCHES)
               for name in ("patch", "patch+")}  # fmt: skip
    rows, _ = make_stage(net, bypass).extents[0]
    ram = reports["patch"].cost.ram_bytes
    return [
        ("op by op, input + output of the neediest op [KiB]", "1372", max(before.values()) / KIB),
        ("4 x 4 patches, output of the stage + neediest op of a patch [KiB]", "at most 172", max(staged) / KIB),
        ("4 x 4 patches, input + output behind the split [KiB]", "172", after["b5.expand"] / KIB),
        ("4 x 4 patches, SRAM of TinyEngine: ADDs, buffers and gaps counted [KiB]", "", ram / KIB),
        ("side of the image patch [px]", "75", rows.patch),
        ("MACs of the stage, schedule patch over layer", "1.42", stage),
        ("MACs of the network, schedule patch over layer", "", reports["patch"].recomputation),
        ("MACs of the network, schedule patch+ over layer", "1.10", reports["patch+"].recomputation),
    ]


def bars() -> list[tuple[str, str, bool]]:
    """What must hold: the claim, what is found, whether it holds."""
    macs2, macs1 = table2(), [cell for cell in table1() if cell.quantity == "MACs"]
    patch, stream = memory("patch"), memory("stream2d")
    equal2, equal1, equal = (sum(cell.equal for cell in cells) for cells in (macs2, macs1, patch))
    near = sum(abs(cell.error) <= 0.025 for cell in patch if not cell.equal)
    error = 100 * mean(abs(cell.error) for cell in stream)
    inside = sum(cell.least is not None and cell.least <= cell.printed for cell in stream)
    layer, stage, behind = (ours for *_, ours in mobilenet()[:3])
    return [
        ("Table 2: at least 39 of 40 stage MACs equal to two decimals", f"{equal2} of {len(macs2)}", equal2 >= 39),
        ("Table 1: all MACs equal as printed", f"{equal1} of {len(macs1)}", equal1 == len(macs1)),
        ("Table 1: memory of `patch` equal in at least 7 of 10 rows", f"{equal} of {len(patch)}", equal >= 7),
        ("Table 1: two more rows within 2.5 %", f"{near}", near >= 2),
        ("Table 1: mean error of the memory of `stream2d` at most 4 %", f"{error:.2f} %", error <= 4),
        ("Table 1: lower end of `stream2d` below the printed memory", f"{inside} of {len(stream)}", inside == len(stream)),
        ("MobileNetV2 1.0 at 224 px: 1372 KiB op by op", f"{layer:.1f} KiB", round(layer) == 1372),
        ("MobileNetV2 1.0 at 224 px: 172 KiB on 4 x 4 patches", f"{max(stage, behind):.1f} KiB", 171 < max(stage, behind) <= 172),
    ]  # fmt: skip


def tables() -> str:
    """What stands between the marks."""
    sections = {
        "Bars": table(["", "found", "holds"], [(a, b, "yes" if c else "**no**") for a, b, c in bars()]),
        "StreamNet, Table 2: MACs of the stage [M], printed / ours": _table2(),
        "StreamNet, Table 1: MACs [M] and memory [KiB], printed / ours": _table1(),
        "StreamNet, Table 3: latency of the stage on STM32F767 [ms], published / operator model": schedule_latency.stage_table(),
        "StreamNet, Table 1: latency of whole networks": schedule_latency.network_table(),
        "Misses": _misses(),
        "MobileNetV2 1.0, 224 px, 4 x 4 patches, 13 ops": table(
            ["", "published", "ours"], [(what, known, f"{ours:.4g}") for what, known, ours in mobilenet()]
        ),
    }
    return "\n\n".join(f"### {title}\n\n{text}" for title, text in sections.items())


def _table2() -> str:
    lines = []
    for model in dict.fromkeys(cell.model for cell in table2()):
        own = [cell for cell in table2() if cell.model == model]
        plan = own[0].schedule
        cells = (f"{cell.printed:.2f} / {cell.ours:.2f}" for cell in own)
        lines.append([model, f"{plan.n_patch}, {plan.split_idx}", *cells])
    return table(["network", "n_patch, split_idx", *NAMES], lines)


def _table1() -> str:
    lines = []
    for macs, ram in zip(table1()[::2], table1()[1::2], strict=True):
        plan = ram.schedule
        least = "" if ram.least is None else f"{ram.least:.1f}"
        numbers = f"{macs.printed:.0f} / {macs.ours:.1f}", f"{ram.printed:.0f} / {ram.ours:.1f}"
        error = "equal" if ram.equal else f"{100 * ram.error:+.1f} %"
        lines.append([ram.model, plan.name, f"{plan.n_patch}, {plan.split_idx}", *numbers, error, least])
    return table(["network", "schedule", "n_patch, split_idx", "MACs", "memory", "memory error", "lower end"], lines)


def _misses() -> str:
    missed = [cell for cell in (*table2(), *table1()) if not cell.equal]
    lines = [
        [f"{cell.model}, {cell.quantity}, {cell.schedule.name}", f"{cell.printed:g}", f"{cell.ours:.2f}", f"{100 * cell.error:+.2f} %"]
        for cell in missed
    ]  # fmt: skip
    return table(["cell", "printed", "ours", "error"], lines)


def _terms(net: Graph, plan: Schedule) -> dict[str, int]:
    """Bytes of live tensors at every op, as TinyEngine has them."""
    runtime = find_runtime("tinyengine")
    lowered = runtime.lower(scheduled(net, plan), ())
    return dict(runtime.memory(lowered).regions[0].terms([x.size for x in lowered.tensors]))


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _plan(row: dict[str, str]) -> Schedule:
    return Schedule(row["schedule"], int(row["n_patch"]), int(row["split_idx"]))


def _cost(row: dict[str, str]) -> CostReport:
    numbers = {name: int(row[name]) for name in ("n_patch", "split_idx")}
    return hwscale.cost("mcunet", {"preset": row["preset"]}, runtime="tinyengine", schedule=row["schedule"], **numbers)


def expected() -> str:
    """What the document must hold; its prose is its own."""
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    return f"{before}{BEGIN}\n{tables()}\n{END}{rest.partition(END)[2]}"


def main(argv: Sequence[str] | None = None) -> int:
    """Write the document; with ``--check`` 1 if it holds something else. 1 as well if a bar is missed."""
    code = write_or_check("benchmarks.schedules", __doc__, lambda: {DOCUMENT: expected()}, argv)
    return code or int(not all(holds for *_, holds in bars()))


if __name__ == "__main__":
    sys.exit(main())
