"""Every family has its network and its test file."""

from __future__ import annotations

from pathlib import Path

import pytest

import hwscale
from hwscale.nets import BUILDERS


@pytest.mark.parametrize("family", hwscale.families())
def test_every_family_has_a_builder_and_a_test_file(family: str) -> None:
    assert family in BUILDERS
    assert "check(" in (Path(__file__).parent / f"test_{family}.py").read_text(encoding="utf-8")
