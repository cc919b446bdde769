"""``hwscale fit``."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from hwscale.cli import arguments
from hwscale.cli.arguments import pairs
from hwscale.cli.report import Report, check_report

KeyValues = list[str] | None
SLOW = 1_000_000
"""Candidates from which what-ifs take seconds, and a line says so before."""


def command(
    net: arguments.Net,
    platform: arguments.OptionalPlatform = None,
    limit: Annotated[
        KeyValues,
        typer.Option(
            "--limit",
            metavar="KEY=VALUE",
            help="ram, flash, macs, latency, energy; e.g. latency=100ms. Replaces the platform's; none lifts one. Repeats.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        KeyValues,
        typer.Option("--target", metavar="KEY=VALUE", help="Hit these instead of limits; repeats.", show_default=False),
    ] = None,
    two_sided: Annotated[bool, typer.Option("--two-sided", help="Targets may be exceeded too.")] = False,
    fix: arguments.Fix = None,
    domain: arguments.Domain = None,
    objective: arguments.Objective = "balanced",
    runtime: arguments.Runtime = arguments.DEFAULT_RUNTIME,
    schedule: Annotated[
        str,
        typer.Option(
            "--schedule",
            help="How it is executed: layer, patch, patch+, stream1d, stream2d, or any: chosen with the network.",
        ),
    ] = "layer",
    solver: Annotated[
        str,
        typer.Option(
            "--solver",
            help="auto, exhaustive, quadtree, table, nlp (not proven); stage-wise nets: labels, paths, milp.",
        ),
    ] = "auto",
    verify: Annotated[
        str,
        typer.Option(
            "--verify",
            help="torch: build and measure the answer; tflm: and run it in TFLM; vela: on an Ethos-U; none: do not.",
        ),
    ] = "torch",
    classes: arguments.Classes = None,
    in_channels: arguments.InChannels = 3,
    input_shape: arguments.InputShape = None,
    input_buffer: arguments.InputBuffer = "counted",
    reserve_ram: arguments.ReserveRam = "0",
    reserve_flash: arguments.ReserveFlash = "0",
    margin: arguments.Margin = "0",
    latency_limit: Annotated[
        str,
        typer.Option(
            "--latency-limit",
            help="Limits on latency and energy hold for what is expected, or for the worst: the upper end.",
        ),
    ] = "expected",
    rates: arguments.Rates = None,
    as_json: arguments.AsJson = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Live tensors at the peak, what binds where, what more of a limit buys, the proof."
        ),
    ] = False,
    save: Annotated[
        str | None, typer.Option("--save", metavar="DIR", help="Write fit.json and weights.pt.", show_default=False)
    ] = None,
    report: Report = None,
) -> None:
    """Find the best configuration of a network family that fits a platform, prove it, and verify it in torch.

    hwscale fit --platform stm32h743 --net xinet

    hwscale fit --platform stm32f746 --net phinet --limit latency=100ms --fix resolution=128 --explain

    hwscale fit --net phinet --target ram=256KiB --target flash=1MiB --target macs=40M
    """
    from hwscale.api import fit
    from hwscale.archive import check_writable

    if save is not None:
        check_writable(save)
    check_report(report)
    if verify == "torch" and sys.stderr.isatty():
        typer.echo("solving, then measuring the answer in torch ...", err=True)
    answer = fit(
        net,
        platform,
        limits=pairs("--limit", limit),
        targets=pairs("--target", target),
        two_sided=two_sided,
        fix=pairs("--fix", fix),
        domain=pairs("--domain", domain),
        classes=classes,
        in_channels=in_channels,
        input_shape=arguments.shape(input_shape),
        objective=objective,
        runtime=runtime,
        schedule=schedule,
        solver=solver,
        verify=verify,
        input_buffer=input_buffer,
        reserve_ram=reserve_ram,
        reserve_flash=reserve_flash,
        margin=margin,
        latency_limit=latency_limit,
        rates=rates,
        progress=arguments.say,
    )
    if save is not None:
        answer.save(save)
        typer.echo(f"saved to {save}; check it with: hwscale verify {save}", err=True)
    large = answer.problem.space.size > SLOW
    if explain and not answer.targets and large and sys.stderr.isatty():
        arguments.say("what-ifs: solving again with every limit raised")
    if report is not None:
        from hwscale.cli.report import cost_flags, report_fit
        from hwscale.explore.exact_front import pareto
        from hwscale.explore.what_if import too_long

        asked: dict[str, Any] = {
            "runtime": runtime,
            "classes": classes,
            "in_channels": in_channels,
            "input_buffer": input_buffer,
            "rates": rates,
        }

        def front() -> Any:
            """The front of the same question, where that takes no longer than the fit."""
            if large or schedule != "layer" or answer.targets:
                typer.echo("the report has no Pareto front: hwscale pareto --report draws one", err=True)
                return None
            timed = not {"latency", "energy"}.isdisjoint(answer.limits)
            return pareto(
                net,
                platform,
                objective=objective,
                over=("ram", "flash", "latency") if timed else ("ram", "flash"),
                fix=pairs("--fix", fix),
                domain=pairs("--domain", domain),
                input_shape=arguments.shape(input_shape),
                reserve_ram=reserve_ram,
                reserve_flash=reserve_flash,
                margin=margin,
                **asked,
            )

        flags = cost_flags(platform=platform, input_shape=input_shape, **asked)
        found = answer.what_ifs() if explain and not too_long(answer) else ()
        report_fit(answer, report, platform, flags, what_ifs=found, front=front)
    if as_json:
        record = answer.to_dict()
        if explain:
            from hwscale.explore.what_if import too_long

            record["what_ifs"] = None if too_long(answer) else [one.to_dict() for one in answer.what_ifs()]
        typer.echo(json.dumps(record, indent=2))
    else:
        from hwscale.cli.render import render_fit

        render_fit(answer, explain=explain)
    if answer.certificate.status != "optimal":
        raise typer.Exit(5)
