"""A front on disk: an .npz file of plain arrays and a JSON header, schema "hwscale.front/1"; nothing in it is ever executed."""

from __future__ import annotations

import json
import os
import re
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hwscale.errors import ConfigError
from hwscale.explore.choices import Choices
from hwscale.explore.front import FRONT_SCHEMA, Front

WHOLE = ("ram", "flash", "macs", "params")


def save(front: Front, path: str | Path) -> Path:
    """Write the file, or nothing. ConfigError if it cannot be written."""
    target = Path(path)
    header = front.header() | {"choices": front.choices.header(), "columns": list(front.columns)}
    arrays: dict[str, Any] = {f"column_{name}": column for name, column in front.columns.items()}
    arrays |= {f"rank_{name}": ranks for name, ranks in front.ranks.items()}
    arrays |= {"codes": front.choices.codes, "latency_fs": front.latency_fs}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    return written(target, lambda file: np.savez_compressed(file, **arrays))


def written(target: Path, write: Callable[[Any], Any]) -> Path:
    """Have ``write`` fill a file, or leave nothing behind. ConfigError if it cannot be written."""
    staged = None
    try:
        descriptor, staged = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.absolute().parent)
        with os.fdopen(descriptor, "wb") as file:
            write(file)
        os.chmod(staged, 0o644)
        os.replace(staged, target)
    except OSError as error:
        if staged is not None and os.path.exists(staged):
            os.unlink(staged)
        raise ConfigError(f"{target}: it cannot be written: {error.strerror or error}; choose another path") from error
    return target


def load_front(path: str | Path) -> Front:
    """A front that `Front.save` wrote; it answers as the one that was saved. ConfigError for any other file."""
    source = Path(path)
    foreign = f"{source}: this is no front that hwscale saved; make one with hwscale pareto --out FILE.npz"
    try:
        # a pickle is never read: it could run anything
        with open(source, "rb") as raw, np.lib.npyio.NpzFile(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(arrays["header"].tobytes().decode())
        schema = header["schema"]
    except FileNotFoundError:
        raise ConfigError(f"{source}: there is no such file") from None
    except IsADirectoryError:
        raise ConfigError(f"{source}: this is a folder, not a front") from None
    except PermissionError:
        raise ConfigError(f"{source}: the file is not readable") from None
    except (ValueError, KeyError, TypeError, EOFError, AttributeError, OSError, zipfile.BadZipFile):
        raise ConfigError(foreign) from None
    if schema != FRONT_SCHEMA:
        newer = isinstance(schema, str) and re.fullmatch(r"hwscale\.front/\d+", schema)
        raise ConfigError(
            f"{source}: its schema is {schema}, and this version reads {FRONT_SCHEMA}; update hwscale, or make the front again"
            if newer
            else foreign
        )
    try:
        return _restored(header, arrays)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"{source}: the front is damaged ({error}); make it again") from None


def _restored(header: dict[str, Any], arrays: dict[str, Any]) -> Front:
    columns = {str(name): arrays[f"column_{name}"] for name in header["columns"]}
    if not {*WHOLE, "resolution", "score"} <= set(columns):
        raise ValueError("a column is missing")
    ranks = {name: arrays[f"rank_{name}"] for name in ("banded", "free") if f"rank_{name}" in arrays}
    choices = Choices.restored(header["choices"], arrays["codes"])
    lengths = {len(array) for array in (*columns.values(), *ranks.values(), arrays["latency_fs"])}
    if (
        len(lengths | {choices.codes.shape[1]}) != 1
        or "free" not in ranks
        or ("banded" in ranks) != ("in_band" in columns)
    ):
        raise ValueError("its arrays do not belong together")
    shape = header["input_shape"]
    return Front(
        family=header["family"],
        platform=header["platform"],
        runtime=header["runtime"],
        objective=header["objective"],
        costs=tuple(header["costs"]),
        columns=columns,
        budget={name: int(size) for name, size in header["budget"].items()},
        candidates=int(header["candidates"]),
        method=header["method"],
        seconds=float(header["seconds"]),
        evidence=header["evidence"],
        digest=header["digest"],
        choices=choices,
        ranks=ranks,
        latency_fs=arrays["latency_fs"],
        power_w=header["power_w"],
        input_shape=None if shape is None else (int(shape[0]), int(shape[1]), int(shape[2])),
        in_channels=int(header["in_channels"]),
        classes=int(header["classes"]),
        external_input=header["input_buffer"] == "external",
    )
