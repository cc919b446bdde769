"""Command line: parse, call the API, render. stdout is the result, stderr the rest.

Exit codes: 0 fits and verified; 1 internal error; 2 usage; 3 infeasible; 4 verification mismatch; 5 feasible but not proven
best. Importing this package imports typer and nothing heavier.
"""

from __future__ import annotations

import sys

import typer

from hwscale.cli import calibrate, compare, cost, fit, formula, nets, pareto, platforms, schedule, verify
from hwscale.errors import HwscaleError, InfeasibleError, UnsupportedOpError, VerificationError

USAGE, INFEASIBLE, MISMATCH, UNPROVEN = 2, 3, 4, 5

app = typer.Typer(
    name="hwscale",
    help="The best configuration of a tiny neural network for a microcontroller, in one shot and with a proof.",
    epilog="Start with: hwscale fit --platform stm32h743 --net xinet",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("fit")(fit.command)
app.command("pareto")(pareto.command)
app.command("compare")(compare.command)
app.command("cost")(cost.command)
app.command("schedule")(schedule.command)
app.command("calibrate")(calibrate.command)
app.command("formula")(formula.command)
app.command("verify")(verify.command)
app.add_typer(platforms.app, name="platforms")
app.add_typer(nets.app, name="nets")


def _version(wanted: bool) -> None:
    if wanted:
        from hwscale import __version__

        typer.echo(f"hwscale {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def exit_code(error: HwscaleError) -> int:
    """The documented exit code of an error."""
    if isinstance(error, InfeasibleError):
        return INFEASIBLE
    return MISMATCH if isinstance(error, VerificationError | UnsupportedOpError) else USAGE


def main() -> None:
    """Entry point; a user's mistake is one sentence on stderr, never a traceback."""
    try:
        app()
    except HwscaleError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(exit_code(error))
