"""What a calibration found, for people."""

from __future__ import annotations

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from hwscale.calibrated import Calibrated
from hwscale.cli.console import open_console
from hwscale.latency_model import LatencyModel
from hwscale.slips import macs_per_cycle
from hwscale.timing import LITERATURE
from hwscale.units import format_seconds
from hwscale.work import KERNELS


def render_calibrate(found: Calibrated) -> None:
    """Coefficients, how far they are off, every row beside what the others say of it, and what was written."""
    console, model = open_console(), found.model
    single = all(len(sample.ops) == 1 for sample in found.calibration.samples)
    what = "different ops" if single else "networks"
    console.print(f"[bold]{escape(model.name)}[/bold] on {found.platform}, runtime {found.runtime}")
    console.print(f"  {model.n} latencies of {model.networks} {what}, {escape(model.source)}")
    if (speed := macs_per_cycle(found.calibration.samples, model.clock_hz)) is not None:
        console.print(f"  {speed:.3g} MAC per cycle at {model.clock_hz / 1e6:g} MHz in the median row")
    console.print(_coefficients(model))
    if missing := [kind for kind in KERNELS if kind not in model.covers]:
        console.print(f"  no {' or '.join(missing)} among them: networks that have it get no latency from this model")
    console.print(_rows(found))
    low, high = model.interval
    left_out = f"{100 * (model.left_out_error or 0):.2g} %"
    console.print(
        f"  left-out error {left_out}: the mean over rows, each predicted without all rows of its network or op"
    )
    console.print(f"  90 % of {what} within {100 * (low - 1):+.1f} .. {100 * (high - 1):+.1f} % of the prediction")
    if high > LITERATURE:
        console.print(
            "  [yellow]warning:[/yellow] that is wider than rates from papers are off; measure the worst rows again, or more of them"
        )
    if found.default != model.name:
        console.print(f"  default stays {escape(found.default)!r}: name this model where rates are asked for")
    for path in found.files:
        console.print(f"wrote {escape(str(path))}")


def _coefficients(model: LatencyModel) -> Table:
    """By group of operators; what has no part in the latency of a group is a dash."""
    groups: dict[tuple[str, ...], dict[str, float]] = {}
    for term in model.terms:
        groups.setdefault(term.work.operators, {})[term.work.quantity] = term.seconds
    table = Table(box=None, padding=(0, 2), show_edge=False)
    table.add_column("operators")
    for title in ("MMAC/s", "ns per element", "us per call"):
        table.add_column(title, justify="right", no_wrap=True)
    for operators, seconds in groups.items():
        table.add_row(", ".join(operators), *_human(seconds))
    return table


def _human(seconds: Mapping[str, float]) -> tuple[str, str, str]:
    per_mac, per_element, per_call = (seconds.get(quantity, 0.0) for quantity in ("macs", "elements", "ops"))
    return (
        f"{1e-6 / per_mac:,.4g}" if per_mac else "-",
        f"{1e9 * per_element:,.4g}" if per_element else "-",
        f"{1e6 * per_call:,.4g}" if per_call else "-",
    )


def _rows(found: Calibrated) -> Table:
    """Every sample beside its prediction without it, the worst marked."""
    left_out = found.calibration.left_out
    worst = max(left_out, key=lambda one: abs(one.error))
    table = Table(box=None, padding=(0, 2), show_edge=False)
    table.add_column("line", justify="right")
    table.add_column("name", overflow="fold")
    for title in ("measured", "without it", "error"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("")
    for one in left_out:
        mark = "worst" if one is worst else ""
        line = str(one.sample.row) if one.sample.row else "-"
        times = format_seconds(one.sample.latency_s), format_seconds(one.predicted_s)
        table.add_row(line, escape(one.sample.name), *times, f"{100 * one.error:+.1f} %", f"[yellow]{mark}[/yellow]")
    return table
