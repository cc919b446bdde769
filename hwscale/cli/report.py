"""``--report FILE.html``: checked before the work begins, written after it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from hwscale.result import Fit

Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE.html",
        help="Also write a page with tables and plots, for a browser.",
        show_default=False,
    ),
]


def check_report(path: Path | None) -> None:
    """ConfigError if a report is wanted and cannot be written; nothing for None."""
    if path is not None:
        from hwscale.viz.canvas import check_target, require

        check_target(path, (".html", ".htm"))
        require("plotly")


def command_line() -> list[str]:
    """The words of the command that is running."""
    return ["hwscale", *sys.argv[1:]]


def cost_flags(**given: object) -> list[str]:
    """Options of `hwscale cost` by parameter, as words, without those that are not given: what prices a point as it was asked for."""
    words: list[str] = []
    for name, value in given.items():
        if value is not None and value != "":
            words += [f"--{name.replace('_', '-')}", str(value)]
    return words


def report_fit(
    fit: Fit,
    path: Path,
    platform: str | None,
    flags: Sequence[str],
    *,
    what_ifs: Sequence[Any] = (),
    front: Callable[[], Any] | None = None,
) -> None:
    """Write the page of a fit; ``front`` computes the front of the same question."""
    from hwscale.viz.report import write_fit_report

    found = None if front is None else front()
    write_fit_report(fit, path, command_line(), platform=platform, front=found, what_ifs=what_ifs, flags=flags)
    _say(path)


def report_front(
    front: Any, path: Path, x: str, y: str, epsilon: float, marked: Any, flags: Sequence[str] | None
) -> None:
    """Write the page of a front."""
    from hwscale.viz.report import write_front_report

    write_front_report(front, path, command_line(), x=x, y=y, epsilon=epsilon, marked=marked, flags=flags)
    _say(path)


def report_comparison(comparison: Any, path: Path) -> None:
    """Write the page of a comparison."""
    from hwscale.viz.report import write_comparison_report

    write_comparison_report(comparison, path, command_line())
    _say(path)


def _say(path: Path) -> None:
    typer.echo(f"report in {path}, {path.stat().st_size / 1e6:.1f} MB; open it in a browser", err=True)
