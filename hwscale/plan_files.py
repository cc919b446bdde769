"""The ops of a plan as .tflite files to flash, one each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hwscale.errors import ConfigError
from hwscale.family_shapes import op_label
from hwscale.ledger import OpShape
from hwscale.plan import Plan


def export_tflite(plan: Plan, directory: str | Path, progress: Callable[[str], None] | None = None) -> tuple[Path, ...]:
    """Write every op of a plan into ``directory``, which is made if need be; the paths, in the order of the plan.

    A line goes to ``progress`` before each: a file takes some seconds. Raises ConfigError if a file is there already,
    the folder cannot be made, or a package of ``hwscale[convert]`` is missing, and UnsupportedOpError for an op that
    has no file of its own.
    """
    targets = tflite_paths(plan, directory)
    check_absent(tuple(targets.values()))
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{directory} cannot be made ({error.strerror}); choose another folder") from None
    from hwscale.measure.single_op import write_op

    for number, (shape, path) in enumerate(targets.items(), start=1):
        if progress:
            progress(f"converting {path.stem}, {number} of {len(targets)}")
        write_op(shape, path)
    return tuple(targets.values())


def tflite_paths(plan: Plan, directory: str | Path) -> dict[OpShape, Path]:
    """Where each op of a plan is written, by its name in the file of measurements."""
    return {shape: Path(directory) / f"{op_label(shape)}.tflite" for shape in plan.shapes}


def check_absent(paths: tuple[str | Path, ...]) -> None:
    """ConfigError if one of the files is there already."""
    for path in paths:
        if Path(path).exists():
            raise ConfigError(f"{path} is there already and is not overwritten; choose another name")
