"""Operator models in a file beside a platform's descriptor: ``stm32h743.latency.toml`` belongs to ``stm32h743.toml``.

`hwscale calibrate` writes such files; platforms/README.md tells what each key means.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from hwscale.errors import PlatformError, nearest
from hwscale.latency_model import LatencyModel, Term
from hwscale.platform import Platform, descriptors, load_platform, platforms
from hwscale.platform_keys import STATUSES
from hwscale.work import QUANTITIES, Work

SCHEMA = "hwscale-latency/1"
_KEYS = {
    "name": str,
    "runtimes": list,
    "n": int,
    "networks": int,
    "interval": list,
    "source": str,
    "status": str,
    "term": list,
}
_OPTIONAL = {"left_out_error": float, "note": str, "seen": dict}
_TERM_KEYS = {"work": str, "operators": list, "seconds_per_unit": float}


def latency_path(platform: Platform) -> Path:
    """Where the models of a platform lie."""
    return platform.origin.with_name(platform.origin.stem + ".latency.toml")


def latency_models(platform: Platform) -> tuple[LatencyModel, ...]:
    """The operator models measured on a platform, its default one first; none without a file. PlatformError if it cannot be used."""
    file = latency_path(platform)
    try:
        found = file.stat()
    except (OSError, ValueError):
        return ()
    return _read(file, found.st_mtime_ns)


@lru_cache(maxsize=1)
def built_in_models() -> tuple[tuple[Platform, LatencyModel], ...]:
    """Every model that is shipped, with its platform."""
    named = [name for name in platforms() if (descriptors() / f"{name}.latency.toml").is_file()]
    return tuple((platform, model) for platform in map(load_platform, named) for model in latency_models(platform))


@lru_cache(maxsize=64)
def _read(file: Path, modified_ns: int) -> tuple[LatencyModel, ...]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise PlatformError(f"{file}: cannot be read ({error}); write it anew with hwscale calibrate") from None
    if document.get("schema") != SCHEMA:
        raise PlatformError(
            f"{file}: schema is {document.get('schema')!r}, but it must be {SCHEMA!r}; write it anew with hwscale calibrate"
        )
    top = {"schema": str, "platform": str, "clock_hz": int, "default": str, "model": list}
    _check(file, "the top of the file", document, top, {})
    models = [_model(file, number, row, document) for number, row in enumerate(document["model"])]
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise PlatformError(f"{file}: model {name!r} is there twice; keep one of them")
    if document["default"] not in names:
        raise PlatformError(f"{file}: default is {document['default']!r}; {nearest(document['default'], names)}")
    return tuple(sorted(models, key=lambda model: model.name != document["default"]))


def _model(file: Path, number: int, row: Any, document: dict[str, Any]) -> LatencyModel:
    where = f"model[{number}]"
    _check(file, where, row, _KEYS, _OPTIONAL)
    low, high = (*row["interval"], None, None)[:2]
    if len(row["interval"]) != 2 or not all(_number(end) for end in (low, high)) or not 0 < low <= 1 <= high:
        raise PlatformError(
            f"{file}: {where}.interval is {row['interval']!r}, but it must be two numbers around 1, such as [0.9, 1.1]; correct it"
        )
    if row["status"] not in STATUSES:
        raise PlatformError(f"{file}: {where}.status is {row['status']!r}, but it must be one of {', '.join(STATUSES)}")
    if not row["term"]:
        raise PlatformError(f"{file}: {where} has no [[model.term]], so it says nothing; write it anew with calibrate")
    terms = tuple(_term(file, f"{where}.term[{n}]", term) for n, term in enumerate(row["term"]))
    return LatencyModel(
        row["name"],
        _texts(file, f"{where}.runtimes", row["runtimes"]),
        document["platform"],
        document["clock_hz"],
        terms,
        row["n"],
        row["networks"],
        row.get("left_out_error"),
        (float(low), float(high)),
        row["source"],
        row["status"],
        row.get("note", ""),
        _shares(file, f"{where}.seen", row.get("seen", {})),
    )


def _term(file: Path, where: str, row: Any) -> Term:
    _check(file, where, row, _TERM_KEYS, {})
    if row["work"] not in QUANTITIES:
        raise PlatformError(f"{file}: {where}.work is {row['work']!r}, but it must be one of {', '.join(QUANTITIES)}")
    seconds = row["seconds_per_unit"]
    if not 0 < seconds < 1:
        raise PlatformError(
            f"{file}: {where}.seconds_per_unit is {seconds!r}, but it must lie between 0 and 1 s; correct it"
        )
    return Term(Work(row["work"], _texts(file, f"{where}.operators", row["operators"])), float(seconds))


def _shares(file: Path, where: str, given: dict[str, Any]) -> dict[str, float]:
    for kind, share in given.items():
        if not _number(share) or not 0 <= share <= 1:
            raise PlatformError(f"{file}: {where}.{kind} is {share!r}, but it must be a share from 0 to 1; correct it")
    return {kind: float(share) for kind, share in given.items()}


def _check(file: Path, where: str, given: Any, keys: dict[str, type], optional: dict[str, type]) -> None:
    """PlatformError if ``given`` is no table of these keys and types."""
    if not isinstance(given, dict):
        raise PlatformError(
            f"{file}: {where} is {given!r}, but it must be a table; write it anew with hwscale calibrate"
        )
    for name, value in given.items():
        wanted = keys.get(name) or optional.get(name)
        if wanted is None:
            raise PlatformError(f"{file}: {where} has no key {name!r}, only {', '.join([*keys, *optional])}; remove it")
        fits = _number(value) if wanted is float else isinstance(value, wanted) and not isinstance(value, bool)
        if not fits or (wanted is int and value <= 0):
            raise PlatformError(f"{file}: {where}.{name} is {value!r}, but it must be {_SPELT[wanted]}; correct it")
    if missing := [name for name in keys if name not in given]:
        raise PlatformError(f"{file}: {where} lacks {missing[0]}; write it anew with hwscale calibrate")


_SPELT = {dict: "a table", str: "text", int: "a whole number above zero", float: "a number", list: "an array"}


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _texts(file: Path, where: str, values: Sequence[Any]) -> tuple[str, ...]:
    if not all(isinstance(value, str) and value for value in values):
        raise PlatformError(f"{file}: {where} is {values!r}, but it must be an array of names; correct it")
    return tuple(values)


def written(platform: str, clock_hz: int, models: Sequence[LatencyModel]) -> str:
    """The text of a file with these models, the first its default."""
    lines = [f'schema = "{SCHEMA}"', f"platform = {_quoted(platform)}", f"clock_hz = {clock_hz:_}"]
    lines += [f"default = {_quoted(models[0].name)}"]
    for model in models:
        lines += ["", "[[model]]", f"name = {_quoted(model.name)}", f"runtimes = {_array(model.runtimes)}"]
        lines += [f"n = {model.n}", f"networks = {model.networks}"]
        if model.left_out_error is not None:
            lines.append(f"left_out_error = {model.left_out_error:.4f}")
        lines.append(f"interval = [{model.interval[0]:.3f}, {model.interval[1]:.3f}]")
        lines += [f"source = {_quoted(model.source)}", f"status = {_quoted(model.status)}"]
        lines += [f"note = {_quoted(model.note)}"] if model.note else []
        shares = ", ".join(f"{kind} = {share:.2f}" for kind, share in sorted(model.seen.items()))
        lines += [f"seen = {{ {shares} }}"] if shares else []
        for term in model.terms:
            lines += ["", "[[model.term]]", f"work = {_quoted(term.work.quantity)}"]
            lines += [f"operators = {_array(term.work.operators)}", f"seconds_per_unit = {term.seconds:.4e}"]
    return "\n".join(lines) + "\n"


def _array(values: Sequence[str]) -> str:
    return "[" + ", ".join(map(_quoted, values)) + "]"


def _quoted(text: str) -> str:
    plain = "".join(c if c.isprintable() else " " for c in text)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
