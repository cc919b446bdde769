"""Where RAM and Flash bind, stage by stage, and which block exchange the numbers favour there.

AtomNet's guidelines, computed instead of quoted: for the stage that holds the RAM peak and the one with the most Flash, every
other block is tried with every published expansion (a separable block has none) at the smallest width that keeps the network's
MACs, and the cheapest is reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hwscale.configuration import Configuration, configure
from hwscale.formulas import find_family
from hwscale.formulas.family import Hyperparameter
from hwscale.latency_model import FEMTO
from hwscale.ledger import NetworkRecord
from hwscale.work import Work, latency_fs

QUANTITIES = ("ram", "flash")
WIDEST = 2048
"""Widths are tried below it [channels]."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Another block in a stage, with the expansion and width that need least RAM (or Flash) at no fewer MACs, and no more of
    the other memory if there are such.

    ``change`` in bytes, MACs and seconds against the network as it is: "ram", "flash", "macs", and "latency" where rates are
    known. ``favoured``: it needs less of the memory that binds and no more of the other.
    """

    block: str
    values: Mapping[str, Any]
    change: Mapping[str, float]
    favoured: bool


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """The stage that decides ``quantity`` ("ram" or "flash"): ``size_bytes`` there of ``total_bytes``; ``block`` it has now ("" where
    the family has one kind), and the exchanges, the most favourable first."""

    quantity: str
    stage: str
    size_bytes: int
    total_bytes: int
    block: str
    exchanges: tuple[Exchange, ...]


def bottlenecks(
    configuration: Configuration, runtime: str, external_input: bool, fs_per_unit: Mapping[Work, int]
) -> tuple[Bottleneck, ...]:
    """The RAM-bound and the Flash-bound stage of a network; ``fs_per_unit`` of each work, empty where unknown."""
    record = configuration.record(runtime, external_input)
    found = []
    for quantity in QUANTITIES:
        stage, size = _bound(record, quantity)
        block = configuration.values.get(_named("block", stage) or "", "")
        exchanges = sorted(
            _exchanges(configuration, record, stage, quantity, runtime, external_input, fs_per_unit),
            key=lambda exchange: (exchange.change[quantity], exchange.change.get("latency", 0), exchange.block),
        )
        found.append(Bottleneck(quantity, stage, size, _total(record, quantity), block, tuple(exchanges)))
    return tuple(found)


def _bound(record: NetworkRecord, quantity: str) -> tuple[str, int]:
    """The stage that decides a quantity, and its bytes."""
    sizes: dict[str, int] = {}
    for op in record.ops:
        stage = op.name.split(".")[0]
        if quantity == "ram":
            sizes[stage] = max(sizes.get(stage, 0), op.live_bytes)
        else:
            sizes[stage] = sizes.get(stage, 0) + op.flash_bytes
    stage = max(sizes, key=lambda name: sizes[name])
    return stage, sizes[stage]


def _total(record: NetworkRecord, quantity: str) -> int:
    return record.ram_bytes if quantity == "ram" else record.flash_bytes


def _named(what: str, stage: str) -> str | None:
    """ "block3" of stage "s3"."""
    number = re.fullmatch(r"s(\d+)", stage)
    return what + number[1] if number else None


def _exchanges(
    configuration: Configuration,
    record: NetworkRecord,
    stage: str,
    quantity: str,
    runtime: str,
    external_input: bool,
    fs_per_unit: Mapping[Work, int],
) -> Iterator[Exchange]:
    hypers = {h.name: h for h in find_family(configuration.family).hyperparameters}
    block = hypers.get(_named("block", stage) or "")
    if block is None:
        return
    for kind in block.choices:
        if kind == configuration.values[block.name]:
            continue
        tried = []
        for expand in (1,) if kind == "sep" else _expansions(hypers):
            found = _matched(
                configuration, {block.name: kind, _named("expand", stage) or "": expand}, stage, record.macs
            )
            if found is not None:
                other = _changed(configuration, found).record(runtime, external_input)
                grows = any(_total(other, q) > _total(record, q) for q in QUANTITIES if q != quantity)
                tried.append((grows, _total(other, quantity), other.macs, found, other))
        if tried:
            grows, *_, changed, other = min(tried, key=lambda one: one[:3])
            change: dict[str, float] = {
                "ram": other.ram_bytes - record.ram_bytes,
                "flash": other.flash_bytes - record.flash_bytes,
                "macs": other.macs - record.macs,
            }
            if fs_per_unit:
                change["latency"] = (latency_fs(other.ops, fs_per_unit) - latency_fs(record.ops, fs_per_unit)) / FEMTO
            yield Exchange(str(kind), changed, change, change[quantity] < 0 and not grows)


def _expansions(hypers: Mapping[str, Hyperparameter]) -> list[int]:
    """Every expansion of the published domain."""
    return sorted({e for h in hypers.values() if h.name.startswith("expand") for e in h.domain})


def _matched(configuration: Configuration, values: dict[str, Any], stage: str, macs: int) -> dict[str, Any] | None:
    """``values`` with the smallest width of the stage, a multiple of 8, at which the network has at least so many MACs."""
    width = _named("width", stage) or ""
    low, high = 1, WIDEST // 8
    while low < high:
        middle = (low + high) // 2
        record = _changed(configuration, {**values, width: 8 * middle}).record("tensors", False)
        low, high = (low, middle) if record.macs >= macs else (middle + 1, high)
    return None if low == WIDEST // 8 else {**values, width: 8 * low}


def _changed(configuration: Configuration, values: Mapping[str, Any]) -> Configuration:
    return configure(
        configuration.family,
        {**configuration.values, **values},
        input_shape=configuration.input_shape,
        classes=configuration.classes,
        in_channels=configuration.input_shape[0],
    )
