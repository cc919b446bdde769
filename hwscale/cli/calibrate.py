"""``hwscale calibrate``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from hwscale.cli import arguments
from hwscale.errors import ConfigError

PLAN_ONLY = {"net": "--net", "points": "--points", "tflite_dir": "--tflite-dir"}
MEASURED_ONLY = {"measurements": "--measurements", "library": "--library", "like": "--like"}


def command(
    ctx: typer.Context,
    platform: arguments.OptionalPlatform = None,
    measurements: Annotated[
        str | None,
        typer.Option("--measurements", metavar="FILE", help="CSV of latencies of ops or networks.", show_default=False),
    ] = None,
    library: Annotated[
        str | None,
        typer.Option("--library", help="Name and version of the kernels that were measured.", show_default=False),
    ] = None,
    runtime: arguments.Runtime = arguments.DEFAULT_RUNTIME,
    like: Annotated[
        str | None,
        typer.Option(
            "--like",
            metavar="PLATFORM:LIBRARY",
            help="A model of the same kernels on another part, to be scaled: then three networks are enough.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="New descriptor for a copy of a built-in platform, or for --host; with --plan the CSV to fill in.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[bool, typer.Option("--host", help="Time torch on this machine and describe it as a platform.")] = (
        False
    ),
    plan: Annotated[bool, typer.Option("--plan", help="Print which ops of --net to measure, and measure nothing.")] = (
        False
    ),
    net: Annotated[
        str | None, typer.Option("--net", help="With --plan: the family to plan for.", show_default=False)
    ] = None,
    points: Annotated[
        int | None, typer.Option("--points", help="With --plan: shapes per operator.", show_default=False)
    ] = None,
    tflite_dir: Annotated[
        str | None,
        typer.Option("--tflite-dir", metavar="DIR", help="With --plan: write each op as .tflite.", show_default=False),
    ] = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Fit latencies that you measured, and write them beside your board's descriptor as its operator model.

    hwscale calibrate --platform my-board.toml --measurements ops.csv --library "cmsis-nn 5.0"

    hwscale calibrate --platform stm32f746 --measurements nets.csv --library "my kernels 1" --output my-board.toml

    hwscale calibrate --host --output host.toml

    hwscale calibrate --plan --net phinet --output ops.csv
    """
    if host and plan:
        raise ConfigError("--host measures and --plan does not; keep one of them")
    given = {name for name in ctx.params if getattr(ctx.get_parameter_source(name), "name", "DEFAULT") == "COMMANDLINE"}
    if plan:
        _refuse(given, MEASURED_ONLY, "--plan")
        if net is None:
            raise ConfigError("--plan needs a family whose ops to measure; add --net, such as --net phinet")
        from hwscale.cli.plan import run

        run(net, platform, runtime, points, output, tflite_dir, as_json)
        return
    _refuse(given, PLAN_ONLY, "calibration without --plan")
    if host:
        _refuse(given, {**MEASURED_ONLY, "platform": "--platform", "runtime": "--runtime"}, "--host")
        if output is None:
            raise ConfigError("--host writes a descriptor of this machine; add --output host.toml")
        from hwscale.host_platform import calibrate_host

        found = calibrate_host(output, progress=arguments.say)
    else:
        from hwscale.calibrated import calibrate

        if platform is None:
            raise ConfigError("no board is named; add --platform my-board.toml, or --host for this machine")
        if measurements is None:
            raise ConfigError("nothing was measured; add --measurements FILE, which --plan --net NET writes to fill in")
        if library is None:
            raise ConfigError("the measured kernels have no name; add --library, such as --library 'cmsis-nn 5.0'")
        found = calibrate(platform, measurements, library=library, runtime=runtime, like=like, output=output)
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=2))
    else:
        from hwscale.cli.render_calibrate import render_calibrate

        render_calibrate(found)


def _refuse(given: set[str], flags: dict[str, str], what: str) -> None:
    """ConfigError if one of ``flags`` was given, which ``what`` does not have."""
    for name, flag in flags.items():
        if name in given:
            raise ConfigError(f"{flag} has no meaning for {what}; drop it")
