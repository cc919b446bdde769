"""``hwscale pareto``."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwscale.cli import arguments
from hwscale.cli.arguments import pairs
from hwscale.cli.report import Report, check_report
from hwscale.errors import ConfigError

if TYPE_CHECKING:
    from hwscale.explore.front import Front

PICTURES = (".html", ".png")
FORMATS = (*PICTURES, ".csv", ".npz")
ASKED = (
    *("platform", "objective", "over", "fix", "domain", "runtime", "classes", "in_channels", "input_shape"),
    *("input_buffer", "reserve_ram", "reserve_flash", "margin", "rates"),
)
"""Parameters that a front which is loaded has already."""


def command(
    ctx: typer.Context,
    net: Annotated[
        str | None, typer.Option("--net", help="Network family: see `hwscale nets list`.", show_default=False)
    ] = None,
    platform: arguments.OptionalPlatform = None,
    x: Annotated[str, typer.Option("--x", help="Column across: ram, flash, latency.")] = "ram",
    y: Annotated[str, typer.Option("--y", help="Column up: macs, score, params, resolution.")] = "macs",
    over: Annotated[
        str, typer.Option("--over", help="Costs that compete: ram,flash or ram,flash,latency.")
    ] = "ram,flash",
    objective: arguments.Objective = "balanced",
    limit: Annotated[
        list[str] | None,
        typer.Option(
            "--limit",
            metavar="KEY=VALUE",
            help="Budget of the best point that is marked, as in fit; repeats.",
            show_default=False,
        ),
    ] = None,
    fix: arguments.Fix = None,
    domain: arguments.Domain = None,
    runtime: arguments.Runtime = arguments.DEFAULT_RUNTIME,
    classes: arguments.Classes = None,
    in_channels: arguments.InChannels = 3,
    input_shape: arguments.InputShape = None,
    input_buffer: arguments.InputBuffer = "counted",
    reserve_ram: arguments.ReserveRam = "0",
    reserve_flash: arguments.ReserveFlash = "0",
    margin: arguments.Margin = "0",
    rates: arguments.Rates = None,
    epsilon: Annotated[
        float, typer.Option("--epsilon", help="Points this close, as a share, are shown as one; files hold all.")
    ] = 0.005,
    load: Annotated[
        str | None,
        typer.Option(
            "--load", metavar="FILE.npz", help="A front that was saved, instead of --net.", show_default=False
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FILE", help="Write html, png, csv or npz, by its ending.", show_default=False),
    ] = None,
    as_json: arguments.AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print every point as CSV instead of a table.")] = False,
    report: Report = None,
) -> None:
    """Every network of a family that is the best answer to some budget of RAM and Flash: the exact front, not a sample.

    hwscale pareto --net xinet --platform stm32h743 --x ram --y macs

    hwscale pareto --net atomnet --objective macs --runtime tensors --out atomnet.npz

    hwscale pareto --load atomnet.npz --limit ram=256KiB --limit flash=1MiB
    """
    if as_json and as_csv:
        raise ConfigError("--json and --csv are two forms of the same output; keep one")
    target = None if out is None else _target(out)
    check_report(report)
    if load is not None:
        if net is not None:
            raise ConfigError(f"--net {net} and --load {load} are both given; keep one")
        given = [name for name in ASKED if _typed(ctx, name)]
        if given:
            raise ConfigError(f"--{given[0].replace('_', '-')} is for a new front, but {load} is made already; drop it")
        from hwscale.explore.front_file import load_front

        front = load_front(load)
    elif net is None:
        raise ConfigError("which front is not said; name a family with --net, or a saved front with --load")
    else:
        from hwscale.explore.exact_front import pareto

        front = pareto(
            net,
            platform,
            objective=objective,
            over=[name.strip() for name in over.split(",")],
            fix=pairs("--fix", fix),
            domain=pairs("--domain", domain),
            classes=classes,
            in_channels=in_channels,
            input_shape=arguments.shape(input_shape),
            runtime=runtime,
            input_buffer=input_buffer,
            reserve_ram=reserve_ram,
            reserve_flash=reserve_flash,
            margin=margin,
            rates=rates,
            progress=arguments.say,
        )
    limits = pairs("--limit", limit)
    shown = front.thinned(x, y, epsilon)  # which also checks the columns, before anything is written
    best = front.best(limits) if limits or front.budget else None
    if target is not None:
        _write(front, target, x, y, epsilon, limits)
        typer.echo(f"wrote {target}", err=True)
    if report is not None:
        from hwscale.cli.report import cost_flags, report_front

        # a front that was loaded says what else prices its points
        flags = (
            None
            if load is not None
            else cost_flags(
                platform=platform,
                runtime=runtime,
                classes=classes,
                in_channels=in_channels,
                input_shape=input_shape,
                input_buffer=input_buffer,
                rates=rates,
            )
        )
        report_front(front, report, x, y, epsilon, best, flags)
    if as_json:
        typer.echo(json.dumps(front.to_dict(), indent=2))
    elif as_csv:
        typer.echo(front.to_csv(), nl=False)
    else:
        from hwscale.cli.render_front import render_front

        render_front(front, x, y, epsilon, len(shown), limits, best)


def _typed(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _target(out: str) -> Path:
    """Where to write, checked before the work."""
    path = Path(out)
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"--out {out}: the ending {path.suffix!r} says no format; allowed: {', '.join(FORMATS)}")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"--out {out}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise ConfigError(f"--out {out}: this is a folder; name a file")
    if path.suffix.lower() in PICTURES:
        _save_front()  # a missing package is told before the work, too
    return path


def _write(front: Front, path: Path, x: str, y: str, epsilon: float, limits: dict[str, str]) -> None:
    kind = path.suffix.lower()
    if kind == ".npz":
        front.save(path)
    elif kind == ".csv":
        from hwscale.explore.front_file import written

        written(path, lambda file: file.write(front.to_csv().encode()))
    else:
        _save_front()(front, path, x, y, epsilon, front.best(limits) if limits or front.budget else None)


def _save_front() -> Callable[..., None]:
    """What draws a front, in the extra ``viz``."""
    try:
        found: Callable[..., None] = import_module("hwscale.viz.pareto_plot").save_front
    except ImportError as error:
        raise ConfigError(
            f"--out: pictures need {error.name}; pip install 'hwscale[viz]', or write csv or npz"
        ) from None
    return found
