"""A network by the import path of what builds it: ``package.module:factory``."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hwscale.errors import ConfigError, nearest

if TYPE_CHECKING:
    from torch import nn

EXAMPLE = "package.module:factory, such as mynets.small:build"


def build_from(spelling: str) -> nn.Module:
    """The module that ``package.module:factory`` returns when it is called without arguments.

    The current directory is searched first, as by ``python -m``. A module that stands there ready is taken as it is.

    Raises
    ------
    ConfigError : the spelling is wrong, the import or the factory fails, or what comes back is no torch.nn.Module.
    """
    from torch import nn

    home, _, name = spelling.partition(":")
    if home.endswith(".py") or "/" in home or os.sep in home:
        raise ConfigError(f"{spelling}: the module is spelled with dots and without .py; write {EXAMPLE}")
    if not all(part.isidentifier() for part in (*home.split("."), *name.split("."))):
        raise ConfigError(f"{spelling}: this is no import path; write {EXAMPLE}")
    factory = _member(_imported(spelling, home), spelling, home, name)
    if isinstance(factory, nn.Module):
        return factory
    if not callable(factory):
        raise ConfigError(
            f"{spelling}: {name} is of type {type(factory).__name__}, but must be a function; write {EXAMPLE}"
        )
    try:
        network = factory()
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"{spelling}: calling {name}() without arguments raises {_told(error)}; it must build the network on its own"
        ) from error
    if not isinstance(network, nn.Module):
        raise ConfigError(f"{spelling}: {name}() returns {type(network).__name__}, but must return a torch.nn.Module")
    return network


def _imported(spelling: str, home: str) -> Any:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(home)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and (home == missing or home.startswith(f"{missing}.")):
            raise ConfigError(
                f"{spelling}: there is no module {missing}, neither in this directory nor installed; write {EXAMPLE}"
            ) from error
        raise ConfigError(f"{spelling}: importing {home} raises {_told(error)}; correct it there") from error


def _member(module: Any, spelling: str, home: str, name: str) -> Any:
    found = module
    for part in name.split("."):
        if not hasattr(found, part):
            public = [
                other for other in dir(found) if not other.startswith("_") and callable(getattr(found, other, None))
            ]
            raise ConfigError(f"{spelling}: {home} has no {name}; {nearest(part, public[:40])}")
        found = getattr(found, part)
    return found


def _told(error: BaseException) -> str:
    """The error in one line."""
    text = " ".join(str(error).split()).rstrip(".")
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__
