"""``hwscale cost``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from hwscale.cli import arguments
from hwscale.cli.arguments import pairs


def command(
    net: arguments.Net,
    fix: arguments.Fix = None,
    platform: arguments.OptionalPlatform = None,
    runtime: arguments.Runtime = "tensors",
    classes: arguments.Classes = None,
    in_channels: arguments.InChannels = 3,
    input_shape: arguments.InputShape = None,
    input_buffer: arguments.InputBuffer = "counted",
    as_json: arguments.AsJson = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also every op, the live tensors at the peak, and what binds where.")
    ] = False,
    macc: Annotated[
        bool, typer.Option("--macc", help="Count MACs as X-CUBE-AI does: one more per output channel of an op.")
    ] = False,
) -> None:
    """Cost of one configuration; what is not fixed takes the family's default.

    hwscale cost --net phinet --fix alpha=0.5 --fix resolution=96 --explain
    """
    from hwscale.api import cost

    report = cost(
        net,
        pairs("--fix", fix),
        input_shape=arguments.shape(input_shape),
        classes=classes,
        in_channels=in_channels,
        runtime=runtime,
        platform=platform,
        input_buffer=input_buffer,
    )
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=2))
    else:
        from hwscale.cli.render import render_cost

        render_cost(report, explain=explain, macc=macc)
