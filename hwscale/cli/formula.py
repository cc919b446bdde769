"""``hwscale formula``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from hwscale.cli import arguments
from hwscale.cli.arguments import pairs


def command(
    net: arguments.Net,
    fix: arguments.Fix = None,
    runtime: arguments.Runtime = "tensors",
    classes: arguments.Classes = None,
    in_channels: arguments.InChannels = 3,
    latex: Annotated[bool, typer.Option("--latex", help="As LaTeX, for a paper.")] = False,
    relaxed: Annotated[bool, typer.Option("--relaxed", help="Rounding dropped: the posynomials.")] = False,
    as_json: arguments.AsJson = False,
) -> None:
    """Print the closed forms of RAM, Flash and MACs for the default topology.

    hwscale formula --net phinet

    hwscale formula --net xinet --relaxed --latex
    """
    import shutil

    from hwscale.closed_form import formula

    form = formula(net, fix=pairs("--fix", fix), runtime=runtime, classes=classes, in_channels=in_channels)
    if relaxed:
        form = form.relaxed()
    if as_json:
        typer.echo(json.dumps(form.to_dict(), indent=2))
    elif latex:
        typer.echo(form.latex())
    else:
        typer.echo(form.text(width=min(120, shutil.get_terminal_size((100, 24)).columns)))
