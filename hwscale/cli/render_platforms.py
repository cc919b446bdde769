"""Tables of ``hwscale platforms list|show``."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hwscale.cli.console import open_console
from hwscale.latency_file import latency_models
from hwscale.latency_model import LatencyModel
from hwscale.platform import Platform
from hwscale.units import format_bytes


def render_platforms(platforms: Sequence[Platform]) -> None:
    """One line a platform."""
    table = Table(box=None, padding=(0, 2), show_edge=False)
    table.add_column("name")
    table.add_column("core")
    for column in ("arena RAM", "Flash", "clock"):
        table.add_column(column, justify="right")
    table.add_column("latency by default")
    for p in platforms:
        flash = "-" if p.flash_bytes is None else format_bytes(p.flash_bytes)
        clock = f"{p.clock_hz / 1e6:g} MHz"
        models = latency_models(p)
        latency = models[0].name if models else p.default_rates
        table.add_row(p.name, escape(p.core), format_bytes(p.arena_bytes), flash, clock, escape(latency or "-"))
    open_console().print(table)


def render_platform(platform: Platform) -> None:
    """Everything a descriptor says, with sources."""
    console = open_console()
    console.print(f"[bold]{platform.name}[/bold]  " + escape(f"{platform.part}, {platform.vendor}, {platform.core}"))
    console.print(
        f"  clock {platform.clock_hz / 1e6:g} MHz ({platform.clock_source.status}: {escape(platform.clock_source.text)})"
    )
    regions = escape(" + ".join(platform.arena_regions))
    console.print(f"  arena RAM {format_bytes(platform.arena_bytes)}: {regions}")
    if platform.flash is None:
        console.print("  Flash: no limit")
    else:
        source = platform.flash.source
        size = format_bytes(platform.flash.size_bytes)
        console.print(f"  Flash {size} {platform.flash.location} ({source.status}: {escape(source.text)})")
    table = Table(box=None, padding=(0, 2), show_edge=False)
    for column in ("region", "address", "size", "arena", "status", "source"):
        table.add_column(column)
    for region in platform.ram:
        address = "-" if region.base_address is None else f"0x{region.base_address:08x}"
        arena = "yes" if region.arena else "no"
        table.add_row(
            escape(region.name),
            address,
            format_bytes(region.size_bytes),
            arena,
            region.source.status,
            escape(region.source.text),
        )
    console.print(table)
    for power in platform.power:
        console.print(
            f"  power {power.power_mw:g} mW, {escape(power.condition)} ({power.source.status}: {escape(power.source.text)})"
        )
    models = latency_models(platform)
    if models:
        _models(console, models)
    if not platform.throughput:
        if not models:
            console.print(
                "  no operator model and no operator rates: latency is that of another part with the same core, or unknown"
            )
        return
    rates = Table(box=None, padding=(0, 2), show_edge=False)
    for column in ("operator", "rates", "M MAC/s", "status", "source"):
        rates.add_column(column, justify="right" if column == "M MAC/s" else "left")
    for rate in platform.throughput:
        speed = "not supported" if rate.mac_per_s is None else f"{rate.mac_per_s / 1e6:.1f}"
        rates.add_row(rate.operator, escape(rate.runtime), speed, rate.source.status, escape(rate.source.text))
    console.print(rates)
    if platform.default_rates and not models:
        console.print(f"  default rates: {escape(platform.default_rates)}")


def _models(console: Console, models: Sequence[LatencyModel]) -> None:
    """The operator models, the default first: what a unit of each work takes, and how well that is known."""
    console.print(f"  latency: operator models measured at {models[0].clock_hz / 1e6:g} MHz, the first is the default")
    table = Table(box=None, padding=(0, 2), show_edge=False)
    for column in ("model", "of runtime", "coefficients", "left-out error", "9 of 10 within", "networks", "source"):
        table.add_column(column)
    for model in models:
        low, high = model.interval
        error = "-" if model.left_out_error is None else f"{100 * model.left_out_error:.1f} %"
        table.add_row(
            escape(model.name),
            escape(", ".join(model.runtimes) or "-"),
            "; ".join(_coefficient(term.work.quantity, term.work.operators, term.seconds) for term in model.terms),
            error,
            f"{100 * (low - 1):+.0f} .. {100 * (high - 1):+.0f} %",
            str(model.networks),
            escape(model.source + (f" ({model.note})" if model.note else "")),
        )
    console.print(table)


def _coefficient(quantity: str, operators: Sequence[str], seconds: float) -> str:
    """ "depthwise 114 M MAC/s", "8.1 ns an element", "161 us a call"."""
    if quantity == "macs":
        return f"{', '.join(operators)} {1e-6 / seconds:.0f} M MAC/s"
    return f"{1e9 * seconds:.3g} ns an element" if quantity == "elements" else f"{1e6 * seconds:.3g} us a call"
