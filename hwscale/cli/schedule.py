"""``hwscale schedule``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwscale.cli import arguments
from hwscale.cli.arguments import pairs
from hwscale.errors import ConfigError

if TYPE_CHECKING:
    from hwscale.schedule_choices import ScheduleChoices

FAMILY_ONLY = {"fix": "--fix", "classes": "--classes", "in_channels": "--in-channels", "input_shape": "--input-shape"}
"""Options, by parameter, that a file does not have."""


def command(
    ctx: typer.Context,
    model: Annotated[str | None, typer.Argument(help="A family, or a .tflite file.", show_default=False)] = None,
    net: Annotated[
        str | None, typer.Option("--net", help="Network family: see `hwscale nets list`.", show_default=False)
    ] = None,
    fix: arguments.Fix = None,
    platform: arguments.OptionalPlatform = None,
    runtime: Annotated[
        str, typer.Option("--runtime", help="Memory rules: tinyengine (tensors where that refuses) or tensors.")
    ] = "tinyengine",
    schedule: Annotated[
        str, typer.Option("--schedule", help="any, or one of patch, patch+, stream1d, stream2d.")
    ] = "any",
    classes: arguments.Classes = None,
    in_channels: arguments.InChannels = 3,
    input_shape: arguments.InputShape = None,
    as_json: arguments.AsJson = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.svg", help="Also draw the bars and the trade-off.", show_default=False),
    ] = None,
) -> None:
    """RAM against MACs where the first ops run on patches: the Pareto-best choices, and what fits a platform.

    hwscale schedule --net mcunet --fix preset=mcunet-in3 --platform stm32f412

    hwscale schedule model.tflite --platform stm32f746 --schedule patch --out schedule.svg
    """
    if model is not None and net is not None:
        raise ConfigError(f"{model} and --net {net} are both given; keep one")
    if out is not None:
        _check_out(out)
    found = _found(ctx, model, net, fix, platform, runtime, schedule, classes, in_channels, input_shape)
    if out is not None:
        from hwscale.drawing.schedule import svg

        _write(out, svg(found))
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=2))
    else:
        from hwscale.cli.render_schedule import render_schedule

        render_schedule(found)


def _found(
    ctx: typer.Context,
    model: str | None,
    net: str | None,
    fix: list[str] | None,
    platform: str | None,
    runtime: str,
    schedule: str,
    classes: int | None,
    in_channels: int,
    input_shape: str | None,
) -> ScheduleChoices:
    from hwscale.formulas import FAMILIES
    from hwscale.schedule_trade_off import trade_off, trade_off_tflite

    if model is None and net is None:
        raise ConfigError("nothing to schedule is given: name a family with --net, or a .tflite file")
    if model is not None and model.lower() not in FAMILIES:
        if not (model.endswith(".tflite") or os.path.exists(model)):
            raise ConfigError(f"{model} is no family and no file; name a family with --net, or a .tflite file")
        for name, flag in FAMILY_ONLY.items():
            source = ctx.get_parameter_source(name)
            if source is not None and source.name == "COMMANDLINE":
                raise ConfigError(f"{flag} is for families, but {model} is a model of its own; drop {flag}")
        return trade_off_tflite(model, runtime=runtime, platform=platform, schedule=schedule)
    return trade_off(
        net or str(model),
        pairs("--fix", fix),
        runtime=runtime,
        platform=platform,
        input_shape=arguments.shape(input_shape),
        classes=classes,
        in_channels=in_channels,
        schedule=schedule,
    )


def _check_out(path: Path) -> None:
    if path.suffix.lower() != ".svg":
        raise ConfigError(f"--out {path}: the picture is an SVG; let its name end in .svg")
    if os.path.lexists(path):
        raise ConfigError(f"--out {path} exists and is not overwritten; choose another name")
    if not path.parent.is_dir():
        raise ConfigError(f"--out {path}: there is no folder {path.parent}; make it first")


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"--out {path} cannot be written: {error.strerror}; choose another name") from error
