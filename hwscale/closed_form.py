"""The symbolic reading: RAM, Flash, MACs and parameters of a family as formulas to print, differentiate or publish.

Two levels, as everywhere: `Formula.definitions` turns hyperparameters into integer widths; the costs are polynomials in
those widths and in the input side R. The polynomials come from the family's own graph, run on symbols instead of ints.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwscale.closed_form_chain import chain_formula
from hwscale.closed_form_lattice import lattice_formula
from hwscale.closed_form_terms import SCHEMA, Formula
from hwscale.formulas import find_family
from hwscale.formulas.stagewise import stagewise

__all__ = ["SCHEMA", "Formula", "formula"]


def formula(
    family: str,
    *,
    fix: Mapping[str, Any] | None = None,
    runtime: str = "tensors",
    in_channels: int = 3,
    classes: int | None = None,
) -> Formula:
    """The exact closed forms of a family for square inputs.

    ``fix`` sets options and hyperparameters. Free are the width multiplier, the real hyperparameters (PhiNet's beta and
    t_zero) and the input side R [px]; those that decide the graph or are enumerated (num_layers, XiNet's beta and
    gamma) take the family's default. With ``resolution`` fixed the formula is that of this very size, any that the
    reference network accepts. In a stage-wise family the channels of every link are free, and the rest of the defaults' chain
    is not. Raises ConfigError on unknown names and on settings that network cannot be built with.
    """
    fix = dict(fix or {})
    method = chain_formula if stagewise(find_family(family)) else lattice_formula
    return method(family, fix, runtime, in_channels, classes)
