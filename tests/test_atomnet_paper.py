"""docs/atomnet.md holds what its script computes; the paper's budgets are met and its block rankings hold where the page says so."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1]))  # benchmarks/ is not installed, and bare `pytest` does not add the root

from benchmarks import atomnet_rows
from hwscale.domain import make_domain
from hwscale.objectives import find_objective
from hwscale.problem import Problem
from hwscale.solve import solve
from hwscale.space import make_space

DEPTHWISE, POINTWISE = (atomnet_rows.FS_PER_MAC[kind] for kind in ("depthwise", "pointwise"))
MACS = atomnet_rows.stage(atomnet_rows.block_report("convnext", 96, attention=False), "s5.b2")[0]


def block(kind: str, *, attention: bool) -> list[int]:
    """MACs, depthwise MACs, RAM, Flash of the narrowest block with the MACs of 96 ConvNext channels."""
    width = atomnet_rows.matched_width(kind, MACS, attention=attention)
    return atomnet_rows.stage(atomnet_rows.block_report(kind, width, attention=attention), "s5.b2")


def test_the_document_holds_the_tables_of_the_script() -> None:
    assert atomnet_rows.documented() == atomnet_rows.report()


@pytest.mark.parametrize("row", atomnet_rows.ROWS, ids=lambda row: row.name)
def test_the_answer_keeps_the_papers_budget_and_one_mac_more_is_infeasible(row: atomnet_rows.Row) -> None:
    space = make_space(make_domain("atomnet", classes=1000), "tensors", works=tuple(atomnet_rows.WORKS_FS))
    limits = atomnet_rows.budgets(row)
    found = solve(Problem(space, find_objective("macs"), limits, atomnet_rows.WORKS_FS))
    assert found is not None
    assert found.best.ram_bytes <= row.ram_kib * 1024
    assert found.best.flash_bytes <= row.flash_kib * 1024
    assert found.best.latency_fs <= row.latency_ms * 10**12
    more = Problem(space, find_objective("macs"), limits, atomnet_rows.WORKS_FS, {"macs": found.best.macs + 1})
    assert solve(more, "paths") is None


def test_flash_ranks_convnext_mbconv_sep_at_equal_macs_with_se_and_classifier() -> None:
    flash = [block(kind, attention=True)[3] for kind in ("convnext", "mbconv", "sep")]
    assert flash == sorted(flash)
    assert len(set(flash)) == 3


def test_ram_ranks_sep_convnext_mbconv_at_equal_macs() -> None:
    ram = [block(kind, attention=False)[2] for kind in ("sep", "convnext", "mbconv")]
    assert ram == sorted(ram)
    assert len(set(ram)) == 3


def test_latency_per_mac_ranks_convnext_mbconv_sep_at_equal_width() -> None:
    seconds = []
    for kind in ("convnext", "mbconv", "sep"):
        macs, depthwise, *_ = atomnet_rows.stage(atomnet_rows.block_report(kind, 96, attention=False), "s5.b2")
        seconds.append((depthwise * DEPTHWISE + (macs - depthwise) * POINTWISE) / macs)
    assert seconds == sorted(seconds)
    assert len(set(seconds)) == 3


def test_depthwise_share_is_the_arithmetic_of_the_blocks() -> None:
    width = 96
    shares = {
        "convnext": 9 * width / (9 * width + 12 * width**2),
        "mbconv": 54 * width / (54 * width + 12 * width**2),
        "sep": 9 * width / (9 * width + width**2),
    }
    for kind, share in shares.items():
        macs, depthwise, *_ = atomnet_rows.stage(atomnet_rows.block_report(kind, width, attention=False), "s5.b2")
        assert depthwise / macs == pytest.approx(share, rel=1e-12)
