"""Tables for people; numbers come ready from the API, here they only get units."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hwscale.budget import show
from hwscale.cli.console import open_console
from hwscale.cli.render_what_if import render_what_ifs
from hwscale.configuration import LiveTensor
from hwscale.exchange import Bottleneck
from hwscale.formulas import find_family
from hwscale.ledger import OpRecord
from hwscale.result import Cost, CostReport, Fit, described
from hwscale.runtimes import RUNTIMES
from hwscale.schedules import Schedule
from hwscale.stage_names import gathered
from hwscale.units import format_bytes, format_count, format_seconds
from hwscale.verification import Verification

_LABELS = {"ram": "RAM", "flash": "Flash", "macs": "MACs", "latency": "latency", "energy": "energy"}
_MEASURED = {"ram": "ram_bytes", "flash": "flash_bytes", "macs": "macs"}


def render_fit(fit: Fit, *, explain: bool) -> None:
    """The answer: hyperparameters, cost against limits and measurement, proof."""
    console = open_console()
    where = f" on {fit.platform}" if fit.platform else ""
    console.print(
        f"[bold]{fit.family}[/bold]{where}, runtime {fit.runtime}, objective {fit.objective}{_scheduled(fit)}"
    )
    console.print(
        "  "
        + "  ".join(
            f"{name}=[bold]{value}[/bold]"
            for name, value in gathered(fit.hyperparameters, fit.configuration.hyperparameters)
        )
    )
    channels, height, width = fit.input_shape
    console.print(f"  input {channels}x{height}x{width}, {fit.configuration.classes} classes")
    console.print(_cost_table(fit))
    for name, target in fit.targets.items():
        console.print(f"  target {name} {show(name, target)}: {100 * fit.distance[name]:+.2f} %")
    if fit.cost.latency_s is not None:
        console.print(f"  latency {escape(str(fit.evidence['latency']))}")
    reserve = ", ".join(f"{name} {format_bytes(size)}" for name, size in fit.reserve.items())
    bare = fit.platform is not None and not any(fit.reserve.values()) and not fit.margin
    hint = "; nothing is kept for code, stack and buffers: --reserve-ram, --reserve-flash" if bare else ""
    console.print(f"  reserve: {reserve}; margin {100 * fit.margin:g} %{hint}")
    console.print("  " + _proof(fit))
    if fit.restriction:
        console.print(f"  among {fit.restriction}")
    console.print("  " + _verified(fit.verification, fit.runtime))
    _figures(console, fit.verification)
    for warning in fit.warnings:
        console.print(f"  [yellow]warning:[/yellow] {escape(warning)}")
    if explain or fit.warnings:
        _neighbours(console, fit)
    if explain:
        _explain(console, fit)


def _scheduled(fit: Fit) -> str:
    """The schedule in the header; nothing where it is op by op."""
    if fit.schedule == "layer":
        return ""
    patches = f"{fit.split_idx} ops on {fit.n_patch} x {fit.n_patch} patches"
    return f", schedule {fit.schedule}: {patches}, {fit.cost.macs / fit.layer_macs:.2f} x the MACs of layer"


def _neighbours(console: Console, fit: Fit) -> None:
    """What one step in resolution would give; an answer outside published practice is best judged beside them."""
    for other in fit.neighbours():
        knobs = "  ".join(f"{name}={value}" for name, value in gathered(other.hyperparameters, other.hyperparameters))
        score = f"{fit.objective} {other.objective - fit.certificate.objective:+.4g}"
        console.print(
            f"  neighbour: {knobs}: {format_count(other.macs)} MACs, RAM {format_bytes(other.ram_bytes)}, {score}"
        )


def _cost_table(fit: Fit) -> Table:
    table = Table(box=None, padding=(0, 2), show_edge=False, pad_edge=True)
    table.add_column("")
    for column in ("predicted", "measured", "limit", "used"):
        table.add_column(column, justify="right")
    table.add_column("")
    measured = _measured(fit.verification, fit.runtime)
    for name, label in _LABELS.items():
        value = fit.cost.quantity(name)
        if value is None:
            continue
        limit = fit.limits.get(name)
        against = fit.cost.quantity(name, fit.latency_limit)
        seen = measured.get(_MEASURED.get(name, ""))
        table.add_row(
            label,
            show(name, value),
            "" if seen is None else show(name, seen),
            "" if limit is None else show(name, limit),
            "" if limit is None else f"{100 * (against or 0) / limit:.1f} %",
            _remark(fit, name),
        )
    seen = measured.get("params")
    table.add_row("params", format_count(fit.cost.params), "" if seen is None else format_count(seen), "", "", "")
    return table


def interval(cost: Cost, name: str) -> str:
    """The ends of what is expected in 9 of 10 cases, for people."""
    ends = {"latency": cost.latency_interval_s, "energy": cost.energy_interval_j}[name]
    return "" if ends is None else f"{show(name, ends[0])} to {show(name, ends[1])}"


def _measured(verification: Verification, runtime: str) -> dict[str, int]:
    """What was measured of the very quantities that were predicted: a trace has tensors, and nothing of a runtime's arena."""
    same = verification.runtime == runtime
    return {row.quantity: row.measured for row in verification.rows if same or row.quantity in ("params", "macs")}


