"""``hwscale nets``."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from hwscale.cli import arguments

app = typer.Typer(help="Network families and their hyperparameters.", no_args_is_help=True)


@app.command("list")
def list_nets(as_json: arguments.AsJson = False) -> None:
    """Names of the network families."""
    from hwscale.formulas import FAMILIES

    typer.echo(json.dumps(list(FAMILIES)) if as_json else "\n".join(FAMILIES))


@app.command("show")
def show_net(
    name: Annotated[str, typer.Argument(help="A family, see `hwscale nets list`.")], as_json: arguments.AsJson = False
) -> None:
    """Hyperparameters with default domain and published range, options, sources."""
    from hwscale.formulas import find_family

    family = find_family(name)
    shown: dict[str, Any] = {
        "family": family.name,
        "hyperparameters": [
            {
                "name": h.name,
                "default": h.default,
                "domain": list(h.domain),
                "real": h.axis == "line",
                "published": h.published and list(h.published),
                "meaning": h.meaning,
                **({"choices": list(h.choices)} if h.choices else {}),
            }
            for h in family.hyperparameters
        ],
        "options": [{"name": o.name, "default": o.default, "meaning": o.meaning} for o in family.options],
        "presets": list(getattr(family, "presets", ())),
        "sources": list(family.sources),
    }
    if as_json:
        typer.echo(json.dumps(shown, indent=2))
    else:
        from hwscale.cli.render_nets import render_family

        render_family(shown)
