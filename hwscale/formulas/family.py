"""The contract of a network family: what may vary, what cannot be built, widths (level 1) and graph (level 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

from hwscale.formulas.graph import Graph
from hwscale.formulas.rounding import EXACT, AlphaFactor, Rounding

PADDINGS = ("reference", "same")
"""Choices of the option ``padding``. A runtime that follows TensorFlow needs no PAD where zeros are those of SAME; weights trained
with one are not those of the other."""

Widths = dict[str, Any]
Structure = tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """A knob of the paper.

    ``axis`` says how the cost depends on it: "line" the real width multiplier, cost nondecreasing, searched along its
    breakpoints; "box" real, cost nondecreasing; "branch" decides the graph or is not monotone, enumerated; "stage" decides
    one link of a chain, see `hwscale.formulas.stagewise`. Branch hyperparameters that also enter widths as numbers are
    ``knob``s, as lines and boxes are.
    ``domain`` is the default: (low, high) for the line, the values otherwise. ``published`` is the range that published
    networks span, None where none is known. ``whole`` asks for integers; ``largest``, far outside any
    published network, keeps a slip of the keyboard from running for hours. ``choices``, where given, are all the values
    there are, words included.
    """

    name: str
    axis: Literal["line", "box", "branch", "stage"]
    default: Any
    domain: tuple[Any, ...]
    published: tuple[float, float] | None
    meaning: str
    whole: bool = False
    knob: bool = True
    largest: float = 1000
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """A switch of the reference implementation; ``default`` fixes its type, ``largest`` bounds a number, ``choices`` are all
    the words there are, ``least`` the smallest entry of a list. ``built`` is False for one that only says how to search."""

    name: str
    default: Any
    meaning: str
    largest: float = 1000
    choices: tuple[Any, ...] = ()
    least: int = 0
    built: bool = True


@dataclass(frozen=True)
class Settings:
    """Everything that decides the graph except widths and map size: options, branch knobs, channels and classes.

    ``values`` holds them by name; equal settings give the same code path. ``settings["pool"]`` reads one.
    """

    values: tuple[tuple[str, Any], ...]
    in_channels: int
    classes: int

    @cached_property
    def _by_name(self) -> dict[str, Any]:
        return dict(self.values)

    def __getitem__(self, name: str) -> Any:
        return self._by_name[name]


def pads_same(settings: Settings, stride: int) -> bool:
    """Does a convolution of this stride pad like SAME: one that strides, if the option asks for it."""
    return bool(stride > 1 and settings["padding"] == "same")


class Family(Protocol):
    """What the rest of hwscale needs to know of a family; `hwscale.formulas.phinet` is the worked example."""

    name: str
    hyperparameters: tuple[Hyperparameter, ...]
    options: tuple[Option, ...]
    sources: tuple[str, ...]

    def alpha_factors(self, settings: Settings, knobs: Mapping[str, float]) -> Sequence[AlphaFactor]:
        """How alpha enters widths: every (a, b) of an ``int(a * alpha * b)``, every `Multiple` of a divisor; see
        `hwscale.formulas.rounding.breakpoints`."""

    def refuse_branch(self, settings: Settings, knobs: Mapping[str, Any], height: int, width: int) -> str | None:
        """Why the reference network cannot be built with these branch knobs at this input size, whatever its widths;
        None if it can."""

    def refuse_widths(self, settings: Settings, widths: Widths) -> Sequence[tuple[Any, str]]:
        """(condition, reason) of each rule on widths; the condition is a bool, or a bool array for array widths."""

    def widths(self, settings: Settings, knobs: Mapping[str, Any], rounding: Rounding = EXACT) -> Widths:
        """Level 1: real hyperparameters -> integer widths, in the operation order of the reference network."""

    def map_structure(self, settings: Settings, height: int, width: int) -> Structure:
        """Facts about equal map sizes that decide the graph."""

    def width_structure(self, settings: Settings, widths: Widths) -> tuple[Any, ...]:
        """Facts about equal widths that decide the graph: bools, or bool arrays for array widths."""

    def map_multiple(self, settings: Settings) -> int:
        """Input sides that are multiples of it halve without a remainder: the printed formula assumes that."""

    def graph(self, settings: Settings, widths: Widths, height: Any, width: Any, structure: Structure) -> Graph:
        """Level 2: integers -> ops and tensors; ``structure`` = map_structure + width_structure."""