def _remark(fit: Fit, name: str) -> str:
    parts = ["binding"] if name in fit.binding else []
    if name == "ram" and fit.least_ram_bytes is not None:
        parts.append(f"bounded: at least {format_bytes(fit.least_ram_bytes)}")
    if name in ("latency", "energy"):
        parts.append(f"estimated: {interval(fit.cost, name)}")
    return ", ".join(parts)


def _proof(fit: Fit) -> str:
    c = fit.certificate
    counted = f"{c.evaluations:,} evaluations, {_many(c.domain_size)} candidate{'s' * (c.domain_size != 1)}, {c.seconds:.2f} s"
    if c.status == "optimal":
        return f"[green]proven best[/green] by {c.method}: gap {c.gap:g}, {counted}"
    if c.gap is not None:
        unit = "" if fit.problem.objective.plain else ", a share of the MACs,"
        hint = "; fix the resolution or narrow the domain for a proof"
        return f"[yellow]not proven best[/yellow]: at most {c.gap:.3g}{unit} below it, by {c.method}: {counted}{hint}"
    return f"[yellow]feasible, not proven best[/yellow] by {c.method}: {counted}"


def _verified(verification: Verification, runtime: str = "") -> str:
    if verification.ok is None:
        return "not verified (--verify none)"
    backend = verification.backend
    if backend == "tflm":
        figures = verification.figures
        return (
            f"[green]verified[/green] in TensorFlow Lite Micro: arena and file as predicted; int8 outputs correlate with torch's by "
            f"{figures['correlation']:.4f}, largest error {figures['max_error']:.2g}"
        )
    counted = ""
    if runtime and verification.runtime != runtime:
        counted = f", RAM and Flash as runtime {verification.runtime} counts them"
    return f"[green]verified[/green] with torch: totals and {verification.ops} ops equal{counted}"


def _figures(console: Console, verification: Verification) -> None:
    """What only the backend knows."""
    figures = verification.figures
    if verification.backend == "vela":
        console.print(
            f"  Vela: SRAM {format_bytes(int(figures['vela_ram_bytes']))}, compiled {format_bytes(int(figures['vela_compiled_bytes']))}, "
            f"{format_count(int(figures['vela_cycles']))} cycles, {format_seconds(figures['vela_inference_s'])} at "
            f"{figures['vela_clock_hz'] / 1e6:g} MHz"
        )
    for note in verification.notes if verification.backend == "vela" else ():
        console.print(f"  {escape(note)}")


