"""The contract of a stage-wise family: a chain of links, each with choices of its own, whose costs add up.

A network is a path: every link takes the map that the one before it left and appends its ops. Nothing passes on but that map,
what the stage still has to know (MCUNet's depth), and a map that is held for a later link, so MACs, weights and biases are
sums over links, and the RAM peak is the largest of theirs. That makes the best network a resource-constrained longest path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard

from hwscale.formulas.family import Hyperparameter, Option, Settings
from hwscale.formulas.graph import Graph, Tensor
from hwscale.formulas.rounding import EXACT, Rounding

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """A stage or block whose hyperparameters are chosen together.

    ``structural`` names those that decide its ops, ``width`` the one behind its output channels ("" for a head, which
    leaves no map). ``stride`` is that of its map. ``depth`` names the hyperparameter that says how many blocks of the
    stage exist, and ``place`` which of them this is, from 1: the link is left out where depth < place; at place 1 the depth
    is chosen. "" where a link is always there. ``held_until`` names a later link, the last that reads the map that leaves
    this one: it stays in memory until then ("" for a map that only the next link reads).
    """

    name: str
    structural: tuple[str, ...]
    width: str
    stride: int
    depth: str = ""
    place: int = 1
    held_until: str = ""

    def absent(self, values: Values) -> bool:
        """The stage ends before it."""
        return bool(self.depth) and values[self.depth] < self.place

    @property
    def choices(self) -> tuple[str, ...]:
        """Hyperparameters decided here, in the order that breaks ties."""
        depth = (self.depth,) if self.depth and self.place == 1 else ()
        return (*depth, *self.structural, *((self.width,) if self.width else ()))


class StagewiseFamily(Protocol):
    """What the rest of hwscale needs to know of a stage-wise family; `hwscale.formulas.atomnet` is the worked example.

    ``presets`` are published networks by name: values of hyperparameters and options, and "classes".
    """

    name: str
    hyperparameters: tuple[Hyperparameter, ...]
    options: tuple[Option, ...]
    sources: tuple[str, ...]
    presets: Mapping[str, Mapping[str, Any]]

    def links(self, settings: Settings) -> tuple[Link, ...]:
        """The chain, in the order of execution."""

    def channels(self, settings: Settings, at: int, value: Any, rounding: Rounding = EXACT) -> Any:
        """Output channels of link ``at`` where its width hyperparameter has ``value``, a number or a symbol."""

    def refuse(self, settings: Settings) -> str | None:
        """Why no network can be built under these options; None if one can."""

    def linked(self, settings: Settings) -> tuple[str, ...]:
        """Hyperparameters that must all have one value; () where each is free."""

    def may_add(self, settings: Settings, at: int, values: Values) -> bool:
        """Does the graph of link ``at`` depend on whether as many channels leave as enter?"""

    def append(
        self,
        g: Graph,
        settings: Settings,
        at: int,
        x: Tensor,
        values: Values,
        channels: Any,
        *,
        same: bool,
        pixel: bool,
        held: Tensor | None,
    ) -> Tensor:
        """Append the ops of link ``at`` to ``g`` on map ``x``; returns the map that leaves. ``held`` is the map that an earlier
        link left for it or a later one, if there is one.

        ``values`` holds its structural hyperparameters, ``channels`` what leaves [1]. ``same``: as many channels leave as
        enter; ``pixel``: the map after its stride is a single pixel. Widths and sides are ints, arrays or symbols.
        """


def stagewise(family: object) -> TypeGuard[StagewiseFamily]:
    """Is it a stage-wise family, not one of global width multipliers?"""
    return hasattr(family, "links")


def held_by(links: tuple[Link, ...]) -> list[int | None]:
    """Per link the earlier one whose map is still held while it runs; one at a time."""
    names = [link.name for link in links]
    found: list[int | None] = [None] * len(links)
    for at, link in enumerate(links):
        if link.held_until:
            for later in range(at + 1, names.index(link.held_until) + 1):
                found[later] = at
    return found


def maps(links: tuple[Link, ...], height: int, width: int) -> list[tuple[int, int]]:
    """Map (height, width) that leaves each link: every stride halves and rounds up."""
    found = []
    for link in links:
        if link.stride == 2:
            height, width = (height + 1) // 2, (width + 1) // 2
        found.append((height, width))
    return found
