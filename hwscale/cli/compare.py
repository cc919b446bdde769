"""``hwscale compare``."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from hwscale.cli import arguments
from hwscale.cli.arguments import pairs
from hwscale.cli.report import Report, check_report
from hwscale.errors import ConfigError

KeyValues = list[str] | None


def command(
    net: Annotated[list[str], typer.Option("--net", help="Network family; repeats.", show_default=False)],
    platforms: Annotated[
        str, typer.Option("--platforms", metavar="all|GLOB|A,B", help="Names, globs such as stm32*, paths of TOMLs.")
    ] = "all",
    need: Annotated[
        KeyValues,
        typer.Option(
            "--need",
            metavar="KEY=VALUE",
            help="At least so many macs or params, at most so much latency, energy, ram, flash; repeats.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        KeyValues,
        typer.Option("--limit", metavar="KEY=VALUE", help="As in `hwscale fit`; repeats.", show_default=False),
    ] = None,
    fix: arguments.Fix = None,
    domain: arguments.Domain = None,
    objective: arguments.Objective = "balanced",
    runtime: arguments.Runtime = arguments.DEFAULT_RUNTIME,
    schedule: Annotated[str, typer.Option("--schedule", help="As in `hwscale fit`.")] = "layer",
    solver: Annotated[str, typer.Option("--solver", help="As in `hwscale fit`.")] = "auto",
    verify: Annotated[str, typer.Option("--verify", help="none; torch: build and measure every answer.")] = "none",
    classes: arguments.Classes = None,
    in_channels: arguments.InChannels = 3,
    input_shape: arguments.InputShape = None,
    input_buffer: arguments.InputBuffer = "counted",
    reserve_ram: arguments.ReserveRam = "0",
    reserve_flash: arguments.ReserveFlash = "0",
    margin: arguments.Margin = "0",
    latency_limit: Annotated[str, typer.Option("--latency-limit", help="expected, or worst: the upper end.")] = (
        "expected"
    ),
    rates: arguments.Rates = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", help="Processes; as many as there are cores.", show_default=False)
    ] = None,
    as_json: arguments.AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
    report: Report = None,
) -> None:
    """Fit families to many platforms, or find the platforms that meet a need.

    hwscale compare --net phinet --net xinet --platforms 'stm32*'

    hwscale compare --net xinet --need macs=40M --need latency=100ms
    """
    from hwscale.explore.compare import compare

    if as_json and as_csv:
        raise ConfigError("--json and --csv are two forms of the same; give one")
    check_report(report)
    answer = compare(
        net,
        platforms,
        needs=pairs("--need", need),
        limits=pairs("--limit", limit),
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
        jobs=jobs,
        progress=_line if sys.stderr.isatty() else None,
    )
    if report is not None:
        from hwscale.cli.report import report_comparison

        report_comparison(answer, report)
    if as_json:
        typer.echo(json.dumps(answer.to_dict(), indent=2))
    elif as_csv:
        typer.echo(answer.to_csv(), nl=False)
    else:
        from hwscale.cli.render_compare import render_comparison

        render_comparison(answer)
    verdicts = {row.verdict.value for row in answer.rows}
    if "mismatch" in verdicts:
        raise typer.Exit(4)
    if not answer.good:
        raise typer.Exit(5 if "undecided" in verdicts else 3)


def _line(text: str) -> None:
    typer.echo(text, err=True)
