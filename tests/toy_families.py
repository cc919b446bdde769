"""Stage-wise families made up for tests: maps that outlive their link, blocks that may be absent, widths that are linked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from hwscale.cost_model import network_model
from hwscale.formulas import FAMILIES
from hwscale.formulas.family import Hyperparameter, Option, Settings
from hwscale.formulas.graph import Graph, Tensor
from hwscale.formulas.rounding import EXACT, Rounding
from hwscale.formulas.stagewise import Link, Values


@dataclass(frozen=True)
class Toy:
    """Links of a convolution each, of the strides given; ``add`` makes a link add its input where the channels agree.

    ``held`` maps the place of a link to that of the last reader of its map, which adds it where its shape fits a 1x1
    convolution of it. The links in ``optional`` form one stage whose depth says how many of them exist.
    """

    strides: tuple[int, ...]
    widths: tuple[tuple[int, ...], ...]
    held: Mapping[int, int] = field(default_factory=dict)
    optional: tuple[int, ...] = ()
    depths: tuple[int, ...] = (1,)
    add: bool = True
    tied: bool = False
    name: str = "toy"
    options: tuple[Option, ...] = ()
    sources: tuple[str, ...] = ("made up",)
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def hyperparameters(self) -> tuple[Hyperparameter, ...]:
        found = [Hyperparameter("resolution", "branch", 8, (8,), None, "side", whole=True, knob=False, largest=64)]
        for at, widths in enumerate(self.widths):
            if self.optional and at == self.optional[0]:
                found.append(
                    Hyperparameter(
                        "depth", "stage", self.depths[0], self.depths, None, "links of the stage", whole=True
                    )
                )
            found.append(Hyperparameter(f"kernel{at}", "stage", 1, (1, 3), None, "kernel", whole=True))
            found.append(Hyperparameter(f"width{at}", "stage", widths[0], widths, None, "channels", whole=True))
        return tuple(found)

    def links(self, settings: Settings) -> tuple[Link, ...]:
        found = []
        for at, stride in enumerate(self.strides):
            depth, place = ("depth", 1 + self.optional.index(at)) if at in self.optional else ("", 1)
            until = f"l{self.held[at]}" if at in self.held else ""
            found.append(Link(f"l{at}", (f"kernel{at}",), f"width{at}", stride, depth, place, until))
        return tuple(found)

    def channels(self, settings: Settings, at: int, value: Any, rounding: Rounding = EXACT) -> Any:
        return value

    def refuse(self, settings: Settings) -> str | None:
        return None

    def linked(self, settings: Settings) -> tuple[str, ...]:
        return tuple(f"width{at}" for at in range(len(self.widths))) if self.tied else ()

    def may_add(self, settings: Settings, at: int, values: Values) -> bool:
        return self.add and self.strides[at] == 1

    def append(
        self, g: Graph, settings: Settings, at: int, x: Tensor, values: Values, channels: Any, *, same: bool, pixel: bool,
        held: Tensor | None,
    ) -> Tensor:  # fmt: skip
        kernel = values[f"kernel{at}"]
        y = g.conv(f"l{at}.conv", x, channels, kernel=kernel, stride=self.strides[at], padding=kernel // 2)
        if self.may_add(settings, at, values) and same:
            y = g.add(f"l{at}.add", y, x)
        if held is not None and at in self.held.values():
            # a gate from the old map, whatever its size: pooled to a pixel, a 1x1 convolution, a product
            gate = g.conv(f"l{at}.gate", g.average_pool(f"l{at}.pool", held, 1, 1), channels)
            y = g.mul(f"l{at}.scale", y, gate, broadcast=True)
        return y


@contextmanager
def registered(family: Toy) -> Iterator[Toy]:
    """``family`` can be asked for by name, and nothing is left of it afterwards."""
    network_model.cache_clear()
    with mock.patch.dict(FAMILIES, {family.name: family}):
        yield family
    network_model.cache_clear()
