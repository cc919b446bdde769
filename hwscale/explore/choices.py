"""The hyperparameters of many networks, in as little room as they need: per name a list of values and per network which it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwscale.formulas.rounding import shortest_decimal

Codes = npt.NDArray[np.int32]
ABSENT = -1
"""Code of a network that does not have a hyperparameter, or has an option at its default."""


@dataclass(frozen=True, slots=True)
class Span:
    """All alphas of one network, from ``low`` up to below ``end``: what is printed is the shortest decimal among them."""

    low: float
    end: float


@dataclass(frozen=True)
class Choices:
    """``values[n][codes[n, row]]`` is what network ``row`` has of hyperparameter or option ``names[n]``."""

    names: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]
    codes: Codes

    def at(self, row: int) -> dict[str, Any]:
        """Those of one network, in declared order."""
        found = {}
        for name, values, code in zip(self.names, self.values, self.codes[:, row].tolist(), strict=True):
            if code != ABSENT:
                value = values[code]
                found[name] = shortest_decimal(value.low, value.end) if isinstance(value, Span) else value
        return found

    def header(self) -> dict[str, Any]:
        """Names and values for JSON."""
        return {"names": list(self.names), "values": [[_written(value) for value in row] for row in self.values]}

    @staticmethod
    def restored(header: Mapping[str, Any], codes: Codes) -> Choices:
        """Of `header` and the codes; ValueError or KeyError where they do not belong together."""
        names = tuple(str(name) for name in header["names"])
        values = tuple(tuple(_read(value) for value in row) for row in header["values"])
        if len(names) != len(values) or codes.ndim != 2 or len(codes) != len(names):
            raise ValueError("names, values and codes differ in number")
        for row, listed in zip(codes, values, strict=True):
            if row.size and not ABSENT <= int(row.min()) <= int(row.max()) < len(listed):
                raise ValueError("a code has no value")
        return Choices(names, values, codes.astype(np.int32))


def gathered(columns: Sequence[tuple[str, Sequence[Any], Codes]], defaults: Mapping[str, Any]) -> Choices:
    """Of (name, values, codes); what equals its default is left out, and a name that no network then has."""
    names, kept, rows = [], [], []
    for name, values, codes in columns:
        if name in defaults:
            same = [n for n, value in enumerate(values) if value == defaults[name]]
            codes = np.where(np.isin(codes, same), ABSENT, codes)
        if (codes != ABSENT).any():
            names.append(name)
            kept.append(tuple(values))
            rows.append(codes.astype(np.int32))
    count = len(columns[0][2])
    return Choices(tuple(names), tuple(kept), np.stack(rows) if rows else np.zeros((0, count), np.int32))


def _written(value: Any) -> Any:
    if isinstance(value, Span):
        return {"low": value.low, "end": value.end}
    return [_written(part) for part in value] if isinstance(value, tuple) else value


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        return Span(float(value["low"]), float(value["end"]))
    return tuple(_read(part) for part in value) if isinstance(value, list) else value