def _explain(console: Console, fit: Fit) -> None:
    console.print()
    _live(console, fit.peak_op, fit.live)
    _parts(console, fit.ram_parts)
    console.print(f"  runtime {fit.runtime}: {RUNTIMES[fit.runtime].meaning}")
    _taxes(console, fit)
    console.print()
    _bottlenecks(console, fit.bottlenecks(), fit.plan)
    console.print()
    console.print("[bold]Limits[/bold]")
    for name, limit in fit.limits.items():
        left = fit.slack[name]
        binding = ", binding: one step up along some axis breaks it" if name in fit.binding else ""
        console.print(f"  {_LABELS[name]} {show(name, limit)}: {show(name, left) if left > 0 else '0'} left{binding}")
    if not fit.binding and not fit.targets:
        console.print("  none stops the network one step up at this resolution")
    for name in ("latency", "energy"):
        if fit.cost.quantity(name) is None:
            console.print(f"  {name}: {escape(str(fit.evidence[name]))}")
    render_what_ifs(console, fit)
    console.print()
    console.print("[bold]Certificate[/bold]")
    c = fit.certificate
    meaning = fit.problem.objective.meaning
    console.print(f"  objective {fit.objective} ({meaning}) = {c.objective:.9g}")
    if c.bound is None:
        console.print("  no bound: this solver proves nothing; run without --solver nlp for a proof")
    else:
        claim = "limits and targets" if fit.targets else "limits"
        if fit.restriction:
            claim += f" and among {fit.restriction.partition(',')[0]}"
        console.print(
            f"  no other of the {_many(c.domain_size)} candidates within the {claim} scores more than {c.bound:.9g} "
            f"(gap {c.gap:g}); ties are broken by latency, RAM, Flash, then the smaller network"
        )
        console.print(f"  {c.method}: {c.nodes:,} boxes, {c.evaluations:,} exact evaluations; domain {c.domain_hash}")
    refused = len(fit.problem.space.refused)
    for reason in fit.excluded:
        console.print(f"  no candidates ({refused} branches in all): {escape(reason)}")
    for name, value in c.multipliers.items():
        console.print(
            f"  local multiplier of {name}: {value:.3f} % more {fit.problem.objective.metric} per 1 % more (relaxed problem)"
        )


def _live(console: Console, peak_op: str, live: Sequence[LiveTensor]) -> None:
    console.print(f"[bold]RAM peaks at {peak_op}[/bold], alive there:")
    table = Table(box=None, padding=(0, 2), show_edge=False)
    table.add_column("tensor")
    table.add_column("C x H x W", justify="right")
    table.add_column("bytes", justify="right")
    for tensor in live:
        table.add_row(tensor.op, " x ".join(str(side) for side in tensor.shape), f"{tensor.size_bytes:,}")
    table.add_row("sum", "", f"{sum(tensor.size_bytes for tensor in live):,}")
    console.print(table)


def _parts(console: Console, parts: Sequence[tuple[str, int]]) -> None:
    if len(parts) > 1:
        total = sum(size for _, size in parts)
        console.print(f"  RAM {total:,} B = {' + '.join(f'{name} {size:,}' for name, size in parts)}")


def _taxes(console: Console, fit: Fit) -> None:
    """What the reference form costs here."""
    found = fit.taxes()
    for tax in found:
        changes = ", ".join(f"{name}={word}" for name, word in tax.values.items())
        share = 100 * tax.ram_bytes / fit.cost.ram_bytes
        console.print(f"  {changes} would need {_signed('ram', tax.ram_bytes)} RAM ({share:+.1f} %), other weights")
    if found:
        options = {name for tax in found for name in tax.values}
        choices = [
            f"--domain {option.name}={','.join(option.choices)}"
            for option in find_family(fit.family).options
            if option.name in options
        ]
        console.print(f"  {' '.join(choices)} lets the solver choose")


def _many(count: int) -> str:
    return f"{count:,}" if count < 10**15 else f"{count:.3g}"


def _bottlenecks(console: Console, found: Sequence[Bottleneck], schedule: Schedule) -> None:
    console.print(f"[bold]Bottlenecks[/bold]{'' if schedule.plain else ' of execution op by op'}")
    for one in found:
        share = f"{format_bytes(one.size_bytes)} of {format_bytes(one.total_bytes)}"
        block = f", block {one.block}" if one.block else ""
        console.print(f"  {_LABELS[one.quantity]} is bound by stage {one.stage}{block}: {share}")
        for exchange in one.exchanges:
            knobs = "  ".join(f"{name}={value}" for name, value in exchange.values.items())
            trade = "a trade" if exchange.change[one.quantity] < 0 else "not favoured"
            verdict = "[green]favoured[/green]" if exchange.favoured else trade
            changes = [f"{_LABELS[name]} {_signed(name, change)}" for name, change in exchange.change.items()]
            console.print(f"    {verdict}: {knobs}: {', '.join(changes)}")
        if one.block and not any(exchange.favoured for exchange in one.exchanges):
            console.print("    no other block there keeps the MACs with less of it and no more of the other memory")


