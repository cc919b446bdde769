"""Static figures: made without pyplot's global state, written in one step."""

from __future__ import annotations

import io
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hwscale.drawing.marks import GRID, INK, QUIET
from hwscale.errors import ConfigError

STATIC = (".png", ".svg", ".pdf")
DPI = 150


def require(package: str) -> None:
    """ConfigError if ``package``, which the extra ``viz`` brings, is missing."""
    if find_spec(package) is None:
        raise ConfigError(f"plots and reports need {package}, which is not installed; pip install 'hwscale[viz]'")


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Any, list[Any]]:
    """A matplotlib Figure of ``width`` x ``height`` inches and its axes, row by row; ConfigError without matplotlib."""
    require("matplotlib")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="#ffffff")
    found = figure.subplots(rows, columns, squeeze=False, **options)
    for axes in found.flat:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(QUIET)
        axes.tick_params(colors=QUIET, labelcolor=INK, labelsize=8)
        axes.grid(color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
    return figure, list(found.flat)


def ticks(axis: Any, at: list[float], labels: list[str]) -> None:
    """Put these ticks on a matplotlib axis and no others."""
    from matplotlib.ticker import NullLocator

    axis.set_ticks(at, labels)
    axis.set_minor_locator(NullLocator())


def save_figure(figure: Any, path: str | Path) -> None:
    """Write a figure as .png, .svg or .pdf, the same bytes for the same figure; what is there is replaced in one step.

    ConfigError for another suffix or a path that cannot be written.
    """
    import matplotlib as mpl

    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in STATIC:
        raise ConfigError(f"{target}: a plot is a {', '.join(STATIC)} file; let the name end in one of them")
    undated: dict[str, dict[str, str | None]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    held = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "hwscale", "svg.fonttype": "none", "pdf.fonttype": 42}):
        figure.savefig(held, format=suffix[1:], metadata=undated.get(suffix))
    write_bytes(target, held.getvalue())


def check_target(path: str | Path, suffixes: tuple[str, ...]) -> Path:
    """The path, if a file with one of the suffixes can be put there; ConfigError otherwise. To be asked before work begins."""
    target = Path(path)
    if target.suffix.lower() not in suffixes:
        raise ConfigError(f"{target}: what is written is {' or '.join(suffixes)}; let the name end so")
    if not target.parent.is_dir():
        raise ConfigError(f"{target}: there is no folder {target.parent}; make it first")
    if target.is_dir():
        raise ConfigError(f"{target} is a folder; choose the name of a file")
    return target


def write_bytes(path: Path, content: bytes) -> None:
    """Replace ``path`` in one step; ConfigError if that cannot be, and then nothing is left behind."""
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as stream:
            temporary = Path(stream.name)
            stream.write(content)
        temporary.chmod(0o644)
        os.replace(temporary, path)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"{path} cannot be written ({reason}); choose another place") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
