"""Flags that several commands share, and the KEY=VALUE form."""

from __future__ import annotations

from typing import Annotated

import typer

from hwscale.errors import ConfigError

Net = Annotated[str, typer.Option("--net", help="Network family: see `hwscale nets list`.", show_default=False)]
OptionalPlatform = Annotated[
    str | None,
    typer.Option("--platform", help="Built-in name (`hwscale platforms list`) or path of a TOML.", show_default=False),
]
Classes = Annotated[
    int | None, typer.Option("--classes", help="Width of the classifier; 10, or a preset's own.", show_default=False)
]
InChannels = Annotated[int, typer.Option("--in-channels", help="Channels of the input image.")]
InputShape = Annotated[
    str | None, typer.Option("--input-shape", help="CxHxW, for rectangles; replaces resolution.", show_default=False)
]
DEFAULT_RUNTIME = "tflm"
"""`hwscale.runtimes.DEFAULT`, which would load the formulas for --help."""
Runtime = Annotated[
    str, typer.Option("--runtime", help="Memory and Flash rules: tflm, tensors, tinyengine, xcubeai-7.3 ...")
]
InputBuffer = Annotated[
    str, typer.Option("--input-buffer", help="counted, or external if the image lies outside the arena.")
]
Rates = Annotated[
    str | None,
    typer.Option(
        "--rates", help="Operator model or rate set of the platform, instead of the runtime's.", show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Fix = Annotated[
    list[str] | None,
    typer.Option("--fix", metavar="KEY=VALUE", help="Pin a hyperparameter or option; repeats.", show_default=False),
]

Domain = Annotated[
    list[str] | None,
    typer.Option("--domain", metavar="KEY=LO:HI[:STEP]|V1,V2,...", help="What may vary; repeats.", show_default=False),
]
Objective = Annotated[str, typer.Option("--objective", help="balanced, macs, params, or balanced:r0=160,c=1.5.")]
ReserveRam = Annotated[str, typer.Option("--reserve-ram", help="RAM that the application keeps, e.g. 64KiB.")]
ReserveFlash = Annotated[str, typer.Option("--reserve-flash", help="Flash that the application keeps.")]
Margin = Annotated[str, typer.Option("--margin", help="Share of RAM and Flash left free, e.g. 10%.")]


def pairs(flag: str, given: list[str] | None) -> dict[str, str]:
    """{"ram": "256KiB"} of ["ram=256KiB"]; ConfigError without "=" or on a repeated key."""
    found: dict[str, str] = {}
    for text in given or []:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not key or not value.strip():
            raise ConfigError(f"{flag} {text}: write KEY=VALUE, for example {_EXAMPLES[flag]}")
        if key in found:
            raise ConfigError(f"{flag} {key} is given twice, as {found[key]} and {value}; keep one")
        found[key] = value.strip()
    return found


_EXAMPLES = {
    "--limit": "--limit ram=256KiB",
    "--need": "--need macs=40M",
    "--target": "--target macs=40M",
    "--fix": "--fix resolution=160",
    "--domain": "--domain alpha=0.5:2",
}


def shape(given: str | None) -> tuple[int, ...] | None:
    """(3, 96, 128) of "3x96x128"; ConfigError otherwise."""
    if given is None:
        return None
    try:
        channels, height, width = (int(side) for side in given.lower().split("x"))
    except ValueError:
        raise ConfigError(f"--input-shape {given}: write CHANNELSxHEIGHTxWIDTH, for example 3x96x128") from None
    return channels, height, width


def say(line: str) -> None:
    """A line of progress, on stderr."""
    typer.echo(f"{line} ...", err=True)
