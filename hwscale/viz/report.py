"""Reports: one self-contained HTML file about a fit, a front or a comparison."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hwscale import __version__
from hwscale.errors import PlatformError
from hwscale.platform import Platform, load_platform
from hwscale.result import Fit
from hwscale.viz.canvas import check_target, write_bytes
from hwscale.viz.comparison_section import comparison_section
from hwscale.viz.fit_sections import answer_section, proof_section, verification_section
from hwscale.viz.front_section import front_section
from hwscale.viz.markup import code, paragraph, section
from hwscale.viz.op_sections import memory_section, ops_section, ram_section, time_section
from hwscale.viz.page import html_page
from hwscale.viz.pareto_plot import headline
from hwscale.viz.what_if_section import what_if_section

SUFFIXES = (".html", ".htm")
Command = str | Sequence[str]
"""What made a result: a line, or the words of one, which are quoted where a shell needs it."""


def write_fit_report(
    fit: Fit,
    path: str | Path,
    command: Command = "",
    *,
    platform: str | Path | Platform | None = None,
    front: Any = None,
    what_ifs: Sequence[Any] = (),
    flags: Sequence[str] | None = None,
) -> None:
    """Write the page about one answer: costs with how they are known, proof, memory map, ops, verification, the command.

    Parameters
    ----------
    path : an .html file; what is there is replaced in one step.
    command : what makes the fit again.
    platform : the descriptor that was fitted; by default the built-in one of the fit's name, if there is one.
    front : the `Front` of the same question, for the Pareto plot.
    what_ifs : of `Fit.what_ifs`.
    flags : what the `hwscale cost` line of a point of the front ends with.

    Raises
    ------
    ConfigError : the path cannot be written, or plotly is missing.
    """
    target = check_target(path, SUFFIXES)
    where = f" on {fit.platform}" if fit.platform else ""
    sections = {
        "answer": answer_section(fit),
        "proof": proof_section(fit),
        "memory": memory_section(fit, _platform(fit, platform)),
        "ram": ram_section(fit),
        "time": time_section(fit),
        "front": "" if front is None else front_section(front, marked=fit, flags=flags),
        "what-ifs": what_if_section(what_ifs),
        "verification": verification_section(fit),
        "ops": ops_section(fit),
        "reproduce": _reproduce(command),
    }
    lead = f"runtime {fit.runtime}, objective {fit.objective}"
    _write(target, f"{fit.family}{where}", lead, sections)


def write_front_report(
    front: Any,
    path: str | Path,
    command: Command = "",
    *,
    x: str | None = None,
    y: str | None = None,
    epsilon: float = 0.005,
    marked: Any = None,
    flags: Sequence[str] | None = None,
) -> None:
    """Write the page about a `Front`; ``x``, ``y`` are the axes shown first, ``epsilon``, ``marked`` as in
    `hwscale.viz.pareto_plot`, ``flags`` and errors as in `write_fit_report`."""
    target = check_target(path, SUFFIXES)
    shown = front_section(front, x=x, y=y, epsilon=epsilon, marked=marked, flags=flags)
    lead = "Every network that no other of the domain beats in all costs and the score."
    _write(target, headline(front), lead, {"front": shown, "reproduce": _reproduce(command)})


def write_comparison_report(comparison: Any, path: str | Path, command: Command = "") -> None:
    """Write the page about a `Comparison`; errors as in `write_fit_report`."""
    target = check_target(path, SUFFIXES)
    families = ", ".join(dict.fromkeys(row.family for row in comparison.rows))
    sections = {"comparison": comparison_section(comparison), "reproduce": _reproduce(command)}
    _write(target, f"{families} on {len({row.platform for row in comparison.rows})} platforms", "", sections)


def _platform(fit: Fit, given: str | Path | Platform | None) -> Platform | None:
    if given is not None:
        return load_platform(given)
    try:
        return None if fit.platform is None else load_platform(fit.platform)
    except PlatformError:
        return None  # a descriptor of the user's, whose file the fit does not name


def _reproduce(command: Command) -> str:
    line = command if isinstance(command, str) else shlex.join(command)
    made = code(line) if line else paragraph("Made from Python.")
    return section("reproduce", "Reproduce", made, paragraph(f"hwscale {__version__}"))


def _write(target: Path, title: str, lead: str, sections: dict[str, str]) -> None:
    page = html_page(title, lead, sections, f"hwscale {__version__}. This file holds all it shows and loads nothing.")
    write_bytes(target, page.encode("utf-8"))
