"""A fit on disk: ``fit.json`` (the answer, schema "hwscale.fit/1") and ``weights.pt`` (a torch state_dict)."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwscale.errors import ConfigError, VerificationError

if TYPE_CHECKING:
    from torch import nn

    from hwscale.result import Fit

FIT_FILE = "fit.json"
WEIGHTS_FILE = "weights.pt"
SEAL = "sha256"


def check_writable(directory: str | Path) -> Path:
    """``directory`` as a Path if a fit can be saved there; ConfigError if it is not empty or cannot be written."""
    path = Path(directory)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ConfigError(f"--save {path}: it exists already and is not an empty folder; choose another name")
    parent = next(p for p in [path, *path.absolute().parents] if p.is_dir())
    if not os.access(parent, os.W_OK | os.X_OK):
        raise ConfigError(f"--save {path}: {parent} is not writable; choose another folder")
    return path


def save(fit: Fit, directory: str | Path) -> Path:
    """Write both files, or nothing; returns the folder. ConfigError if it cannot be written."""
    import torch

    path = check_writable(directory)
    staged: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        staged.chmod(0o755)
        record = fit.to_dict()
        sealed = {**record, SEAL: _seal(record)}
        (staged / FIT_FILE).write_text(json.dumps(sealed, indent=2) + "\n", encoding="utf-8")
        weights = io.BytesIO()  # a full disk is then an OSError, not whatever torch makes of it
        torch.save(fit.build().state_dict(), weights)
        (staged / WEIGHTS_FILE).write_bytes(weights.getvalue())
        if path.is_dir():
            path.rmdir()
        staged.rename(path)
    except OSError as error:
        raise ConfigError(
            f"--save {path}: cannot be written ({error.strerror or error}); choose another folder"
        ) from None
    finally:
        if staged is not None and staged.exists():
            shutil.rmtree(staged)
    return path


def load(directory: str | Path) -> tuple[dict[str, Any], nn.Module]:
    """The saved answer and its network with the saved weights.

    Raises ConfigError for a folder that is no saved fit; VerificationError if the weights do not belong to its network.
    """
    import torch

    from hwscale.builder import build

    path = Path(directory)
    record = _read(path / FIT_FILE)
    network = build(
        record["family"], record["hyperparameters"], input_shape=record["input_shape"], classes=record["classes"]
    )
    try:
        weights = torch.load(path / WEIGHTS_FILE, weights_only=True)
    except FileNotFoundError:
        raise ConfigError(f"{path}: {WEIGHTS_FILE} is missing; save the fit again") from None
    except Exception:  # noqa: BLE001 - torch raises many kinds for a damaged or foreign file
        raise VerificationError(
            f"{path / WEIGHTS_FILE} is damaged or no torch state_dict; save the fit again"
        ) from None
    try:
        network.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError):
        raise VerificationError(
            f"{path / WEIGHTS_FILE} holds the weights of another network than {FIT_FILE} describes; save the fit again"
        ) from None
    return record, network


def _read(file: Path) -> dict[str, Any]:
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise ConfigError(f"{file}: no such file; give the folder that --save wrote") from None
    except ValueError as error:
        raise ConfigError(f"{file}: not valid JSON ({error}); save the fit again") from None
    if not isinstance(record, dict) or record.get("schema") != "hwscale.fit/1":
        raise ConfigError(f"{file}: its schema is not 'hwscale.fit/1'; give the folder that --save wrote")
    seal = record.pop(SEAL, None)
    now, then = _seal(record), seal if isinstance(seal, dict) else {}
    for name in sorted({*now, *then}):
        if now.get(name) != then.get(name):
            raise VerificationError(f"{file}: {name} was changed after it was saved; run fit --save again")
    return record


def _seal(record: dict[str, Any]) -> dict[str, str]:
    """Digest of every entry as JSON reads it back, each cost on its own."""
    entries = dict(record)
    cost = entries.pop("cost", None)
    entries |= {f"cost.{name}": value for name, value in cost.items()} if isinstance(cost, dict) else {"cost": cost}
    return {
        name: hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
        for name, value in entries.items()
    }
