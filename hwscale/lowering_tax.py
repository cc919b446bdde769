"""What the reference form of a network costs in a runtime: explicit PADs and activations that cannot be fused.

The other choices of the options ``padding`` and ``activation`` are networks of their own, with weights of their own: what they would
save is told, not taken. Either change alone often saves little, because the other op then sets the peak.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from hwscale.configuration import Configuration, configure
from hwscale.formulas import find_family

OPTIONS = ("padding", "activation")


@dataclass(frozen=True, slots=True)
class Tax:
    """``values`` of the two options that differ from the network's own, and what they would change in RAM and Flash [B]."""

    values: Mapping[str, str]
    ram_bytes: int
    flash_bytes: int


def taxes(configuration: Configuration, runtime: str, external_input: bool) -> tuple[Tax, ...]:
    """Every other choice that needs less RAM, the most saving first; () where the runtime makes no difference between them."""
    now = configuration.record(runtime, external_input)
    found = []
    for values in _others(configuration):
        other = configure(
            configuration.family,
            {**configuration.values, **values},
            input_shape=configuration.input_shape,
            classes=configuration.classes,
            in_channels=configuration.input_shape[0],
        ).record(runtime, external_input)
        found.append(Tax(values, other.ram_bytes - now.ram_bytes, other.flash_bytes - now.flash_bytes))
    saving = [tax for tax in found if tax.ram_bytes < 0]
    return tuple(sorted(saving, key=lambda tax: (tax.ram_bytes, len(tax.values))))


def _others(configuration: Configuration) -> Iterator[dict[str, str]]:
    options = [option for option in find_family(configuration.family).options if option.name in OPTIONS]
    for words in product(*(option.choices for option in options)):
        named = zip(options, words, strict=True)
        values = {option.name: str(word) for option, word in named if word != configuration.values[option.name]}
        if values:
            yield values
