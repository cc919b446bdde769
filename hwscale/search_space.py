"""What every space of candidates is, whatever its shape: a domain in groups, counted and named for the proof."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Protocol, TypeVar

from hwscale.domain import Domain
from hwscale.runtimes import find_runtime


class Sized(Protocol):
    """A group of candidates."""

    @property
    def size(self) -> int:
        """How many they are."""


G = TypeVar("G", bound=Sized)


@dataclass(frozen=True, eq=False)
class SearchSpace(ABC, Generic[G]):
    """All groups of a domain; ``refused`` holds one reason per branch that the reference network cannot build."""

    domain: Domain
    runtime: str
    external_input: bool
    groups: tuple[G, ...]
    refused: tuple[str, ...]

    @cached_property
    def size(self) -> int:
        """What a proof quantifies over."""
        return sum(group.size for group in self.groups)

    @cached_property
    def runtime_plans(self) -> bool:
        """Must what a search finds be planned, see `hwscale.runtimes.runtime.Runtime`?"""
        return find_runtime(self.runtime).exact_plan

    @property
    @abstractmethod
    def kinds(self) -> frozenset[str]:
        """Operator kinds with MACs that its networks run."""

    @property
    def digest(self) -> str:
        """Short hash of the declared domain and runtime."""
        return hashlib.sha256(repr((self.domain, self.runtime, self.external_input)).encode()).hexdigest()[:12]