def _signed(name: str, change: float) -> str:
    return f"{'-' if change < 0 else '+'}{show(name, abs(change))}" if change else "as it is"


def render_cost(report: CostReport, *, explain: bool, macc: bool = False) -> None:
    """One configuration: totals, and with ``explain`` every op; with ``macc`` MACs in X-CUBE-AI's convention."""
    console = open_console()
    values = described(report.configuration)
    where = f" on {report.platform}" if report.platform else ""
    console.print(f"[bold]{report.configuration.family}[/bold]{where}, runtime {report.runtime}")
    console.print(
        "  " + "  ".join(f"{name}={value}" for name, value in gathered(values, report.configuration.hyperparameters))
    )
    channels, height, width = report.configuration.input_shape
    console.print(f"  input {channels}x{height}x{width}, {report.configuration.classes} classes")
    if (plan := report.schedule).name != "layer":
        console.print(
            f"  schedule {plan.name}: {plan.split_idx} ops on {plan.n_patch} x {plan.n_patch} patches, "
            f"{report.recomputation:.2f} x the MACs of layer"
        )
    table = Table(box=None, padding=(0, 2), show_edge=False, show_header=False)
    for name, label in _LABELS.items():
        value = report.cost.quantity(name)
        if value is not None:
            amount = show(name, value)
            if name == "ram" and report.least_ram_bytes is not None:
                amount = f"{format_bytes(report.least_ram_bytes)} to {amount}"
            if name in ("latency", "energy"):
                amount = f"{amount} ({interval(report.cost, name)})"
            table.add_row(label, amount, _against(report, name), escape(str(report.evidence.get(name, "exact"))))
        if name == "macs" and macc:
            table.add_row("MACC", format_count(report.macc), "", "exact: MACs + 1 per output channel of every op")
    table.add_row("params", format_count(report.cost.params), "", "exact")
    console.print(table)
    if explain:
        console.print()
        _ops(console, report.ops, macc=macc)
        console.print()
        _live(console, report.peak_op, report.live)
        _parts(console, report.ram_parts)
        if report.schedule.plain:
            console.print()
            _bottlenecks(console, report.bottlenecks(), report.schedule)


def _against(report: CostReport, name: str) -> str:
    if name not in report.usable:
        return ""
    usable, value = report.usable[name], int(report.cost.quantity(name) or 0)
    fits = "fits" if value <= usable else "[red]does not fit[/red]"
    return f"{fits} {format_bytes(usable)}"


def _ops(console: Console, ops: Sequence[OpRecord], *, macc: bool) -> None:
    table = Table(box=None, padding=(0, 2), show_edge=False)
    table.add_column("op")
    table.add_column("kind")
    for column in ("MACC" if macc else "MACs", "weights", "Flash bytes", "live bytes"):
        table.add_column(column, justify="right")
    for op in ops:
        macs = op.macc if macc else op.macs
        table.add_row(op.name, op.kind, f"{macs:,}", f"{op.weights:,}", f"{op.flash_bytes:,}", f"{op.live_bytes:,}")
    console.print(table)


def render_verification(verification: Verification) -> None:
    """Totals of both sides."""
    console = open_console()
    table = Table(box=None, padding=(0, 2), show_edge=False)
    for column in ("", "predicted", "measured"):
        table.add_column(column, justify="left" if not column else "right")
    for row in verification.rows:
        table.add_row(row.quantity, f"{row.predicted:,}", f"{row.measured:,}")
    console.print(table)
    console.print("  " + _verified(verification))
    _figures(console, verification)
