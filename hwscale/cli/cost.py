"""``hwscale cost``."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Annotated

import typer

from hwscale.cli import arguments
from hwscale.cli.arguments import pairs
from hwscale.errors import ConfigError, UnsupportedOpError

if TYPE_CHECKING:
    from hwscale.foreign.report import ModelCost

FAMILY_ONLY = {
    "fix": "--fix",
    "runtime": "--runtime",
    "classes": "--classes",
    "in_channels": "--in-channels",
    "input_buffer": "--input-buffer",
    "macc": "--macc",
    "rates": "--rates",
    "schedule": "--schedule",
}
"""Options, by parameter, that a model which is there already does not have."""


def command(
    ctx: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(
            help="A family, a .tflite file, or package.module:factory of a torch module.", show_default=False
        ),
    ] = None,
    net: Annotated[
        str | None, typer.Option("--net", help="Network family: see `hwscale nets list`.", show_default=False)
    ] = None,
    fix: arguments.Fix = None,
    platform: arguments.OptionalPlatform = None,
    runtime: arguments.Runtime = arguments.DEFAULT_RUNTIME,
    classes: arguments.Classes = None,
    in_channels: arguments.InChannels = 3,
    input_shape: Annotated[
        str | None,
        typer.Option(
            "--input-shape", "--input", help="CxHxW: for rectangles, and for a factory's module.", show_default=False
        ),
    ] = None,
    input_buffer: arguments.InputBuffer = "counted",
    schedule: Annotated[
        str,
        typer.Option(
            "--schedule",
            help="How the network is executed: layer; or patch, patch+, stream1d, stream2d with --fix n_patch and split_idx.",
        ),
    ] = "layer",
    rates: arguments.Rates = None,
    as_json: arguments.AsJson = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also every op, the live tensors at the peak, and what binds where.")
    ] = False,
    macc: Annotated[
        bool, typer.Option("--macc", help="Count MACs as X-CUBE-AI does: one more per output channel of an op.")
    ] = False,
) -> None:
    """Cost of one configuration of a family, or of any model, which is shown in every runtime side by side.

    hwscale cost --net phinet --fix alpha=0.5 --fix resolution=96 --explain

    hwscale cost --net mcunet --fix preset=mcunet-in3 --runtime tinyengine --schedule patch --fix n_patch=22 --fix split_idx=21

    hwscale cost model.tflite --platform stm32h743

    hwscale cost mynets.small:build --input 3x96x96
    """
    if model is not None and net is not None:
        raise ConfigError(f"{model} and --net {net} are both given; keep one")
    if model is None and net is None:
        raise ConfigError(
            "nothing to price is given: name a family with --net, a .tflite file, or package.module:factory"
        )
    if model is not None and not _is_family(model):
        _check_options(ctx, model)
        _cost_model(model, input_shape, platform, as_json=as_json)
        return
    from hwscale.api import cost

    report = cost(
        net or str(model),
        pairs("--fix", fix),
        input_shape=arguments.shape(input_shape),
        classes=classes,
        in_channels=in_channels,
        runtime=runtime,
        platform=platform,
        input_buffer=input_buffer,
        rates=rates,
        schedule=schedule,
    )
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=2))
    else:
        from hwscale.cli.render import render_cost

        render_cost(report, explain=explain, macc=macc)


def _cost_model(model: str, image: str | None, platform: str | None, *, as_json: bool) -> None:
    """A .tflite file, or what ``package.module:factory`` builds."""
    if model.endswith(".tflite") or os.path.exists(model):
        if image is not None:
            raise ConfigError(f"--input {image}: a .tflite file holds the shape of its input; drop --input")
        from hwscale.foreign.cost import cost_tflite

        report = cost_tflite(model, platform=platform)
    elif ":" in model:
        report = _cost_factory(model, image, platform)
    else:
        from hwscale.errors import nearest
        from hwscale.formulas import FAMILIES

        raise ConfigError(
            f"{model} is no family, no file, and no package.module:factory; of the families, {nearest(model, FAMILIES)}"
        )
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=2))
    else:
        from hwscale.cli.render_model import render_model

        render_model(report)


def _cost_factory(spelling: str, image: str | None, platform: str | None) -> ModelCost:
    import sys
    from contextlib import redirect_stdout
    from dataclasses import replace

    shape = arguments.shape(image)
    if shape is None:
        raise ConfigError(
            f"{spelling}: the size of its input is missing; add --input CHANNELSxHEIGHTxWIDTH, such as 3x96x96"
        )
    from hwscale.foreign.cost import cost_module, image_shape
    from hwscale.foreign.factory import build_from

    image_shape(shape)
    try:
        with redirect_stdout(sys.stderr):  # what the module prints is not the result
            report = cost_module(build_from(spelling), shape, platform=platform)
    except UnsupportedOpError as error:
        raise ConfigError(f"{spelling}: {error}") from error
    return replace(report, source=spelling)


def _is_family(model: str) -> bool:
    from hwscale.formulas import FAMILIES

    return model.lower() in FAMILIES


def _check_options(ctx: typer.Context, model: str) -> None:
    for name, flag in FAMILY_ONLY.items():
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise ConfigError(f"{flag} is for families, but {model} is a model of its own; drop {flag}")
