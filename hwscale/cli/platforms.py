"""``hwscale platforms``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from hwscale.cli import arguments

app = typer.Typer(help="Microcontrollers: list, show, check, write your own.", no_args_is_help=True)
Target = Annotated[str, typer.Argument(metavar="NAME|FILE", help="Built-in name or path of a TOML.")]


@app.command("list")
def list_platforms(as_json: arguments.AsJson = False) -> None:
    """Built-in platforms with arena RAM, Flash and clock."""
    from hwscale.platform import load_platform, platforms

    loaded = [load_platform(name) for name in platforms()]
    if as_json:
        rows = [
            {
                "name": p.name,
                "core": p.core,
                "arena_bytes": p.arena_bytes,
                "flash_bytes": p.flash_bytes,
                "clock_hz": p.clock_hz,
            }
            for p in loaded
        ]
        typer.echo(json.dumps(rows, indent=2))
    else:
        from hwscale.cli.render_platforms import render_platforms

        render_platforms(loaded)


@app.command("show")
def show_platform(
    target: Target,
    operators: Annotated[
        bool, typer.Option("--operators", help="Efficiency of each operator, and where printed figures disagree.")
    ] = False,
    as_json: arguments.AsJson = False,
) -> None:
    """Memory regions, rates and power of a platform, each with its source."""
    from hwscale.platform import load_platform

    platform = load_platform(target)
    if operators:
        from hwscale.operator_efficiency import operator_efficiency

        tables = operator_efficiency(platform)
        if as_json:
            shown = {"platform": platform.name, "rate_sets": [asdict(table) for table in tables]}
            typer.echo(json.dumps(shown, indent=2))
        else:
            from hwscale.cli.render_operators import render_operators

            render_operators(platform.name, tables)
    elif as_json:
        from hwscale.latency_file import latency_models

        shown = asdict(platform) | {"origin": str(platform.origin), "arena_bytes": platform.arena_bytes}
        shown["latency_models"] = [asdict(model) for model in latency_models(platform)]
        typer.echo(json.dumps(shown, indent=2))
    else:
        from hwscale.cli.render_platforms import render_platform

        render_platform(platform)


@app.command("check")
def check(target: Target) -> None:
    """Lint a platform file: unknown keys, overlaps, swapped sizes, missing sources; exit 2 on errors."""
    from hwscale.platform import check_platform, load_platform
    from hwscale.units import format_bytes

    findings = check_platform(target)
    for finding in findings:
        typer.echo(f"{finding.severity}: {finding}")
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(2)
    from hwscale.latency_file import latency_models

    platform = load_platform(target)
    latency_models(platform)  # says what is wrong with the file beside it
    arena = f"arena {format_bytes(platform.arena_bytes)} ({' + '.join(platform.arena_regions)})"
    marked = sum(region.size_bytes for region in platform.ram if region.arena)
    flash = "no Flash limit" if platform.flash_bytes is None else f"Flash {format_bytes(platform.flash_bytes)}"
    verdict = "usable" if findings else "ok"
    typer.echo(f"{target}: {verdict}; {arena} of {format_bytes(marked)} marked as arena, {flash}")


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Name of the platform, lower case.")],
    path: Annotated[
        str | None, typer.Argument(help="File to write; default NAME.toml here.", show_default=False)
    ] = None,
) -> None:
    """Write a commented descriptor to fill in."""
    from hwscale.platform import new_platform

    written = new_platform(name, path or f"{name}.toml")
    typer.echo(f"wrote {written}; fill it in, then: hwscale platforms check {written}")


@app.command("schema")
def schema() -> None:
    """JSON Schema of a descriptor, for editors."""
    from hwscale.platform_schema import platform_schema

    typer.echo(json.dumps(platform_schema(), indent=2))
