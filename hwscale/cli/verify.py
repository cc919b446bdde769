"""``hwscale verify``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from hwscale.cli import arguments


def command(
    directory: Annotated[str, typer.Argument(metavar="DIR", help="Folder that `hwscale fit --save DIR` wrote.")],
    backend: Annotated[
        str,
        typer.Option(
            "--backend", help="torch; tflm: also in TensorFlow Lite Micro; vela: also estimated for an Ethos-U."
        ),
    ] = "torch",
    as_json: arguments.AsJson = False,
) -> None:
    """Measure a saved fit again, op by op, with its weights.

    hwscale fit --platform stm32h743 --net xinet --save best && hwscale verify best
    """
    from hwscale.api import verify

    verification = verify(directory, backend=backend, progress=arguments.say)
    if as_json:
        typer.echo(json.dumps(verification.to_dict(), indent=2))
    else:
        from hwscale.cli.render import render_verification

        render_verification(verification)
